//! What is coming: the next slots of a job, when its runs would start if nothing held them, and what is odd about a slot.
//!
//! Decided here: the figures and words that `next` shows. Nothing acts on them: the planner judges each slot when it has come.

use super::{
    now::later,
    pace,
    policy::{Job, Policy},
    schedule::{ChangedNight, Effect, Schedule},
    spread::share_of_spread,
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{collections::BTreeMap, time::Duration};

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
    pub notes: Vec<String>,
}

/// The slots of a job in `(after, until]`, at most `count`.
///
/// Starts are reckoned at the pace of each account, all accounts side by side, as if no other job ran and no call were refused.
pub fn coming(policy: &Policy, job: &Job, after: DateTime<Utc>, until: DateTime<Utc>, count: usize) -> Vec<Coming> {
    let slots: Vec<DateTime<Utc>> = job.schedule.slots_between(after, until).take(count).collect();
    let (Some(first), Some(last)) = (slots.first(), slots.last()) else { return Vec::new() };
    // A change of the clock concerns slots of the day before and after it, or the first that is left after times that fell away.
    let day = TimeDelta::days(2);
    let nights =
        job.schedule.changed_nights(after.min(first.checked_sub_signed(day).unwrap_or(*first)), later(*last, Duration::from_secs(2 * 86_400)));
    let delays = delays(policy, job);
    slots.iter().map(|slot| of_slot(policy, job, *slot, delays, &nights)).collect()
}

fn of_slot(policy: &Policy, job: &Job, slot: DateTime<Utc>, delays: Option<(Duration, Duration)>, nights: &[ChangedNight]) -> Coming {
    let schedule = &job.schedule;
    let mut notes = Vec::new();
    let mut starts = delays.map(|(first, last)| (later(slot, first), later(slot, last)));
    if let Some((until, reason)) = blackout(policy, job, slot) {
        let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
        notes.push(format!("skipped: blackout{reason} until {}", schedule.local(until)));
        starts = None;
    } else if job.suspend {
        notes.push("held: the policy suspends the job".to_owned());
        starts = None;
    } else if let Some((first, last)) = starts {
        let waiting = blackout(policy, job, first).map(|found| ("starts wait", found));
        let waiting = waiting.or_else(|| blackout(policy, job, last).map(|found| ("the last starts wait", found)));
        notes.extend(waiting.map(|(who, (until, _))| format!("{who}: blackout until {}", schedule.local(until))));
    }
    if job.instances.is_empty() {
        notes.push("matches no instance".to_owned());
    }
    notes.extend(nights.iter().filter(|night| night.slots.contains(&slot)).map(|night| night_note(night, schedule)));
    Coming { slot, slot_local: schedule.local(slot), runs: job.instances.len(), starts, notes }
}

/// When the blackout that `t` lies in ends, and its reason.
fn blackout<'a>(policy: &'a Policy, job: &'a Job, t: DateTime<Utc>) -> Option<(DateTime<Utc>, &'a str)> {
    policy.blackouts.iter().chain(&job.blackouts).find_map(|blackout| Some((blackout.covers(t)?, blackout.reason.as_str())))
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

/// How long after a slot its first and its last run start; absent without instances.
fn delays(policy: &Policy, job: &Job) -> Option<(Duration, Duration)> {
    let mut queues: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for instance in &job.instances {
        queues.entry(instance.account.as_str()).or_default().push(share_of_spread(&job.name, &instance.id, job.spread));
    }
    let ends = queues.into_iter().filter_map(|(account, mut shares)| {
        shares.sort_unstable();
        let account = policy.accounts.iter().find(|a| a.name.as_str() == account);
        let per_second = account.map_or(pace::CREATES_PER_SECOND_MAX, |a| a.calls_per_second);
        // A rate of nothing cannot come out of `config`; it is bounded here for every other caller.
        let distance = Duration::from_secs_f64(pace::MARGIN / per_second.clamp(0.01, 1_000.0));
        let first = *shares.first()?;
        let last = shares.iter().skip(1).fold(first, |free, share| (free + distance).max(*share));
        Some((first, last))
    });
    ends.reduce(|(first, last), (f, l)| (first.min(f), last.max(l)))
}
