//! Slots with more runs than can start in their windows.
//!
//! Decided here: which slots are looked at, and which of them are told. When runs start is reckoned in [`starts`], as for every forecast.

use super::{
    ahead::Ahead,
    starts::{self, Caller, Line},
};
use crate::domain::{
    blackout::lasting,
    names::AccountName,
    policy::{Account, Job, Policy},
};
use chrono::{DateTime, Utc};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

/// Runs whose starts are reckoned, of all slots together.
const MOST_RUNS: usize = 1_000_000;

/// The runs of one caller in one slot, and those among them that come too late.
#[derive(Clone, Debug)]
pub struct Crowd<'a> {
    /// The nominal instant.
    pub slot: DateTime<Utc>,
    /// The accounts that share the pace here.
    pub accounts: Vec<&'a AccountName>,
    /// Calls a second of that pace.
    pub per_second: f64,
    /// The numbers in the file of the jobs whose runs share it.
    pub jobs: Vec<usize>,
    /// Those with runs that come too late: the job's number in the file, and the longest that one of its runs waits.
    pub late: Vec<(usize, Duration)>,
    /// All runs of the caller in the slot.
    pub runs: usize,
    /// How many of them start inside their windows.
    pub in_time: usize,
}

/// How many runs of which callers each job makes.
struct Loads<'a> {
    per_second: Vec<f64>,
    of_jobs: Vec<Vec<(usize, usize)>>,
    jobs: Vec<&'a Job>,
}

/// Slots in which runs come too late. Each late job is told once for each caller, in the slot in which most runs are late.
pub fn crowds<'a>(policy: &'a Policy, ahead: &Ahead<'a>) -> Vec<Crowd<'a>> {
    let loads = Loads::of(policy);
    let all: Vec<usize> = (0..loads.jobs.len()).collect();
    let waiting = loads.may_be_late(&all);
    let jobs: Vec<usize> = all.into_iter().filter(|job| loads.of_job(*job).iter().any(|(caller, _)| waiting.contains(caller))).collect();
    let asked: Vec<&Job> = jobs.iter().filter_map(|job| loads.jobs.get(*job).copied()).collect();
    let mut left = MOST_RUNS;
    let mut suspects: HashMap<Vec<usize>, bool> = HashMap::new();
    let mut reckoned: HashSet<Vec<usize>> = HashSet::new();
    let mut found = Vec::new();
    for (slot, places) in ahead.instants(&asked) {
        let together: Vec<usize> = places.iter().filter_map(|place| jobs.get(*place).copied()).collect();
        let is_suspect = *suspects.entry(together.clone()).or_insert_with_key(|jobs| !loads.may_be_late(jobs).is_empty());
        if !is_suspect || lasting(&policy.blackouts, slot).next().is_some() {
            continue;
        }
        let lit = |job: &usize| loads.jobs.get(*job).is_some_and(|job| lasting(&job.blackouts, slot).next().is_none());
        let together: Vec<usize> = together.into_iter().filter(lit).collect();
        for group in loads.affordable(together, left) {
            let runs = loads.runs(&group);
            if runs <= left && !reckoned.contains(&group) && !loads.may_be_late(&group).is_empty() {
                left -= runs;
                found.extend(loads.reckon(policy, &group, slot));
                reckoned.insert(group);
            }
        }
    }
    worst(found)
}

impl<'a> Loads<'a> {
    fn of(policy: &'a Policy) -> Self {
        let mut callers: BTreeMap<Caller<'_>, usize> = BTreeMap::new();
        let mut per_second: Vec<f64> = Vec::new();
        let mut of_account: HashMap<&str, usize> = HashMap::new();
        for account in &policy.accounts {
            let account: &Account = account;
            let number = *callers.entry(starts::caller(account)).or_insert(per_second.len());
            of_account.insert(account.name.as_str(), number);
            match per_second.get_mut(number) {
                Some(rate) => *rate = rate.min(account.calls_per_second),
                None => per_second.push(account.calls_per_second),
            }
        }
        let load = |job: &&Job| {
            let mut runs: BTreeMap<&str, usize> = BTreeMap::new();
            for neighbours in job.instances.chunk_by(|a, b| a.account == b.account) {
                let account = neighbours.first().map(|instance| instance.account.as_str()).unwrap_or_default();
                *runs.entry(account).or_default() += neighbours.len();
            }
            let mut of_callers: BTreeMap<usize, usize> = BTreeMap::new();
            for (caller, runs) in runs.into_iter().filter_map(|(account, runs)| Some((*of_account.get(account)?, runs))) {
                *of_callers.entry(caller).or_default() += runs;
            }
            if job.suspend { Vec::new() } else { of_callers.into_iter().collect() }
        };
        let jobs: Vec<&Job> = policy.jobs.iter().map(|job| &**job).collect();
        let of_jobs = jobs.iter().map(load).collect();
        Self { per_second, of_jobs, jobs }
    }

