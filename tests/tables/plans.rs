//! Who is next and what holds the rest: the planner over small views.

use super::{
    policies::{account, job, policy},
    scene::{COMPLETE_BY, START_BY, Scene, at, calling, due, item, list, running, uncertain, unknown},
};
use cdb_backupd::domain::{
    catch_up::Cursor,
    names::{AccountName, InstanceId, RunId},
    plan::{Held, Plan, Span, View, Waiting, keeps, plan},
    policy::{Blackout, BlackoutSpan, Overlap, Policy},
    reply::{BackupStatus, Class},
    run::{
        Reading, Restored, State,
        due::{Kept, Previous},
    },
};
use std::{collections::BTreeMap, sync::Arc};

fn name(text: &str) -> AccountName {
    AccountName::parse(text).expect("a name")
}

fn id(number: i64) -> InstanceId {
    InstanceId::parse(&format!("cdb-aaaa{number:04}")).expect("an id")
}

/// Run `number`, on the instance of that number.
fn numbered(number: i64, scene: Scene) -> Scene {
    scene.with(|run| {
        run.id = RunId(number);
        run.key.instance = id(number);
    })
}

fn alone(scene: Scene) -> Waiting {
    Waiting { run: scene.run, previous: None }
}

fn queue(scenes: impl IntoIterator<Item = Scene>) -> View {
    View { queue: scenes.into_iter().map(alone).collect(), ..View::default() }
}

fn timed(scenes: impl IntoIterator<Item = Scene>) -> View {
    View { timed: scenes.into_iter().map(alone).collect(), ..View::default() }
}

fn reading(s: i64) -> Reading {
    due().at(s).reading
}

/// Plans with the job `nightly` and what it says holds.
fn planned(policy: &Policy, view: View, held: &Held, reading: &Reading) -> Plan {
    plan(policy, view, held, &keeps(policy, Arc::default(), reading.now.utc), reading)
}

fn nightly() -> Policy {
    policy(vec![job("nightly")])
}

fn begun(plan: &Plan) -> Vec<i64> {
    plan.begin.iter().map(|run| run.id.0).collect()
}

fn moved(plan: &Plan) -> Vec<(i64, &str)> {
    plan.moved.iter().map(|run| (run.id.0, run.word())).collect()
}

/// Which runs are listed for, list by list.
fn listed(plan: &Plan) -> Vec<Vec<i64>> {
    plan.lists.iter().map(|step| step.asked.iter().map(|(run, _)| run.0).collect()).collect()
}

fn three() -> View {
    queue((1..=3).map(|number| numbered(number, due())))
}

#[test]
fn runs_begin_by_priority_then_slot_then_end_of_window_then_number() {
    let runs = [
        numbered(1, due()).with(|run| run.windows.start_by = at(START_BY + 1)),
        numbered(2, due()).with(|run| run.priority = 4),
        numbered(9, due()).with(|run| run.key.slot = at(-60)),
        numbered(5, due()),
        numbered(4, due()),
    ];
    assert_eq!(begun(&planned(&nightly(), queue(runs), &Held::default(), &reading(0))), [2, 9, 4, 5, 1]);
}

#[test]
fn an_account_begins_no_more_than_its_room() {
    let mut policy = nightly();
    policy.accounts = vec![account("main", Some(3)), account("pay", None)];
    let mut view = three();
    view.queue.extend((4..=5).map(|number| alone(numbered(number, due()).terms(|terms| terms.account = name("pay")))));
    view.in_flight = BTreeMap::from([(name("main"), 2), (name("pay"), 50)]);
    assert_eq!(begun(&planned(&policy, view.clone(), &Held::default(), &reading(0))), [1, 4, 5]);
    view.in_flight.insert(name("main"), 3);
    assert_eq!(begun(&planned(&policy, view, &Held::default(), &reading(0))), [4, 5]);
}

#[test]
fn a_hold_keeps_its_own_runs_and_no_others() {
    let others = Held { accounts: [name("pay")].into(), ..Held::default() };
    let mut view = three();
    view.queue.push(alone(numbered(4, due()).terms(|terms| terms.account = name("pay"))));
    for (what, held, expected) in [
        ("nothing", Held::default(), vec![1, 2, 3, 4]),
        ("an account whose keys were refused", others, vec![1, 2, 3]),
        ("an instance that cannot be looked at", Held { unseen: [id(2)].into(), ..Held::default() }, vec![1, 3, 4]),
        ("a call that still lives", Held { calls: [RunId(3)].into(), ..Held::default() }, vec![1, 2, 4]),
        ("a list that is being read", Held { lists: [id(1)].into(), ..Held::default() }, vec![1, 2, 3, 4]),
    ] {
        assert_eq!(begun(&planned(&nightly(), view.clone(), &held, &reading(0))), expected, "{what}");
    }
    let unproved = due().unproved().reading;
    assert_eq!(begun(&planned(&nightly(), view, &Held::default(), &unproved)), [0_i64; 0], "a clock that is not proved");
}

