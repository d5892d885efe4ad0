//! Moments as people type them (`2h`, `yesterday`, `2026-11-24`, `02:30`, RFC 3339) and as they are shown.

use super::table;
use crate::domain::{
    now::{earlier, later},
    schedule::{Schedule, ScheduleError},
};
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, SecondsFormat, Timelike, Utc};
use std::{str::FromStr, time::Duration};

/// A moment, not yet seen from a now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So long ago, or from now.
    Distance(Duration),
    /// So many days before or after today, at its beginning.
    Day(i8),
    /// A date, at its beginning.
    Date(NaiveDate),
    /// A time of the day: the last one, or the next.
    Clock(NaiveTime),
    /// Exactly.
    At(DateTime<Utc>),
}

/// Which way an option looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looking {
    /// `2h` is two hours ago.
    Back,
    /// `2h` is in two hours.
    Ahead,
}

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        match text {
            "now" => return Ok(Self::Distance(Duration::ZERO)),
            "yesterday" => return Ok(Self::Day(-1)),
            "today" => return Ok(Self::Day(0)),
            "tomorrow" => return Ok(Self::Day(1)),
            _ => {}
        }
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(at.to_utc()));
        }
        for form in ["%H:%M", "%H:%M:%S"] {
            if let Ok(time) = NaiveTime::parse_from_str(text, form) {
                return Ok(Self::Clock(time));
            }
        }
        if let Some(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|date| (1970..=9999).contains(&date.year())) {
            return Ok(Self::Date(date));
        }
        let forms = "write `2h`, `yesterday`, `2026-11-24`, `02:30` or `2026-11-24T02:30:00+08:00`";
        let distance = humantime::parse_duration(text).map_err(|_| forms)?;
        Ok(Self::Distance(distance))
    }
}

impl Moment {
    /// The instant that is meant. `zone` is an IANA name, and gives days and times of the day their place.
    ///
    /// Fails when the zone is not known.
    pub fn seen(self, now: DateTime<Utc>, looking: Looking, zone: &str) -> anyhow::Result<DateTime<Utc>> {
        let daily = |time: NaiveTime| Schedule::parse(&format!("{} {} {} * * *", time.second(), time.minute(), time.hour()), zone);
        const DAYS: Duration = Duration::from_secs(4 * 86_400);
        Ok(match (self, looking) {
            (Self::At(at), _) => at,
            (Self::Distance(d), Looking::Back) => earlier(now, d),
            (Self::Distance(d), Looking::Ahead) => later(now, d),
            (Self::Clock(time), Looking::Back) => daily(time)?.slots_between(earlier(now, DAYS), now).last().unwrap_or(now),
            (Self::Clock(time), Looking::Ahead) => daily(time)?.next_after(now).unwrap_or(now),
            (Self::Date(date), _) => {
                let (days, near) = (daily(NaiveTime::MIN)?, date.and_time(NaiveTime::MIN).and_utc());
                // A date that a zone left out begins with the next one.
                let mut midnights = days.slots_between(earlier(near, DAYS), later(near, DAYS));
                midnights.find(|midnight| days.local(*midnight) >= date.to_string()).unwrap_or(near)
            }
            (Self::Day(days), _) => {
                let midnights: Vec<_> = daily(NaiveTime::MIN)?.slots_between(earlier(now, DAYS), later(now, DAYS)).collect();
                let today = midnights.iter().rposition(|m| *m <= now).unwrap_or(0);
                midnights.get(today.saturating_add_signed(days.into())).copied().unwrap_or(now)
            }
        })
    }
}

/// How people are shown moments: in the zone that they asked for, else in the one that each has by itself.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Its times mean nothing, only its zone does.
    zone: Option<Schedule>,
}

impl Shown {
    /// In no zone of its own.
    pub const AS_THEY_ARE: Self = Self { zone: None };

    /// In this zone, an IANA name, if there is one.
    ///
    /// # Errors
    /// A zone that nobody knows.
    pub fn of(zone: Option<&str>) -> Result<Self, ScheduleError> {
        Ok(Self { zone: zone.map(|zone| Schedule::parse("@daily", zone)).transpose()? })
    }

    /// The zone in which moments of this schedule are shown.
    pub fn zone<'a>(&'a self, schedule: &'a Schedule) -> &'a str {
        self.zone.as_ref().unwrap_or(schedule).zone()
    }

