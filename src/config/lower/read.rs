//! Numbers, lengths of time, offsets and moments out of the file's texts, with the range that each may have.

use super::Lowering;
use crate::config::{
    fault::{Finding, Spot},
    length::written,
    place::Path,
    raw, redact,
};
use chrono::{DateTime, Utc};
use std::{ops::RangeInclusive, time::Duration};

/// Lengths that a key may have, in milliseconds.
pub(super) type Lengths = RangeInclusive<u64>;

pub(super) const SECOND: u64 = 1_000;
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;

impl Lowering<'_> {
    /// A length within its range.
    pub(super) fn length(&mut self, raw: &raw::Length, at: &Path, range: &Lengths) -> Option<Duration> {
        let text = raw.0.trim();
        let Ok(length) = humantime::parse_duration(text) else {
            let finding = Finding::error("bad-length", Spot::Value(at.clone()), format!("{} is no length of time", redact::quoted(text)));
            self.fault(finding.label("not understood").hint("write a number and a unit, such as `90s`, `45m`, `2h 30m` or `7d`"));
            return None;
        };
        let (least, most) = (Duration::from_millis(*range.start()), Duration::from_millis(*range.end()));
        if (least..=most).contains(&length) {
            return Some(length);
        }
        let message = format!("{} is out of range", redact::quoted(text));
        self.fault(out_of_range(message, at, &written(least), &written(most)));
        None
    }

    /// A whole number within its range.
    pub(super) fn number(&mut self, value: i64, at: &Path, range: RangeInclusive<i64>) -> Option<i64> {
        if range.contains(&value) {
            return Some(value);
        }
        self.fault(out_of_range(format!("{value} is out of range"), at, &range.start().to_string(), &range.end().to_string()));
        None
    }

    /// A moment with its offset.
    pub(super) fn moment(&mut self, raw: &raw::Moment, at: &Path) -> Option<DateTime<Utc>> {
        match DateTime::parse_from_rfc3339(raw.0.trim()) {
            Ok(moment) => Some(moment.to_utc()),
            Err(_) => {
                let finding = Finding::error("bad-moment", Spot::Value(at.clone()), format!("{} is no moment", redact::quoted(&raw.0)));
                self.fault(finding.label("not understood").hint("write date, time and offset, such as `\"2026-11-10T20:00:00+08:00\"`"));
                None
            }
        }
    }

    /// An offset such as `+08:00`, in seconds east of Greenwich.
    pub(super) fn offset(&mut self, raw: &raw::Text, at: &Path) -> Option<i32> {
        let text = raw.0.as_str();
        let seconds = (text.len() == 6).then(|| text.parse::<chrono::FixedOffset>().ok()).flatten().map(|o| o.local_minus_utc());
        match seconds.filter(|s| s.abs() <= 14 * 3_600) {
            Some(seconds) => Some(seconds),
            None => {
                let finding = Finding::error("bad-offset", Spot::Value(at.clone()), format!("{} is no offset", redact::quoted(text)));
                self.fault(finding.label("not understood").hint("write hours and minutes east of Greenwich, such as `\"+08:00\"`"));
                None
            }
        }
    }
}

pub(super) fn out_of_range(message: String, at: &Path, least: &str, most: &str) -> Finding {
    Finding::error("out-of-range", Spot::Value(at.clone()), message)
        .label(format!("{least} to {most}"))
        .hint(format!("write something from {least} to {most}"))
}
