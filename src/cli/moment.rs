//! Times as people write them: `2h`, `yesterday`, `02:30`, RFC 3339. Decided here: which instant each means, looking back.

use chrono::{DateTime, TimeDelta, Utc};
use jiff::{Timestamp, civil::Time, tz::TimeZone};
use std::str::FromStr;

/// A time as it was written; what it means depends on now and the zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So long from now.
    Distance(TimeDelta),
    /// The beginning of yesterday.
    Yesterday,
    /// A time of the day.
    TimeOfDay(Time),
    /// An instant.
    At(DateTime<Utc>),
}

/// The text is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time; write `2h`, `yesterday`, `02:30` or `2026-11-24T02:30:00+08:00`")]
pub struct NotAMoment;

impl FromStr for Moment {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        if text == "yesterday" {
            return Ok(Self::Yesterday);
        }
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(at.to_utc()));
        }
        if text.len() == 5 && text.as_bytes().get(2) == Some(&b':') {
            return Time::strptime("%H:%M", text).map(Self::TimeOfDay).map_err(|_| NotAMoment);
        }
        let distance = humantime::parse_duration(text).map_err(|_| NotAMoment)?;
        TimeDelta::from_std(distance).map(Self::Distance).map_err(|_| NotAMoment)
    }
}

impl Moment {
    /// The instant it means for an option that looks back: so long ago, the last `02:30`.
    pub fn back(&self, now: DateTime<Utc>, zone: &TimeZone) -> Option<DateTime<Utc>> {
        let here = Timestamp::from_millisecond(now.timestamp_millis()).ok()?.to_zoned(zone.clone());
        let zoned = match self {
            Self::At(at) => return Some(*at),
            Self::Distance(distance) => return now.checked_sub_signed(*distance),
            Self::Yesterday => here.yesterday().ok()?.start_of_day().ok()?,
            Self::TimeOfDay(time) => {
                let today = here.date().to_datetime(*time).to_zoned(zone.clone()).ok()?;
                if today <= here { today } else { here.date().yesterday().ok()?.to_datetime(*time).to_zoned(zone.clone()).ok()? }
            }
        };
        DateTime::from_timestamp_millis(zoned.timestamp().as_millisecond())
    }
}