fn blackout(from: i64, to: i64) -> Blackout {
    Blackout { span: BlackoutSpan::Once { from: at(from), to: at(to) }, reason: String::new() }
}

#[test]
fn a_blackout_or_suspension_holds_its_jobs_while_it_lasts() {
    let mut own = job("own");
    own.blackouts = vec![blackout(100, 200)];
    let mut suspended = job("suspended");
    suspended.suspend = true;
    suspended.blackouts = vec![blackout(100, 200)];
    let mut policy = policy(vec![job("nightly"), own, suspended]);
    policy.blackouts = vec![blackout(500, 600)];
    let holds = |s| keeps(&policy, Arc::default(), at(s)).jobs.into_iter().map(|(job, kept)| (job.to_string(), kept)).collect::<Vec<_>>();
    let suspended = || ("suspended".to_owned(), Kept::Suspended);
    let blackout = |job: &str| (job.to_owned(), Kept::Blackout);
    for (s, expected) in [
        (99, vec![suspended()]),
        (100, vec![blackout("own"), suspended()]),
        (200, vec![suspended()]),
        (500, vec![blackout("nightly"), blackout("own"), suspended()]),
        (600, vec![suspended()]),
    ] {
        assert_eq!(holds(s), expected, "at {s}");
    }
    // Inside the window the start waits, and is made when the blackout is over.
    assert_eq!(begun(&planned(&policy, three(), &Held::default(), &reading(599))), [0_i64; 0]);
    assert_eq!(begun(&planned(&policy, three(), &Held::default(), &reading(600))), [1, 2, 3]);
}

#[test]
fn the_end_of_a_window_in_a_blackout_is_skipped_and_else_expired() {
    let mut policy = nightly();
    let ends = |policy: &Policy| planned(policy, timed([numbered(1, due())]), &Held::default(), &reading(START_BY)).moved.pop().expect("a row");
    assert_eq!(ends(&policy).word(), "expired");
    policy.blackouts = vec![blackout(7_000, 8_000)];
    assert_eq!(ends(&policy).word(), "skipped");
}

#[test]
fn a_held_account_closes_its_rows_all_the_same() {
    let held = Held { accounts: [name("main")].into(), ..Held::default() };
    assert_eq!(moved(&planned(&nightly(), timed([numbered(1, due())]), &held, &reading(START_BY))), [(1, "expired")]);
}

#[test]
fn a_run_that_was_never_sent_says_what_held_it_to_the_last() {
    let span = |from, to| Span { from: at(from), to: at(to) };
    let paced = |account, from, to| Held { paced: [(name(account), span(from, to))].into(), ..Held::default() };
    let away = |from, to| Some(span(from, to));
    let (early, last) = (START_BY - 4_000, START_BY - 1);
    for (held, in_use, in_flight, reason) in [
        (Held { accounts: [name("main")].into(), ..Held::default() }, vec![], 0, "account_held"),
        (Held { unseen: [id(1)].into(), ..Held::default() }, vec![], 0, "cannot_look"),
        (Held::default(), vec![id(1)], 0, "instance_in_use"),
        (Held::default(), vec![id(2)], 0, "not_running"),
        (Held::default(), vec![], 3, "max_running"),
        (paced("main", early, last), vec![], 3, "max_running"),
        (paced("main", early, last), vec![], 2, "rate_limit"),
        (paced("pay", early, last), vec![], 0, "not_running"),
        (paced("main", early, START_BY - 600), vec![], 0, "not_running"),
        (paced("main", START_BY + 60, START_BY + 90), vec![], 0, "not_running"),
        (Held { away: away(early, START_BY + 9), ..paced("main", 0, early) }, vec![id(1)], 3, "not_running"),
        (Held { away: away(0, early), ..paced("main", early, last) }, vec![], 0, "rate_limit"),
        (Held { unwritten: away(early, START_BY + 9), ..Held::default() }, vec![], 3, "ledger_not_writable"),
    ] {
        let mut policy = nightly();
        policy.accounts = vec![account("main", Some(3))];
        let in_flight = [(name("main"), in_flight)].into();
        let view = View { in_use: in_use.into_iter().collect(), in_flight, ..timed([numbered(1, due())]) };
        assert_eq!(reason_of(&planned(&policy, view, &held, &reading(START_BY + 10))), reason);
    }
}

