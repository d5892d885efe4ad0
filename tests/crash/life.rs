//! One life of the daemon in a process of this program, which ends itself at a commit: SQLite's own hooks, no hook in the product.

use anyhow::Context;
use cdb_backupd::{
    clock::{Clock, SystemClock},
    cloud::{
        client::{Client, Transport},
        credentials::KeyRing,
    },
    config,
    daemon::{self, Loaded, Outside},
    ledger::Ledger,
    telemetry::{self, LogFormat},
};
use rusqlite::{
    Connection,
    hooks::{Action, Wal},
};
use rustix::process::{Signal, getpid, kill_process};
use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};
use tokio::signal::unix::{SignalKind, signal};

/// The product's `wal_autocheckpoint`; a hook of ours takes its place.
const CHECKPOINT_PAGES: i32 = 64;

/// On which side of a commit a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Nothing of the transaction is on the disk.
    Before,
    /// All of it is, and nobody was told.
    After,
}

/// Where a life ends: at the n-th commit from 1 on that changes the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) side: Side,
    pub(crate) nth: u32,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} commit {}", if self.side == Side::Before { "before" } else { "after" }, self.nth)
    }
}

impl Cut {
    /// How a child is told; the policy's path comes after them.
    pub(crate) fn words(self) -> [String; 2] {
        [if self.side == Side::Before { "--live-until-before" } else { "--live-until-after" }.into(), self.nth.to_string()]
    }

    /// Understands [`Cut::words`].
    pub(crate) fn read(word: &str, nth: &str) -> Option<Self> {
        let side = match word {
            "--live-until-before" => Side::Before,
            "--live-until-after" => Side::After,
            _ => return None,
        };
        Some(Self { side, nth: nth.parse().ok()? })
    }

    fn arm(self, conn: &mut Connection) -> rusqlite::Result<()> {
        // Temporary tables commit too; only what changes a table of the file counts.
        let changed = Arc::new(AtomicBool::new(false));
        let changes = changed.clone();
        conn.update_hook(Some(move |_: Action, database: &str, _: &str, _: i64| {
            changes.fetch_or(database == "main", Ordering::SeqCst);
        }))?;
        let count = AtomicU32::new(0);
        let last = move |side: Side, nth: u32| {
            if self == (Self { side, nth }) {
                end_now();
            }
        };
        conn.commit_hook(Some(move || {
            if changed.swap(false, Ordering::SeqCst) {
                last(Side::Before, count.fetch_add(1, Ordering::SeqCst) + 1);
            }
            false
        }))?;
        let count = AtomicU32::new(0);
        conn.wal_hook(Some(move |wal: &mut Wal, pages: i32| {
            last(Side::After, count.fetch_add(1, Ordering::SeqCst) + 1);
            if pages >= CHECKPOINT_PAGES { wal.checkpoint() } else { Ok(()) }
        }))
    }
}

/// Ends this process as a power switch would.
fn end_now() -> ! {
    // Not `abort` alone: no collector of cores is to be woken a hundred times.
    kill_process(getpid(), Signal::KILL).ok();
    std::process::abort()
}

/// Lives until a commit or SIGTERM, whichever comes first.
pub(crate) fn live(policy: &Path, cut: Cut) -> anyhow::Result<()> {
    let clock = SystemClock::new();
    telemetry::start(LogFormat::Text, "info", false);
    let now = clock.now();
    let loaded = config::load(policy, now.utc)?;
    let number = RandomState::new().hash_one(cut.nth) >> 1;
    let mut ledger = Ledger::open(&loaded.ledger, &format!("{number:030x}"), now.utc)?.ledger;
    cut.arm(ledger.connection_mut()).context("set the hooks")?;
    let policy = Arc::new(loaded.policy);
    let api = Client::new(clock, KeyRing::of_process(), Transport::default())?;
    let outside = Outside::new(clock, api, policy.clone(), number.cast_signed());
    let loaded = Loaded { policy, hash: loaded.text_hash, text: loaded.text, at: now.mono };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let stop = async move {
            terminate.recv().await;
        };
        Ok(daemon::run(outside, ledger, loaded, stop).await?)
    })
}
