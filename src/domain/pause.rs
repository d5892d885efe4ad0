//! What people hold from starting, for how long, and which pairs that are.
//!
//! Not decided here: what becomes of a run that is held over the end of its window (`run::due`), and how a pause is asked for (`request`).

use super::{
    names::{InstanceId, JobName},
    policy::Policy,
    run::{Run, due::Kept},
    scope::Scope,
};
use chrono::{DateTime, Utc};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A pause that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The number of the request that asked for it.
    pub id: i64,
    /// What it holds.
    pub scope: Scope,
    /// Since when.
    pub from: DateTime<Utc>,
    /// Up to when; none: until somebody ends it.
    pub until: Option<DateTime<Utc>>,
    /// Who asked.
    pub who: String,
    /// Why.
    pub reason: String,
}

impl Pause {
    /// Whether it holds at `now`.
    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// What pauses hold, and when the first of these pauses ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paused {
    held: Vec<HeldPairs>,
    /// When the first of them ends by itself.
    pub ends_at: Option<DateTime<Utc>>,
}

/// What one pause holds: these jobs on these instances; none: any. A run of a job that has left the policy is held with its instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldPairs {
    /// The pause's number.
    pub pause: i64,
    /// Up to when it holds them; none: until somebody ends it.
    pub until: Option<DateTime<Utc>>,
    jobs: Option<BTreeSet<String>>,
    instances: Option<BTreeSet<InstanceId>>,
}

impl Paused {
    /// What these pauses hold of a policy at `now`.
    pub fn of(pauses: &[Pause], policy: &Policy, now: DateTime<Utc>) -> Self {
        let on = || pauses.iter().filter(|pause| pause.holds(now));
        Self { held: on().map(|pause| HeldPairs::of(pause, policy)).collect(), ends_at: on().filter_map(|pause| pause.until).min() }
    }

    /// Whether a job is held on an instance.
    pub fn covers(&self, job: &JobName, instance: &InstanceId) -> bool {
        self.holding(job, instance).next().is_some()
    }

    /// The pauses that hold a job on an instance.
    pub fn holding<'a>(&'a self, job: &'a JobName, instance: &'a InstanceId) -> impl Iterator<Item = &'a HeldPairs> {
        self.held.iter().filter(|held| {
            held.jobs.as_ref().is_none_or(|jobs| jobs.contains(job.as_str()))
                && held.instances.as_ref().is_none_or(|instances| instances.contains(instance))
        })
    }
}

impl HeldPairs {
    fn of(pause: &Pause, policy: &Policy) -> Self {
        let scope = &pause.scope;
        let Scope { jobs, instances, accounts, regions, tags } = scope;
        let jobs = (!jobs.is_empty()).then(|| jobs.iter().cloned().collect());
        let is_narrow = !(instances.is_empty() && accounts.is_empty() && regions.is_empty() && tags.is_empty());
        let known = policy.instances.iter().filter(|instance| scope.keeps_instance(instance)).map(|instance| instance.id.clone());
        // An id stays what it is, though the policy knows it no more.
        let named =
            instances.iter().filter_map(|id| InstanceId::parse(id).ok()).filter(|_| accounts.is_empty() && regions.is_empty() && tags.is_empty());
        Self { pause: pause.id, until: pause.until, jobs, instances: is_narrow.then(|| known.chain(named).collect()) }
    }
}

/// What keeps runs from starting because somebody chose so: jobs, by the policy; pairs, by pauses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keeps {
    /// What the policy holds of every job, and of runs that no job of it made.
    pub everywhere: Option<Kept>,
    /// Jobs that the policy holds.
    pub jobs: BTreeMap<JobName, Kept>,
    /// Held by people.
    pub paused: Arc<Paused>,
}

impl Keeps {
    /// What keeps a run.
    pub fn of(&self, run: &Run) -> Option<Kept> {
        if run.asked.even_if_held { None } else { self.of_pair(&run.key.job, &run.key.instance) }
    }

    /// What keeps a job on an instance.
    pub fn of_pair(&self, job: &JobName, instance: &InstanceId) -> Option<Kept> {
        if self.paused.covers(job, instance) { Some(Kept::Paused) } else { self.jobs.get(job).copied().or(self.everywhere) }
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.everywhere.is_none() && self.jobs.is_empty() && *self.paused == Paused::default()
    }
}

/// What a person's request made of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The request's number; 0: nobody asked.
    pub request: i64,
    /// It starts in a pause, a suspension and a blackout, too.
    pub even_if_held: bool,
    /// How far back a backfilled slot lay, in milliseconds: it stands behind all that is due by itself, the newest first.
    pub behind_ms: i64,
}

impl Asked {
    /// Whether a person asked.
    pub fn is_by_person(self) -> bool {
        self.request != 0
    }
}
