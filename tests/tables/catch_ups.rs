//! From a cursor to rows: what runs, what was missed in one piece, and how a missed range is cut around rows that exist.

use super::{
    policies::job,
    scene::{at, secs},
};
use cdb_backupd::domain::{
    catch_up::{Admitted, Cursor, NewRun, rows, windows},
    names::InstanceId,
    now::later,
    policy::{Blackout, BlackoutSpan, CatchUp, Job},
    spread::share_of_spread,
};

/// Slots are at whole hours from the first; `2..5` is a row that exists and covers the second to the fifth.
fn cursor(after_hour: i64, taken: &[(i64, i64)]) -> Cursor {
    let hour = |h: i64| at(h * 3_600);
    Cursor {
        job: job("nightly").name,
        instance: InstanceId::parse("cdb-aaaa0001").expect("an id"),
        at: hour(after_hour),
        taken: taken.iter().map(|(first, last)| (hour(*first), hour(*last))).collect(),
    }
}

/// The rows in a few words: `due 5`, `missed 1-4 (4)`, `skipped 5`.
fn told(rows: &[NewRun]) -> String {
    let hour = |t: chrono::DateTime<chrono::Utc>| (t - at(0)).num_seconds() / 3_600;
    let word = |row: &NewRun| {
        let span = if row.slots == 1 && row.slot_last == row.key.slot {
            hour(row.key.slot).to_string()
        } else {
            format!("{}-{} ({})", hour(row.key.slot), hour(row.slot_last), row.slots)
        };
        match &row.admitted {
            Admitted::Due => format!("due {span}"),
            Admitted::Closed { outcome, .. } => format!("{} {span}", outcome.word()),
        }
    };
    rows.iter().map(word).collect::<Vec<_>>().join(", ")
}

fn hour_and(h: i64, s: i64) -> chrono::DateTime<chrono::Utc> {
    at(h * 3_600 + s)
}

fn within(s: u64) -> Job {
    Job { catch_up: CatchUp::Latest { within: secs(s) }, ..job("nightly") }
}

fn off() -> Job {
    Job { catch_up: CatchUp::Off, ..job("nightly") }
}

#[test]
fn the_newest_slot_runs_and_all_before_it_are_one_missed_row() {
    for (what, job, after, now, expected) in [
        ("nothing has passed", within(7_200), 0, hour_and(0, 3_599), ""),
        ("the very instant of a slot", within(7_200), 0, hour_and(1, 0), "due 1"),
        ("the cursor's own slot has its row", within(7_200), 1, hour_and(1, 60), ""),
        ("one slot was missed", within(7_200), 0, hour_and(2, 60), "due 2, missed 1"),
        ("many were", within(7_200), 0, hour_and(9, 60), "due 9, missed 1-8 (8)"),
        ("a year of them", within(7_200), 0, hour_and(8_760, 60), "due 8760, missed 1-8759 (8759)"),
        ("catch_up_within is just long enough", within(600), 0, hour_and(5, 600), "due 5, missed 1-4 (4)"),
        ("and a second too short", within(600), 0, hour_and(5, 601), "missed 1-5 (5)"),
        ("no catch-up: a slot of this minute still runs", off(), 0, hour_and(5, 60), "due 5, missed 1-4 (4)"),
        ("an older one does not", off(), 0, hour_and(5, 61), "missed 1-5 (5)"),
        ("a loop held for a moment is no downtime, however short the window", within(1), 0, hour_and(1, 60), "due 1"),
    ] {
        assert_eq!(told(&rows(&job, &cursor(after, &[]), &[], false, now)), expected, "{what}");
    }
}

#[test]
fn lateness_counts_from_not_before_and_not_from_the_slot() {
    let mut job = within(600);
    job.spread = secs(3_000);
    let share = share_of_spread(&job.name, &cursor(0, &[]).instance, job.spread);
    assert!(share > secs(60), "this pair has a share that shows: {share:?}");
    let last = later(hour_and(1, 600), share);
    assert_eq!(told(&rows(&job, &cursor(0, &[]), &[], false, last)), "due 1");
    assert_eq!(told(&rows(&job, &cursor(0, &[]), &[], false, later(last, secs(1)))), "missed 1");
}

