//! What a policy changes beside the one that is in force: jobs, pairs (job × instance), accounts and what stands beside them.
//!
//! Decided here: what counts as changed and under which key of the file, and how much of it is listed; the sentences are in [`words`]. Not decided
//! here: what a change does to cursors and open runs (`ledger::install`), and when a policy comes into force (`daemon::reload`).

mod words;

use super::{
    names::InstanceId,
    policy::{Account, CatchUp, Instance, Job, Method, Policy},
    schedule::Schedule,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// So many of a kind are listed; the rest is counted.
pub const LISTED: usize = 20;
/// So many coming slots are named of a job.
const SLOTS: usize = 3;

/// How many there are, and the first [`LISTED`] of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Few<T> {
    /// All of them.
    pub total: usize,
    /// The first.
    pub items: Vec<T>,
}

/// What changes from one policy to another. The fields are the keys of its JSON form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// Jobs that only the new one has.
    pub jobs_added: Few<JobAdded>,
    /// Jobs that only the old one has.
    pub jobs_removed: Few<JobRemoved>,
    /// Jobs that both have and that differ.
    pub jobs_changed: Few<JobChanged>,
    /// Jobs that are removed and added under another name. They are counted above, too.
    pub jobs_renamed: Few<JobRenamed>,
    /// Pairs that only the new one has; those of jobs that both have come first.
    pub pairs_added: Few<Pair>,
    /// Pairs that only the old one has; those of jobs that both have come first.
    pub pairs_removed: Few<Pair>,
    /// Pairs that are run in another way; those whose instance is another come first.
    pub pairs_changed: Few<PairChanged>,
    /// Accounts that only the new one has.
    pub accounts_added: Few<String>,
    /// Accounts that only the old one has.
    pub accounts_removed: Few<String>,
    /// Accounts that both have and that differ.
    pub accounts_changed: Few<AccountChanged>,
    /// Keys at the top of the file whose values differ, beside `jobs` and `accounts`.
    pub settings_changed: Vec<&'static str>,
}

/// A job that is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobAdded {
    /// Its name.
    pub job: String,
    /// On how many instances.
    pub instances: usize,
    /// The first of its slots to come.
    pub next_slots: Vec<DateTime<Utc>>,
    #[serde(skip)]
    schedule: Schedule,
}

/// A job that goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobRemoved {
    /// Its name.
    pub job: String,
    /// On how many instances.
    pub instances: usize,
}

/// A job that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobChanged {
    /// Its name.
    pub job: String,
    /// Which keys of it, in the order of the example policy.
    pub keys: Vec<&'static str>,
    /// The next slots as they were to be.
    pub next_slots_before: Vec<DateTime<Utc>>,
    /// The next slots as they will be.
    pub next_slots_after: Vec<DateTime<Utc>>,
    #[serde(skip)]
    before: Schedule,
    #[serde(skip)]
    after: Schedule,
}

/// A job that seems to have another name: the same targets and the same schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobRenamed {
    /// The name that goes.
    pub before: String,
    /// The name that comes.
    pub after: String,
}

/// A job on an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// The job.
    pub job: String,
    /// The instance.
    pub instance_id: String,
    /// Whether it comes or goes with its whole job.
    #[serde(skip)]
    with_its_job: bool,
}

/// A job on an instance that is run in another way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PairChanged {
    /// The job.
    pub job: String,
    /// The instance.
    pub instance_id: String,
    /// Which keys of the instance, and of the job.
    pub keys: Vec<&'static str>,
    /// How many of them are the instance's.
    #[serde(skip)]
    of_instance: usize,
}

/// An account that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountChanged {
    /// Its name.
    pub account: String,
    /// Which keys of it.
    pub keys: Vec<&'static str>,
}

impl<T> Few<T> {
    fn of(all: impl Iterator<Item = T>) -> Self {
        let mut few = Self { total: 0, items: Vec::new() };
        for item in all {
            few.total += 1;
            if few.items.len() < LISTED {
                few.items.push(item);
            }
        }
        few
    }
}

/// A job in both policies.
struct Both<'a> {
    before: &'a Job,
    after: &'a Job,
    keys: Vec<&'static str>,
}

type Instances<'a> = BTreeMap<&'a InstanceId, &'a Instance>;

fn instances(job: &Job) -> Instances<'_> {
    job.instances.iter().map(|instance| (&instance.id, &**instance)).collect()
}

