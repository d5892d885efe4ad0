//! How long after their slot runs start, if nothing holds them and no call is refused.
//!
//! Decided here: who waits for whom. Jobs that share a slot share the pace, and so do accounts that share keys: the cloud counts calls by key.

use crate::domain::{
    names::{CredentialSource, Endpoint, JobName},
    pace,
    policy::{Account, Job, Policy},
    spread::share_of_spread,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};

/// How long after the slot a job's first and its last run start.
pub(super) type Delays = (Duration, Duration);

/// Whom the cloud counts calls of, as far as a policy tells.
type Caller<'a> = (&'a Endpoint, &'a CredentialSource);

/// A run that waits, in the order of the queue: priority, then the end of its start window, then the order of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    priority: u8,
    start_by: Duration,
    job: usize,
}

/// When each of these jobs starts its runs, where they share a slot.
pub(super) fn together<'a>(policy: &Policy, jobs: &[&'a Job]) -> BTreeMap<&'a JobName, Delays> {
    let accounts: BTreeMap<&str, &Account> = policy.accounts.iter().map(|account| (account.name.as_str(), &**account)).collect();
    let mut lines: BTreeMap<Caller<'_>, (f64, Vec<(Duration, Waiting)>)> = BTreeMap::new();
    for account in accounts.values() {
        let line = lines.entry((&account.endpoint, &account.credentials)).or_insert((f64::INFINITY, Vec::new()));
        line.0 = line.0.min(account.calls_per_second);
    }
    for (number, job) in jobs.iter().enumerate() {
        for instance in &job.instances {
            let Some(account) = accounts.get(instance.account.as_str()) else { continue };
            let ready = share_of_spread(&job.name, &instance.id, job.spread);
            let waiting = Waiting { priority: job.priority, start_by: ready + job.start_within, job: number };
            lines.entry((&account.endpoint, &account.credentials)).and_modify(|(_, line)| line.push((ready, waiting)));
        }
    }
    let mut delays: BTreeMap<&JobName, Delays> = BTreeMap::new();
    for (per_second, line) in lines.into_values() {
        for (number, delay) in in_turn(line, per_second) {
            let Some(job) = jobs.get(number) else { continue };
            let (first, last) = delays.entry(&job.name).or_insert((delay, delay));
            (*first, *last) = ((*first).min(delay), (*last).max(delay));
        }
    }
    delays
}

/// One pace: which job starts a run when, the most urgent of those that are ready first.
fn in_turn(mut line: Vec<(Duration, Waiting)>, per_second: f64) -> Vec<(usize, Duration)> {
    // A rate of nothing cannot come out of `config`; it is bounded here for every other caller.
    let distance = Duration::from_secs_f64(pace::MARGIN / per_second.clamp(0.01, 1_000.0));
    line.sort_unstable();
    let mut coming = line.into_iter().peekable();
    let (mut ready, mut free, mut starts) = (BinaryHeap::new(), Duration::ZERO, Vec::new());
    loop {
        while let Some((_, waiting)) = coming.next_if(|(at, _)| *at <= free) {
            ready.push(Reverse(waiting));
        }
        match (ready.pop(), coming.peek()) {
            (Some(Reverse(waiting)), _) => {
                starts.push((waiting.job, free));
                free += distance;
            }
            (None, Some((at, _))) => free = *at,
            (None, None) => return starts,
        }
    }
}