    fn of_job(&self, job: usize) -> &[(usize, usize)] {
        self.of_jobs.get(job).map(Vec::as_slice).unwrap_or_default()
    }

    fn runs(&self, jobs: &[usize]) -> usize {
        jobs.iter().flat_map(|job| self.of_job(*job)).map(|(_, runs)| runs).sum()
    }

    /// Callers of whom a run of these jobs could come too late: if all were ready at once, the last would wait for all others.
    fn may_be_late(&self, jobs: &[usize]) -> HashSet<usize> {
        let mut loads: HashMap<usize, (usize, Duration)> = HashMap::new();
        for job in jobs {
            let window = self.jobs.get(*job).map(|job| job.start_within).unwrap_or_default();
            for (caller, runs) in self.of_job(*job) {
                let load = loads.entry(*caller).or_insert((0, window));
                *load = (load.0 + runs, load.1.min(window));
            }
        }
        let is_late = |(caller, (runs, window)): (usize, (usize, Duration))| {
            let distance = starts::distance(*self.per_second.get(caller)?);
            let waits = distance.saturating_mul(u32::try_from(runs.saturating_sub(1)).unwrap_or(u32::MAX));
            (waits >= window).then_some(caller)
        };
        loads.into_iter().filter_map(is_late).collect()
    }

    /// The jobs together; each alone where together they are too many to reckon.
    fn affordable(&self, jobs: Vec<usize>, left: usize) -> Vec<Vec<usize>> {
        if self.runs(&jobs) <= left { vec![jobs] } else { jobs.into_iter().map(|job| vec![job]).collect() }
    }

    fn reckon(&self, policy: &'a Policy, numbers: &[usize], slot: DateTime<Utc>) -> Vec<(Caller<'a>, Crowd<'a>)> {
        let jobs: Vec<&Job> = numbers.iter().filter_map(|number| self.jobs.get(*number).copied()).collect();
        starts::lines(policy, &jobs).into_iter().filter_map(|line| Some((line.caller, crowd(line, &jobs, numbers, slot)?))).collect()
    }
}

/// What is late in a line, when anything is.
fn crowd<'a>(line: Line<'a>, jobs: &[&Job], numbers: &[usize], slot: DateTime<Utc>) -> Option<Crowd<'a>> {
    let mut in_time = 0;
    let mut late: BTreeSet<usize> = BTreeSet::new();
    let mut waits: BTreeMap<usize, Duration> = BTreeMap::new();
    for start in &line.starts {
        let window = jobs.get(start.job)?.start_within;
        let wait = (start.at + window).saturating_sub(start.start_by);
        let longest = waits.entry(start.job).or_default();
        *longest = wait.max(*longest);
        if start.at < start.start_by {
            in_time += 1;
        } else {
            late.insert(start.job);
        }
    }
    let late: Vec<_> = late.into_iter().filter_map(|job| Some((*numbers.get(job)?, *waits.get(&job)?))).collect();
    let sharing = waits.into_keys().filter_map(|job| numbers.get(job).copied()).collect();
    let (accounts, per_second, runs) = (line.accounts, line.per_second, line.starts.len());
    (!late.is_empty()).then_some(Crowd { slot, accounts, per_second, jobs: sharing, late, runs, in_time })
}

/// Those with most late runs first, without those that say nothing more of any job.
fn worst<'a>(mut crowds: Vec<(Caller<'a>, Crowd<'a>)>) -> Vec<Crowd<'a>> {
    crowds.sort_by_key(|(_, crowd)| (Reverse(crowd.runs - crowd.in_time), crowd.slot));
    let mut told = HashSet::new();
    crowds.retain(|(caller, crowd)| crowd.late.iter().filter(|(job, _)| told.insert((*caller, *job))).count() > 0);
    crowds.into_iter().map(|(_, crowd)| crowd).collect()
}
