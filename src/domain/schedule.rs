//! When a job is due: cron text in a zone becomes slots, by one rule for nights on which the clock changes.
//!
//! If the hour field starts with `*`, the schedule follows elapsed time: it runs in both passes of a repeated hour and has no slot in a skipped
//! one. With any other hour field every civil time of the pattern is one slot: in a gap it is the instant of the jump, in a repeated hour the first
//! of the two, and times that fall on one instant are one slot. croner enumerates civil times on a calendar without changes, `jiff` places them;
//! croner's own rule differs between `0 2` and `0 2,14` (tests/tables/schedules.rs).
//!
//! The zone data is compiled in, and this is the only file that knows `jiff`; everywhere else an instant is a `DateTime<Utc>`.

use chrono::{DateTime, Utc};
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{
    Timestamp, ToSpan, civil,
    tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase},
};
use std::{fmt, sync::Arc};

/// A cron text is not longer.
const TEXT_MAX: usize = 256;
/// A slot that does not come within this many years never comes; 29 February on a Sunday takes up to 40.
const HORIZON_YEARS: i32 = 60;

/// Cron text in a zone. Two are equal when both texts are.
#[derive(Clone)]
pub struct Schedule {
    inner: Arc<Inner>,
}

struct Inner {
    text: String,
    zone: String,
    cron: Cron,
    ticking: bool,
    tz: TimeZone,
}

/// Why a text and a zone make no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Too long to be one: shorten it.
    #[error("is longer than {TEXT_MAX} characters")]
    Long,
    /// Not five or six fields: write minute, hour, day of month, month and day of week.
    #[error("has {0} fields; write five (minute, hour, day of month, month, day of week), or six with the seconds first")]
    Fields(usize),
    /// A field that cannot be read.
    #[error("cannot be read: {0}")]
    Field(String),
    /// It names a day that does not exist.
    #[error("never fires: no date matches it")]
    Never,
    /// Not an IANA name.
    #[error("is no IANA time zone{}", .0.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Zone(Option<String>),
}

impl Schedule {
    /// Parses five cron fields, six with leading seconds, or `@daily` and its like, in an IANA zone.
    pub fn parse(text: &str, zone: &str) -> Result<Self, ScheduleError> {
        if text.len() > TEXT_MAX {
            return Err(ScheduleError::Long);
        }
        let tz = find_zone(zone)?;
        let fields: Vec<&str> = text.split_whitespace().collect();
        let named = text.trim().starts_with('@') && fields.len() == 1;
        let seconds = match fields.len() {
            5 => Seconds::Disallowed,
            6 => Seconds::Required,
            _ if named => Seconds::Disallowed,
            n => return Err(ScheduleError::Fields(n)),
        };
        let parser = CronParser::builder().seconds(seconds).year(Year::Disallowed).build();
        let cron = parser.parse(text.trim()).map_err(|error| ScheduleError::Field(error.to_string()))?;
        let hour = if fields.len() == 6 { fields.get(2) } else { fields.get(1) };
        // `@hourly` follows elapsed time; `@daily` and the rest name an hour.
        let ticking = hour.map_or(text.trim() == "@hourly", |hour| hour.starts_with('*'));
        let schedule = Self { inner: Arc::new(Inner { text: text.into(), zone: zone.into(), cron, ticking, tz }) };
        // 2024 is as good a start as any: the calendar repeats inside the horizon.
        let start = DateTime::from_timestamp(1_704_067_200, 0).unwrap_or_default();
        schedule.next_after(start).map(|_| schedule).ok_or(ScheduleError::Never)
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
        let (from, end) = (timestamp(after), timestamp(until));
        // Early enough that a civil time inside any gap is met, and none of a day that a zone skipped.
        let civil = self.inner.tz.to_datetime(from.checked_sub(26.hours()).unwrap_or(Timestamp::MIN));
        Slots { schedule: &self.inner, from, end, instant: from, civil }.map(instant)
    }

    /// The first slot after `t`, within sixty years.
    pub fn next_after(&self, t: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let horizon = t.checked_add_signed(chrono::TimeDelta::days(i64::from(HORIZON_YEARS) * 366)).unwrap_or(DateTime::<Utc>::MAX_UTC);
        self.slots_between(t, horizon).next()
    }