fn reason_of(plan: &Plan) -> &str {
    let State::Closed(closed) = &plan.moved.first().expect("a row").state else { panic!("it is open") };
    closed.reason.as_deref().unwrap_or_default()
}

#[test]
fn a_process_that_began_too_late_was_not_there_and_one_that_waited_for_a_list_could_not_look() {
    let late = |began| {
        let scene = due().restarts(8, began).at(START_BY + 600).looked_for(8, 1);
        let busy = Held { accounts: [name("main")].into(), ..Held::default() };
        let ends = |held: &Held| reason_of(&planned(&nightly(), timed([numbered(1, scene.clone())]), held, &scene.reading)).to_owned();
        [ends(&Held::default()), ends(&busy)]
    };
    assert_eq!(late(START_BY + 500), ["not_running", "not_running"]);
    assert_eq!(late(60), ["cannot_look", "account_held"]);
}

#[test]
fn a_run_whose_only_call_was_lost_says_so_and_nothing_of_the_pace() {
    let lost = calling().restarts(8, 20).lease_is_judged().at(START_BY + 60).sees(list(START_BY + 59, &[]));
    let pace = Held { paced: [(name("main"), Span { from: at(0), to: at(START_BY) })].into(), ..Held::default() };
    assert_eq!(reason_of(&planned(&nightly(), timed([numbered(1, lost.clone())]), &pace, &lost.reading)), "no_answer");
}

#[test]
fn what_lasts_is_one_span_and_a_loop_is_overdue_after_a_few_seconds() {
    let first = Span::on(None, at(0), at(10));
    assert_eq!(Span::on(Some(first), at(14), at(20)), Span { from: at(0), to: at(20) });
    assert_eq!(Span::on(Some(first), at(16), at(20)), Span { from: at(16), to: at(20) });
    assert_eq!((Span::overdue(at(0), at(5)), Span::overdue(at(0), at(45))), (None, Some(Span { from: at(5), to: at(45) })));
}

#[test]
fn an_old_run_at_the_head_is_looked_for_and_a_second_one_behind_an_open_run_is_not_begun() {
    let old = due().restarts(8, 60).at(70).reading;
    assert_eq!(moved(&planned(&nightly(), three(), &Held::default(), &old)), [(1, "uncertain"), (2, "uncertain"), (3, "uncertain")]);
    let behind = |overlap, read_at: i64| {
        let run = due().terms(|terms| terms.overlap = overlap).run;
        let waiting = Waiting { run, previous: Some(Previous { read_at: Some(at(read_at)) }) };
        let view = View { queue: vec![waiting.clone()], timed: vec![waiting], ..View::default() };
        let plan = planned(&nightly(), view, &Held::default(), &reading(10));
        (plan.begin.len(), plan.moved.iter().map(|run| run.word()).collect::<Vec<_>>())
    };
    assert_eq!(behind(Overlap::Skip, 1), (0, vec!["skipped"]), "once, though the view shows it twice");
    assert_eq!(behind(Overlap::Skip, 0), (0, vec![]));
    assert_eq!(behind(Overlap::Queue, 1), (0, vec![]));
}

#[test]
fn a_call_is_given_up_when_its_lease_is_over_but_its_row_is_not_looked_for_while_it_lives() {
    let held = Held { calls: [RunId(1)].into(), ..Held::default() };
    let plan = |scene: Scene, held: &Held, s: i64| planned(&nightly(), timed([numbered(1, scene)]), held, &reading(s));
    assert_eq!(moved(&plan(calling(), &held, 29)), []);
    let given_up = plan(calling(), &held, 31);
    assert_eq!((moved(&given_up), listed(&given_up).len()), (vec![(1, "uncertain")], 0));
    // Its answer, or its task's end, decides; until then no list speaks for it, and no time closes it.
    let alive = plan(uncertain(), &held, 600);
    assert_eq!((moved(&alive), listed(&alive).len()), (vec![], 0));
    let tried = uncertain().at(COMPLETE_BY).look_fails();
    assert_eq!(moved(&plan(tried.clone(), &held, COMPLETE_BY)), []);
    assert_eq!(moved(&plan(tried, &Held::default(), COMPLETE_BY)), [(1, "unknown")]);
    assert_eq!(listed(&plan(uncertain(), &Held::default(), 600)), [[1]]);
}

