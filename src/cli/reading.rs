//! What `history`, `show` and `health` share: which ledger they read, and how. No daemon, no keys, and with `--ledger` no policy.

use super::{
    Globals,
    exit::{self, Exit},
    history::{self, HistoryArgs, Output},
    output::{self, Format},
    selectors::Selectors,
    show::{self, ShowArgs},
    table::visible,
};
use crate::{
    config::{self, Level, Machine},
    domain::{names::RunId, now::Now, policy::Policy},
    ledger::{self, report::Reader},
};
use anyhow::Context;
use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

/// The ledger to read: the one that `run` writes with this policy, unless another is named.
#[derive(Clone, Debug, clap::Args)]
pub struct LedgerArg {
    /// The ledger; unless given the policy's, else `$CDB_BACKUPD_LEDGER`, else `$STATE_DIRECTORY/ledger.db`, else the built-in path
    #[arg(long, value_name = "PATH")]
    pub ledger: Option<PathBuf>,
}

/// List runs, newest slot first
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cdb-backupd history --since yesterday --not-ok\n  cdb-backupd history --job nightly-full --instance orders --limit 10\n  cdb-backupd history --state missed --since 7d -o csv > missed.csv"
)]
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
        let filter = self.args.filter(self.selectors.scope(), now.utc, &globals.zone())?;
        let ledger = self.ledger.path(globals, now)?;
        ended(history::run(&ledger, filter, output_of(globals)?, &mut io::stdout().lock()))
    }
}

impl Show {
    /// Prints the run.
    pub fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        let ledger = self.ledger.path(globals, now)?;
        ended(show::run(&ledger, RunId(self.args.run), output_of(globals)?, &mut io::stdout().lock()))
    }
}

impl LedgerArg {
    /// Where it is. The policy goes before the environment, as in `run`; without a policy the environment is taken at its word, and that is told.
    pub(super) fn path(self, globals: &Globals, now: Now) -> anyhow::Result<PathBuf> {
        if let Some(path) = self.ledger {
            return Ok(path);
        }
        let error = match config::load(&globals.config, now.utc) {
            Ok(loaded) => return Ok(loaded.ledger),
            Err(error) => error,
        };
        let named = config::default_ledger(&Machine::here());
        if named == Path::new(config::DEFAULT_LEDGER) {
            return Err(anyhow::Error::new(error).context("name the ledger with `--ledger PATH` to read it without a policy"));
        }
        globals.tell(Level::Warning, &format!("{error}; reading the ledger that the environment names, {}", visible(&named.to_string_lossy())));
        Ok(named)
    }
}

/// The policy in force as the ledger holds it: it needs no file, and no keys.
pub(super) fn policy_in_force(reader: &Reader, now: Now) -> anyhow::Result<Option<Policy>> {
    let Some(text) = reader.policy_in_force()? else { return Ok(None) };
    // Whatever a warning says of this machine was said when the policy was loaded.
    let loaded = config::check_text("the policy in force", &text, &Machine::pictured(&[], &[], ""), now.utc);
    let policy = loaded.context("this program cannot read the policy that the ledger holds; use the version that wrote it")?.policy;
    Ok(Some(policy))
}

fn output_of(globals: &Globals) -> anyhow::Result<Output> {
    Ok(match globals.output {
        Format::Text => Output::Text { colour: output::colored(&io::stdout()), shown: globals.shown()? },
        Format::Json => Output::Json,
        Format::Csv => Output::Csv,
    })
}

/// How a reading command ends: a reader that has gone away is no error, and a ledger's fault has an exit code of its own.
pub(super) fn ended(result: anyhow::Result<()>) -> anyhow::Result<Exit> {
    let Err(error) = result else { return Ok(Exit::Ok) };
    if error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|cause| cause.kind() == ErrorKind::BrokenPipe)) {
        return Ok(Exit::Ok);
    }
    Err(refused(error))
}

/// An error with the exit code that a ledger's fault has.
pub(super) fn refused(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<ledger::Error>() {
        Some(ledger) => exit::of_ledger(ledger).because(ledger.to_string()).into(),
        None => error,
    }
}
