//! What the running daemon shows of itself, in memory: how it stands now ([`Gauges`]), and what happened since it started ([`Events`]).
//!
//! Decided here: what there is to be seen, and how it gets from the loop to whoever asks without either waiting for the other: numbers are atomic,
//! and what is larger is locked only to copy a pointer, by the loop only when it changes. Not decided here: what is told of it (`serve`).

mod events;

pub use events::{Calls, Events, PREFIX};

use crate::domain::{policy::Policy, trouble::Trouble};
use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// What the loop writes and readers read.
#[derive(Debug)]
pub struct Gauges {
    /// What happened.
    pub events: Events,
    policy: RwLock<Arc<Policy>>,
    /// Monotonic milliseconds, and one more; 0 while no pass has finished.
    passed: AtomicU64,
    troubles: RwLock<Arc<Vec<Trouble>>>,
}

impl Gauges {
    /// Those of a loop that has not turned yet.
    pub fn new(policy: Arc<Policy>) -> Self {
        Self {
            events: Events::default(),
            policy: RwLock::new(policy),
            passed: AtomicU64::new(0),
            // Nothing is known to be good before a pass has shown it.
            troubles: RwLock::new(Arc::new(vec![Trouble::Ledger, Trouble::Clock, Trouble::Unrecorded])),
        }
    }

    /// The policy in force.
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Another policy is in force.
    pub fn set_policy(&self, policy: Arc<Policy>) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
    }

    /// A pass has finished at this monotonic time, and this was wrong; one that could not write and holds has finished, too.
    pub fn passed(&self, at: Duration, troubles: Vec<Trouble>) {
        if *self.troubles() != troubles {
            *self.troubles.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(troubles);
        }
        let ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX - 1);
        self.passed.store(ms + 1, Relaxed);
    }

    /// How long ago the last pass finished; none when none has.
    pub fn pass_age(&self, now: Duration) -> Option<Duration> {
        let at = Duration::from_millis(self.passed.load(Relaxed).checked_sub(1)?);
        Some(now.saturating_sub(at))
    }

    /// What was wrong then, the weightiest first.
    pub fn troubles(&self) -> Arc<Vec<Trouble>> {
        self.troubles.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
