//! The command line: one file per command, and what they share. The only place that names concrete types.
//!
//! Decided here: the options that every command has, and how a command's end becomes an exit code. A new command is one file with a clap struct
//! and a `run`, and one arm in [`Command`] and in [`Command::run`].

pub mod act;
pub mod against;
pub mod check;
pub mod demo;
mod door;
mod effective;
pub mod exit;
pub mod explain;
mod glance;
pub mod health;
pub mod history;
mod hooks;
pub mod keys;
pub mod ledger;
pub mod moment;
pub mod next;
pub mod output;
mod papers;
mod progress;
pub mod reading;
mod reread;
pub mod run;
pub mod selectors;
pub mod show;
pub mod sim;
pub mod status;
pub mod table;
mod terminal;

use crate::{
    clock::{Clock, SystemClock},
    config::{self, Fault, Level, LoadError, Loaded},
    domain::{
        now::Now,
        schedule::{Schedule, is_abbreviation, nearest_zone},
    },
};
use clap::{Parser, Subcommand, ValueEnum, error::ErrorKind};
use exit::{Exit, Refusal};
use moment::Shown;
use output::Format;
use std::{path::PathBuf, process::ExitCode};

/// Scheduled backups for TencentDB for MySQL: every slot ends in exactly one final row.
#[derive(Debug, Parser)]
#[command(
    name = "cdb-backupd",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "Examples:\n  cdb-backupd check -c ./policy.yaml\n  cdb-backupd status\n  cdb-backupd history --since yesterday --not-ok\n  cdb-backupd man | man -l -"
)]
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
    /// The time zone of times that are typed or shown in text; unless given the machine's for typed ones, the job's or UTC for shown ones
    #[arg(long, global = true, value_name = "ZONE", value_parser = known_zone)]
    pub tz: Option<String>,
}

fn known_zone(text: &str) -> Result<String, String> {
    match Schedule::parse("@daily", text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(match nearest_zone(text) {
            Some(near) => format!("no such IANA time zone; did you mean `{near}`?"),
            None if is_abbreviation(text) => "abbreviations mean several zones; write a zone's name, such as `Asia/Shanghai`".to_owned(),
            None => "no such IANA time zone".to_owned(),
        }),
    }
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
    /// Run the daemon
    Run(run::Run),
    /// Read the policy, and tell what is wrong with it or what it means
    Check(check::Check),
    /// Tell which slots are coming, and when their runs start
    Next(next::Next),
    /// List runs, newest slot first
    History(reading::History),
    /// Show one run: its attempts, its backups, and what happens next
    Show(reading::Show),
    /// Tell whether every job's backups are there, and what is wrong
    Status(status::Status),
    /// Tell in words all that bears on the next run of a job or of an instance
    Explain(explain::Explain),
    /// Make backups now: of a job, of an instance, or of what went wrong
    Backup(act::backup::Backup),
    /// Run slots that were missed, the newest first
    Backfill(act::backfill::Backfill),
    /// End runs that wait
    Cancel(act::cancel::Cancel),
    /// Hold jobs and instances from starting, for a time
    Pause(act::pause::Pause),
    /// End pauses
    Resume(act::pause::Resume),
    /// Have the daemon read its policy again
    Reload(act::reload::Reload),
    /// Tell whether a daemon works on the ledger
    Health(health::Health),
    /// Look after the ledger: check it, copy it, rebuild a lost one
    Ledger(ledger::LedgerArgs),
    /// Print what makes a shell complete commands and options
    Completions(papers::Completions),
    /// Print a manual page
    Man(papers::Man),
    /// Print the policy's JSON Schema, for editors
    Schema(papers::Schema),
    /// Watch it work against a simulated cloud, for under a minute
    Demo(demo::Demo),
    /// Run a simulated cloud on a loopback address, to try a policy by hand
    Sim(sim::SimArgs),
}

impl Command {
    /// Does it. Data goes to stdout, everything else to stderr.
    fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        match self {
            Self::Run(run) => run.run(globals),
            Self::Check(check) => check.run(globals, now),
            Self::Next(next) => next.run(globals, now),
            Self::History(history) => history.run(globals, now),
            Self::Show(show) => show.run(globals, now),
            Self::Status(status) => status.run(globals, now),
            Self::Explain(explain) => explain.run(globals, now),
            Self::Backup(backup) => backup.run(globals, now),
            Self::Backfill(backfill) => backfill.run(globals, now),
            Self::Cancel(cancel) => cancel.run(globals, now),
            Self::Pause(pause) => pause.run(globals, now),
            Self::Resume(resume) => resume.run(globals, now),
            Self::Reload(reload) => reload.run(globals, now),
            Self::Health(health) => health.run(globals, now),
            Self::Ledger(ledger) => ledger.run(globals, now),
            Self::Completions(completions) => completions.run(),
            Self::Man(man) => man.run(),
            Self::Schema(schema) => schema.run(),
            Self::Demo(demo) => demo.run(globals),
            Self::Sim(args) => {
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
                reading::ended(runtime.block_on(sim::run(args, globals.output)))
            }
        }
    }

    /// Whether its data are rows.
    fn has_rows(&self) -> bool {
        matches!(self, Self::History(_))
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
            self.globals.tell_load(load);
            for advice in error.chain().take_while(|cause| !cause.is::<LoadError>()) {
                self.globals.tell(Level::Error, &advice.to_string());
            }
            return exit::of_load(load);
        }
        self.globals.tell(Level::Error, &format!("{error:#}"));
        error.downcast_ref::<Refusal>().map_or(Exit::Failed, |refusal| refusal.exit)
    }
}

impl Globals {
    /// The policy, for commands that need one. Its warnings go to stderr.
    pub fn policy(&self, now: Now) -> anyhow::Result<Loaded> {
        let loaded = config::load(&self.config, now.utc)?;
        self.tell_faults(&loaded.warnings);
        Ok(loaded)
    }

    /// Tells a line on stderr, as logs are written.
    pub fn tell(&self, level: Level, line: &str) {
        match self.log_format {
            LogFormat::Text => output::tell(line),
            LogFormat::Json => output::log(level, line, None),
        }
    }

    /// Tells faults or warnings on stderr, as logs are written.
    pub fn tell_faults(&self, faults: &[Fault]) {
        match self.log_format {
            LogFormat::Text => output::tell_faults(faults),
            LogFormat::Json => faults.iter().for_each(|fault| output::log(fault.level, &fault.message, Some(fault))),
        }
    }

    /// Tells why there is no policy, each thing once.
    fn tell_load(&self, error: &LoadError) {
        match error {
            LoadError::Faulty { faults, .. } => {
                self.tell_faults(faults);
                self.tell(Level::Error, &error.to_string());
            }
            LoadError::Missing(fault) | LoadError::Unreadable(fault) if self.log_format == LogFormat::Text => {
                let hint = fault.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
                output::tell(&format!("{}{hint}", fault.message));
            }
            LoadError::Missing(fault) | LoadError::Unreadable(fault) => self.tell_faults(std::slice::from_ref(fault)),
        }
    }

    /// The zone of times that are typed.
    pub fn zone(&self) -> String {
        self.tz.clone().unwrap_or_else(config::local_zone)
    }

    /// How text shows times.
    pub fn shown(&self) -> anyhow::Result<Shown> {
        Ok(Shown::of(self.tz.as_deref())?)
    }
}
