//! `protocol.md` §1, the lines of an answer to CreateBackup, in time, late, or for another call than the one that is open.

use super::scene::{START_BY, Scene, at, calling, due, hold, item, list, running, uncertain, unknown};
use cdb_backupd::domain::{
    names::Endpoint,
    now::later,
    reply::{BackupStatus, Class},
    run::{State, Tally, Wish, sent::DEADLINE_PASSED},
};

fn due_at(scene: &Scene) -> chrono::DateTime<chrono::Utc> {
    match scene.run.state {
        State::Due { due_at } => due_at,
        _ => panic!("it stands at {}", scene.stands()),
    }
}

fn look_at(scene: &Scene) -> i64 {
    (scene.run.look_at(&scene.reading).expect("a look") - at(0)).num_seconds()
}

#[test]
fn what_answers_a_call_decides_where_the_run_stands() {
    let at_20 = || calling().at(20);
    hold(vec![
        ("a BackupId: running", at_20().number(1, 501), "running 501"),
        ("an account code: due at once, the account is held", at_20().error(1, Class::Account, Some(20)), "due +20"),
        ("rejected: failed with the code", at_20().error_code(1, Class::Rejected, "InvalidParameter", None), "failed(InvalidParameter)"),
        (
            "ambiguous: uncertain until the signature and its effects are over",
            at_20().error(1, Class::Ambiguous, Some(20)),
            "uncertain 1 ambiguous after +540",
        ),
        ("busy without a Date is ambiguous", at_20().error(1, Class::Busy, None), "uncertain 1 ambiguous after +540"),
        ("the wish of a run that is answered stays with it", at_20().wish(Wish::Cancel).number(1, 501), "running 501 wish Cancel"),
    ]);
    assert_eq!(look_at(&at_20().number(1, 501)), 35, "the first poll after poll.initial");
    assert_eq!(look_at(&uncertain()), 35, "the first look after poll.initial");
}

#[test]
fn a_busy_run_is_looked_for_by_the_replys_date_and_waits_from_the_reply() {
    let busy = calling().at(20).error(1, Class::Busy, Some(17));
    let State::Uncertain { then_due_at, clear_after, .. } = busy.run.state else { panic!("{}", busy.stands()) };
    assert_eq!(clear_after, at(17 + 240), "the Date and busy_lag");
    assert_eq!(then_due_at, later(at(20), busy.backoff(1)));
    assert_eq!(busy.run.tally, Tally { attempts: 1, sends: 0, busy: 1, failures: 1 });
    let cleared = busy.at(300).sees(list(258, &[]));
    assert_eq!((due_at(&cleared), cleared.run.tally.sends), (then_due_at, 0), "the time spent uncertain is part of the wait, and no send counts");
    let near = calling().terms(|terms| terms.endpoint = Endpoint::parse("http://127.0.0.1:80").expect("an endpoint"));
    let near = near.at(20).error(1, Class::Busy, Some(20)).stands();
    assert!(near.starts_with("uncertain 1 busy after +380 "), "two thirds of the window on loopback: {near}");
}

#[test]
fn the_last_try_of_a_busy_run_is_a_minute_before_its_window_closes() {
    let busy = |scene: Scene, begun: i64| scene.with(|run| run.tally.failures = 30).at(begun).begins(1).error(1, Class::Busy, Some(begun)).stands();
    let last_try = START_BY - 60;
    let long = due().with(|run| run.tally.failures = 30).backoff(31).as_secs();
    assert!(long > 100, "the wait passes the last try: {long}");
    assert!(busy(due(), 7_050).ends_with(&format!("then +{last_try}")));
    assert!(busy(due().generation(2), 10_700).ends_with("then +10740"), "of a later generation before restart_by");
    assert!(!busy(due(), 7_141).ends_with(&format!("then +{last_try}")), "there is one such try");
    assert!(!busy(due(), 100).ends_with(&format!("then +{last_try}")), "a wait that ends in time is not drawn out");
}

