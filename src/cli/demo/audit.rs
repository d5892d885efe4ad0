//! The audit: what the daemon wrote against what the cloud made. It believes neither.

use super::{incidents, items};
use crate::{
    cli::table::visible,
    domain::{alias::generation_of, run::Outcome},
    ledger::report::Item,
    sim::{
        audit::{Audit as OfCloud, Seen},
        faults::Fault,
    },
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

/// The row of the run that asked for a backup of this name.
pub(super) fn row_of<'a>(items: &'a [Item], alias: &str) -> Option<&'a Item> {
    items.iter().find(|item| generation_of(&item.alias, alias).is_some())
}

/// Whether nothing leads to a backup: no row knows it, or its row is over, claims to know the end, and names another or none. An open run can still
/// find it, and one that ended `unknown` says that there may be one, and is watched.
fn is_lost(backup: &Seen, row: Option<&Item>) -> bool {
    row.is_none_or(|row| {
        let claims = is_final(&row.state) && row.state != Outcome::Unknown.word();
        claims && !backup.fails && !backup.deleted && row.backup_id != Some(backup.id.0)
    })
}

impl Audit {
    /// Compares the ledger with the cloud. `standing` are the faults that befell it in their time, `slots` is how many there should be.
    pub(super) fn of(cloud: &OfCloud, standing: &[Fault], ledger: &Path, slots: usize) -> anyhow::Result<Self> {
        let items = items(ledger)?;
        let made: Vec<_> = cloud.backups.iter().filter(|backup| !backup.alias.is_empty()).collect();
        let lost = made.iter().filter(|backup| is_lost(backup, row_of(&items, &backup.alias))).count();
        let incidents = incidents::lines(cloud, standing, &items);
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