    /// A moment of this schedule: `2026-11-24 02:30:00 +08:00`.
    pub fn local(&self, t: DateTime<Utc>, schedule: &Schedule) -> String {
        self.zone.as_ref().unwrap_or(schedule).local(t)
    }

    /// A slot in short, `2026-11-24 02:30+08`; `written` is what the ledger has.
    pub fn slot(&self, slot: DateTime<Utc>, written: &str) -> String {
        self.zone.as_ref().map_or_else(|| table::local(written), |zone| table::local(&zone.local(slot)))
    }

    /// To the second; in UTC unless a zone was asked for.
    pub fn stamp(&self, t: DateTime<Utc>) -> String {
        self.zone.as_ref().map_or_else(|| t.to_rfc3339_opts(SecondsFormat::Secs, true), |zone| zone.local(t))
    }

    /// To the millisecond, what calls are compared by; in UTC unless a zone was asked for.
    pub fn exact(&self, t: DateTime<Utc>) -> String {
        let Some(zone) = &self.zone else { return t.to_rfc3339_opts(SecondsFormat::Millis, true) };
        let local = zone.local(t);
        match local.rsplit_once(' ') {
            Some((time, offset)) => format!("{time}.{:03} {offset}", t.timestamp_subsec_millis()),
            None => local,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str, looking: Looking) -> String {
        let now = "2026-11-24T10:00:00Z".parse().unwrap();
        text.parse::<Moment>().unwrap().seen(now, looking, "Asia/Shanghai").unwrap().to_rfc3339()
    }

    #[test]
    fn a_moment_is_seen_from_now_in_its_zone() {
        assert_eq!(seen("2h", Looking::Back), "2026-11-24T08:00:00+00:00");
        assert_eq!(seen("1h 30m", Looking::Ahead), "2026-11-24T11:30:00+00:00");
        assert_eq!(seen("yesterday", Looking::Back), "2026-11-22T16:00:00+00:00");
        assert_eq!(seen("tomorrow", Looking::Ahead), "2026-11-24T16:00:00+00:00");
        assert_eq!(seen("02:30", Looking::Back), "2026-11-23T18:30:00+00:00");
        assert_eq!(seen("02:30", Looking::Ahead), "2026-11-24T18:30:00+00:00");
        assert_eq!(seen("2026-11-24T02:30:00+08:00", Looking::Back), "2026-11-23T18:30:00+00:00");
        assert_eq!(seen("2026-11-24", Looking::Back), "2026-11-23T16:00:00+00:00");
        assert_eq!(seen("2027-01-01", Looking::Ahead), "2026-12-31T16:00:00+00:00");
    }

    #[test]
    fn a_date_that_begins_with_a_jump_or_not_at_all_begins_when_the_clock_goes_on() {
        let begins = |date: &str, zone| {
            let now = DateTime::<Utc>::UNIX_EPOCH;
            date.parse::<Moment>().unwrap().seen(now, Looking::Back, zone).unwrap().to_rfc3339()
        };
        assert_eq!(begins("2026-09-06", "America/Santiago"), "2026-09-06T04:00:00+00:00");
        assert_eq!(begins("2011-12-30", "Pacific/Apia"), "2011-12-30T10:00:00+00:00");
        assert_eq!(begins("9999-12-31", "Etc/UTC"), "9999-12-31T00:00:00+00:00");
    }

    #[test]
    fn a_moment_is_shown_in_the_zone_that_was_asked_for() {
        let t = "2026-11-23T18:30:05.007Z".parse().unwrap();
        let tokyo = Shown::of(Some("Asia/Tokyo")).unwrap();
        let written = "2026-11-24 02:30:05 +08:00";
        assert_eq!(
            [tokyo.slot(t, written), tokyo.stamp(t), tokyo.exact(t)],
            ["2026-11-24 03:30:05+09", "2026-11-24 03:30:05 +09:00", "2026-11-24 03:30:05.007 +09:00"]
        );
        let plain = Shown::AS_THEY_ARE;
        assert_eq!(
            [plain.slot(t, written), plain.stamp(t), plain.exact(t)],
            ["2026-11-24 02:30:05+08", "2026-11-23T18:30:05Z", "2026-11-23T18:30:05.007Z"]
        );
    }

    #[test]
    fn what_is_no_moment_says_how_to_write_one() {
        for text in ["", "soon", "25:00", "2026-11-24T02:30:00", "-2h", "2026-11-31", "1969-12-31", "10000-01-01"] {
            assert!(text.parse::<Moment>().unwrap_err().starts_with("write `2h`"), "{text}");
        }
    }
}
