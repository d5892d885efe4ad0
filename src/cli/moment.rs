//! Moments as people type them: `2h`, `yesterday`, `02:30`, RFC 3339.

use crate::domain::{
    now::{earlier, later},
    schedule::Schedule,
};
use chrono::{DateTime, NaiveTime, Timelike, Utc};
use std::{str::FromStr, time::Duration};

/// A moment, not yet seen from a now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So long ago, or from now.
    Distance(Duration),
    /// So many days before or after today, at its beginning.
    Day(i8),
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
        let distance = humantime::parse_duration(text).map_err(|_| "write `2h`, `yesterday`, `02:30` or `2026-11-24T02:30:00+08:00`")?;
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
            (Self::Day(days), _) => {
                let midnights: Vec<_> = daily(NaiveTime::MIN)?.slots_between(earlier(now, DAYS), later(now, DAYS)).collect();
                let today = midnights.iter().rposition(|m| *m <= now).unwrap_or(0);
                midnights.get(today.saturating_add_signed(days.into())).copied().unwrap_or(now)
            }
        })
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
    }

    #[test]
    fn what_is_no_moment_says_how_to_write_one() {
        for text in ["", "soon", "25:00", "2026-11-24T02:30:00", "-2h"] {
            assert!(text.parse::<Moment>().unwrap_err().starts_with("write `2h`"), "{text}");
        }
    }
}
