//! Whether a job's newest good backup of an instance is new enough: the one definition, for people, exit codes and alarms alike.
//!
//! Decided here: what counts as too old, and which word it gets. Not here: where the newest backup is read (`ledger::report`), nor what is done about
//! it.

use super::policy::Job;
use chrono::{DateTime, Utc};
use std::time::Duration;

/// How a job and an instance stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freshness {
    /// The newest slot that has ended has a good backup, and that slot is young enough.
    Fresh,
    /// The job is held in the policy: no backup is expected, whatever the newest one's age.
    Paused,
    /// No slot has ended yet, so there cannot be a backup.
    Awaited,
    /// The newest good backup is young enough; a slot after it has ended without one.
    Late,
    /// The newest good backup is too old.
    Stale,
    /// Slots have ended, and none with a good backup.
    Never,
}

/// What the ledger knows of a job and an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The slot of the newest good backup.
    pub newest_good: Option<DateTime<Utc>>,
    /// The newest slot that has ended, well or not.
    pub newest_ended: Option<DateTime<Utc>>,
}

impl Freshness {
    /// How this evidence is to be taken at `now`.
    pub fn of(job: &Job, evidence: Evidence, now: DateTime<Utc>) -> Self {
        Self::within(max_age(job, now), job.suspend, evidence, now)
    }

    /// The same for whoever asks for many instances of one job, and has its [`max_age`].
    pub fn within(max_age: Duration, suspend: bool, evidence: Evidence, now: DateTime<Utc>) -> Self {
        match (evidence.newest_good, evidence.newest_ended) {
            _ if suspend => Self::Paused,
            (None, None) => Self::Awaited,
            (None, Some(_)) => Self::Never,
            (Some(good), _) if (now - good).to_std().is_ok_and(|age| age > max_age) => Self::Stale,
            (Some(good), Some(ended)) if ended > good => Self::Late,
            (Some(_), _) => Self::Fresh,
        }
    }

    /// All words, in the order of what they ask of people.
    pub const WORDS: [&str; 5] = ["fresh", "paused", "late", "stale", "never"];

    /// The word that every reader shows; a pair that has had no slot yet has never been backed up either.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Paused => "paused",
            Self::Late => "late",
            Self::Stale => "stale",
            Self::Awaited | Self::Never => "never",
        }
    }

    /// Whether somebody has to look after it.
    pub fn is_wrong(self) -> bool {
        match self {
            Self::Fresh | Self::Paused | Self::Awaited => false,
            Self::Late | Self::Stale | Self::Never => true,
        }
    }
}

/// How old the slot of the newest good backup may be: as the policy says, else the longest that may lie between a slot and the end of the next one's
/// windows (DESIGN §10).
pub fn max_age(job: &Job, now: DateTime<Utc>) -> Duration {
    job.max_age.unwrap_or_else(|| job.schedule.longest_gap(now) + job.spread + job.start_within + job.complete_within)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        names::JobName,
        policy::{CatchUp, Method, Overlap, Poll, Retry},
        schedule::Schedule,
    };
    use chrono::TimeDelta;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn nightly() -> Job {
        Job {
            name: JobName::parse("nightly").unwrap(),
            schedule: Schedule::parse("30 2 * * *", "Etc/UTC").unwrap(),
            spread: Duration::ZERO,
            instances: Vec::new(),
            method: Method::Snapshot,
            start_within: 2 * HOUR,
            complete_within: 12 * HOUR,
            catch_up: CatchUp::Off,
            overlap: Overlap::Skip,
            priority: 5,
            retry: Retry { after_failed: 1, max_attempts: None, initial_backoff: HOUR, max_backoff: HOUR },
            poll: Poll { initial: HOUR, max: HOUR },
            max_age: None,
            suspend: false,
            blackouts: Vec::new(),
        }
    }

    fn slot(day: i64) -> DateTime<Utc> {
        "2026-11-24T02:30:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::days(day)
    }

    #[test]
    fn by_itself_a_nightly_backup_is_too_old_when_the_next_one_s_windows_are_over() {
        let evidence = Evidence { newest_good: Some(slot(0)), newest_ended: Some(slot(0)) };
        let at = |hours: i64| Freshness::of(&nightly(), evidence, slot(1) + TimeDelta::hours(hours));
        assert_eq!((at(0), at(14)), (Freshness::Fresh, Freshness::Fresh));
        assert_eq!(Freshness::of(&nightly(), evidence, slot(1) + TimeDelta::hours(14) + TimeDelta::milliseconds(1)), Freshness::Stale);
        let shorter = Job { max_age: Some(25 * HOUR), ..nightly() };
        assert_eq!(Freshness::of(&shorter, evidence, slot(1) + TimeDelta::minutes(61)), Freshness::Stale);
    }

    #[test]
    fn a_slot_that_ended_badly_after_the_newest_good_one_makes_it_late_at_once() {
        let of = |good: Option<i64>, ended: Option<i64>| {
            let evidence = Evidence { newest_good: good.map(slot), newest_ended: ended.map(slot) };
            Freshness::of(&nightly(), evidence, slot(1) + TimeDelta::hours(1))
        };
        assert_eq!(of(Some(0), Some(1)), Freshness::Late);
        assert_eq!(of(Some(1), Some(1)), Freshness::Fresh);
        assert_eq!(of(Some(1), Some(0)), Freshness::Fresh, "the newer one is the good one");
        assert_eq!(of(None, Some(1)), Freshness::Never);
        assert_eq!(of(None, None), Freshness::Awaited);
        assert_eq!(of(Some(-3), Some(1)), Freshness::Stale, "that no good one is young enough says more than that the last failed");
    }

    #[test]
    fn a_job_that_is_held_is_not_wrong_however_old_its_backup_is() {
        let held = Job { suspend: true, ..nightly() };
        let evidence = Evidence { newest_good: Some(slot(-300)), newest_ended: Some(slot(0)) };
        let freshness = Freshness::of(&held, evidence, slot(1));
        assert_eq!((freshness.word(), freshness.is_wrong()), ("paused", false));
    }

    #[test]
    fn what_lies_in_the_future_is_not_old() {
        let evidence = Evidence { newest_good: Some(slot(5)), newest_ended: Some(slot(5)) };
        assert_eq!(Freshness::of(&nightly(), evidence, slot(0)), Freshness::Fresh);
    }
}