#[test]
fn refused_and_throttled_runs_wait_from_the_reply_and_only_those_without_a_connection_count() {
    for (class, code, sends) in [
        (Class::Refused, "connect", 1),
        (Class::Refused, "ResourceInsufficient", 0),
        (Class::Refused, DEADLINE_PASSED, 0),
        (Class::Throttled, "RequestLimitExceeded", 0),
    ] {
        let mut scene = calling();
        for failures in 1..=4 {
            let now = i64::from(failures) * 1_000;
            scene = scene.at(now).error_code(i64::from(failures), class, code, None);
            assert_eq!(due_at(&scene), later(at(now), scene.backoff(failures)), "{code}, {failures} failures");
            assert_eq!(scene.run.tally, Tally { attempts: failures, sends: sends * failures, busy: 0, failures }, "{code}");
            scene = scene.begins(i64::from(failures) + 1);
        }
    }
    let account = calling().error(1, Class::Account, None);
    assert_eq!(account.run.tally, Tally { attempts: 1, ..Tally::default() }, "an account's answer counts as nothing");
    let accepted = calling().error(1, Class::Refused, None).begins(2).number(1, 501);
    assert_eq!(accepted.run.tally.failures, 0, "a number ends the row of failures");
}

#[test]
fn an_ambiguous_send_that_is_proved_absent_is_sent_again_without_a_wait_and_counts() {
    let absent = uncertain().at(560).sees(list(541, &[]));
    assert_eq!((absent.stands(), absent.run.tally.sends), ("due +560".into(), 1));
    assert_eq!(absent.terms(|terms| terms.retry.max_attempts = Some(1)).passes().stands(), "failed(ambiguous)");
}

#[test]
fn a_call_without_an_answer_is_uncertain_when_its_lease_is_over() {
    hold(vec![
        ("not yet", calling().at(29).lease_is_judged(), "calling 1 signed +0"),
        ("after 30 s of its process", calling().at(30).lease_is_judged(), "uncertain 1 ambiguous after +540"),
        ("a step of the wall clock ends no lease", calling().at(5).wall_steps_to(3_600).lease_is_judged(), "calling 1 signed +0"),
        ("a later process judges it over at once", calling().restarts(8, 5).lease_is_judged(), "uncertain 1 ambiguous after +540"),
        ("a wish does not make it resolved", calling().wish(Wish::Cancel).at(30).lease_is_judged(), "uncertain 1 ambiguous after +540 wish Cancel"),
    ]);
}

#[test]
fn the_window_counts_from_what_was_signed_and_not_from_our_clock() {
    hold(vec![
        ("an answer that comes late does not move it", calling().at(500).error(1, Class::Ambiguous, None), "uncertain 1 ambiguous after +540"),
        ("nor does a lease that is judged late", calling().at(9_000).lease_is_judged(), "uncertain 1 ambiguous after +540"),
        ("nor does a step", calling().at(20).wall_steps_to(620).error(1, Class::Ambiguous, None), "uncertain 1 ambiguous after +540"),
        (
            "a signature of the future lasts until then",
            due().begins_signed(100).at(20).error(1, Class::Ambiguous, None),
            "uncertain 1 ambiguous after +640",
        ),
    ]);
}

#[test]
fn a_late_answer_of_the_open_call_resolves_an_uncertain_run() {
    let late = || calling().at(30).lease_is_judged().at(40);
    hold(vec![
        ("a BackupId: running", late().number(1, 501), "running 501"),
        ("rejected: failed", late().error_code(1, Class::Rejected, "InvalidParameter", None), "failed(InvalidParameter)"),
        ("an account code: due", late().error(1, Class::Account, None), "due +40"),
        ("busy says nothing new", late().error(1, Class::Busy, Some(40)), "uncertain 1 ambiguous after +540"),
        ("nor does ambiguous", late().error(1, Class::Ambiguous, Some(40)), "uncertain 1 ambiguous after +540"),
    ]);
    let refused = late().error(1, Class::Refused, None);
    assert_eq!(due_at(&refused), later(at(40), refused.backoff(1)));
    assert_eq!(late().error(1, Class::Busy, Some(40)).run.tally, late().run.tally);
}

