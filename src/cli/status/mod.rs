//! `status`: did last night's backups work, what is wrong since when, and what comes next. Reads the ledger and the policy in force that it holds;
//! needs no daemon, no keys and no policy file.
//!
//! Nothing is decided here: what is counted and said is `ledger::report`'s, and the page says the same.

mod text;
mod watch;

use super::{
    Globals,
    exit::Exit,
    output::{self, Format},
    reading::{self, LedgerArg},
    selectors::Selectors,
};
use crate::{
    domain::{now::Now, policy::Policy},
    ledger::report::{Judged, Overview, Reader, Survey, Uncovered, uncovered},
};
use std::{io, path::Path};

/// Tell whether every job's backups are there: 0 when they are and the daemon turns, 3 when not
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  cdb-backupd status\n  cdb-backupd status --tag env=prod --watch\n  cdb-backupd status --uncovered -o json")]
pub struct Status {
    /// Only what is running
    #[arg(long)]
    running: bool,
    /// Only instances without any good backup, or that no job matches
    #[arg(long, conflicts_with_all = ["running", "job"])]
    uncovered: bool,
    /// Tell it again every 2 s until interrupted: drawn over on a terminal, elsewhere only when something has changed
    #[arg(short, long)]
    watch: bool,
    #[command(flatten)]
    selectors: Selectors,
    #[command(flatten)]
    ledger: LedgerArg,
}

/// What was found, at one moment.
struct Told {
    found: Found,
    /// Whether any policy was ever in force.
    in_force: bool,
}

enum Found {
    Overview(Box<Overview>),
    Uncovered(Vec<Uncovered>),
}

impl Status {
    /// Prints the verdict first.
    pub fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        if globals.output == Format::Csv {
            return Err(Exit::Usage.because("`status` has no rows for `csv`; write `-o json`").into());
        }
        if self.watch {
            let path = self.ledger.clone().path(globals, now)?;
            return watch::watch(globals, |now: Now| self.look(&path, now).map_err(reading::refused));
        }
        let (text, exit) = self.told(globals, now)?;
        output::print(&text)?;
        Ok(exit)
    }

    /// What it prints when it looks once, and how it ends.
    pub fn told(&self, globals: &Globals, now: Now) -> anyhow::Result<(String, Exit)> {
        let path = self.ledger.clone().path(globals, now)?;
        let told = self.look(&path, now).map_err(reading::refused)?;
        Ok((told.printed(globals)?, told.exit()))
    }

    fn look(&self, path: &Path, now: Now) -> anyhow::Result<Told> {
        let (survey, policy) = read(path, now)?;
        let (meant, in_force) = (self.selectors.scope(), policy.is_some());
        // A name that is mistyped, or gone, must not look as if all were well.
        if let Some(stranger) = policy.as_ref().and_then(|policy| meant.stranger(policy)) {
            return Err(Exit::Usage.because(stranger.to_string()).into());
        }
        if self.uncovered {
            return Ok(Told { found: Found::Uncovered(uncovered(policy.as_ref(), &survey.pairs, &meant)), in_force });
        }
        let pulse = Judged::of(path, survey.pulse.clone(), now.utc);
        let mut standing = Overview::of(pulse, policy.as_ref(), &survey, &meant, now.utc);
        if self.running {
            standing.keep_running();
        }
        Ok(Told { found: Found::Overview(Box::new(standing)), in_force })
    }
}

impl Told {
    /// As it is asked for.
    fn printed(&self, globals: &Globals) -> anyhow::Result<String> {
        Ok(match (&self.found, globals.output) {
            (Found::Overview(standing), Format::Json) => format!("{}\n", serde_json::to_string(standing)?),
            (Found::Overview(standing), _) => text::of(standing, self.in_force, &globals.shown()?, output::colored(&io::stdout())),
            (Found::Uncovered(items), Format::Json) => output::items(items)?,
            (Found::Uncovered(items), _) => text::uncovered(items, self.in_force),
        })
    }

    fn exit(&self) -> Exit {
        let is_good = match &self.found {
            Found::Overview(standing) => standing.ok,
            Found::Uncovered(items) => self.in_force && items.is_empty(),
        };
        if is_good { Exit::Ok } else { Exit::NotAllGood }
    }

    /// Whether it tells something that the one before did not.
    fn is_news(&self, before: &Self) -> bool {
        match (&self.found, &before.found) {
            (Found::Overview(now), Found::Overview(before)) => !now.is_like(before),
            (Found::Uncovered(now), Found::Uncovered(before)) => now != before,
            _ => true,
        }
    }
}

/// What the ledger says, and the policy in force.
fn read(path: &Path, now: Now) -> anyhow::Result<(Survey, Option<Policy>)> {
    let Some(reader) = Reader::open(path)? else { return Ok((Survey::default(), None)) };
    Ok((reader.survey(now.utc)?, reading::policy_in_force(&reader, now)?))
}
