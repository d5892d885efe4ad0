//! `protocol.md` §1, the lines of an uncertain run: what a look proves, what it adopts, and when the next one is due.

use super::scene::{COMPLETE_BY, Scene, at, calling, due, hold, item, list, uncertain};
use cdb_backupd::domain::{
    names::InstanceId,
    reply::{
        Backup,
        BackupStatus::{Failed, Running, Success},
        Class,
    },
    run::{Restored, State, seen::List},
};

const SAME: &str = "uncertain 1 ambiguous after +540";

/// A list long after the window, read then.
fn late(items: &[Backup]) -> List {
    list(2_000, items)
}

fn looked(items: &[Backup]) -> Scene {
    uncertain().at(2_000).sees(late(items))
}

fn look_at(scene: &Scene) -> i64 {
    (scene.run.look_at(&scene.reading).expect("a look") - at(0)).num_seconds()
}

#[test]
fn absence_is_proved_by_a_complete_list_that_is_later_than_the_window() {
    let incomplete = List { complete: false, ..late(&[]) };
    let undated = List { date: None, ..late(&[]) };
    let until = |s| Restored::Until(at(s));
    let others = Backup { alias: "somebody's".into(), ..item(9, 1, Success) };
    hold(vec![
        ("a second later", uncertain().at(600).sees(list(541, &[])), "due +600"),
        ("the very second is not later", uncertain().at(600).sees(list(540, &[])), SAME),
        ("it is the cloud's clock that counts", uncertain().at(9_000).sees(list(540, &[])), SAME),
        ("and not ours", uncertain().at(300).sees(list(541, &[])), "due +300"),
        ("half a list proves nothing", uncertain().at(2_000).sees(incomplete), SAME),
        ("nor does one without a Date", uncertain().at(2_000).sees(undated), SAME),
        ("nor does one that could not be read", uncertain().at(2_000).look_fails(), SAME),
        ("other people's backups are no trace of ours", looked(&[others]), "due +2000"),
        ("a restored ledger proves none before its mark", uncertain().restored(until(2_000)).at(2_000).sees(late(&[])), SAME),
        ("but after it", uncertain().restored(until(1_999)).at(2_000).sees(late(&[])), "due +2000"),
        ("and none while the mark has no date", uncertain().restored(Restored::Undated).at(2_000).sees(late(&[])), SAME),
    ]);
}

#[test]
fn what_was_cleared_is_kept_with_process_and_generation() {
    assert_eq!(looked(&[]).run.looked_for, Some((7, 1)));
    let second = due().generation(2).begins(1).error(1, Class::Ambiguous, None).at(2_000).sees(late(&[]));
    assert_eq!((second.stands().as_str(), second.run.looked_for), ("g2 due +2000", Some((7, 2))));
    assert_eq!(uncertain().at(2_000).sees(list(540, &[])).run.looked_for, None);
}

#[test]
fn a_list_says_nothing_of_a_call_that_began_after_it_was_asked_for() {
    let asked = uncertain().at(560).asks();
    let second = asked.clone().with(|run| run.state = State::Due { due_at: at(560) }).at(570).begins(2);
    hold(vec![
        ("while the second is calling", second.clone().at(575).sees(late(&[])), "calling 2 signed +570"),
        ("while it is uncertain", second.clone().at(600).lease_is_judged().sees(late(&[])), "uncertain 2 ambiguous after +1110"),
        ("not even to adopt", second.clone().at(600).lease_is_judged().sees(late(&[item(501, 1, Running)])), "uncertain 2 ambiguous after +1110"),
        ("nor when it failed", second.at(600).lease_is_judged().look_fails(), "uncertain 2 ambiguous after +1110"),
        ("nor of another generation", asked.clone().generation(2).sees(late(&[])), "g2 uncertain 1 ambiguous after +540"),
        ("nor of another state", asked.clone().number(1, 501).sees(late(&[])), "running 501"),
        ("nor of one that was due", due().asks().begins(1).at(30).lease_is_judged().sees(late(&[])), SAME),
        ("of the same call it does", asked.at(600).sees(late(&[])), "due +600"),
    ]);
    let second = uncertain().at(560).asks().with(|run| run.state = State::Due { due_at: at(560) }).begins(2).at(600).lease_is_judged();
    assert_eq!(second.clone().look_fails().run, second.run, "not even for the distance of looks");
}

#[test]
fn a_backup_under_our_alias_is_adopted_in_any_status() {
    hold(vec![
        ("it runs", looked(&[item(501, 1, Running)]), "running 501 listed"),
        ("it is good", looked(&[item(501, 1, Success)]), "succeeded 501"),
        ("its task failed: the next generation waits", looked(&[item(501, 1, Failed)]), "g2 due +2600"),
        (
            "a list may be early or half for this",
            uncertain().at(30).sees(List { complete: false, date: None, ..late(&[item(501, 1, Running)]) }),
            "running 501 listed",
        ),
        ("an old run that is found is not sent", due().restarts(8, 60).passes().sees(late(&[item(501, 1, Success)])), "succeeded 501"),
        ("a busy run too", calling().error(1, Class::Busy, Some(1)).sees(list(2, &[item(501, 1, Running)])), "running 501 listed"),
    ]);
    let good = looked(&[item(501, 1, Success)]);
    let State::Closed(closed) = &good.run.state else { panic!("{}", good.stands()) };
    assert_eq!((closed.bytes, closed.follow), (Some(1_000), None));
}

