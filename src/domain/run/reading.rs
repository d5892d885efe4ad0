//! What a decision about a run may depend on beside the run: the clocks, the process, what is proved, and whether the ledger was put back.

use crate::domain::now::Now;
use chrono::{DateTime, TimeDelta, Utc};

/// What the process knows of the cloud's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The `Date` that proved our clock.
    pub date: DateTime<Utc>,
    /// When this process started, by the proved clock.
    pub started: DateTime<Utc>,
    /// The cloud's clock less ours, at the last reply that had a `Date`; never more than it really is.
    pub ahead: TimeDelta,
}

/// Whether the ledger was put back from a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// It never was.
    Never,
    /// It was, and the clock's proof has not dated the mark yet.
    Undated,
    /// It was; no list proves absence before this time of the cloud's clock.
    Until(DateTime<Utc>),
}

/// Everything that a decision about a run may depend on beside the run.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The one reading of the clocks for the whole decision.
    pub now: Now,
    /// A number drawn at random when the process started.
    pub process: i64,
    /// Absent while the clock is unproved.
    pub proof: Option<Proof>,
    /// Whether the ledger was put back.
    pub restored: Restored,
}

impl Reading {
    /// Whether a list of this `Date` may prove that something is not there.
    pub fn proves_absence(&self, date: DateTime<Utc>) -> bool {
        match self.restored {
            Restored::Never => true,
            Restored::Undated => false,
            Restored::Until(until) => date > until,
        }
    }
}
