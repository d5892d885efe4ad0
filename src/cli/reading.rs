//! What `history`, `show` and `health` share: which ledger they read, and how. No daemon, no keys, and with `--ledger` no policy.

use super::{
    Globals,
    exit::{self, Exit},
    history::{self, HistoryArgs, Output},
    output::{self, Format},
    selectors::Selectors,
    show::{self, ShowArgs},
};
use crate::{
    domain::{names::RunId, now::Now},
    ledger,
};
use anyhow::Context;
use std::{
    io::{self, ErrorKind},
    path::PathBuf,
};

/// The ledger to read.
#[derive(Clone, Debug, clap::Args)]
pub struct LedgerArg {
    /// The ledger; the policy's unless given
    #[arg(long, value_name = "PATH", env = "CDB_BACKUPD_LEDGER")]
    pub ledger: Option<PathBuf>,
}

/// List runs, newest slot first
#[derive(Clone, Debug, clap::Args)]
pub struct History {
    #[command(flatten)]
    args: HistoryArgs,
    #[command(flatten)]
    selectors: Selectors,
    #[command(flatten)]
    ledger: LedgerArg,
}

/// Show one run: its attempts, its backups, and what happens next
#[derive(Clone, Debug, clap::Args)]
pub struct Show {
    #[command(flatten)]
    args: ShowArgs,
    #[command(flatten)]
    ledger: LedgerArg,
}

impl History {
    /// Prints the runs.
    pub fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        let filter = self.args.filter(self.selectors.of_rows(), now.utc, &globals.zone())?;
        let ledger = self.ledger.path(globals, now)?;
        ended(history::run(&ledger, filter, output_of(globals.output), &mut io::stdout().lock()))
    }
}

impl Show {
    /// Prints the run.
    pub fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        let ledger = self.ledger.path(globals, now)?;
        ended(show::run(&ledger, RunId(self.args.run), output_of(globals.output), &mut io::stdout().lock()))
    }
}

impl LedgerArg {
    /// Where it is; the policy is read only when nothing else says it.
    pub(super) fn path(self, globals: &Globals, now: Now) -> anyhow::Result<PathBuf> {
        match self.ledger {
            Some(path) => Ok(path),
            None => Ok(globals.policy_quietly(now).context("name the ledger with `--ledger PATH` to read it without a policy")?.ledger),
        }
    }
}

fn output_of(format: Format) -> Output {
    match format {
        Format::Text => Output::Text { colour: output::colored(&io::stdout()) },
        Format::Json => Output::Json,
        Format::Csv => Output::Csv,
    }
}

/// How a reading command ends: a reader that has gone away is no error, and a ledger's fault has an exit code of its own.
pub(super) fn ended(result: anyhow::Result<()>) -> anyhow::Result<Exit> {
    let Err(error) = result else { return Ok(Exit::Ok) };
    if error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|cause| cause.kind() == ErrorKind::BrokenPipe)) {
        return Ok(Exit::Ok);
    }
    match error.downcast_ref::<ledger::Error>() {
        Some(ledger) => Err(exit::of_ledger(ledger).because(ledger.to_string()).into()),
        None => Err(error),
    }
}
