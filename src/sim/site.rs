//! One instance and its list of backups: what it may be asked for, whether it is free, and what a page shows.

use super::{
    backup::Made,
    call::{Answer, CreateAsk, Refusal, Row},
    cloud::{Fate, Moment},
    faults::Fault,
    settings::SimInstance,
};
use crate::domain::names::BackupId;
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// Characters of an alias at most (README §2.1).
const ALIAS_MAX: usize = 60;
/// `Limit` at most (README §4.1).
pub(super) const LIMIT_MAX: usize = 1_000;

/// One instance.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub is: SimInstance,
    /// Every backup that was ever made, deleted ones too.
    pub backups: Vec<Made>,
    next_automatic: Option<Duration>,
    lists_refused_until: Duration,
}

impl Site {
    /// An instance at the cloud's start, with its old automatic backups, one a day.
    pub(super) fn new(is: SimInstance, wall: DateTime<Utc>, next_id: &mut i64) -> Self {
        let mut backups = Vec::new();
        for age in (1..=is.old_backups).rev() {
            let started = wall.checked_sub_signed(TimeDelta::days(i64::from(age))).unwrap_or(DateTime::<Utc>::MIN_UTC);
            backups.push(Made::automatic(*next_id, &is, Duration::ZERO, Duration::ZERO, started));
            *next_id += 1;
        }
        let next_automatic = is.automatic.map(|a| a.first);
        Self { is, backups, next_automatic, lists_refused_until: Duration::ZERO }
    }

    /// Makes the automatic backups that have begun by now.
    pub(super) fn settle(&mut self, moment: Moment, next_id: &mut i64) {
        while let (Some(plan), Some(due)) = (self.is.automatic, self.next_automatic) {
            let begins = self.free_from(due);
            if begins > moment.at {
                return;
            }
            self.begin_automatic(begins, plan.lasts, moment, next_id);
            self.next_automatic = Some(due.saturating_add(plan.every.max(Duration::from_secs(60))));
        }
    }

    /// The first time from `at` on when nothing runs.
    fn free_from(&self, at: Duration) -> Duration {
        self.backups.iter().filter(|b| b.runs(at)).map(|b| b.ends).max().map_or(at, |end| self.free_from(end))
    }

    /// Begins an automatic backup at `begins`, unless something runs then.
    pub(super) fn begin_automatic(&mut self, begins: Duration, lasts: Duration, moment: Moment, next_id: &mut i64) {
        if self.backups.iter().any(|b| b.runs(begins)) {
            return;
        }
        let ago = TimeDelta::from_std(moment.at.saturating_sub(begins)).unwrap_or_default();
        self.backups.push(Made::automatic(*next_id, &self.is, begins, lasts, moment.wall - ago));
        *next_id += 1;
    }

    /// Whether the parameters fit this instance.
    pub(super) fn allows(&self, create: &CreateAsk) -> Result<(), Refusal> {
        let invalid = |text: &str| Err(Refusal::new("InvalidParameter", text));
        if !matches!(create.method.as_str(), "logical" | "physical" | "snapshot") {
            return invalid("BackupMethod must be logical, physical or snapshot.");
        }
        if create.alias.chars().count() > ALIAS_MAX {
            return invalid("ManualBackupName is longer than 60 characters.");
        }
        if !create.tables.is_empty() && create.method != "logical" {
            return invalid("BackupDBTableList goes with the logical method only.");
        }
        if create.encrypted.is_some() && create.method != "physical" {
            return invalid("EncryptionFlag goes with the physical method only.");
        }
        if !self.is.edition.allows(&create.method) {
            return Err(Refusal::new("OperationDenied.ActionNotSupport", "The instance does not support this backup method."));
        }
        if !self.is.running {
            return Err(Refusal::new("FailedOperation.StatusConflict", "The instance is not running."));
        }
        let manual = self.backups.iter().filter(|b| b.by_hand.is_some() && b.deleted.is_none()).count();
        if self.is.quota.is_some_and(|quota| manual >= quota as usize) {
            return Err(Refusal::new("OverQuota", "The number of manual backups is exhausted."));
        }
        Ok(())
    }

    /// Whether nothing runs.
    pub(super) fn is_free(&self, moment: Moment) -> Result<(), Refusal> {
        if self.backups.iter().any(|b| b.runs(moment.at)) { Err(in_process()) } else { Ok(()) }
    }

    /// Whether it has not all the tables asked for.
    pub(super) fn lacks(&self, create: &CreateAsk) -> bool {
        let Some(have) = &self.is.tables else { return false };
        !create.tables.iter().all(|want| have.iter().any(|h| h.db == want.db && (want.table.is_none() || h.table == want.table)))
    }

    /// A page: so many from this offset.
    pub(super) fn list(&mut self, (offset, limit): (usize, usize), oldest_first: bool, fate: &Fate, moment: Moment) -> Result<Answer, Refusal> {
        if let Some(d) = fate.duration(Fault::ListRefused) {
            self.lists_refused_until = moment.at.saturating_add(d);
        }
        if moment.at < self.lists_refused_until {
            return Err(Refusal::new("InvalidParameter.InstanceNotFound", "The instance does not exist."));
        }
        let mut shown: Vec<&mut Made> = self.backups.iter_mut().filter(|b| b.shows(moment.at)).collect();
        shown.sort_by_key(|b| (b.started, b.id));
        if !oldest_first {
            shown.reverse();
        }
        let mut total = shown.len() as u64;
        let end = offset.saturating_add(limit).min(shown.len());
        let mut rows: Vec<Row> = Vec::new();
        for backup in shown.iter_mut().take(end).skip(offset) {
            backup.see(moment.at);
            rows.push(backup.row(&self.is, moment.at));
        }
        if fate.has(&Fault::ListTruncated) {
            let doomed = shown.iter_mut().take(end).skip(offset).find(|b| b.by_hand.is_none() && !b.runs(moment.at));
            match doomed.filter(|_| (end as u64) < total) {
                Some(doomed) => doomed.deleted = Some(moment.at),
                None => total += 1,
            }
        }
        Ok(Answer::Listed { total, rows })
    }

    /// Deletes a manual backup that is over.
    pub(super) fn delete(&mut self, id: BackupId, moment: Moment) -> Result<(), Refusal> {
        let deletable = |b: &&mut Made| b.id == id && b.by_hand.is_some() && !b.runs(moment.at) && b.deleted.is_none();
        let backup = self.backups.iter_mut().find(deletable);
        let refusal = || Refusal::new("CdbError.BackupError", "Only a manual backup that is over can be deleted.");
        backup.ok_or_else(refusal)?.deleted = Some(moment.at);
        Ok(())
    }
}

/// The instance does something else.
pub(super) fn in_process() -> Refusal {
    Refusal::new("OperationDenied.ActionInProcess", "can not backup the instance now")
}
