//! `protocol.md` §1, the lines of a running run and of one that was given up on: what a poll or a slow look does to them.

use super::scene::{COMPLETE_BY, Scene, at, hold, item, list, running, unknown};
use cdb_backupd::domain::{
    reply::{
        Backup,
        BackupStatus::{Failed, Running, Success},
    },
    run::{Outcome, Restored, State, Wish, seen::List},
};

/// Seen running at +100.
fn listed() -> Scene {
    running().at(100).sees(list(100, &[item(501, 1, Running)]))
}

/// Closed at its last moment while it ran.
fn timed_out() -> Scene {
    listed().at(COMPLETE_BY).look_fails().time_passes()
}

fn look_at(scene: &Scene) -> Option<i64> {
    scene.run.look_at(&scene.reading).map(|at_| (at_ - at(0)).num_seconds())
}

#[test]
fn a_poll_follows_the_backup_to_its_end() {
    hold(vec![
        ("it runs", listed(), "running 501 listed"),
        ("it is good", listed().at(900).sees(list(900, &[item(501, 1, Success)])), "succeeded 501"),
        ("its task failed: the next generation waits max_backoff", listed().at(900).sees(list(900, &[item(501, 1, Failed)])), "g2 due +1500"),
        (
            "half a list that holds it is enough",
            listed().sees(List { complete: false, date: None, ..list(0, &[item(501, 1, Success)]) }),
            "succeeded 501",
        ),
        ("its number alone is enough", running().sees(list(100, &[Backup { alias: String::new(), ..item(501, 1, Success) }])), "succeeded 501"),
        ("another's end is not its own", listed().sees(list(100, &[item(501, 1, Running), item(502, 2, Success)])), "running 501 listed"),
        ("a poll that failed says nothing", listed().look_fails(), "running 501 listed"),
    ]);
    assert_eq!(listed().sees(list(100, &[item(501, 1, Running), item(500, 1, Running)])).told(), "500! 501 501", "a second one that lives is told");
}

#[test]
fn its_own_backup_is_no_impostor_whatever_type_the_list_gives_it() {
    let mut other = item(501, 1, Running);
    other.kind = "logical".into();
    assert_eq!(running().at(100).sees(list(100, &[other.clone()])).told(), "501");
    other.id = cdb_backupd::domain::names::BackupId(502);
    assert_eq!(running().at(100).sees(list(100, &[item(501, 1, Running), other])).told(), "502? 501 501");
}

#[test]
fn the_next_poll_is_an_eighth_of_its_age_away_within_bounds() {
    for (age, distance) in [(0, 15), (119, 15), (800, 100), (2_400, 300), (9_000, 300)] {
        let polled = running().at(20 + age).sees(list(20, &[item(501, 1, Running)]));
        assert_eq!(look_at(&polled), Some(20 + age + distance), "at the age of {age} s");
    }
}

#[test]
fn a_backup_whose_number_was_never_listed_is_followed_by_its_alias() {
    let other = running().at(100).sees(list(100, &[item(777, 1, Running)]));
    assert_eq!(other.told(), "777 777 501", "both numbers are kept");
    let gone = |scene: Scene| scene.at(300).sees(list(300, &[item(777, 1, Running)])).at(600).sees(list(600, &[item(777, 1, Running)]));
    assert!(gone(other.clone()).stands().contains("running"), "it has not vanished: {}", gone(other.clone()).stands());
    assert!(gone(other.clone()).at(900).sees(list(900, &[item(777, 1, Success)])).stands().starts_with("succeeded"));
    let late = other.at(COMPLETE_BY).look_fails().time_passes().at(15_000).sees(list(15_000, &[item(777, 1, Success)]));
    assert!(late.stands().starts_with("succeeded"), "a slow look finds it: {}", late.stands());
    hold(vec![
        ("another generation's alias is not its own", running().sees(list(100, &[item(777, 2, Success)])), "running 501"),
        ("an impostor is not it", running().sees(list(100, &[Backup { manual: false, ..item(777, 1, Success) }])), "running 501"),
        ("another run's number is not it", running().taken(777).sees(list(100, &[item(777, 1, Success)])), "running 501"),
    ]);
}

#[test]
fn a_backup_that_was_listed_has_vanished_after_two_complete_lists_more_than_the_lag_apart() {
    let absent = |date: i64| listed().at(date).sees(list(date, &[]));
    let half = |date| List { complete: false, ..list(date, &[]) };
    let undated = List { date: None, ..list(900, &[]) };
    let vanished = absent(200).at(381).sees(list(381, &[]));
    assert_eq!(vanished.told(), "-501");
    hold(vec![
        ("one list", absent(200), "running 501 listed absent +200"),
        ("a second, just the lag later", absent(200).at(900).sees(list(380, &[])), "running 501 listed absent +200"),
        ("a second more", vanished.clone(), "g2 due +381 wish Vanished"),
        ("it fails, and is never started again", vanished.passes(), "g2 failed(vanished)"),
        ("half a list is none", absent(200).at(900).sees(half(900)), "running 501 listed absent +200"),
        ("not the first either", listed().at(200).sees(half(200)), "running 501 listed"),
        ("nor is one without a Date", absent(200).at(900).sees(undated), "running 501 listed absent +200"),
        (
            "seen between, it counts anew",
            absent(200).sees(list(250, &[item(501, 1, Running)])).sees(list(900, &[])),
            "running 501 listed absent +900",
        ),
        ("what was never listed cannot vanish", running().sees(list(200, &[])).sees(list(900, &[])), "running 501"),
        ("a restored ledger proves no absence", absent(200).restored(Restored::Undated).sees(list(900, &[])), "running 501 listed absent +200"),
        ("not before its mark", listed().restored(Restored::Until(at(200))).sees(list(200, &[])), "running 501 listed"),
    ]);
}

