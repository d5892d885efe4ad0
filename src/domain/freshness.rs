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