/// The first call's answer is still on its way when the second has begun.
fn second_call() -> Scene {
    calling().at(30).lease_is_judged().at(560).sees(list(541, &[])).at(570).begins(2)
}

#[test]
fn a_late_refusal_of_the_first_call_changes_nothing_once_the_second_has_begun() {
    let second = "calling 2 signed +570";
    let open = second_call().at(600).lease_is_judged();
    for class in [Class::Refused, Class::Throttled, Class::Account, Class::Rejected, Class::Busy, Class::Ambiguous] {
        let late = second_call().at(580).error(1, class, Some(580));
        assert_eq!((late.stands().as_str(), &late.run.last), (second, &None), "{class:?}");
        assert_eq!(open.clone().error(1, class, Some(600)).run, open.run, "{class:?}, while the second is uncertain");
    }
    hold(vec![
        ("a refusal of a call that was resolved otherwise", due().error(1, Class::Rejected, None), "due +0"),
        ("a refusal that comes while it runs", running().error(1, Class::Rejected, None), "running 501"),
        ("an old run's look is no call", due().restarts(8, 60).passes().error(0, Class::Rejected, None), "uncertain 0 old after +60 then +0"),
    ]);
}

#[test]
fn a_number_of_whichever_call_of_its_generation_moves_an_open_run() {
    hold(vec![
        ("calling", second_call().number(1, 501), "running 501"),
        ("uncertain", second_call().at(600).lease_is_judged().number(1, 501), "running 501"),
        ("due", uncertain().at(560).sees(list(541, &[])).number(1, 501), "running 501"),
    ]);
}

#[test]
fn a_number_of_another_generation_or_a_second_one_is_told_and_moves_nothing() {
    // The lease is over, a look adopts 501, its task fails, the second generation is sent; then the first call's own number arrives.
    let failed = calling().at(30).lease_is_judged().at(50).sees(list(50, &[item(501, 1, BackupStatus::Failed)]));
    assert_eq!(failed.stands(), "g2 due +650");
    let second = failed.clone().at(700).begins(2);
    let doubt = second.clone().at(730).lease_is_judged();
    for before in [failed, second.clone(), doubt, second.clone().number(2, 502)] {
        let after = before.clone().number(1, 501);
        assert_eq!(after.run, before.run, "{}", before.stands());
        assert_eq!(after.told(), "501!");
    }
    let running = second.number(2, 502);
    let other = running.clone().number(2, 503);
    assert_eq!((&other.run, other.told()), (&running.run, "503!".into()));
    let same = running.clone().number(2, 502);
    assert_eq!((&same.run, same.told()), (&running.run, "502".into()));
}

#[test]
fn a_number_for_a_closed_run_is_kept_and_watched_for_two_days() {
    let expired = || uncertain().at(START_BY).sees(list(541, &[])).passes();
    hold(vec![
        ("expired", expired().at(8_000).number(1, 501), "expired(ambiguous) 501 until +180800"),
        ("unknown", unknown().at(20_000).number(1, 501), "unknown(ambiguous) 501 until +192800"),
        ("rejected by a later call", second_call().error(2, Class::Rejected, None).number(1, 501), "failed(rejected) 501 until +173370"),
        ("of another generation", expired().number(2, 501), "expired(ambiguous)"),
        ("a second one", expired().at(8_000).number(1, 501).at(9_000).number(1, 502), "expired(ambiguous) 501 until +180800"),
    ]);
    assert_eq!(expired().number(1, 501).told(), "501!", "somebody has to look");
    let good = running().at(100).sees(list(100, &[item(501, 1, BackupStatus::Success)]));
    assert_eq!((good.clone().number(1, 502).run, good.clone().number(1, 502).told()), (good.run, "502!".into()));
    assert_eq!(look_at(&expired().at(8_000).number(1, 501)), 8_300, "slowly: at poll.max");
}
