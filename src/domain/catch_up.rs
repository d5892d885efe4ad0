//! From a cursor to rows: which slots have passed, which of them run, which were missed, which a blackout skips.
//!
//! What is due is arithmetic over the cursor, so a late, lost or doubled wake-up can neither lose nor double a slot.

use super::{
    names::{InstanceId, JobName},
    now::{earlier, later},
    pause::Asked,
    policy::{Blackout, CatchUp, Job},
    run::{Key, Outcome, Trigger, Windows},
    schedule::Schedule,
    spread::share_of_spread,
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{borrow::Cow, time::Duration};

/// How late a slot of a job without catch-up may be seen and still run: a loop that was held for a moment is no downtime.
const PUNCTUAL: Duration = Duration::from_secs(60);

/// What is due of one job and instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The job.
    pub job: JobName,
    /// The instance.
    pub instance: InstanceId,
    /// Slots up to here have rows.
    pub at: DateTime<Utc>,
    /// Rows of the schedule that exist after the cursor: first and last slot of each, in order.
    pub taken: Vec<(DateTime<Utc>, DateTime<Utc>)>,
}

/// A row to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    /// Its key; for a missed range, that of the first slot.
    pub key: Key,
    /// The last slot of a range; the slot itself otherwise.
    pub slot_last: DateTime<Utc>,
    /// How many slots the row covers.
    pub slots: u64,
    /// The slot as people of its zone write it.
    pub slot_local: String,
    /// Its four times.
    pub windows: Windows,
    /// 0 first, 9 last.
    pub priority: u8,
    /// Who asked for it.
    pub asked: Asked,
    /// Whether it may run.
    pub admitted: Admitted,
}

/// How a row begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// Due at its `not_before`.
    Due,
    /// Final at once.
    Closed {
        /// How.
        outcome: Outcome,
        /// A fixed word.
        reason: Cow<'static, str>,
        /// The sentence.
        why: String,
    },
}

/// The rows for the slots in `(cursor, now]`: at most one that runs or is skipped, and one missed range for each piece between rows that exist.
pub fn rows(job: &Job, cursor: &Cursor, blackouts: &[Blackout], restored: bool, now: DateTime<Utc>) -> Vec<NewRun> {
    let (_, Some(newest)) = job.schedule.count_and_last(cursor.at, now) else { return Vec::new() };
    let mut rows = Vec::new();
    let row = |slot, last, slots, admitted| new_run(job, &cursor.instance, slot, last, slots, admitted, now);
    let is_taken = cursor.taken.iter().any(|(first, last)| *first <= newest && newest <= *last);
    let windows = windows(job, &cursor.instance, newest, now);
    let within = match job.catch_up {
        CatchUp::Off => PUNCTUAL,
        CatchUp::Latest { within } => within.max(PUNCTUAL),
    };
    let fresh = windows.not_before >= earlier(now, within);
    let mut missed_until = newest;
    if !is_taken && fresh {
        missed_until = newest - TimeDelta::milliseconds(1);
        let blackout = blackouts.iter().chain(&job.blackouts).find(|blackout| blackout.covers(newest).is_some());
        let admitted = blackout.map_or(Admitted::Due, |blackout| Admitted::Closed {
            outcome: Outcome::Skipped,
            reason: "blackout".into(),
            why: if blackout.reason.is_empty() {
                "its slot lies in a blackout".into()
            } else {
                format!("its slot lies in a blackout: {}", blackout.reason)
            },
        });
        rows.push(row(newest, newest, 1, admitted));
    }
    let why = if restored { "the ledger was put back from a copy; the cloud may hold backups of this time" } else { "nobody was there to run it" };
    for (slot, last, slots) in missed(&job.schedule, cursor, missed_until) {
        let reason = if restored { "restored" } else { "downtime" };
        rows.push(row(slot, last, slots, Admitted::Closed { outcome: Outcome::Missed, reason: reason.into(), why: why.into() }));
    }
    rows
}

/// The pieces of `(cursor, until]` between rows that exist: first slot, last slot, how many.
pub fn missed(schedule: &Schedule, cursor: &Cursor, until: DateTime<Utc>) -> Vec<(DateTime<Utc>, DateTime<Utc>, u64)> {
    let mut pieces = Vec::new();
    let mut from = cursor.at;
    let end = (DateTime::<Utc>::MAX_UTC, DateTime::<Utc>::MAX_UTC);
    for (first, last) in cursor.taken.iter().copied().chain([end]) {
        let to = until.min(if first == end.0 { first } else { first - TimeDelta::milliseconds(1) });
        if from < to
            && let (slots, Some(piece_last)) = schedule.count_and_last(from, to)
            && let Some(piece_first) = schedule.next_after(from)
        {
            pieces.push((piece_first, piece_last, slots));
        }
        from = from.max(last);
        if from >= until {
            break;
        }
    }
    pieces
}

/// The four times of a slot's run, when its row is written at `now` (DESIGN §4).
pub fn windows(job: &Job, instance: &InstanceId, slot: DateTime<Utc>, now: DateTime<Utc>) -> Windows {
    let not_before = later(slot, share_of_spread(&job.name, instance, job.spread));
    let start_by = later(not_before.max(now), job.start_within);
    let complete_by = later(start_by, job.complete_within);
    let next_slot = job.schedule.next_after(slot).unwrap_or(complete_by);
    Windows { not_before, start_by, complete_by, restart_by: next_slot.min(complete_by) }
}

fn new_run(
    job: &Job,
    instance: &InstanceId,
    slot: DateTime<Utc>,
    slot_last: DateTime<Utc>,
    slots: u64,
    admitted: Admitted,
    now: DateTime<Utc>,
) -> NewRun {
    NewRun {
        key: Key { job: job.name.clone(), instance: instance.clone(), slot, trigger: Trigger::Schedule, request: 0 },
        slot_last,
        slots,
        slot_local: job.schedule.local(slot),
        windows: windows(job, instance, slot, now),
        priority: job.priority,
        asked: Asked::default(),
        admitted,
    }
}
