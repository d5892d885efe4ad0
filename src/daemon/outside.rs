//! What the loop is given: the policy it begins with, the clock, the cloud, and whoever rings it or is told of it.

use super::{Hooks, Source};
use crate::{domain::policy::Policy, metrics::Gauges};
use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use tokio::sync::Notify;

/// A loaded policy, and where it came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it means.
    pub policy: Arc<Policy>,
    /// The SHA-256 of its text, in hex.
    pub hash: String,
    /// Its text.
    pub text: String,
    /// When it was loaded, by the monotonic clock.
    pub at: Duration,
}

/// What the loop needs of the outside.
#[derive(Debug)]
pub struct Outside<C, A> {
    /// The clocks.
    pub clock: C,
    /// The cloud.
    pub api: A,
    /// Rings the loop: somebody may have asked for something.
    pub ring: Arc<Notify>,
    /// Set when the night's housekeeping is to be done; the loop takes it back.
    pub chores: Arc<AtomicBool>,
    /// Where the loop shows itself.
    pub gauges: Arc<Gauges>,
    /// The policy's file, to be read again.
    pub source: Source,
    /// A number drawn at random for this process.
    pub process: i64,
    /// The request that alone is carried out, by a command without a daemon; none: the policy is.
    pub only: Option<i64>,
    /// Who is told how it goes.
    pub hooks: Hooks,
}

impl<C, A> Outside<C, A> {
    /// An outside that nobody else has a hand in.
    pub fn new(clock: C, api: A, policy: Arc<Policy>, process: i64) -> Self {
        let gauges = Arc::new(Gauges::new(policy));
        Self {
            clock,
            api,
            ring: Arc::default(),
            chores: Arc::default(),
            gauges,
            source: Source::default(),
            process,
            only: None,
            hooks: Hooks::default(),
        }
    }
}
