//! The real program, as its users run it.

use anyhow::Context;
use cdb_backupd::sim::settings::SimAccount;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// `cdb-backupd run` in a folder. It ends with this.
pub(crate) struct Daemon {
    child: Child,
    ledger: PathBuf,
}

impl Daemon {
    /// Starts on this policy, which says nothing of its ledger.
    pub(crate) fn start(folder: &Path, policy: &str) -> anyhow::Result<Self> {
        let (file, ledger) = (folder.join("policy.yaml"), folder.join("ledger.db"));
        std::fs::write(&file, policy)?;
        let account = SimAccount::example();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"));
        command.arg("run").arg("--config").arg(file).env("CDB_BACKUPD_LEDGER", &ledger);
        // As the unit and the image have it.
        command.env("MALLOC_ARENA_MAX", "2");
        command.env("TENCENTCLOUD_SECRET_ID", account.secret_id).env("TENCENTCLOUD_SECRET_KEY", account.secret_key);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("start the daemon")?;
        Ok(Self { child, ledger })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the clock is proved and the policy recorded.
    pub(crate) fn is_ready(&self) -> bool {
        let ask =
            || -> rusqlite::Result<i64> { rusqlite::Connection::open(&self.ledger)?.query_row("SELECT count(*) FROM cursors", [], |row| row.get(0)) };
        ask().is_ok_and(|cursors| cursors > 0)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM).ok();
        }
        drop(self.child.wait());
    }
}
