//! `ledger`: look after the record. What each does is decided in the library's `ledger`; here is how it is asked for and told.

mod check;
mod copy;
pub mod rebuild;

use super::{
    Globals,
    exit::{self, Exit},
    reading::LedgerArg,
};
use crate::{domain::now::Now, ledger::copy::CopyError};
use clap::Subcommand;

/// Look after the ledger: check it, copy it, rebuild a lost one
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  cdb-backupd ledger check\n  cdb-backupd ledger copy ./copy.db\n  cdb-backupd ledger rebuild --dry-run")]
pub struct LedgerArgs {
    #[command(subcommand)]
    command: Care,
}

#[derive(Clone, Debug, Subcommand)]
enum Care {
    /// Read all of it and tell what no ledger may say: 0 when there is nothing, 3 when there is
    Check(check::Check),
    /// Copy it into a new file, beside a working daemon or without one
    Copy(copy::Copy),
    /// Refill a lost one from the cloud's lists, as far as the names of backups reach; no daemon may work on it
    Rebuild(rebuild::Rebuild),
}

impl LedgerArgs {
    /// Does it.
    pub fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        match self.command {
            Care::Check(check) => check.run(globals, now),
            Care::Copy(copy) => copy.run(globals, now),
            Care::Rebuild(rebuild) => rebuild.run(globals, now),
        }
    }
}

fn end_of(error: &CopyError) -> Exit {
    match error {
        CopyError::Exists(_) | CopyError::Name(_) => Exit::Failed,
        CopyError::NoLedger(_) | CopyError::Damaged(_) => Exit::LedgerIo,
        CopyError::Ledger(error) => exit::of_ledger(error),
    }
}