impl Diff {
    /// What changes from `before` to `after`, with slots that come after `now`.
    pub fn of(before: &Policy, after: &Policy, now: DateTime<Utc>) -> Self {
        let by_name =
            |policy: &'_ Policy| -> BTreeMap<String, Arc<Job>> { policy.jobs.iter().map(|job| (job.name.to_string(), job.clone())).collect() };
        let (old, new) = (by_name(before), by_name(after));
        let added: Vec<&Job> = after.jobs.iter().filter(|job| !old.contains_key(job.name.as_str())).map(|job| &**job).collect();
        let removed: Vec<&Job> = before.jobs.iter().filter(|job| !new.contains_key(job.name.as_str())).map(|job| &**job).collect();
        let both: Vec<Both<'_>> = after
            .jobs
            .iter()
            .filter_map(|after| {
                let before = old.get(after.name.as_str())?;
                Some(Both { before, after, keys: job_keys(before, after) })
            })
            .collect();
        let slots = |job: &Job| job.schedule.slots_between(now, DateTime::<Utc>::MAX_UTC).take(SLOTS).collect();
        let named = |account: &Arc<Account>| account.name.to_string();
        let has = |accounts: &[Arc<Account>], name: &Account| accounts.iter().any(|account| account.name == name.name);
        Self {
            jobs_added: Few::of(added.iter().map(|job| JobAdded {
                job: job.name.to_string(),
                instances: job.instances.len(),
                next_slots: slots(job),
                schedule: job.schedule.clone(),
            })),
            jobs_removed: Few::of(removed.iter().map(|job| JobRemoved { job: job.name.to_string(), instances: job.instances.len() })),
            jobs_changed: Few::of(both.iter().filter(|both| !both.keys.is_empty()).map(|both| JobChanged {
                job: both.after.name.to_string(),
                keys: both.keys.clone(),
                next_slots_before: slots(both.before),
                next_slots_after: slots(both.after),
                before: both.before.schedule.clone(),
                after: both.after.schedule.clone(),
            })),
            jobs_renamed: renamed(&removed, &added),
            pairs_added: Few::of(both.iter().flat_map(|both| only_in(both.after, both.before)).chain(whole(&added))),
            pairs_removed: Few::of(both.iter().flat_map(|both| only_in(both.before, both.after)).chain(whole(&removed))),
            pairs_changed: pairs_changed(&both),
            accounts_added: Few::of(after.accounts.iter().filter(|account| !has(&before.accounts, account)).map(named)),
            accounts_removed: Few::of(before.accounts.iter().filter(|account| !has(&after.accounts, account)).map(named)),
            accounts_changed: Few::of(after.accounts.iter().filter_map(|account| {
                let keys = account_keys(before.accounts.iter().find(|old| old.name == account.name)?, account);
                (!keys.is_empty()).then(|| AccountChanged { account: account.name.to_string(), keys })
            })),
            settings_changed: settings(before, after),
        }
    }
}

