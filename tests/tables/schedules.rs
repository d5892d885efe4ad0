//! Patterns × zones × nights, written by hand from the rule of `domain::schedule`, and properties that hold for all of them.
//!
//! The nights (IANA 2026): Berlin jumps 2026-03-29 01:00Z (02:00 to 03:00) and falls back 2026-10-25 01:00Z (03:00 to 02:00); New York jumps
//! 2026-03-08 07:00Z and falls back 2026-11-01 06:00Z; Lord Howe jumps half an hour 2026-10-03 15:30Z (02:00 to 02:30) and falls back 2026-04-04
//! 15:00Z (02:00 to 01:30); Santiago jumps 2026-09-06 04:00Z (00:00 to 01:00); Chatham jumps 2026-09-26 14:00Z (02:45 to 03:45). Casablanca is at
//! +00 in Ramadan, from 2026-02-15 02:00Z (03:00 to 02:00) to 2026-03-22 02:00Z (02:00 to 03:00). Shanghai never changes.

use cdb_backupd::domain::schedule::{Schedule, ScheduleError};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// `(zone, cron, after, until, slots)`, each slot as `day hour:minute` UTC of the month of `after`, or of the next.
type Night = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

const NIGHTS: &[Night] = &[
    // A fixed time in the gap is the instant of the jump, with one hour in the field or with two.
    ("Europe/Berlin", "30 2 * * *", "2026-03-28T02:00:00Z", "2026-03-30T12:00:00Z", &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
    ("Europe/Berlin", "0 2,14 * * *", "2026-03-29T00:00:00Z", "2026-03-29T23:00:00Z", &["2026-03-29T01:00:00Z", "2026-03-29T12:00:00Z"]),
    // Times that fall on the jump together are one slot.
    ("Europe/Berlin", "0,30 2 * * *", "2026-03-29T00:00:00Z", "2026-03-29T23:00:00Z", &["2026-03-29T01:00:00Z"]),
    (
        "Europe/Berlin",
        "0 1-4 * * *",
        "2026-03-28T23:30:00Z",
        "2026-03-29T03:00:00Z",
        &["2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"],
    ),
    // A fixed time in the repeated hour is the first of the two.
    ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z", &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
    (
        "Europe/Berlin",
        "0 1-3 * * *",
        "2026-10-24T22:30:00Z",
        "2026-10-25T03:00:00Z",
        &["2026-10-24T23:00:00Z", "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"],
    ),
    // Elapsed time: no slot in the skipped hour, both passes of the repeated one.
    (
        "Europe/Berlin",
        "15 * * * *",
        "2026-03-29T00:00:00Z",
        "2026-03-29T02:30:00Z",
        &["2026-03-29T00:15:00Z", "2026-03-29T01:15:00Z", "2026-03-29T02:15:00Z"],
    ),
    (
        "Europe/Berlin",
        "30 * * * *",
        "2026-10-24T23:45:00Z",
        "2026-10-25T02:45:00Z",
        &["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"],
    ),
    (
        "Europe/Berlin",
        "30 */2 * * *",
        "2026-10-24T23:45:00Z",
        "2026-10-25T04:00:00Z",
        &["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T03:30:00Z"],
    ),
    ("America/New_York", "30 2 * * *", "2026-03-07T12:00:00Z", "2026-03-09T12:00:00Z", &["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]),
    ("America/New_York", "30 1 * * *", "2026-10-31T12:00:00Z", "2026-11-02T12:00:00Z", &["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]),
    ("America/New_York", "30 2 * * *", "2026-10-31T12:00:00Z", "2026-11-01T12:00:00Z", &["2026-11-01T07:30:00Z"]),
    // A gap and a repetition of half an hour.
    ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T00:00:00Z", "2026-10-04T20:00:00Z", &["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"]),
    ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T00:00:00Z", "2026-04-05T20:00:00Z", &["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"]),
    // Ramadan: the clock goes back, and forward again.
    ("Africa/Casablanca", "30 2 * * *", "2026-02-14T12:00:00Z", "2026-02-16T12:00:00Z", &["2026-02-15T01:30:00Z", "2026-02-16T02:30:00Z"]),
    ("Africa/Casablanca", "30 2 * * *", "2026-03-21T12:00:00Z", "2026-03-23T12:00:00Z", &["2026-03-22T02:00:00Z", "2026-03-23T01:30:00Z"]),
    // Midnight does not exist.
    ("America/Santiago", "0 0 * * *", "2026-09-05T12:00:00Z", "2026-09-07T12:00:00Z", &["2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"]),
    ("Pacific/Chatham", "0 3 * * *", "2026-09-26T00:00:00Z", "2026-09-27T20:00:00Z", &["2026-09-26T14:00:00Z", "2026-09-27T13:15:00Z"]),
    ("Asia/Shanghai", "30 2 * * *", "2026-03-28T00:00:00Z", "2026-03-29T20:00:00Z", &["2026-03-28T18:30:00Z", "2026-03-29T18:30:00Z"]),
    // Calendars: the last day, the first Sunday, either of day and weekday, Monday to Friday, names.
    ("Asia/Shanghai", "0 4 L * *", "2026-02-01T00:00:00Z", "2026-04-01T00:00:00Z", &["2026-02-27T20:00:00Z", "2026-03-30T20:00:00Z"]),
    ("Asia/Shanghai", "0 4 * * SUN#1", "2026-11-01T00:00:00Z", "2026-12-31T00:00:00Z", &["2026-12-05T20:00:00Z"]),
    (
        "Etc/UTC",
        "0 0 13 * 5",
        "2026-11-01T00:00:00Z",
        "2026-11-21T00:00:00Z",
        &["2026-11-06T00:00:00Z", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"],
    ),
    ("Etc/UTC", "0 12 * * 1-5", "2026-11-20T00:00:00Z", "2026-11-24T00:00:00Z", &["2026-11-20T12:00:00Z", "2026-11-23T12:00:00Z"]),
    ("Etc/UTC", "0 0 29 2 *", "2026-01-01T00:00:00Z", "2032-12-31T00:00:00Z", &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]),
    ("Etc/UTC", "@daily", "2026-11-24T00:00:00Z", "2026-11-26T00:00:00Z", &["2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z"]),
    (
        "Etc/UTC",
        "*/20 0 2 * * *",
        "2026-11-24T00:00:00Z",
        "2026-11-24T12:00:00Z",
        &["2026-11-24T02:00:00Z", "2026-11-24T02:00:20Z", "2026-11-24T02:00:40Z"],
    ),
    // Half open: the first instant is outside, the last inside.
    ("Etc/UTC", "0 2 * * *", "2026-11-24T02:00:00Z", "2026-11-25T02:00:00Z", &["2026-11-25T02:00:00Z"]),
];

#[test]
fn every_night_has_the_slots_that_the_rule_says() {
    for (zone, cron, after, until, expected) in NIGHTS {
        let schedule = Schedule::parse(cron, zone).unwrap_or_else(|error| panic!("{cron} in {zone}: {error}"));
        let slots: Vec<_> = schedule.slots_between(at(after), at(until)).collect();
        let expected: Vec<_> = expected.iter().map(|text| at(text)).collect();
        assert_eq!(slots, expected, "{cron} in {zone} after {after}");
    }
}

#[test]
fn a_text_that_is_no_schedule_is_refused_with_what_is_wrong() {
    for (text, zone, said) in [
        ("30 2 * *", "Asia/Shanghai", "has 4 fields"),
        ("", "Asia/Shanghai", "has 0 fields"),
        ("61 2 * * *", "Asia/Shanghai", "cannot be read"),
        ("0 0 30 2 *", "Asia/Shanghai", "never fires"),
        ("@reboot", "Asia/Shanghai", "cannot be read"),
        ("0 2 * * *", "Asia/Shanghia", "did you mean `Asia/Shanghai`?"),
        ("0 2 * * *", "Mars/Olympus", "is no IANA time zone"),
    ] {
        let error = Schedule::parse(text, zone).unwrap_err();
        assert!(error.to_string().contains(said), "{text} in {zone}: {error}");
    }
    assert_eq!(Schedule::parse(&"0".repeat(300), "Etc/UTC"), Err(ScheduleError::Long));
}

#[test]
fn people_read_a_slot_in_their_zone_with_its_offset() {
    let schedule = Schedule::parse("30 2 * * *", "Asia/Shanghai").unwrap();
    assert_eq!(schedule.local(at("2026-11-24T18:30:00Z")), "2026-11-25 02:30:00 +08:00");
}

const ZONES: [&str; 7] =
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "America/Santiago", "Pacific/Chatham", "Asia/Shanghai"];
const CRONS: [&str; 9] =
    ["30 2 * * *", "0 2,14 * * *", "0,30 0-3 * * *", "*/20 2 * * *", "15 * * * *", "15 */2 * * *", "0 3 L * *", "0 0 * * SUN#1", "59 23 * * *"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_range_cut_anywhere_gives_the_same_slots(zone in 0..ZONES.len(), cron in 0..CRONS.len(), cuts in proptest::collection::vec(0_i64..86_400 * 400, 0..40)) {
        let schedule = Schedule::parse(CRONS[cron], ZONES[zone]).unwrap();
        let (start, end) = (at("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z") + TimeDelta::days(400));
        let whole: Vec<_> = schedule.slots_between(start, end).collect();
        prop_assert!(whole.windows(2).all(|pair| pair[0] < pair[1]), "strictly increasing");
        let mut marks: Vec<_> = cuts.iter().map(|s| start + TimeDelta::seconds(*s)).chain([start, end]).collect();
        marks.sort_unstable();
        let parts: Vec<_> = marks.windows(2).flat_map(|pair| schedule.slots_between(pair[0], pair[1]).collect::<Vec<_>>()).collect();
        prop_assert_eq!(parts, whole);
    }

    #[test]
    fn a_fixed_hour_job_has_one_slot_for_every_civil_day(zone in 0..ZONES.len(), hour in 0..24_u32, minute in 0..60_u32) {
        let schedule = Schedule::parse(&format!("{minute} {hour} * * *"), ZONES[zone]).unwrap();
        let start = at("2026-01-02T00:00:00Z");
        let slots = schedule.slots_between(start, start + TimeDelta::days(365)).count();
        prop_assert!((364..=366).contains(&slots), "{} slots in 365 days", slots);
    }
}
