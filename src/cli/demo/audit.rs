//! The audit: what the daemon wrote against what the cloud made. It believes neither.

use super::{incidents, items};
use crate::{
    cli::table::visible,
    domain::{alias::generation_of, run::Outcome},
    ledger::report::Item,
    sim::audit::Audit as OfCloud,
};
use std::path::{Path, PathBuf};

/// What was found.
pub(super) struct Audit {
    slots: usize,
    items: Vec<Item>,
    backups: usize,
    doubled: usize,
    lost: usize,
    peak: u32,
    ledger: PathBuf,
    incidents: Vec<String>,
}

/// What became of the promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Every slot has one final row; nothing doubled, nothing lost.
    Holds,
    /// Nothing doubled and nothing lost, and the time was up before every slot had its final row.
    NotFinished,
    /// Something doubled, something lost, or too many calls.
    Broken,
}

/// Whether a state is final.
pub(super) fn is_final(state: &str) -> bool {
    Outcome::ALL.iter().any(|outcome| outcome.word() == state)
}

impl Audit {
    /// Compares the ledger with the cloud; `slots` is how many there should be.
    pub(super) fn of(cloud: &OfCloud, ledger: &Path, slots: usize) -> anyhow::Result<Self> {
        let items = items(ledger)?;
        let row = |alias: &str| items.iter().find(|item| generation_of(&item.alias, alias).is_some());
        let made: Vec<_> = cloud.backups.iter().filter(|backup| !backup.alias.is_empty()).collect();
        // A backup that no row knows is lost; so is one whose good end its row does not say.
        let lost = made.iter().filter(|backup| {
            let row = row(&backup.alias);
            row.is_none_or(|row| !backup.fails && !backup.deleted && row.backup_id != Some(backup.id.0))
        });
        let (incidents, lost) = (incidents::lines(cloud, &items), lost.count());
        let (backups, doubled, peak) = (made.len(), cloud.doubled.len(), cloud.peak_creates());
        Ok(Self { slots, backups, doubled, lost, peak, ledger: ledger.into(), incidents, items })
    }

    fn finals(&self) -> usize {
        self.items.iter().filter(|item| is_final(&item.state)).count()
    }

    /// What becomes of the promise.
    pub(super) fn verdict(&self) -> Verdict {
        if self.doubled > 0 || self.lost > 0 || self.peak > 5 || self.items.len() > self.slots {
            Verdict::Broken
        } else if self.slots == 0 || self.finals() < self.slots {
            Verdict::NotFinished
        } else {
            Verdict::Holds
        }
    }

    /// The last page of the demo.
    pub(super) fn report(&self, kills: usize, ended_well: bool, folder: &Path) -> String {
        let mut text = String::from("\nEvery fault, what it struck, and how that run ended:\n");
        let mut put = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        self.incidents.iter().for_each(|line| put(line.clone()));
        put("\nRuns that did not end well, and why:".into());
        let bad: Vec<_> = self.items.iter().filter(|item| item.state != Outcome::Succeeded.word()).collect();
        bad.iter().for_each(|item| put(format!("  {:<16} {:<13} {:<10} {}", item.job, item.instance_id, item.state, visible(&item.why))));
        if bad.is_empty() {
            put("  none".into());
        }
        put("\nAudit".into());
        put(format!("  slots                          {}", self.slots));
        put(format!("  final rows                     {}", self.finals()));
        put(format!("  backups in the cloud           {}", self.backups));
        put(format!("  doubled                        {}", self.doubled));
        put(format!("  lost                           {}", self.lost));
        put(format!("  most CreateBackup in a second  {} (limit 5)", self.peak));
        put(format!(
            "  daemon killed                  {kills} times; at the end it {}",
            if ended_well { "stopped with 0" } else { "did NOT stop with 0" }
        ));
        put(match self.verdict() {
            Verdict::Holds => "  the promise holds: every slot one final row, nothing doubled, nothing lost".into(),
            Verdict::NotFinished => format!(
                "  NOT FINISHED in time: {} of {} slots have no final row yet; nothing doubled, nothing lost; the log says what held them",
                self.slots.saturating_sub(self.finals()),
                self.slots
            ),
            Verdict::Broken => "  THE PROMISE IS BROKEN".into(),
        });
        put(format!("\nThe daemon's log:  {}", folder.join("daemon.log").display()));
        put(format!("The ledger:        sqlite3 {} \"SELECT * FROM history\"", self.ledger.display()));
        text
    }
}
