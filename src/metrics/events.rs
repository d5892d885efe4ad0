//! What happened since the daemon started: counted when it happens, never read back out of the ledger.
//!
//! Decided here: names, labels and buckets. Every label is a word of a closed list, so there are as many lines on the first day as after years, and
//! all of them are there from the start.

use crate::domain::{
    policy::Method,
    reply::Class,
    run::{Closed, Outcome, Run, State},
};
use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};
use std::{fmt, time::Duration};

/// Before every name.
pub const PREFIX: &str = "cdb_backupd";
/// The classes of an answer that is none.
const CLASSES: [Class; 6] = [Class::Refused, Class::Throttled, Class::Busy, Class::Ambiguous, Class::Account, Class::Rejected];
/// What `class` says of a call that was answered well.
const ANSWERED: &str = "ok";
const METHODS: [&str; 3] = ["logical", "physical", "snapshot"];
/// Seconds after the planned start: the target is a few milliseconds, and a window is hours.
const LATENESS: [f64; 12] = [0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0];
/// Seconds from a run's first call to its end: seconds for a table, days for terabytes.
const DURATIONS: [f64; 11] = [10.0, 30.0, 60.0, 300.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 43_200.0, 86_400.0];

type Labels = [(&'static str, &'static str); 1];
type Durations = Family<Labels, Histogram, fn() -> Histogram>;

/// The calls of one action, by class.
#[derive(Debug)]
pub struct Calls {
    answered: Counter,
    failed: [Counter; CLASSES.len()],
}

/// All of it.
#[derive(Debug)]
pub struct Events {
    /// Calls of CreateBackup.
    pub creates: Calls,
    /// Lists, each of them one however many pages it has.
    pub lists: Calls,
    retries: Counter,
    ended: [Counter; Outcome::ALL.len()],
    lateness: Histogram,
    took: [Histogram; METHODS.len()],
    registry: Registry,
}

impl Calls {
    fn new(family: &Family<[(&'static str, &'static str); 2], Counter>, action: &'static str) -> Self {
        let counter = |class| family.get_or_create_owned(&[("action", action), ("class", class)]);
        Self { answered: counter(ANSWERED), failed: CLASSES.map(|class| counter(class.word())) }
    }

    /// A call came to its end.
    pub fn ended(&self, failure: Option<Class>) {
        let failed = failure.and_then(|class| self.failed.get(CLASSES.iter().position(|it| *it == class)?));
        failed.unwrap_or(&self.answered).inc();
    }
}

impl Default for Events {
    fn default() -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let (calls, retries, ended) = (Family::default(), Counter::default(), Family::<Labels, Counter>::default());
        let lateness = Histogram::new(LATENESS);
        let took = Durations::new_with_constructor(|| Histogram::new(DURATIONS));
        registry.register("calls", "Calls to the cloud that came to an end, by action and class of the answer", calls.clone());
        registry.register("retries", "Calls of CreateBackup beyond the first of their run", retries.clone());
        registry.register("runs_ended", "Runs that came to an end, by outcome; a range of missed slots is one", ended.clone());
        let help = "From the planned start of a run to its first call";
        registry.register_with_unit("start_lateness", help, Unit::Seconds, lateness.clone());
        registry.register_with_unit("run_duration", "From the first call of a run to its good end, by method", Unit::Seconds, took.clone());
        Self {
            creates: Calls::new(&calls, "CreateBackup"),
            lists: Calls::new(&calls, "DescribeBackups"),
            retries,
            ended: Outcome::ALL.map(|outcome| ended.get_or_create_owned(&[("outcome", outcome.word())])),
            lateness,
            took: METHODS.map(|method| took.get_or_create_owned(&[("method", method)])),
            registry,
        }
    }
}

impl Events {
    /// A call of this run is begun.
    pub fn begun(&self, run: &Run) {
        match (run.tally.attempts, run.started_at) {
            (0 | 1, Some(at)) => self.lateness.observe(seconds((at - run.windows.not_before).to_std().ok())),
            (0 | 1, None) => {}
            _ => {
                self.retries.inc();
            }
        }
    }

    /// A run has changed its state; counted when that is its end, or a better one than before.
    pub fn moved(&self, run: &Run) {
        let State::Closed(Closed { outcome, at, .. }) = &run.state else { return };
        if let Some(counter) = Outcome::ALL.iter().position(|it| it == outcome).and_then(|place| self.ended.get(place)) {
            counter.inc();
        }
        if let (Outcome::Succeeded, Some(from)) = (outcome, run.started_at)
            && let Some(took) = METHODS.iter().position(|word| *word == method(run)).and_then(|place| self.took.get(place))
        {
            took.observe(seconds((*at - from).to_std().ok()));
        }
    }

    /// Writes it as `OpenMetrics` has it, without the mark of the end.
    pub fn write(&self, to: &mut String) -> fmt::Result {
        text::encode_registry(to, &self.registry)
    }
}

fn method(run: &Run) -> &'static str {
    Method::word(&run.terms.method)
}

/// A clock that went back makes nothing of it.
fn seconds(length: Option<Duration>) -> f64 {
    length.unwrap_or_default().as_secs_f64()
}
