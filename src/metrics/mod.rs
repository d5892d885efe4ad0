//! What the running daemon shows of itself, in memory: how it stands now ([`Gauges`]), and what happened since it started ([`Events`]).
//!
//! Decided here: what there is to be seen, and how it gets from the loop to whoever asks without either waiting for the other: numbers are atomic,
//! and what is larger is locked only to copy a pointer, by the loop only when it changes. Not decided here: what is told of it (`serve`).

mod events;

pub use events::{Calls, Events, PREFIX};

use crate::domain::{names::AccountName, policy::Policy};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// What the loop writes and readers read.
#[derive(Debug)]
pub struct Gauges {
    /// What happened.
    pub events: Events,
    policy: RwLock<Arc<Policy>>,
    held: RwLock<Arc<BTreeSet<AccountName>>>,
    /// Monotonic milliseconds, and one more; 0 while no pass has finished.
    passed: AtomicU64,
    standing: [AtomicBool; 3],
}

/// How the loop stood when a pass had finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The policy is recorded in the ledger, or has nothing to record.
    pub in_force: bool,
    /// A reply has proved the clock, or nothing needs it.
    pub clock_proved: bool,
    /// The pass could write.
    pub ledger_writable: bool,
}

impl Gauges {
    /// Those of a loop that has not turned yet.
    pub fn new(policy: Arc<Policy>) -> Self {
        Self {
            events: Events::default(),
            policy: RwLock::new(policy),
            held: RwLock::default(),
            passed: AtomicU64::new(0),
            standing: Default::default(),
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

    /// The accounts whose keys the cloud does not accept.
    pub fn held_accounts(&self) -> Arc<BTreeSet<AccountName>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Others are held than before.
    pub fn set_held_accounts(&self, held: BTreeSet<AccountName>) {
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(held);
    }

    /// A pass has finished at this monotonic time; one that could not write and holds has finished, too.
    pub fn passed(&self, at: Duration, standing: Standing) {
        let Standing { in_force, clock_proved, ledger_writable } = standing;
        for (gauge, stands) in self.standing.iter().zip([in_force, clock_proved, ledger_writable]) {
            gauge.store(stands, Relaxed);
        }
        let ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX - 1);
        self.passed.store(ms + 1, Relaxed);
    }

    /// How long ago the last pass finished; none when none has.
    pub fn pass_age(&self, now: Duration) -> Option<Duration> {
        let at = Duration::from_millis(self.passed.load(Relaxed).checked_sub(1)?);
        Some(now.saturating_sub(at))
    }

    /// How the loop stood then.
    pub fn standing(&self) -> Standing {
        let [in_force, clock_proved, ledger_writable] = self.standing.each_ref().map(|gauge| gauge.load(Relaxed));
        Standing { in_force, clock_proved, ledger_writable }
    }
}
