//! Temporary.
use chrono::{DateTime, Utc};
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{
    Timestamp, ToSpan,
    tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase},
};
use std::sync::Arc;
/// x
#[derive(Clone, Debug)]
pub struct Schedule {
    text: Arc<str>,
    zone: Arc<str>,
    cron: Arc<Cron>,
    ticking: bool,
    tz: TimeZone,
}
/// x
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not written yet")]
pub struct ScheduleError;
fn j(t: DateTime<Utc>) -> Timestamp {
    Timestamp::from_millisecond(t.timestamp_millis()).unwrap_or(Timestamp::MAX)
}
fn c(t: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(t.as_millisecond()).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
impl Schedule {
    /// x
    pub fn parse(text: &str, zone: &str) -> Result<Self, ScheduleError> {
        let secs = text.split_whitespace().count() == 6;
        let cron = CronParser::builder()
            .seconds(if secs { Seconds::Required } else { Seconds::Disallowed })
            .year(Year::Disallowed)
            .build()
            .parse(text)
            .map_err(|_| ScheduleError)?;
        let hour = text.split_whitespace().nth(usize::from(secs) + 1).unwrap_or("*");
        Ok(Self {
            text: text.into(),
            zone: zone.into(),
            cron: Arc::new(cron),
            ticking: hour.starts_with('*'),
            tz: TimeZoneDatabase::bundled().get(zone).map_err(|_| ScheduleError)?,
        })
    }
    /// x
    pub fn text(&self) -> &str {
        &self.text
    }
    /// x
    pub fn zone(&self) -> &str {
        &self.zone
    }
    fn place(&self, c: jiff::civil::DateTime) -> Option<Timestamp> {
        Some(match self.tz.to_ambiguous_timestamp(c).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(c).ok()?,
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(c).ok()?,
            AmbiguousOffset::Gap { before, .. } => {
                let late = before.to_timestamp(c).ok()?;
                self.tz.preceding(late + 1.nanosecond()).next().map_or(late, |t| t.timestamp())
            }
        })
    }
    fn walk(&self, a: DateTime<Utc>, b: DateTime<Utc>, cap: usize) -> Vec<DateTime<Utc>> {
        let (a, b) = (j(a), j(b));
        let mut v: Vec<Timestamp> = vec![];
        if self.ticking {
            let mut t = a.to_zoned(self.tz.clone());
            while let Ok(n) = self.cron.find_next_occurrence(&t, false) {
                if n.timestamp() > b || v.len() == cap {
                    break;
                }
                v.push(n.timestamp());
                t = n
            }
        } else {
            let mut c = self.tz.to_datetime(a - 26.hours());
            while let Ok(z) = c.to_zoned(TimeZone::UTC) {
                let Ok(n) = self.cron.find_next_occurrence(&z, false) else { break };
                c = n.datetime();
                let Some(t) = self.place(c) else { break };
                if t > b || v.len() == cap {
                    break;
                }
                if t > a && v.last() != Some(&t) {
                    v.push(t)
                }
            }
        }
        v.into_iter().map(c).collect()
    }
    /// x
    pub fn slots_between(&self, a: DateTime<Utc>, b: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        self.walk(a, b, usize::MAX).into_iter()
    }
    /// x
    pub fn next_after(&self, t: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.walk(t, t + chrono::TimeDelta::days(4000), 1).first().copied()
    }
    /// x
    pub fn count_and_last(&self, a: DateTime<Utc>, b: DateTime<Utc>) -> (u64, Option<DateTime<Utc>>) {
        let v = self.walk(a, b, usize::MAX);
        (v.len() as u64, v.last().copied())
    }
    /// x
    pub fn local(&self, t: DateTime<Utc>) -> String {
        t.to_rfc3339()
    }
}
impl super::policy::Blackout {
    /// x
    pub fn covers(&self, t: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.span {
            super::policy::BlackoutSpan::Once { from, to } => (*from <= t && t < *to).then_some(*to),
            super::policy::BlackoutSpan::Recurring { schedule, lasts } => {
                let l = chrono::TimeDelta::from_std(*lasts).ok()?;
                schedule.count_and_last(t - l, t).1.map(|s| s + l)
            }
        }
    }
}
