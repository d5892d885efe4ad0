//! Patterns × zones × nights, written by hand from the rule of `domain::schedule`, and properties that hold for all of them.
//!
//! The nights (IANA 2026): Berlin jumps 2026-03-29 01:00Z (02:00 to 03:00) and falls back 2026-10-25 01:00Z (03:00 to 02:00); New York jumps
//! 2026-03-08 07:00Z and falls back 2026-11-01 06:00Z; Lord Howe jumps half an hour 2026-10-03 15:30Z (02:00 to 02:30) and falls back 2026-04-04
//! 15:00Z (02:00 to 01:30); Santiago jumps 2026-09-06 04:00Z (00:00 to 01:00); Chatham jumps 2026-09-26 14:00Z (02:45 to 03:45). Casablanca is at
//! +00 in Ramadan, from 2026-02-15 02:00Z (03:00 to 02:00) to 2026-03-22 02:00Z (02:00 to 03:00). Shanghai never changes.
//! Santiago falls back 2026-04-05 03:00Z (24:00 of the 4th to 23:00), Chatham 2026-04-04 14:00Z (03:45 to 02:45).

use cdb_backupd::domain::schedule::{Effect, Schedule, ScheduleError};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
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
    // Elapsed time, on nights of half an hour, of one and three quarters, and every other hour.
    ("Australia/Lord_Howe", "15 * * * *", "2026-10-03T14:00:00Z", "2026-10-03T17:00:00Z", &["2026-10-03T14:45:00Z", "2026-10-03T16:15:00Z"]),
    (
        "Australia/Lord_Howe",
        "45 * * * *",
        "2026-04-04T14:00:00Z",
        "2026-04-04T16:30:00Z",
        &["2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z", "2026-04-04T16:15:00Z"],
    ),
    (
        "Pacific/Chatham",
        "0 * * * *",
        "2026-04-04T12:30:00Z",
        "2026-04-04T15:30:00Z",
        &["2026-04-04T13:15:00Z", "2026-04-04T14:15:00Z", "2026-04-04T15:15:00Z"],
    ),
    ("America/New_York", "0 */2 * * *", "2026-03-08T04:30:00Z", "2026-03-08T08:30:00Z", &["2026-03-08T05:00:00Z", "2026-03-08T08:00:00Z"]),
    ("Europe/Berlin", "@hourly", "2026-10-24T23:30:00Z", "2026-10-25T01:30:00Z", &["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"]),
    // The jump's own time and those that it skips are one slot.
    ("Europe/Berlin", "0 2,3 * * *", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", &["2026-03-29T01:00:00Z"]),
    ("Europe/Berlin", "*/20 2 * * *", "2026-10-25T00:10:00Z", "2026-10-25T12:00:00Z", &["2026-10-25T00:20:00Z", "2026-10-25T00:40:00Z"]),
    ("Pacific/Chatham", "0 3 * * *", "2026-04-04T00:00:00Z", "2026-04-05T20:00:00Z", &["2026-04-04T13:15:00Z", "2026-04-05T14:15:00Z"]),
    // A repeated hour before midnight; the midnight itself comes once.
    ("America/Santiago", "30 23 * * *", "2026-04-04T12:00:00Z", "2026-04-06T12:00:00Z", &["2026-04-05T02:30:00Z", "2026-04-06T03:30:00Z"]),
    ("America/Santiago", "0 0 * * *", "2026-04-04T12:00:00Z", "2026-04-06T12:00:00Z", &["2026-04-05T04:00:00Z", "2026-04-06T04:00:00Z"]),
    // A day that does not exist at all: the island went from 29 to 31 December 2011 at 10:00Z.
    (
        "Pacific/Apia",
        "30 2 * * *",
        "2011-12-28T13:00:00Z",
        "2011-12-31T12:00:00Z",
        &["2011-12-29T12:30:00Z", "2011-12-30T10:00:00Z", "2011-12-30T12:30:00Z"],
    ),
    // A day field that begins with a star narrows the other: odd days that are Mondays.
    ("Etc/UTC", "0 0 */2 * 1", "2026-11-01T00:00:00Z", "2026-11-30T12:00:00Z", &["2026-11-09T00:00:00Z", "2026-11-23T00:00:00Z"]),
    ("Etc/UTC", "0 0 * * 5L", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", &["2026-11-27T00:00:00Z"]),
    (
        "Etc/UTC",
        "0 0 1-7 JAN,feb Sun-mon",
        "2027-01-09T12:00:00Z",
        "2027-01-17T12:00:00Z",
        &["2027-01-10T00:00:00Z", "2027-01-11T00:00:00Z", "2027-01-17T00:00:00Z"],
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
        ("61 2 * * *", "Asia/Shanghai", "bad minute `61`: number out of bounds; it takes 0 to 59"),
        ("0 MON * * *", "Asia/Shanghai", "bad hour `MON`"),
        ("0 0 2 * JUNE *", "Asia/Shanghai", "bad month `JUNE`"),
        ("0 2 * * L", "Asia/Shanghai", "`L` alone names no day"),
        ("0 2 ? * +1", "Asia/Shanghai", "bad day of the month `?`"),
        ("0 2 * * +1", "Asia/Shanghai", "`+` has no meaning here"),
        ("0 2,, * * *", "Asia/Shanghai", "nothing stands beside a comma"),
        ("10/5 2 * * *", "Asia/Shanghai", "bad minute `10/5`"),
        ("0 2 * * MON#6", "Asia/Shanghai", "bad day of the week"),
        ("0 0 31 2,4,6 *", "Asia/Shanghai", "never fires"),
        ("0 2 * * *", "Etc/Unknown", "is no IANA time zone"),
        ("0 0 30 2 *", "Asia/Shanghai", "never fires"),
        ("@reboot", "Asia/Shanghai", "is no word of cron's"),
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
    fn each_civil_time_of_a_fixed_hour_job_has_exactly_one_slot(zone in 0..ZONES.len(), hour in 0..24_u32, minute in 0..60_u32) {
        let schedule = Schedule::parse(&format!("{minute} {hour} * * *"), ZONES[zone]).expect("a schedule");
        let start = at("2026-01-02T00:00:00Z");
        let slots = schedule.slots_between(start, start + TimeDelta::days(365)).map(|slot| schedule.local(slot));
        let dates: Vec<NaiveDate> = slots.map(|local| local[..10].parse().expect("a date")).collect();
        prop_assert!(dates.windows(2).all(|pair| pair[0].succ_opt() == Some(pair[1])), "{:?}", dates);
        prop_assert!((364..=366).contains(&dates.len()), "{} slots in 365 days", dates.len());
    }

    #[test]
    fn counting_gives_what_enumerating_gives(zone in 0..ZONES.len(), cron in 0..CRONS.len(), from in 0_i64..86_400 * 400, length in 0_i64..86_400 * 60) {
        let schedule = Schedule::parse(CRONS[cron], ZONES[zone]).expect("a schedule");
        let after = at("2026-01-01T00:00:00Z") + TimeDelta::seconds(from);
        let until = after + TimeDelta::seconds(length);
        let slots: Vec<_> = schedule.slots_between(after, until).collect();
        prop_assert_eq!(schedule.count_and_last(after, until), (slots.len() as u64, slots.last().copied()));
        prop_assert_eq!(schedule.next_after(after).filter(|slot| *slot <= until), slots.first().copied());
    }

    #[test]
    fn any_text_is_answered(text in "[0-9*/,#LW@A-Z +?-]{0,24}", zone in "[A-Za-z/_+-]{0,12}") {
        let _answer = (Schedule::parse(&text, "Etc/UTC"), Schedule::parse("@daily", &zone));
    }
}

#[test]
fn a_century_of_every_second_is_counted_by_its_days() {
    let schedule = Schedule::parse("* * * * * *", "Europe/Berlin").expect("a schedule");
    let (after, until) = (at("2026-01-01T00:00:00Z"), at("2126-01-01T00:00:00Z"));
    let seconds = u64::try_from((until - after).num_seconds()).expect("a length");
    assert_eq!(schedule.count_and_last(after, until), (seconds, Some(until)));
}

#[test]
fn the_longest_gap_counts_weekends_leap_years_and_long_nights() {
    const DAY: u64 = 86_400;
    for (zone, cron, from, longest) in [
        ("Asia/Shanghai", "30 2 * * *", "2026-11-24T00:00:00Z", DAY),
        ("Europe/Berlin", "30 2 * * *", "2026-11-24T00:00:00Z", DAY + 3_600),
        ("Europe/Berlin", "15 * * * *", "2026-11-24T00:00:00Z", 3_600),
        ("America/New_York", "0 */2 * * *", "2026-11-24T00:00:00Z", 3 * 3_600),
        ("Asia/Shanghai", "*/30 9-17 * * 1-5", "2026-11-24T00:00:00Z", 2 * DAY + 15 * 3_600 + 1_800),
        ("Asia/Shanghai", "0 4 L * *", "2026-11-24T00:00:00Z", 31 * DAY),
        ("Etc/UTC", "0 0 29 2 *", "2026-11-24T00:00:00Z", 1_461 * DAY),
        ("Etc/UTC", "0 0 29 2 *", "2093-01-01T00:00:00Z", 2_921 * DAY),
    ] {
        let schedule = Schedule::parse(cron, zone).expect("a schedule");
        assert_eq!(schedule.longest_gap(at(from)).as_secs(), longest, "{cron} in {zone}");
    }
}

#[test]
fn a_change_of_the_clock_is_told_with_its_date_and_what_it_does() {
    use Effect::{AtTheJump, FallAway, FirstOfTwo, Together, Twice};
    for (zone, cron, expected) in [
        ("Europe/Berlin", "30 2 * * *", &[("2027-03-28", AtTheJump, 1), ("2027-10-31", FirstOfTwo, 1)][..]),
        ("Europe/Berlin", "0,30 2 * * *", &[("2027-03-28", Together, 2), ("2027-10-31", FirstOfTwo, 2)]),
        ("Europe/Berlin", "0 2,3 * * *", &[("2027-03-28", Together, 2), ("2027-10-31", FirstOfTwo, 1)]),
        ("Europe/Berlin", "*/15 * * * *", &[("2027-03-28", FallAway, 4), ("2027-10-31", Twice, 4)]),
        ("Europe/Berlin", "0 3 * * *", &[]),
        ("Asia/Shanghai", "* * * * *", &[]),
    ] {
        let nights = Schedule::parse(cron, zone).expect("a schedule").changed_nights(at("2026-12-01T00:00:00Z"), at("2027-12-01T00:00:00Z"));
        let told: Vec<_> = nights.iter().map(|night| (night.date.to_string(), night.effect, night.times)).collect();
        let expected: Vec<_> = expected.iter().map(|(date, effect, times)| ((*date).to_owned(), *effect, *times)).collect();
        assert_eq!(told, expected, "{cron} in {zone}");
    }
}

#[test]
fn what_was_hardly_meant_is_known() {
    let asked = |text: &str| {
        let schedule = Schedule::parse(text, "Etc/UTC").expect("a schedule");
        (schedule.hour_is_every(), schedule.day_of_month_and_week())
    };
    for (text, expected) in [
        ("0 2 * * * *", (true, false)),
        ("0 0 2 * * *", (false, false)),
        ("2 * * * *", (false, false)),
        ("@hourly", (false, false)),
        ("0 2 1-7 * SUN", (false, true)),
        ("0 2 */2 * SUN", (false, false)),
        ("@monthly", (false, false)),
    ] {
        assert_eq!(asked(text), expected, "{text}");
    }
}
