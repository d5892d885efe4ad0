//! The command line: one file per command, and what they share. The only place that names concrete types.
//!
//! Decided here: the options that every command has, and how a command's end becomes an exit code. A new command is one file with a clap struct
//! and a `run`, and one arm in [`Command`] and in [`Command::run`].

pub mod check;
mod effective;
pub mod exit;
pub mod moment;
pub mod output;
pub mod selectors;

use crate::{
    clock::{Clock, SystemClock},
    config::{self, LoadError, Loaded},
    domain::now::Now,
};
use clap::{Parser, Subcommand, ValueEnum, error::ErrorKind};
use exit::{Exit, Refusal};
use output::Format;
use std::{path::PathBuf, process::ExitCode};

/// Scheduled backups for TencentDB for MySQL: every slot ends in exactly one final row.
#[derive(Debug, Parser)]
#[command(name = "cdb-backupd", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that stand before or after the command.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Globals {
    /// The policy.
    #[arg(short, long, global = true, value_name = "FILE", env = "CDB_BACKUPD_CONFIG", default_value = "/etc/cdb-backupd/policy.yaml")]
    pub config: PathBuf,
    /// How data is printed; `csv` where there are rows.
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Text)]
    pub output: Format,
    /// How logs are written.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// The time zone of times that are typed or shown; as the machine's unless given.
    #[arg(long, global = true, value_name = "ZONE")]
    pub tz: Option<String>,
}

/// How logs are written, on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For a terminal or the journal.
    Text,
    /// One object a line.
    Json,
}

/// Everything that can be asked for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read the policy, and tell what is wrong with it or what it means
    Check(check::Check),
}

impl Command {
    /// Does it. Data goes to stdout, everything else to stderr.
    fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        match self {
            Self::Check(check) => check.run(globals, now),
        }
    }

    /// Whether its data are rows.
    fn has_rows(&self) -> bool {
        match self {
            Self::Check(_) => false,
        }
    }
}

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    match Cli::try_parse().and_then(Cli::fitting) {
        Ok(cli) => cli.run().into(),
        Err(error) => {
            let exit = match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Ok,
                _ => Exit::Usage,
            };
            // Nobody is left to be told when even this cannot be written.
            error.print().map_or(Exit::Failed, |()| exit).into()
        }
    }
}

impl Cli {
    /// Refuses what no single option can refuse.
    fn fitting(self) -> Result<Self, clap::Error> {
        if self.globals.output == Format::Csv && !self.command.has_rows() {
            let message = "`--output csv` is for `history`; this command prints `text` or `json`";
            return Err(<Self as clap::CommandFactory>::command().error(ErrorKind::InvalidValue, message));
        }
        Ok(self)
    }

    fn run(self) -> Exit {
        let now = SystemClock::new().now();
        let error = match self.command.run(&self.globals, now) {
            Ok(exit) => return exit,
            Err(error) => error,
        };
        if let Some(load) = error.downcast_ref::<LoadError>() {
            output::tell_faults(load.faults());
            output::tell(&load.to_string());
            return exit::of_load(load);
        }
        output::tell(&format!("{error:#}"));
        error.downcast_ref::<Refusal>().map_or(Exit::Failed, |refusal| refusal.exit)
    }
}

impl Globals {
    /// The policy, for commands that need one. Its warnings go to stderr.
    pub fn policy(&self, now: Now) -> anyhow::Result<Loaded> {
        let loaded = config::load(&self.config, now.utc)?;
        output::tell_faults(&loaded.warnings);
        Ok(loaded)
    }

    /// The zone of times that are typed or shown.
    pub fn zone(&self) -> String {
        self.tz.clone().unwrap_or_else(config::local_zone)
    }
}
