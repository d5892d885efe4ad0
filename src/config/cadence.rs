//! How often a schedule fires, measured over its coming slots.

use crate::domain::{
    now::{elapsed, later},
    schedule::Schedule,
};
use chrono::{DateTime, Utc};
use std::time::Duration;

/// Slots that are looked at; those of a schedule that fires more often are reckoned from them.
const MOST_SLOTS: usize = 1_500;
const YEAR: Duration = Duration::from_secs(365 * 86_400);
/// A leap day's slots come within it.
const HORIZON: Duration = Duration::from_secs(9 * 366 * 86_400);

/// How often a schedule fires.
#[derive(Clone, Debug)]
pub struct Cadence {
    /// The next slot; absent when none comes within nine years.
    pub next: Option<DateTime<Utc>>,
    /// Slots in the coming year.
    pub a_year: f64,
    /// The shortest distance of two slots in the coming year.
    pub shortest_gap: Option<Duration>,
}

impl Cadence {
    /// Looks at the slots after `now`.
    pub fn of(schedule: &Schedule, now: DateTime<Utc>) -> Self {
        let slots: Vec<DateTime<Utc>> = schedule.slots_between(now, later(now, YEAR)).take(MOST_SLOTS).collect();
        let shortest_gap = slots.iter().zip(slots.iter().skip(1)).map(|(a, b)| elapsed(*a, *b)).min();
        let next = slots.first().copied().or_else(|| schedule.next_after(now).filter(|t| *t <= later(now, HORIZON)));
        let a_year = match (slots.first(), slots.last()) {
            (Some(first), Some(last)) if slots.len() == MOST_SLOTS => {
                let gaps = u32::try_from(MOST_SLOTS - 1).map_or(0.0, f64::from);
                gaps * YEAR.as_secs_f64() / elapsed(*first, *last).as_secs_f64().max(1.0)
            }
            _ => u32::try_from(slots.len()).map_or(0.0, f64::from),
        };
        Self { next, a_year, shortest_gap }
    }

    /// Slots a day, on average over the coming year.
    pub fn a_day(&self) -> f64 {
        self.a_year / 365.0
    }
}
