//! What a change of the clock does to slots, for people: which nights, how many, and which slots to mark.

use super::{Schedule, cron, instant, seconds};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use jiff::Timestamp;
use std::ops::Range;

/// A change of the clock, and civil times of a schedule that it skips or repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedNight {
    /// When the clock changes.
    pub at: DateTime<Utc>,
    /// The day by the zone's calendar, as it is before the change.
    pub date: NaiveDate,
    /// What becomes of the slots.
    pub effect: Effect,
    /// How many civil times it concerns.
    pub times: u64,
    /// The slots to mark lie in here; of [`Effect::FallAway`], the first slot after the jump.
    pub slots: Range<DateTime<Utc>>,
}

/// What a change of the clock does to slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Skipped, since the schedule follows elapsed time.
    FallAway,
    /// In both passes of the repeated hour, since the schedule follows elapsed time.
    Twice,
    /// A skipped civil time is a slot at the instant of the jump.
    AtTheJump,
    /// Several civil times, at least one of them skipped, are one slot at the instant of the jump.
    Together,
    /// A repeated civil time is a slot the first time only.
    FirstOfTwo,
}

impl Schedule {
    /// Changes of the clock in `(after, until]` that touch slots.
    pub fn changed_nights(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> Vec<ChangedNight> {
        let Ok(from) = Timestamp::from_second(seconds(after)) else { return Vec::new() };
        let (after, until) = (seconds(after), seconds(until));
        let changes = self.inner.tz.following(from).map(|change| change.timestamp().as_second());
        changes.skip_while(|at| *at <= after).take_while(|at| *at <= until).filter_map(|at| self.changed_night(at)).collect()
    }

    /// What the change at `at` does, when it does anything.
    fn changed_night(&self, at: i64) -> Option<ChangedNight> {
        let calendar = &self.inner.calendar;
        let offset = |t: i64| Some(i64::from(self.inner.tz.to_offset(Timestamp::from_second(t).ok()?).seconds()));
        let (old, new) = (at + offset(at - 1)?, at + offset(at)?);
        let touched = calendar.count(&(old.min(new)..old.max(new)));
        let (jumps, ticks) = (new > old, calendar.follows_elapsed_time);
        let shift = TimeDelta::seconds((old - new).abs());
        let change = instant(at);
        let (effect, times, slots) = match (jumps, ticks) {
            _ if touched == 0 => return None,
            (true, true) => (Effect::FallAway, touched, change..self.next_after(change - TimeDelta::seconds(1))? + TimeDelta::seconds(1)),
            (false, true) => (Effect::Twice, touched, change - shift..change + shift),
            (false, false) => (Effect::FirstOfTwo, touched, change - shift..change),
            (true, false) => {
                // The first time after the gap falls on the jump too.
                let times = calendar.count(&(old..new + 1));
                let effect = if times > 1 { Effect::Together } else { Effect::AtTheJump };
                (effect, times, change..change + TimeDelta::seconds(1))
            }
        };
        Some(ChangedNight { at: change, date: cron::date(old.div_euclid(cron::DAY))?, effect, times, slots })
    }
}
