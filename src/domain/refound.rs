//! Which runs the cloud's list still tells of, for a ledger that does not: what a rebuild may write down.
//!
//! Only backups that succeeded become runs. A name holds job and slot in clear, and a mark made from the ledger's id and the whole key: with the id it
//! is proved that a backup is the one of a slot. Without it (a lost ledger whose lock file is lost too is made anew with another id) the name is all
//! there is, and is believed only for slots that this ledger never planned: those at or before `planned_since`. A run by hand bears the mark of a
//! request whose number is lost, so it counts as unproved.

use super::{
    alias::{Listed, alias},
    catch_up::NewRun,
    policy::{Instance, Job},
    reply::{Backup, BackupStatus},
    request::{MissedRow, left_missed},
    run::{Key, Trigger},
};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

/// One run that ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refound {
    /// Its key, of the schedule.
    pub key: Key,
    /// The name of its first generation, as it is listed.
    pub alias: String,
    /// Whether the name is the one that its key gives in this ledger.
    pub is_proved: bool,
    /// Of which generation the good backup is.
    pub generation: u8,
    /// The good backup: the earliest of the highest generation.
    pub good: Backup,
    /// The others of the run, each with its generation.
    pub others: Vec<(u8, Backup)>,
}

/// What an instance's list holds of one job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Oldest slot first, the proved one first where two claim a slot.
    pub runs: Vec<Refound>,
    /// Names of the job that this ledger cannot prove, inside the time that it planned itself: by hand, or another ledger's.
    pub unproved: u64,
    /// Runs of which no backup succeeded: at work still, or FAILED.
    pub not_good: u64,
    /// Backups with a name of the job that were made in another way.
    pub other_method: u64,
}

/// What stays missed of a row when one of its slots has its backup.
///
/// Absent when that is none of its slots, or when the job's schedule is another now than it was then.
pub fn missed_besides(job: &Job, row: &MissedRow, slot: DateTime<Utc>) -> Option<Vec<NewRun>> {
    let before = |t: DateTime<Utc>| t - TimeDelta::milliseconds(1);
    let is_as_it_was = job.schedule.count_and_last(before(row.first), row.last) == (row.slots, Some(row.last));
    let is_of_it = (row.first..=row.last).contains(&slot) && job.schedule.count_and_last(before(slot), slot) == (1, Some(slot));
    (is_as_it_was && is_of_it).then(|| left_missed(job, row, &[slot]))
}

/// What `list`, of this instance, holds of `job`. `planned_since`: from when on the ledger plans the job's slots on it; absent when it never did.
pub fn found(list: &[Backup], job: &Job, instance: &Instance, ledger_id: &str, planned_since: Option<DateTime<Utc>>) -> Found {
    let mut found = Found::default();
    let mut named: BTreeMap<_, Vec<(u8, &Backup)>> = BTreeMap::new();
    for item in list.iter().filter(|item| item.manual && item.instance.as_ref().is_none_or(|id| *id == instance.id)) {
        let Some(name) = Listed::parse(&item.alias).filter(|name| name.job == job.name) else { continue };
        if item.kind == job.method.word() {
            named.entry((name.slot, name.alias)).or_default().push((name.generation, item));
        } else {
            found.other_method += 1;
        }
    }
    for ((slot, name), backups) in named {
        let key = Key { job: job.name.clone(), instance: instance.id.clone(), slot, trigger: Trigger::Schedule, request: 0 };
        let is_proved = alias(ledger_id, &key) == name;
        if !is_proved && planned_since.is_some_and(|since| slot > since) {
            found.unproved += 1;
            continue;
        }
        let good = backups.iter().filter(|(_, item)| item.status == BackupStatus::Success);
        let Some((generation, good)) = good.min_by_key(|(generation, item)| (std::cmp::Reverse(*generation), item.id)).copied() else {
            found.not_good += 1;
            continue;
        };
        let others = backups.iter().filter(|(_, item)| item.id != good.id).map(|(generation, item)| (*generation, (*item).clone())).collect();
        found.runs.push(Refound { key, alias: name.to_owned(), is_proved, generation, good: good.clone(), others });
    }
    found.runs.sort_by_key(|run| (run.key.slot, !run.is_proved, run.good.id));
    found
}
