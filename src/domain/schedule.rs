//! When a job is due: slots, zones and nights with a clock change.

use chrono::{DateTime, Utc};

/// Cron text in a zone.
#[derive(Clone, Debug)]
pub struct Schedule {
    text: std::sync::Arc<str>,
    zone: std::sync::Arc<str>,
}

/// Why a schedule is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not written yet")]
pub struct ScheduleError;

impl Schedule {
    /// Parses a cron text in a zone.
    pub fn parse(text: &str, zone: &str) -> Result<Self, ScheduleError> {
        Ok(Self { text: text.into(), zone: zone.into() })
    }
    /// As the policy has it.
    pub fn text(&self) -> &str {
        &self.text
    }
    /// As the policy has it.
    pub fn zone(&self) -> &str {
        &self.zone
    }
    /// Slots in `(after, until]`, strictly increasing.
    pub fn slots_between(&self, _after: DateTime<Utc>, _until: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        std::iter::empty()
    }
    /// The first slot after `t`.
    pub fn next_after(&self, _t: DateTime<Utc>) -> Option<DateTime<Utc>> {
        None
    }
    /// `t` as people of the zone write it: `2026-11-24 02:30:00 +08:00`.
    pub fn local(&self, t: DateTime<Utc>) -> String {
        t.to_rfc3339()
    }
}
impl Schedule {
    /// x
    pub fn count_and_last(&self, _a: DateTime<Utc>, _b: DateTime<Utc>) -> (u64, Option<DateTime<Utc>>) {
        (0, None)
    }
}
impl super::policy::Blackout {
    /// x
    pub fn covers(&self, _t: DateTime<Utc>) -> Option<DateTime<Utc>> {
        None
    }
}