    /// How many slots `(after, until]` has, and the last of them.
    pub fn count_and_last(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> (u64, Option<DateTime<Utc>>) {
        self.slots_between(after, until).fold((0, None), |(count, _), slot| (count + 1, Some(slot)))
    }

    /// Whether it has six fields and its hour is `*`: it fires every hour, which five fields read as six seldom mean.
    pub fn hour_is_every(&self) -> bool {
        let fields: Vec<&str> = self.text().split_whitespace().collect();
        fields.len() == 6 && fields.get(2) == Some(&"*")
    }

    /// Whether it names days of the month and of the week: it fires on either.
    pub fn day_of_month_and_week(&self) -> bool {
        let mut fields = self.text().split_whitespace().rev();
        let (week, month) = (fields.next(), fields.nth(1));
        let is_set = |field: Option<&str>| field.is_some_and(|f| !f.starts_with(['*', '?', '@']));
        is_set(week) && is_set(month)
    }

    /// Changes of the clock in `(after, until]` that touch slots, at most sixteen.
    pub fn changed_nights(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> Vec<ChangedNight> {
        let inner = &self.inner;
        let changes = inner.tz.following(timestamp(after)).take_while(|change| change.timestamp() <= timestamp(until));
        let touched = changes.filter_map(|change| {
            let before = inner.tz.to_offset(change.timestamp().checked_sub(1.second()).ok()?);
            let (old, new) = (before.to_datetime(change.timestamp()), change.offset().to_datetime(change.timestamp()));
            let effect = match (inner.ticking, new > old) {
                (true, true) => Effect::FallAway,
                (true, false) => Effect::Twice,
                (false, true) => Effect::AtTheJump,
                (false, false) => Effect::FirstOfTwo,
            };
            let times = inner.civil_times(old.min(new), old.max(new));
            (times > 0).then(|| ChangedNight { at: instant(change.timestamp()), date: old.date().to_string(), effect, times })
        });
        touched.take(16).collect()
    }

    /// `t` as people of the zone write it: `2026-11-24 02:30:00 +08:00`.
    pub fn local(&self, t: DateTime<Utc>) -> String {
        timestamp(t).to_zoned(self.inner.tz.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
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

/// A change of the clock, and civil times of a schedule that it skips or repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedNight {
    /// When the clock changes.
    pub at: DateTime<Utc>,
    /// The day by the zone's calendar: `2027-03-28`.
    pub date: String,
    /// What becomes of the slots.
    pub effect: Effect,
    /// How many civil times; counted up to 100.
    pub times: usize,
}

/// What a change of the clock does to slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Skipped, since the schedule follows elapsed time.
    FallAway,
    /// In both passes of the repeated hour, since the schedule follows elapsed time.
    Twice,
    /// Skipped civil times become one slot at the instant of the jump.
    AtTheJump,
    /// A repeated civil time is a slot the first time only.
    FirstOfTwo,
}

struct Slots<'a> {
    schedule: &'a Inner,
    from: Timestamp,
    end: Timestamp,
    instant: Timestamp,
    civil: civil::DateTime,
}

impl Iterator for Slots<'_> {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        if self.schedule.ticking {
            let next = self.schedule.cron.find_next_occurrence(&self.instant.to_zoned(self.schedule.tz.clone()), false).ok()?.timestamp();
            // An enumeration that does not move on would never end.
            let moved = next > self.instant && next <= self.end;
            self.instant = next;
            return moved.then_some(next);
        }
        loop {
            let civil = self.schedule.cron.find_next_occurrence(&self.civil.to_zoned(TimeZone::UTC).ok()?, false).ok()?.datetime();
            if civil <= self.civil {
                return None;
            }
            self.civil = civil;
            let placed = self.schedule.place(civil)?;
            if placed > self.end {
                return None;
            }
            // Times that fall on one instant are one slot.
            if placed > self.from && placed > self.instant {
                self.instant = placed;
                return Some(placed);
            }
        }
    }
}

impl Inner {
    /// Civil times of the pattern in `[from, until)`, counted up to 100.
    fn civil_times(&self, from: civil::DateTime, until: civil::DateTime) -> usize {
        let Ok(mut at) = from.checked_sub(1.second()) else { return 0 };
        let mut count = 0;
        while count < 100 {
            let next = at.to_zoned(TimeZone::UTC).ok().and_then(|at| self.cron.find_next_occurrence(&at, false).ok());
            match next.map(|next| next.datetime()) {
                Some(next) if at < next && next < until => at = next,
                _ => break,
            }
            count += 1;
        }
        count
    }

    fn place(&self, civil: civil::DateTime) -> Option<Timestamp> {
        match self.tz.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(civil).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(civil).ok(),
            AmbiguousOffset::Gap { before, .. } => {
                let after_jump = before.to_timestamp(civil).ok()?;
                let jump = self.tz.preceding(after_jump.checked_add(1.nanosecond()).ok()?).next();
                Some(jump.map_or(after_jump, |jump| jump.timestamp()))
            }
        }
    }
}

fn find_zone(zone: &str) -> Result<TimeZone, ScheduleError> {
    TimeZoneDatabase::bundled().get(zone).map_err(|_| ScheduleError::Zone(nearest_zone(zone)))
}

/// The compiled-in zone whose name looks most like this one, when one looks like it at all.
pub fn nearest_zone(zone: &str) -> Option<String> {
    let wanted = zone.to_ascii_lowercase();
    let wanted: Vec<u8> = wanted.bytes().take(64).collect();
    let database = TimeZoneDatabase::bundled();
    let near = database.available().map(|name| (distance(&wanted, name.as_str().to_ascii_lowercase().as_bytes()), name.to_string()));
    near.min().filter(|(distance, name)| *distance <= 1 + name.len() / 4).map(|(_, name)| name)
}

/// Levenshtein's distance.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(b) {
            let best = (*cell + 1).min(left + 1).min(diagonal + usize::from(from != to));
            diagonal = std::mem::replace(cell, best);
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(a.len())
}

fn timestamp(t: DateTime<Utc>) -> Timestamp {
    Timestamp::from_millisecond(t.timestamp_millis()).unwrap_or(if t.timestamp() < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

fn instant(t: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(t.as_millisecond()).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