#[test]
fn lists_are_read_for_the_uncertain_then_the_busy_then_the_running_then_those_given_up() {
    let polled = |s| running().at(s).sees(list(s, &[item(501, 1, BackupStatus::Running)]));
    // The more a run is in need, the later its look is due: what comes first does so for its need.
    let watched = unknown().with(|run| {
        if let State::Closed(closed) = &mut run.state {
            closed.follow.as_mut().expect("watched").look.at = at(0);
        }
    });
    let busy = calling().at(20).error(1, Class::Busy, Some(20)).at(1_500).look_fails();
    let scenes = || [watched.clone(), polled(900), polled(300), busy.clone(), uncertain().at(1_600).look_fails()];
    let view = || timed((1..).zip(scenes()).map(|(number, scene)| numbered(number, scene)));
    assert_eq!(listed(&planned(&nightly(), view(), &Held::default(), &reading(2_000))), [[5], [4], [3], [2], [1]]);
    let late = planned(&nightly(), view(), &Held::default(), &reading(COMPLETE_BY));
    assert_eq!(moved(&late), [(2, "timed_out"), (3, "timed_out"), (4, "unknown"), (5, "unknown")], "what this process has looked at ends");
}

#[test]
fn one_list_serves_every_run_of_its_instance_and_is_read_once_at_a_time() {
    let pair = || timed([numbered(1, running()), numbered(1, uncertain()).with(|run| run.id = RunId(2)), numbered(3, uncertain())]);
    let plan = planned(&nightly(), pair(), &Held::default(), &reading(600));
    assert_eq!(listed(&plan), [vec![1, 2], vec![3]]);
    assert_eq!(plan.lists.first().expect("a list").run.id, RunId(2), "the one that is most in need says how it is reached");
    let reading_one = Held { lists: [id(1)].into(), ..Held::default() };
    assert_eq!(listed(&planned(&nightly(), pair(), &reading_one, &reading(600))), [[3]]);
    let refused = Held { accounts: [name("main")].into(), ..Held::default() };
    assert!(planned(&nightly(), pair(), &refused, &reading(600)).lists.is_empty(), "a held account is only probed");
    let unseen = Held { unseen: [id(1), id(3)].into(), ..Held::default() };
    assert_eq!(planned(&nightly(), pair(), &unseen, &reading(600)).lists.len(), 2, "what could not be seen is looked at again");
    let unproved = uncertain().at(600).unproved().reading;
    assert_eq!(planned(&nightly(), pair(), &Held::default(), &unproved).lists.len(), 2, "open runs are followed by any clock");
}

#[test]
fn slots_become_rows_once_the_clock_is_proved_and_the_cursor_moves_with_them() {
    let cursor = |at_s: i64| Cursor { job: job("nightly").name, instance: id(1), at: at(at_s), taken: Vec::new() };
    let view = || View { cursors: vec![cursor(-10)], soonest: Some(at(77)), ..View::default() };
    let plan = planned(&nightly(), view(), &Held::default(), &reading(5));
    let admission = plan.admit.first().expect("an admission");
    assert_eq!((admission.cursor, admission.next_slot, admission.rows.len()), (at(5), Some(at(3_600)), 1));
    assert_eq!(plan.wake_at, Some(at(77)));
    let unproved = due().at(5).unproved().reading;
    assert!(planned(&nightly(), view(), &Held::default(), &unproved).admit.is_empty());
    let removed = policy(vec![job("other")]);
    assert!(planned(&removed, view(), &Held::default(), &reading(5)).admit.is_empty(), "a job that is gone admits nothing");
}

#[test]
fn slots_missed_before_the_return_of_a_copied_ledger_say_so() {
    let view = |s: i64| View { cursors: vec![Cursor { job: job("nightly").name, instance: id(1), at: at(s), taken: Vec::new() }], ..View::default() };
    let why = |restored, cursor: i64| {
        let plan = planned(&nightly(), view(cursor), &Held::default(), &due().restored(restored).at(100_000).reading);
        let rows = &plan.admit.first().expect("an admission").rows;
        format!("{:?}", rows.last().expect("a range").admitted)
    };
    assert!(why(Restored::Never, 0).contains("\"downtime\""));
    assert!(why(Restored::Undated, 0).contains("\"restored\""));
    assert!(why(Restored::Until(at(50)), 50).contains("\"restored\""));
    assert!(why(Restored::Until(at(50)), 51).contains("\"downtime\""));
}
