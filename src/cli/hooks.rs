//! What the loop of `run` tells, and whom: systemd after each pass, and the copying of the ledger each night.
//!
//! The copy is made on the blocking pool, by a connection of its own: no pass waits for it.

use crate::{
    daemon::{Hooks, Night, Passed},
    domain::policy::LedgerCopies,
    ledger::copy::{self, Copied, CopyError},
    systemd::Systemd,
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::runtime::Handle;

/// The hooks of a daemon that works on `ledger`.
pub(super) fn of_run(systemd: &Systemd, ledger: &Path, pool: &Handle) -> Hooks {
    Hooks { passed: passed(systemd), night: Some(night(ledger, pool)) }
}

/// Nobody where nobody listens: a pass costs nothing then.
fn passed(systemd: &Systemd) -> Option<Passed> {
    let systemd = systemd.is_told().then(|| systemd.clone())?;
    Some(Box::new(move |standing, mono| {
        #[cfg(debug_assertions)]
        stuck::while_asked();
        systemd.passed(&standing.to_string(), mono)
    }))
}

fn night(ledger: &Path, pool: &Handle) -> Night {
    let (ledger, pool, at_work) = (ledger.to_owned(), pool.clone(), Arc::<AtomicBool>::default());
    Box::new(move |copies, now| {
        if at_work.swap(true, Ordering::SeqCst) {
            tracing::warn!("last night's copy of the ledger is still being written; there is none of this night");
            return;
        }
        let (ledger, copies, at_work) = (ledger.clone(), copies.clone(), at_work.clone());
        // Whoever stops the daemon does not wait for it: what is not whole is dropped the next night.
        drop(pool.spawn_blocking(move || {
            told(&copies, copy::nightly(&ledger, &copies, now));
            at_work.store(false, Ordering::SeqCst);
        }));
    })
}

fn told(copies: &LedgerCopies, copied: Result<Copied, CopyError>) {
    match copied {
        Ok(copied) => {
            let (path, dropped) = (copied.path.display(), copied.dropped.len());
            tracing::info!(%path, bytes = copied.bytes, dropped, keep = copies.keep, "the ledger was copied for the night");
        }
        Err(error) => {
            tracing::error!(%error, folder = %copies.folder.display(), "the ledger could not be copied for the night; older copies were left");
        }
    }
}

/// A loop that hangs, for tests of what becomes of it; no release has it.
#[cfg(debug_assertions)]
mod stuck {
    use std::{env, fs::File, path::Path};

    /// Where a pipe of this name is, the loop waits until somebody writes into it.
    const PIPE: &str = "CDB_BACKUPD_TEST_STUCK";

    pub(super) fn while_asked() {
        if let Some(pipe) = env::var_os(PIPE)
            && Path::new(&pipe).exists()
        {
            drop(File::open(pipe));
        }
    }
}
