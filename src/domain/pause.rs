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

/// The pairs that pauses hold, and when the first of these pauses ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paused {
    everything: bool,
    pairs: BTreeSet<(JobName, InstanceId)>,
    /// When the first of them ends by itself.
    pub ends_at: Option<DateTime<Utc>>,
}

impl Paused {
    /// What these pauses hold of a policy at `now`.
    pub fn of(pauses: &[Pause], policy: &Policy, now: DateTime<Utc>) -> Self {
        let mut paused = Self::default();
        for pause in pauses.iter().filter(|pause| pause.holds(now)) {
            paused.ends_at = [paused.ends_at, pause.until].into_iter().flatten().min();
            if pause.scope.is_everything() {
                paused.everything = true;
                continue;
            }
            for instance in policy.instances.iter().filter(|instance| pause.scope.keeps_instance(instance)) {
                if pause.scope.keeps_job(JobName::BY_HAND) {
                    paused.pairs.insert((JobName::by_hand(), instance.id.clone()));
                }
            }
            for job in policy.jobs.iter().filter(|job| pause.scope.keeps_job(job.name.as_str())) {
                let meant = job.instances.iter().filter(|instance| pause.scope.keeps_instance(instance));
                paused.pairs.extend(meant.map(|instance| (job.name.clone(), instance.id.clone())));
            }
        }
        paused
    }

    /// Whether a job is held on an instance.
    pub fn covers(&self, job: &JobName, instance: &InstanceId) -> bool {
        self.everything || (!self.pairs.is_empty() && self.pairs.contains(&(job.clone(), instance.clone())))
    }
}

/// What keeps runs from starting because somebody chose so: jobs, by the policy; pairs, by pauses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keeps {
    /// Held by the policy.
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
        if self.paused.covers(job, instance) { Some(Kept::Paused) } else { self.jobs.get(job).copied() }
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty() && *self.paused == Paused::default()
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
