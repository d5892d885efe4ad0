//! Whether a backup is new enough: what its age, its slot and what went wrong since make of it.

use crate::forecasts::{HOUR, job};
use cdb_backupd::domain::{
    freshness::{Evidence, Freshness},
    policy::Job,
};
use chrono::{DateTime, TimeDelta, Utc};

/// Two hours to start in, twelve to end.
fn nightly() -> Job {
    job("30 2 * * *", "Etc/UTC", Vec::new())
}

fn slot(day: i64) -> DateTime<Utc> {
    "2026-11-24T02:30:00Z".parse::<DateTime<Utc>>().expect("a moment") + TimeDelta::days(day)
}

#[test]
fn by_itself_a_nightly_backup_is_too_old_when_the_next_one_s_windows_are_over() {
    let evidence = Evidence { newest_good: Some(slot(0)), newest_ended: Some(slot(0)) };
    let at = |hours: i64| Freshness::of(&nightly(), evidence, slot(1) + TimeDelta::hours(hours));
    assert_eq!((at(0), at(14)), (Freshness::Fresh, Freshness::Fresh));
    assert_eq!(Freshness::of(&nightly(), evidence, slot(1) + TimeDelta::hours(14) + TimeDelta::milliseconds(1)), Freshness::Stale);
    let shorter = Job { max_age: Some(25 * HOUR), ..nightly() };
    assert_eq!(Freshness::of(&shorter, evidence, slot(1) + TimeDelta::minutes(61)), Freshness::Stale);
}

#[test]
fn a_slot_that_ended_badly_after_the_newest_good_one_makes_it_late_at_once() {
    let of = |good: Option<i64>, ended: Option<i64>| {
        let evidence = Evidence { newest_good: good.map(slot), newest_ended: ended.map(slot) };
        Freshness::of(&nightly(), evidence, slot(1) + TimeDelta::hours(1))
    };
    assert_eq!(of(Some(0), Some(1)), Freshness::Late);
    assert_eq!(of(Some(1), Some(1)), Freshness::Fresh);
    assert_eq!(of(Some(1), Some(0)), Freshness::Fresh, "the newer one is the good one");
    assert_eq!(of(None, Some(1)), Freshness::Never);
    assert_eq!(of(None, None), Freshness::Awaited);
    assert_eq!(of(Some(-3), Some(1)), Freshness::Stale, "that no good one is young enough says more than that the last failed");
}

#[test]
fn a_job_that_is_held_is_not_wrong_however_old_its_backup_is() {
    let held = Job { suspend: true, ..nightly() };
    let evidence = Evidence { newest_good: Some(slot(-300)), newest_ended: Some(slot(0)) };
    let freshness = Freshness::of(&held, evidence, slot(1));
    assert_eq!((freshness.word(), freshness.is_wrong()), ("paused", false));
}

#[test]
fn what_lies_in_the_future_is_not_old() {
    let evidence = Evidence { newest_good: Some(slot(5)), newest_ended: Some(slot(5)) };
    assert_eq!(Freshness::of(&nightly(), evidence, slot(0)), Freshness::Fresh);
}
