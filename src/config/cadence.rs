//! How often a job starts something, measured over its coming slots.

use crate::domain::{
    now::{elapsed, later},
    policy::{Blackout, BlackoutSpan, Job},
};
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// Slots that are looked at when the distance between two is measured.
const MOST_SLOTS: usize = 1_500;
/// Times that one blackout comes again within a year, as far as they are reckoned.
const MOST_TIMES: usize = 2_000;
const YEAR: Duration = Duration::from_secs(365 * 86_400);
/// A leap day's slots come within it.
const HORIZON: Duration = Duration::from_secs(9 * 366 * 86_400);

/// How often a job starts something.
#[derive(Clone, Debug)]
pub struct Cadence {
    /// The next slot; absent when none comes within nine years.
    pub next: Option<DateTime<Utc>>,
    /// When the blackout ends that skips the next slot; absent when none does.
    pub next_is_skipped_until: Option<DateTime<Utc>>,
    /// Slots in the coming year, without those that blackouts skip.
    pub a_year: f64,
    /// The shortest distance of two slots in the coming year.
    pub shortest_gap: Option<Duration>,
}

impl Cadence {
    /// Looks at the job's slots after `now`. `for_all` are the blackouts that hold for every job.
    pub fn of(job: &Job, for_all: &[Blackout], now: DateTime<Utc>) -> Self {
        let (schedule, end) = (&job.schedule, later(now, YEAR));
        let slots: Vec<DateTime<Utc>> = schedule.slots_between(now, end).take(MOST_SLOTS).collect();
        let shortest_gap = slots.iter().zip(slots.iter().skip(1)).map(|(a, b)| elapsed(*a, *b)).min();
        let next = slots.first().copied().or_else(|| schedule.next_after(now).filter(|t| *t <= later(now, HORIZON)));
        let next_is_skipped_until = next.and_then(|slot| for_all.iter().chain(&job.blackouts).find_map(|b| b.covers(slot)));
        let (all, _) = schedule.count_and_last(now, end);
        let skipped: u64 = dark(for_all.iter().chain(&job.blackouts), now, end).map(|(from, to)| schedule.count_and_last(from, to).0).sum();
        let a_year = u32::try_from(all.saturating_sub(skipped)).map_or(f64::MAX, f64::from);
        Self { next, next_is_skipped_until, a_year, shortest_gap }
    }

    /// Slots a day, on average over the coming year.
    pub fn a_day(&self) -> f64 {
        self.a_year / 365.0
    }
}

/// The times in `(now, end]` in which blackouts skip slots: none overlaps another, and each holds its end and not its beginning.
fn dark<'a>(
    blackouts: impl Iterator<Item = &'a Blackout>,
    now: DateTime<Utc>,
    end: DateTime<Utc>,
) -> impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)> {
    let mut times: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
    for blackout in blackouts {
        match &blackout.span {
            BlackoutSpan::Once { from, to } => times.push((*from, *to)),
            BlackoutSpan::Recurring { schedule, lasts } => {
                // One that began before now may go on.
                let begin = crate::domain::now::earlier(now, *lasts);
                times.extend(schedule.slots_between(begin, end).take(MOST_TIMES).map(|from| (from, later(from, *lasts))));
            }
        }
    }
    times.sort_unstable();
    // Slots are whole seconds: of a time that holds its first instant and not its last, the second before each is outside and inside.
    let second = TimeDelta::seconds(1);
    let mut told = now;
    times.into_iter().filter_map(move |(from, to)| {
        let (from, to) = ((from - second).max(told), (to - second).min(end));
        told = told.max(to);
        (from < to).then_some((from, to))
    })
}