#[test]
fn a_vanished_backup_of_a_restored_ledger_is_looked_for_in_its_next_generation() {
    let restored = || listed().restored(Restored::Until(at(150))).at(200).sees(list(200, &[])).at(900).sees(list(900, &[])).passes();
    hold(vec![
        ("it is looked for first", restored(), "g2 uncertain 0 old after -600 then +900 wish Vanished"),
        ("the next one lives: it is followed", restored().sees(list(901, &[item(502, 2, Running)])), "g2 running 502 listed wish Vanished"),
        ("there is none: it failed", restored().sees(list(901, &[])).passes(), "g2 failed(vanished)"),
    ]);
}

#[test]
fn the_last_moment_closes_it_as_timed_out_once_this_process_has_tried_a_poll() {
    let end = |scene: Scene| scene.at(COMPLETE_BY);
    hold(vec![
        ("a second before", listed().at(COMPLETE_BY - 1).look_fails().time_passes(), "running 501 listed"),
        ("no poll was tried", end(running()).time_passes(), "running 501"),
        ("one failed", end(running()).look_fails().time_passes(), "timed_out(cannot_look) 501 until +187200"),
        (
            "one saw it running just before",
            listed().at(COMPLETE_BY - 60).sees(list(COMPLETE_BY - 60, &[item(501, 1, Running)])).at(COMPLETE_BY).time_passes(),
            "timed_out(still_running) 501 until +187200",
        ),
        ("the last one that saw it running is long ago", timed_out(), "timed_out(cannot_look) 501 until +187200"),
        ("one of another process does not count", listed().restarts(8, COMPLETE_BY).time_passes(), "running 501 listed"),
        ("a wish does not close it", end(running()).wish(Wish::Cancel).time_passes(), "running 501 wish Cancel"),
        ("a good one is good at any time", end(listed()).sees(list(1, &[item(501, 1, Success)])), "succeeded 501"),
    ]);
    assert_eq!(look_at(&listed().restarts(8, COMPLETE_BY)), Some(COMPLETE_BY), "a restarted process polls at once");
}

#[test]
fn a_run_given_up_on_is_looked_at_slowly_and_may_turn_out_good_once() {
    let good = timed_out().at(20_000).sees(list(20_000, &[item(501, 1, Success)]));
    let State::Closed(closed) = &good.run.state else { panic!("{}", good.stands()) };
    assert_eq!((closed.first_outcome, closed.bytes), (Some(Outcome::TimedOut), Some(1_000)));
    let named = unknown().at(15_000).sees(list(15_000, &[item(501, 1, Running)]));
    hold(vec![
        ("timed out, it turns out good", good.clone(), "succeeded 501 after timed_out"),
        ("and stays so", good.sees(list(21_000, &[item(501, 1, Failed)])), "succeeded 501 after timed_out"),
        ("it still runs", timed_out().sees(list(20_000, &[item(501, 1, Running)])), "timed_out(cannot_look) 501 until +187200"),
        ("it failed: nothing is sent", timed_out().sees(list(20_000, &[item(501, 1, Failed)])), "timed_out(cannot_look) 501 until +187200"),
        ("unknown, it is found", named.clone(), "unknown(ambiguous) 501 until +187200"),
        ("and turns out good", named.sees(list(16_000, &[item(501, 1, Success)])), "succeeded 501 after unknown"),
        ("found good at once", unknown().sees(list(15_000, &[item(501, 1, Success)])), "succeeded 501 after unknown"),
        (
            "a later generation is taken",
            timed_out().sees(list(20_000, &[item(501, 1, Running), item(502, 2, Running)])),
            "g2 timed_out(cannot_look) 502 until +187200",
        ),
        ("and its end counts", timed_out().sees(list(20_000, &[item(501, 1, Failed), item(502, 2, Success)])), "g2 succeeded 502 after timed_out"),
        (
            "of unknown too, the highest",
            unknown().sees(list(20_000, &[item(502, 2, Running), item(503, 3, Running)])),
            "g3 unknown(ambiguous) 503 until +187200",
        ),
        (
            "a second one of its generation is not",
            timed_out().sees(list(20_000, &[item(500, 1, Success), item(501, 1, Running)])),
            "timed_out(cannot_look) 501 until +187200",
        ),
        (
            "an impostor is not",
            unknown().sees(list(20_000, &[Backup { manual: false, ..item(501, 1, Success) }])),
            "unknown(ambiguous) until +187200",
        ),
    ]);
    assert_eq!(look_at(&timed_out()), Some(COMPLETE_BY + 300));
    assert_eq!(look_at(&timed_out().at(20_000).sees(list(20_000, &[]))), Some(20_300));
    assert_eq!(look_at(&timed_out().at(20_000).look_fails()), Some(20_300));
}

#[test]
fn two_days_after_its_end_nobody_looks_any_more() {
    let until = COMPLETE_BY + 48 * 3_600;
    hold(vec![
        ("a second before", timed_out().at(until - 1).time_passes(), "timed_out(cannot_look) 501 until +187200"),
        ("then", timed_out().at(until).time_passes(), "timed_out(cannot_look) 501"),
        ("whatever a list shows", timed_out().at(until).time_passes().sees(list(until, &[item(501, 1, Success)])), "timed_out(cannot_look) 501"),
        ("not while the clock is unproved", timed_out().at(until).unproved().time_passes(), "timed_out(cannot_look) 501 until +187200"),
        ("what succeeded is not watched", listed().sees(list(900, &[item(501, 1, Success)])).time_passes(), "succeeded 501"),
    ]);
    assert_eq!(look_at(&timed_out().at(until).time_passes()), None);
}
