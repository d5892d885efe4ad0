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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Ledger;

    #[test]
    fn a_night_makes_its_copy_aside_and_none_while_the_last_one_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let now = "2026-11-24T20:17:00Z".parse().unwrap();
        let path = folder.path().join("ledger.db");
        let _ledger = Ledger::open(&path, "hooked", now).unwrap();
        let copies = LedgerCopies { folder: folder.path().join("copies"), keep: 2 };
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        let mut hooks = of_run(&Systemd::default(), &path, runtime.handle());
        assert!(hooks.passed.is_none(), "nobody listens");
        let night = hooks.night.as_mut().unwrap();
        let (let_go, waits) = std::sync::mpsc::channel::<()>();
        // The pool's one thread is busy: a hook that waited for its copy would hang here.
        drop(runtime.handle().spawn_blocking(move || waits.recv()));
        night(&copies, now);
        night(&copies, now + chrono::TimeDelta::days(1));
        let_go.send(()).unwrap();
        // All that was asked of the pool is done before this.
        runtime.block_on(runtime.handle().spawn_blocking(|| ())).unwrap();
        assert_eq!(std::fs::read_dir(&copies.folder).unwrap().count(), 1);
        night(&copies, now + chrono::TimeDelta::days(2));
        runtime.block_on(runtime.handle().spawn_blocking(|| ())).unwrap();
        assert_eq!(std::fs::read_dir(&copies.folder).unwrap().count(), 2);
    }
}
