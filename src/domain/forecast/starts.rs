//! How long after their slot runs start, if nothing holds them and no call is refused.
//!
//! Decided here: who waits for whom. Jobs that share a slot share the pace, and so do accounts that share keys: the cloud counts calls by key.

use crate::domain::{
    names::{AccountName, CredentialSource, Endpoint, JobName},
    pace,
    policy::{Account, Job, Policy},
    spread::share_of_spread,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    time::Duration,
};

/// How long after the slot a job's first and its last run start.
pub(super) type Delays = (Duration, Duration);

/// Whom the cloud counts calls of, as far as a policy tells.
pub(super) type Caller<'a> = (&'a Endpoint, &'a CredentialSource);

/// A run that waits, in the order of the queue: priority, then the end of its start window, then the order of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    priority: u8,
    start_by: Duration,
    job: usize,
}

/// The runs of one caller in one slot.
pub(super) struct Line<'a> {
    /// Who sends them.
    pub(super) caller: Caller<'a>,
    /// Whose keys they are sent with, in the order of their names.
    pub(super) accounts: Vec<&'a AccountName>,
    /// The pace that they share.
    pub(super) per_second: f64,
    /// In the order in which they start.
    pub(super) starts: Vec<Start>,
}

/// One run, its times counted from the slot.
pub(super) struct Start {
    /// The number of its job among those that were asked for.
    pub(super) job: usize,
    /// When it starts, if nothing holds it.
    pub(super) at: Duration,
    /// When it can start no more.
    pub(super) start_by: Duration,
}

/// Who sends the calls of an account.
pub(super) fn caller(account: &Account) -> Caller<'_> {
    (&account.endpoint, &account.credentials)
}

/// How far apart two calls leave.
pub(super) fn distance(per_second: f64) -> Duration {
    // A rate of nothing cannot come out of `config`; it is bounded here for every other caller.
    Duration::from_secs_f64(pace::MARGIN / per_second.clamp(0.01, 1_000.0))
}

/// When each of these jobs starts its runs, where they share a slot.
pub(super) fn together<'a>(policy: &Policy, jobs: &[&'a Job]) -> BTreeMap<&'a JobName, Delays> {
    let mut delays: BTreeMap<&JobName, Delays> = BTreeMap::new();
    for start in lines(policy, jobs).into_iter().flat_map(|line| line.starts) {
        let Some(job) = jobs.get(start.job) else { continue };
        let (first, last) = delays.entry(&job.name).or_insert((start.at, start.at));
        (*first, *last) = ((*first).min(start.at), (*last).max(start.at));
    }
    delays
}

/// The runs of these jobs, where they share a slot, by who sends them.
pub(super) fn lines<'a>(policy: &'a Policy, jobs: &[&Job]) -> Vec<Line<'a>> {
    let accounts: BTreeMap<&str, &Account> = policy.accounts.iter().map(|account| (account.name.as_str(), &**account)).collect();
    let mut lines: BTreeMap<Caller<'_>, (f64, Vec<(Duration, Waiting)>)> = BTreeMap::new();
    let mut senders: BTreeMap<Caller<'_>, BTreeSet<&AccountName>> = BTreeMap::new();
    for account in accounts.values() {
        let line = lines.entry(caller(account)).or_insert((f64::INFINITY, Vec::new()));
        line.0 = line.0.min(account.calls_per_second);
    }
    for (number, job) in jobs.iter().enumerate() {
        for instance in &job.instances {
            let Some(account) = accounts.get(instance.account.as_str()) else { continue };
            let ready = share_of_spread(&job.name, &instance.id, job.spread);
            let waiting = Waiting { priority: job.priority, start_by: ready + job.start_within, job: number };
            lines.entry(caller(account)).and_modify(|(_, line)| line.push((ready, waiting)));
            senders.entry(caller(account)).or_default().insert(&account.name);
        }
    }
    let line = |(caller, (per_second, waiting))| {
        let accounts = senders.get(&caller).map(|names| names.iter().copied().collect()).unwrap_or_default();
        Line { caller, accounts, per_second, starts: in_turn(waiting, per_second) }
    };
    lines.into_iter().map(line).collect()
}

/// One pace: which job starts a run when, the most urgent of those that are ready first.
fn in_turn(mut line: Vec<(Duration, Waiting)>, per_second: f64) -> Vec<Start> {
    let distance = distance(per_second);
    line.sort_unstable();
    let mut coming = line.into_iter().peekable();
    let (mut ready, mut free, mut starts) = (BinaryHeap::new(), Duration::ZERO, Vec::new());
    loop {
        while let Some((_, waiting)) = coming.next_if(|(at, _)| *at <= free) {
            ready.push(Reverse(waiting));
        }
        match (ready.pop(), coming.peek()) {
            (Some(Reverse(waiting)), _) => {
                starts.push(Start { job: waiting.job, at: free, start_by: waiting.start_by });
                free += distance;
            }
            (None, Some((at, _))) => free = *at,
            (None, None) => return starts,
        }
    }
}
