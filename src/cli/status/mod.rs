//! `status`: did last night's backups work, what is wrong since when, and what comes next. Reads the ledger and the policy in force that it holds;
//! needs no daemon, no keys and no policy file.
//!
//! Nothing is decided here: what is counted and said is `ledger::report`'s, and the page says the same.

mod text;

use super::{
    Globals,
    exit::Exit,
    output::{self, Format},
    reading::{self, LedgerArg},
    selectors::Selectors,
};
use crate::{
    config::{self, Machine},
    domain::{now::Now, policy::Policy},
    ledger::report::{self, Judged, Pair, Reader, Standing, Survey, uncovered},
};
use anyhow::Context;
use std::{io, path::Path};

/// Tell whether every job's backups are there: 0 when they are and the daemon turns, 3 when not
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  cdb-backupd status\n  cdb-backupd status --tag env=prod\n  cdb-backupd status --uncovered -o json")]
pub struct Status {
    /// Only what is running
    #[arg(long)]
    running: bool,
    /// Only instances without any good backup, or that no job matches
    #[arg(long, conflicts_with_all = ["running", "job"])]
    uncovered: bool,
    #[command(flatten)]
    selectors: Selectors,
    #[command(flatten)]
    ledger: LedgerArg,
}

impl Status {
    /// Prints the verdict first.
    pub fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        match self.told(globals, now) {
            Ok((text, exit)) => output::print(&text).map(|()| exit),
            Err(error) => reading::ended(Err(error)),
        }
    }

    /// What it prints, and how it ends.
    pub fn told(&self, globals: &Globals, now: Now) -> anyhow::Result<(String, Exit)> {
        if globals.output == Format::Csv {
            return Err(Exit::Usage.because("`status` has no rows for `csv`; write `-o json`").into());
        }
        let path = self.ledger.clone().path(globals, now)?;
        let (survey, text) = read(&path, now)?;
        let pulse = Judged::of(&path, survey.pulse.clone(), now.utc);
        // Whatever a warning says of this machine was said when the policy was loaded.
        let in_force = text.map(|text| config::check_text("the policy in force", &text, &Machine::pictured(&[], &[], ""), now.utc)).transpose();
        let policy =
            in_force.context("this program cannot read the policy that the ledger holds; use the version that wrote it")?.map(|it| it.policy);
        let meant = self.selectors.scope();
        if self.uncovered {
            return uncovered_of(globals, &meant, policy.as_ref(), &survey.pairs);
        }
        let mut told = Standing::of(pulse, policy.as_ref(), &survey, &meant, now.utc);
        if self.running {
            told.keep_running();
        }
        let text = match globals.output {
            Format::Json => format!("{}\n", serde_json::to_string(&told)?),
            Format::Text | Format::Csv => text::of(&told, policy.is_some(), &globals.shown()?, output::colored(&io::stdout())),
        };
        Ok((text, if told.ok { Exit::Ok } else { Exit::NotAllGood }))
    }
}

fn uncovered_of(globals: &Globals, meant: &report::Selectors, policy: Option<&Policy>, pairs: &[Pair]) -> anyhow::Result<(String, Exit)> {
    let items = uncovered(policy, pairs, meant);
    let text = match globals.output {
        Format::Json => output::items_of(&items)?,
        Format::Text | Format::Csv => text::uncovered(&items),
    };
    Ok((text, if items.is_empty() { Exit::Ok } else { Exit::NotAllGood }))
}

/// What the ledger says, and the text of the policy in force.
fn read(path: &Path, now: Now) -> anyhow::Result<(Survey, Option<String>)> {
    let Some(reader) = Reader::open(path)? else { return Ok((Survey::default(), None)) };
    Ok((reader.survey(now.utc)?, reader.policy_in_force()?))
}
