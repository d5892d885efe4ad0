//! Whether a moment lies in a blackout, and in which.

use super::policy::{Blackout, BlackoutSpan, Job, Policy};
use crate::domain::now::{earlier, later};
use chrono::{DateTime, Utc};
use std::cmp::Reverse;

impl Blackout {
    /// When the blackout that `t` lies in ends; none when it lies in none. Half open: the end is outside.
    pub fn covers(&self, t: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.span {
            BlackoutSpan::Once { from, to } => (*from <= t && t < *to).then_some(*to),
            BlackoutSpan::Recurring { schedule, lasts } => {
                // Begins in (t - lasts, t]: one that began just `lasts` ago has ended.
                let (_, last) = schedule.count_and_last(earlier(t, *lasts), t);
                last.map(|began| later(began, *lasts))
            }
        }
    }
}

/// A blackout that a moment lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dark<'a> {
    /// When it ends.
    pub until: DateTime<Utc>,
    /// Why, in the policy's words; empty when it gives none.
    pub reason: &'a str,
}

/// The blackouts that `t` lies in, of the whole policy and of a job; the one that ends last comes first.
pub fn dark<'a>(policy: &'a Policy, job: Option<&'a Job>, t: DateTime<Utc>) -> Vec<Dark<'a>> {
    let mut found: Vec<Dark<'_>> = lasting(&policy.blackouts, t).chain(lasting(job.map_or(&[][..], |job| &job.blackouts), t)).collect();
    found.sort_by_key(|dark| Reverse(dark.until));
    found
}

/// Those of these blackouts that `t` lies in, in their order.
pub fn lasting(blackouts: &[Blackout], t: DateTime<Utc>) -> impl Iterator<Item = Dark<'_>> {
    blackouts.iter().filter_map(move |blackout| Some(Dark { until: blackout.covers(t)?, reason: blackout.reason.as_str() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::schedule::Schedule;
    use std::time::Duration;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_blackout_with_two_ends_holds_its_first_instant_and_not_its_last() {
        let span = BlackoutSpan::Once { from: at("2026-11-10T12:00:00Z"), to: at("2026-11-11T18:00:00Z") };
        let blackout = Blackout { span, reason: String::new() };
        for (t, inside) in
            [("2026-11-10T11:59:59.999Z", false), ("2026-11-10T12:00:00Z", true), ("2026-11-11T17:59:59.999Z", true), ("2026-11-11T18:00:00Z", false)]
        {
            assert_eq!(blackout.covers(at(t)).is_some(), inside, "{t}");
        }
    }

    #[test]
    fn a_recurring_blackout_lasts_from_its_cron_instant_for_its_length() {
        let schedule = Schedule::parse("0 9 * * 1-5", "Asia/Shanghai").unwrap();
        let blackout = Blackout { span: BlackoutSpan::Recurring { schedule, lasts: Duration::from_secs(36_000) }, reason: String::new() };
        for (t, until) in [
            ("2026-11-24T00:59:59Z", None),
            ("2026-11-24T01:00:00Z", Some("2026-11-24T11:00:00Z")),
            ("2026-11-24T10:59:59Z", Some("2026-11-24T11:00:00Z")),
            ("2026-11-24T11:00:00Z", None),
            ("2026-11-28T02:00:00Z", None),
        ] {
            assert_eq!(blackout.covers(at(t)), until.map(at), "{t}");
        }
    }
}
