//! What the running daemon shows of itself, in memory.
//!
//! Decided here: what there is to be seen, and how it gets from the loop to whoever asks without either waiting for the other. Not decided here:
//! what is told of it (`serve`).

use crate::domain::policy::Policy;
use std::sync::{Arc, PoisonError, RwLock};

/// What the loop writes and readers read.
#[derive(Debug)]
pub struct Gauges {
    /// Locked only for as long as it takes to copy a pointer; the loop does so when it takes another policy.
    policy: RwLock<Arc<Policy>>,
}

impl Gauges {
    /// Those of a loop that has not turned yet.
    pub fn new(policy: Arc<Policy>) -> Self {
        Self { policy: RwLock::new(policy) }
    }

    /// The policy in force.
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Another policy is in force.
    pub fn set_policy(&self, policy: Arc<Policy>) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
    }
}
