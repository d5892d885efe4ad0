//! What is coming: the next slots of a job, when its runs would start if nothing held them, and what is odd about a slot.
//!
//! Decided here: the figures and words that `next` shows. Nothing acts on them: the planner judges each slot when it has come.

mod ahead;
mod crowds;
mod starts;

pub use ahead::Ahead;
pub use crowds::{Crowd, crowds};

use super::{
    blackout::{Dark, dark},
    names::JobName,
    now::later,
    policy::{Job, Policy},
    schedule::{ChangedNight, Effect, Schedule},
};
use chrono::{DateTime, TimeDelta, Utc};
use starts::Delays;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// One coming slot of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coming {
    /// The nominal instant.
    pub slot: DateTime<Utc>,
    /// As people of the job's zone write it.
    pub slot_local: String,
    /// How many runs it makes, those that a blackout skips too.
    pub runs: usize,
    /// The first and the last start; absent when nothing starts.
    pub starts: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// What is odd about it: blackouts, holds, and what a change of the clock does to it.
    pub notes: Vec<Note>,
}

/// What is odd about a slot, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    says: String,
    /// The moment that ends the sentence.
    until: Option<DateTime<Utc>>,
}

impl Note {
    /// The sentence, with its moment as `local` writes it.
    pub fn written(&self, local: impl FnOnce(DateTime<Utc>) -> String) -> String {
        let until = self.until.map(|until| format!(" until {}", local(until)));
        format!("{}{}", self.says, until.unwrap_or_default())
    }
}

impl From<String> for Note {
    fn from(says: String) -> Self {
        Self { says, until: None }
    }
}

/// The slots of each of these jobs in `(after, until]`, at most `count` of each.
///
/// Starts are reckoned for whole slots: every job of the policy that has the slot takes its part of the pace, suspended and blacked out ones aside.
pub fn coming(policy: &Policy, jobs: &[&Job], after: DateTime<Utc>, until: DateTime<Utc>, count: usize) -> Vec<Vec<Coming>> {
    let slots: Vec<Vec<DateTime<Utc>>> = jobs.iter().map(|job| job.schedule.slots_between(after, until).take(count).collect()).collect();
    let shown: BTreeSet<DateTime<Utc>> = slots.iter().flatten().copied().collect();
    // The same jobs start in the same order at each of their slots.
    let mut reckoned: BTreeMap<Vec<&JobName>, BTreeMap<&JobName, Delays>> = BTreeMap::new();
    let mut delays: BTreeMap<(DateTime<Utc>, &JobName), Delays> = BTreeMap::new();
    for (slot, starting) in starting(policy, &shown) {
        let names = starting.iter().map(|job| &job.name).collect();
        let of_jobs = reckoned.entry(names).or_insert_with(|| starts::together(policy, &starting));
        delays.extend(of_jobs.iter().map(|(job, delays)| ((slot, *job), *delays)));
    }
    let of_job = |(job, slots): (&&Job, Vec<DateTime<Utc>>)| {
        let nights = nights_around(job, &slots, after);
        slots.into_iter().map(|slot| of_slot(policy, job, slot, delays.get(&(slot, &job.name)).copied(), &nights)).collect()
    };
    jobs.iter().zip(slots).map(of_job).collect()
}

/// Which jobs start something at each of these slots.
fn starting<'a>(policy: &'a Policy, slots: &BTreeSet<DateTime<Utc>>) -> BTreeMap<DateTime<Utc>, Vec<&'a Job>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for job in policy.jobs.iter().filter(|job| !job.suspend) {
        for slot in ahead::shared(&job.schedule, slots).filter(|slot| blackout(policy, job, *slot).is_none()) {
            found.entry(slot).or_default().push(&**job);
        }
    }
    found
}

/// The nights on which the clock changes that may concern these slots: a day before and after them, or the first that is left after times that
/// fell away.
fn nights_around(job: &Job, slots: &[DateTime<Utc>], after: DateTime<Utc>) -> Vec<ChangedNight> {
    let (Some(first), Some(last)) = (slots.first(), slots.last()) else { return Vec::new() };
    let day = TimeDelta::days(2);
    job.schedule.changed_nights(after.min(first.checked_sub_signed(day).unwrap_or(*first)), later(*last, Duration::from_secs(2 * 86_400)))
}

fn of_slot(policy: &Policy, job: &Job, slot: DateTime<Utc>, delays: Option<Delays>, nights: &[ChangedNight]) -> Coming {
    let schedule = &job.schedule;
    let mut notes = Vec::new();
    let mut starts = delays.map(|(first, last)| (later(slot, first), later(slot, last)));
    if let Some(Dark { until, reason }) = blackout(policy, job, slot) {
        let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
        notes.push(Note { says: format!("skipped: blackout{reason}"), until: Some(until) });
        starts = None;
    } else if job.suspend {
        notes.push("held: the policy suspends the job".to_owned().into());
        starts = None;
    } else if let Some((first, last)) = starts {
        let waiting = blackout(policy, job, first).map(|found| ("starts wait", found));
        let waiting = waiting.or_else(|| blackout(policy, job, last).map(|found| ("the last starts wait", found)));
        notes.extend(waiting.map(|(who, Dark { until, .. })| Note { says: format!("{who}: blackout"), until: Some(until) }));
    }
    if job.instances.is_empty() {
        notes.push("matches no instance".to_owned().into());
    }
    notes.extend(nights.iter().filter(|night| night.slots.contains(&slot)).map(|night| night_note(night, schedule).into()));
    Coming { slot, slot_local: schedule.local(slot), runs: job.instances.len(), starts, notes }
}

fn blackout<'a>(policy: &'a Policy, job: &'a Job, t: DateTime<Utc>) -> Option<Dark<'a>> {
    dark(policy, Some(job), t).into_iter().next()
}

fn night_note(night: &ChangedNight, schedule: &Schedule) -> String {
    let (date, zone, times) = (night.date, schedule.zone(), night.times);
    match night.effect {
        Effect::FallAway if times == 1 => format!("the clock of {zone} jumps on {date}: the time before this one falls away"),
        Effect::FallAway => format!("the clock of {zone} jumps on {date}: the {times} times before this one fall away"),
        Effect::Twice => format!("the clock of {zone} goes back on {date}: runs in both passes of the repeated time"),
        Effect::AtTheJump => format!("the clock of {zone} jumps on {date} over the job's time: runs at the jump"),
        Effect::Together => format!("the clock of {zone} jumps on {date}: {times} times fall on this one slot"),
        Effect::FirstOfTwo => format!("the clock of {zone} goes back on {date}: runs in the first pass of the repeated time only"),
    }
}