#[test]
fn of_several_the_earliest_that_did_not_fail_of_the_highest_generation_is_adopted() {
    hold(vec![
        ("the earliest", looked(&[item(503, 1, Running), item(502, 1, Running)]), "running 502 listed"),
        ("that did not fail", looked(&[item(501, 1, Failed), item(502, 1, Running)]), "running 502 listed"),
        ("a good one before a running one", looked(&[item(503, 1, Running), item(502, 1, Success)]), "succeeded 502"),
        ("of several that failed the earliest", looked(&[item(503, 1, Failed), item(502, 1, Failed)]), "g2 due +2600"),
        ("a later generation", looked(&[item(502, 2, Running)]), "g2 running 502 listed"),
        ("the highest wins", looked(&[item(501, 1, Running), item(503, 3, Running), item(502, 2, Success)]), "g3 running 503 listed"),
        ("though it failed", looked(&[item(501, 1, Success), item(502, 2, Failed)]), "g3 due +2600"),
        (
            "of it the earliest that did not",
            looked(&[item(1, 1, Running), item(2, 2, Failed), item(4, 2, Success), item(3, 2, Running)]),
            "g2 running 3 listed",
        ),
        ("never an earlier one than ours", second_in_doubt().sees(late(&[item(501, 1, Failed)])), "g2 due +2000"),
        ("not even a good one", second_in_doubt().sees(late(&[item(501, 1, Success)])), "g2 due +2000"),
    ]);
    assert_eq!(looked(&[item(501, 1, Failed), item(502, 1, Running), item(503, 1, Success)]).told(), "501 503! 502 502");
}

/// The second generation, whose call nobody answered.
fn second_in_doubt() -> Scene {
    due().generation(2).begins(1).error(1, Class::Ambiguous, None).at(2_000)
}

#[test]
fn what_bears_our_alias_and_cannot_be_ours_is_no_absence() {
    let ours = || item(501, 1, Running);
    let elsewhere = Backup { instance: Some(InstanceId::parse("cdb-aaaa0002").expect("an id")), ..ours() };
    let impostors = [
        ("of another Type", uncertain().at(2_000).sees(late(&[Backup { kind: "logical".into(), ..ours() }]))),
        ("of another Way", looked(&[Backup { manual: false, ..ours() }])),
        ("of another instance", looked(&[elsewhere])),
        ("with a number of another run", uncertain().taken(501).at(2_000).sees(late(&[ours()]))),
        ("of a later generation", looked(&[Backup { manual: false, ..item(501, 2, Success) }])),
    ];
    for (what, scene) in impostors {
        assert_eq!((scene.stands().as_str(), scene.told().as_str()), (SAME, "501?"), "{what}");
        let ended = scene.at(COMPLETE_BY).time_passes().stands();
        assert!(ended.starts_with("unknown(ambiguous) until"), "{what} ends {ended}");
    }
    let here = Backup { instance: Some(InstanceId::parse("cdb-aaaa0001").expect("an id")), ..ours() };
    assert_eq!(looked(&[here]).stands(), "running 501 listed");
    let both = looked(&[Backup { manual: false, ..ours() }, item(502, 1, Running)]);
    assert_eq!((both.stands().as_str(), both.told().as_str()), ("running 502 listed", "501? 502 502"), "ours beside one is adopted");
}

#[test]
fn looks_come_at_doubling_distance_and_as_soon_as_the_clouds_clock_has_passed_the_window() {
    let mut scene = uncertain();
    let mut looks = Vec::new();
    for _ in 0..9 {
        let next = look_at(&scene);
        looks.push(next);
        scene = scene.at(next).look_fails();
    }
    // The seventh would be at +755: it is brought forward to the second after the window's end.
    assert_eq!(looks, [35, 65, 125, 245, 485, 541, 841, 1_141, 1_441]);
    let ahead = uncertain().cloud_ahead(30).at(485).sees(list(515, &[]));
    assert_eq!(look_at(&ahead), 511, "by the cloud's clock, which is 30 s ahead of ours");
    assert_eq!(look_at(&due().restarts(8, 60).at(70).passes()), 70, "an old run is looked for at once");
    let stepped_back = uncertain().at(10_000).look_fails().wall_steps_to(600);
    assert_eq!(look_at(&stepped_back), 600, "a look further ahead than the longest distance is due now");
}

#[test]
fn the_last_moment_closes_it_as_unknown_once_this_process_has_tried_a_look() {
    let end = || uncertain().at(COMPLETE_BY);
    let watched = "unknown(ambiguous) until +187200";
    hold(vec![
        ("a second before", uncertain().at(COMPLETE_BY - 1).look_fails().time_passes(), SAME),
        ("no look was tried", end().time_passes(), SAME),
        ("one failed", end().look_fails().time_passes(), watched),
        ("one said nothing", end().sees(List { complete: false, ..late(&[]) }).time_passes(), watched),
        ("one of another process does not count", uncertain().look_fails().restarts(8, COMPLETE_BY).time_passes(), SAME),
        ("one of another state does not count", second_process_in_doubt().time_passes(), "uncertain 2 ambiguous after +14940"),
        ("a late look that proves absence comes first", end().sees(list(541, &[])), "due +14400"),
    ]);
    assert_eq!(look_at(&uncertain().look_fails().restarts(8, COMPLETE_BY)), COMPLETE_BY, "a restarted process looks at once");
}

/// Looked for in the first doubt, then sent again and in doubt again at the very end.
fn second_process_in_doubt() -> Scene {
    uncertain().at(2_000).look_fails().sees(late(&[])).at(COMPLETE_BY).begins(2).error(2, Class::Ambiguous, None)
}
