//! When a job is due: cron text in a zone becomes slots, by one rule for nights on which the clock changes.
//!
//! If the hour field starts with `*`, the schedule follows elapsed time: it runs in both passes of a repeated hour and has no slot in a skipped
//! one. With any other hour field every civil time of the pattern is one slot: in a gap it is the instant of the jump, in a repeated hour the first
//! of the two, and times that fall on one instant are one slot. The table is in tests/tables/schedules.rs.
//!
//! In reading order: which civil times a text names ([`cron`]), where they fall ([`place`]), the slots that come of it ([`slots`]), what a change
//! of the clock does to them ([`nights`]), and zone names ([`zone`]). The zone data is compiled in, and this is the only folder that knows `jiff`;
//! everywhere else an instant is a `DateTime<Utc>`.

mod cron;
mod nights;
mod place;
mod slots;
mod zone;

pub use nights::{ChangedNight, Effect};
pub use zone::{is_abbreviation, nearest_zone};

use chrono::{DateTime, TimeDelta, Utc};
use cron::DAY;
use jiff::{Timestamp, tz::TimeZone};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// A cron text is not longer.
const TEXT_MAX: usize = 256;
/// Instants outside the years 1 to 9998 are taken for these: the zone data goes no further.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_370_764_799;
/// Changes of the clock that are looked at when gaps are measured: eight years of a zone with four a year.
const MEASURED_CHANGES: usize = 32;

/// Cron text in a zone. Two are equal when both texts are; a clone costs nothing.
#[derive(Clone)]
pub struct Schedule {
    inner: Arc<Inner>,
}

struct Inner {
    text: String,
    zone: String,
    calendar: cron::Calendar,
    tz: TimeZone,
    /// The day from which gaps were measured last, and the longest: readers ask it of every job at every look.
    longest_gap: Mutex<Option<(i64, Duration)>>,
}

/// Why a text and a zone make no schedule; reads after "the value".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Too long to be one: shorten it.
    #[error("is longer than {TEXT_MAX} characters")]
    Long,
    /// Not five or six fields: write minute, hour, day of month, month and day of week.
    #[error("has {0} fields; write five (minute, hour, day of month, month, day of week), or six with the seconds first")]
    Fields(usize),
    /// A word that stands for no fields: take one that does.
    #[error("is no word of cron's; write `@hourly`, `@daily`, `@weekly`, `@monthly` or `@yearly`, or five fields")]
    Word,
    /// A field that cannot be read: write what it takes.
    #[error("has a bad {field} `{text}`: {reason}; it takes {takes}")]
    Field {
        /// Which.
        field: &'static str,
        /// As written.
        text: String,
        /// What is wrong with it; repeats no word of it.
        reason: String,
        /// What it takes.
        takes: &'static str,
    },
    /// Fields that can be read one by one, and not together: write others.
    #[error("cannot be read: {0}")]
    Unread(String),
    /// It names a day that does not exist: choose another.
    #[error("never fires: no date matches it")]
    Never,
    /// Not an IANA name: write one, such as the one that is proposed.
    #[error("is no IANA time zone{}", .0.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Zone(Option<String>),
}

impl Schedule {
    /// Parses five cron fields, six with leading seconds, or `@daily` and its like, in an IANA zone.
    pub fn parse(text: &str, zone: &str) -> Result<Self, ScheduleError> {
        if text.len() > TEXT_MAX {
            return Err(ScheduleError::Long);
        }
        let tz = zone::find(zone)?;
        let calendar = cron::Calendar::parse(text)?;
        Ok(Self { inner: Arc::new(Inner { text: text.into(), zone: zone.into(), calendar, tz, longest_gap: Mutex::default() }) })
    }

    /// As the policy has it.
    pub fn text(&self) -> &str {
        &self.inner.text
    }

    /// As the policy has it.
    pub fn zone(&self) -> &str {
        &self.inner.zone
    }

    /// Slots in `(after, until]`, strictly increasing; cut anywhere, the parts are the whole.
    pub fn slots_between(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        slots::Slots::new(&self.inner.calendar, self.pieces(after, until)).map(instant)
    }

    /// The first slot after `t`; none after the year 9998.
    pub fn next_after(&self, t: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.slots_between(t, DateTime::<Utc>::MAX_UTC).next()
    }

    /// How many slots `(after, until]` has, and the last of them. Costs as many steps as there are days between, however often it fires.
    pub fn count_and_last(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> (u64, Option<DateTime<Utc>>) {
        let (count, last) = slots::count_and_last(&self.inner.calendar, self.pieces(after, until));
        (count, last.map(instant))
    }

    /// The longest distance between two slots from the day of `from` on, as measured over eight years, and at least two days of the pattern.
    pub fn longest_gap(&self, from: DateTime<Utc>) -> Duration {
        let day = seconds(from).div_euclid(DAY);
        let mut known = self.inner.longest_gap.lock().unwrap_or_else(PoisonError::into_inner);
        match *known {
            Some((measured, longest)) if measured == day => longest,
            _ => known.insert((day, self.measured_gap(day * DAY))).1,
        }
    }

    fn measured_gap(&self, from: i64) -> Duration {
        let Some(even) = self.inner.calendar.longest_gap(from) else { return Duration::ZERO };
        let even = TimeDelta::seconds(even);
        let changes = Timestamp::from_second(from).map(|from| self.inner.tz.following(from)).into_iter().flatten();
        let over_a_change = changes.take(MEASURED_CHANGES).filter_map(|change| {
            let before = instant(change.timestamp().as_second() - 1);
            // Nothing is further back than the longest gap and what a change can add to it.
            let (_, last) = self.count_and_last(before.checked_sub_signed(even + TimeDelta::days(2))?, before);
            Some(self.next_after(last?)? - last?)
        });
        over_a_change.chain([even]).max().and_then(|gap| gap.to_std().ok()).unwrap_or(Duration::ZERO)
    }

    /// Whether it has six fields and its hour is `*`: it fires every hour, which is seldom meant.
    pub fn hour_is_every(&self) -> bool {
        self.inner.calendar.hour_is_every
    }

    /// Whether it names days of the month and of the week: it fires on either.
    pub fn day_of_month_and_week(&self) -> bool {
        self.inner.calendar.either_day
    }

    /// `t` as people of the zone write it: `2026-11-24 02:30:00 +08:00`.
    pub fn local(&self, t: DateTime<Utc>) -> String {
        let t = Timestamp::from_second(seconds(t)).unwrap_or(Timestamp::UNIX_EPOCH);
        t.to_zoned(self.inner.tz.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
    }

    fn pieces(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> place::Pieces<'_> {
        place::Pieces::new(&self.inner.tz, self.inner.calendar.follows_elapsed_time, seconds(after), seconds(until))
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text() && self.zone() == other.zone()
    }
}

impl Eq for Schedule {}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({:?} in {})", self.text(), self.zone())
    }
}

/// Whole seconds since 1970, rounded down. Slots are whole, so a slot after `t` is one after its second.
fn seconds(t: DateTime<Utc>) -> i64 {
    t.timestamp().clamp(*SECONDS.start(), *SECONDS.end())
}

fn instant(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