#[test]
fn missed_ranges_are_cut_around_rows_that_exist() {
    for (what, taken, expected) in [
        ("a row by hand in the middle", vec![(4, 4)], "due 9, missed 1-3 (3), missed 5-8 (4)"),
        ("at the beginning", vec![(1, 1)], "due 9, missed 2-8 (7)"),
        ("at the end", vec![(8, 8)], "due 9, missed 1-7 (7)"),
        ("a range that exists", vec![(3, 6)], "due 9, missed 1-2 (2), missed 7-8 (2)"),
        ("one that began before the cursor", vec![(-2, 3)], "due 9, missed 4-8 (5)"),
        ("two, side by side", vec![(3, 4), (5, 5)], "due 9, missed 1-2 (2), missed 6-8 (3)"),
        ("all of them", vec![(1, 8)], "due 9"),
        ("the newest alone", vec![(9, 9)], "missed 1-8 (8)"),
        ("the newest in a range", vec![(7, 12)], "missed 1-6 (6)"),
        ("one of the future", vec![(10, 10)], "due 9, missed 1-8 (8)"),
    ] {
        let made = rows(&within(7_200), &cursor(0, &taken), &[], false, hour_and(9, 60));
        assert_eq!(told(&made), expected, "{what}");
        let mut covered: Vec<_> = made.iter().map(|row| (row.key.slot, row.slot_last)).chain(cursor(0, &taken).taken).collect();
        covered.sort();
        assert!(covered.windows(2).all(|pair| pair[0].1 < pair[1].0), "{what}: no slot is covered twice");
    }
}

#[test]
fn a_slot_in_a_blackout_is_skipped_at_once_with_its_reason() {
    let blackout = |from: i64, to: i64| Blackout { span: BlackoutSpan::Once { from: at(from), to: at(to) }, reason: "double eleven".into() };
    let all = [blackout(3_600, 3_601)];
    let made = rows(&within(7_200), &cursor(0, &[]), &all, false, hour_and(1, 60));
    assert_eq!(told(&made), "skipped 1", "it is judged by the slot, though it is over now");
    assert!(format!("{:?}", made).contains("double eleven"));
    assert_eq!(told(&rows(&within(7_200), &cursor(0, &[]), &[blackout(3_601, 9_000)], false, hour_and(1, 60))), "due 1", "one that began after it");
    let own = Job { blackouts: all.to_vec(), ..within(7_200) };
    assert_eq!(told(&rows(&own, &cursor(0, &[]), &[], false, hour_and(1, 60))), "skipped 1", "of the job alone");
    assert_eq!(told(&rows(&own, &cursor(0, &[]), &[], false, hour_and(2, 60))), "due 2, missed 1", "a missed slot is missed, blackout or not");
}

#[test]
fn the_four_times_are_fixed_when_the_row_is_written() {
    let job = job("nightly");
    let instance = cursor(0, &[]).instance;
    let punctual = windows(&job, &instance, at(3_600), at(3_600));
    assert_eq!((punctual.not_before, punctual.start_by, punctual.complete_by), (at(3_600), at(10_800), at(18_000)));
    assert_eq!(punctual.restart_by, at(7_200), "a restart comes before the next slot");
    let late = windows(&job, &instance, at(3_600), at(9_000));
    assert_eq!((late.not_before, late.start_by, late.complete_by), (at(3_600), at(16_200), at(23_400)), "a slot caught up has its whole window");
    let short = Job { start_within: secs(60), complete_within: secs(60), ..job };
    assert_eq!(windows(&short, &instance, at(3_600), at(3_600)).restart_by, at(3_720), "nor after complete_by");
}