/// The pairs of jobs that come or go whole.
fn whole<'a>(jobs: &'a [&'a Job]) -> impl Iterator<Item = Pair> + 'a {
    let pair = |job: &Job, instance: &Instance| Pair { job: job.name.to_string(), instance_id: instance.id.to_string(), with_its_job: true };
    jobs.iter().flat_map(move |job| job.instances.iter().map(move |instance| pair(job, instance)))
}

/// The pairs of a job that its other form has not.
fn only_in<'a>(job: &'a Job, other: &'a Job) -> impl Iterator<Item = Pair> + 'a {
    let known: BTreeSet<&InstanceId> = other.instances.iter().map(|instance| &instance.id).collect();
    let own = job.instances.iter().filter(move |instance| !known.contains(&instance.id));
    own.map(|instance| Pair { job: job.name.to_string(), instance_id: instance.id.to_string(), with_its_job: false })
}

fn pairs_changed(both: &[Both<'_>]) -> Few<PairChanged> {
    let (mut of_instances, mut of_jobs) = (Vec::new(), Vec::new());
    let mut total = 0;
    for both in both {
        let known = instances(both.before);
        let job_keys: Vec<&'static str> = both.keys.iter().copied().filter(|key| *key != "targets").collect();
        for instance in &both.after.instances {
            let Some(before) = known.get(&instance.id) else { continue };
            let mut keys = instance_keys(before, instance);
            let of_instance = keys.len();
            keys.extend(&job_keys);
            total += usize::from(!keys.is_empty());
            let kept = if of_instance > 0 { &mut of_instances } else { &mut of_jobs };
            if !keys.is_empty() && kept.len() < LISTED {
                kept.push(PairChanged { job: both.after.name.to_string(), instance_id: instance.id.to_string(), keys, of_instance });
            }
        }
    }
    Few { total, items: of_instances.into_iter().chain(of_jobs).take(LISTED).collect() }
}

/// Removed and added jobs with the same targets and schedule, each once, in the order of the file.
fn renamed(removed: &[&Job], added: &[&Job]) -> Few<JobRenamed> {
    let what = |job: &Job| -> (String, String, BTreeSet<InstanceId>) {
        (job.schedule.text().to_owned(), job.schedule.zone().to_owned(), job.instances.iter().map(|instance| instance.id.clone()).collect())
    };
    let mut gone: BTreeMap<_, Vec<&Job>> = BTreeMap::new();
    for job in removed.iter().rev().filter(|job| !job.instances.is_empty()) {
        gone.entry(what(job)).or_default().push(job);
    }
    Few::of(added.iter().filter_map(|job| {
        let before = gone.get_mut(&what(job))?.pop()?;
        Some(JobRenamed { before: before.name.to_string(), after: job.name.to_string() })
    }))
}

/// The names of what differs.
fn differing(pairs: impl IntoIterator<Item = (&'static str, bool)>) -> Vec<&'static str> {
    pairs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

fn job_keys(before: &Job, after: &Job) -> Vec<&'static str> {
    let encrypted = |job: &Job| if let Method::Physical { encrypted } = &job.method { *encrypted } else { None };
    let tables = |job: &'_ Job| if let Method::Logical { tables } = &job.method { tables.clone() } else { Vec::new() };
    let within = |job: &Job| if let CatchUp::Latest { within } = job.catch_up { Some(within) } else { None };
    let (late, later) = (within(before), within(after));
    differing([
        ("schedule", before.schedule.text() != after.schedule.text()),
        ("time_zone", before.schedule.zone() != after.schedule.zone()),
        ("spread", before.spread != after.spread),
        ("targets", !instances(before).keys().eq(instances(after).keys())),
        ("method", before.method.word() != after.method.word()),
        ("encrypted", encrypted(before) != encrypted(after)),
        ("tables", tables(before) != tables(after)),
        ("start_within", before.start_within != after.start_within),
        ("complete_within", before.complete_within != after.complete_within),
        ("catch_up", late.is_some() != later.is_some()),
        ("catch_up_within", late.is_some() && later.is_some() && late != later),
        ("overlap", before.overlap != after.overlap),
        ("priority", before.priority != after.priority),
        ("retry", before.retry != after.retry),
        ("poll", before.poll != after.poll),
        ("freshness", before.max_age != after.max_age),
        ("suspend", before.suspend != after.suspend),
        ("blackouts", before.blackouts != after.blackouts),
    ])
}

fn instance_keys(before: &Instance, after: &Instance) -> Vec<&'static str> {
    let named = ("name", before.name != after.name);
    differing([named, ("account", before.account != after.account), ("region", before.region != after.region)])
}

fn account_keys(before: &Account, after: &Account) -> Vec<&'static str> {
    differing([
        ("credentials", before.credentials != after.credentials),
        ("endpoint", before.endpoint != after.endpoint),
        ("calls_per_second", before.calls_per_second.to_bits() != after.calls_per_second.to_bits()),
        ("max_running", before.max_running != after.max_running),
        ("absence_window", before.absence_window != after.absence_window),
        ("utc_offset", before.list_offset_s != after.list_offset_s),
    ])
}

fn settings(before: &Policy, after: &Policy) -> Vec<&'static str> {
    differing([
        ("ledger", before.ledger != after.ledger),
        ("listen", before.listen != after.listen),
        ("listen_token", before.listen_token != after.listen_token),
        ("history", before.history != after.history),
        ("ledger_copies", before.ledger_copies != after.ledger_copies),
        ("instances", before.instances != after.instances),
        ("defaults", before.by_hand != after.by_hand),
        ("blackouts", before.blackouts != after.blackouts),
    ])
}
