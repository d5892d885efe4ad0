//! What the planner sees: the head of each instance's line that no hold keeps, and a view that stays small whatever waits.

use super::shelf::{NIGHTLY, admitted, all, at, begin, id, pass, policy, reading};
use cdb_backupd::{
    domain::{
        names::{AccountName, BackupId, JobName},
        plan::{Held, Plan},
        policy::Policy,
        run::{Look, Run, State, due::Kept},
    },
    ledger::Ledger,
};
use std::collections::{BTreeMap, BTreeSet};

type KeptJobs = BTreeMap<JobName, Kept>;

fn paused(jobs: &[&str]) -> KeptJobs {
    jobs.iter().map(|job| (JobName::parse(job).unwrap(), Kept::Paused)).collect()
}

fn unseen(numbers: impl IntoIterator<Item = u32>) -> Held {
    Held { unseen: numbers.into_iter().map(id).collect(), ..Held::default() }
}

fn started(plan: &Plan) -> Vec<(String, String)> {
    plan.begin.iter().map(|run| (run.key.job.to_string(), run.key.instance.to_string())).collect()
}

/// `urgent` on the first hundred of an account, and `last` on one more: nobody stands before it but the hundred.
fn hundred_and_one() -> Policy {
    let ids: Vec<String> = (1..=100).map(|number| id(number).to_string()).collect();
    let jobs = format!(
        "  - {{ name: urgent, schedule: \"30 * * * *\", targets: {{ instances: [{}] }}, method: physical, priority: 0 }}
  - {{ name: last, schedule: \"30 * * * *\", targets: {{ instances: [{}] }}, method: physical, priority: 9 }}\n",
        ids.join(", "),
        id(101)
    );
    policy(&[("main", 101)], &jobs)
}

fn the_last() -> (String, String) {
    ("last".into(), id(101).to_string())
}

#[test]
fn a_hundred_held_runs_never_stand_before_one_that_may_start() {
    let policy = hundred_and_one();
    let mut ledger = admitted(&policy);
    let nothing = KeptJobs::new();
    assert_eq!(started(&pass(&mut ledger, &policy, &Held::default(), &nothing, 1)).len(), 4, "a pass shows the next few");
    assert_eq!(started(&pass(&mut ledger, &policy, &Held::default(), &paused(&["urgent"]), 2)), [the_last()], "paused");
    assert_eq!(started(&pass(&mut ledger, &policy, &unseen(1..=100), &nothing, 3)), [the_last()], "not to be looked at");
    let again = started(&pass(&mut ledger, &policy, &Held::default(), &nothing, 4));
    assert_eq!(again.len(), 4, "they come back when the hold is gone");
    assert!(again.iter().all(|(job, _)| job == "urgent"), "in start order: {again:?}");
    let some = started(&pass(&mut ledger, &policy, &unseen(1..=98), &nothing, 5));
    assert_eq!(some.len(), 3, "two and the last: {some:?}");
}

#[test]
fn a_hundred_runs_of_a_held_account_never_stand_before_another_accounts() {
    let policy = policy(&[("main", 100), ("pay", 1)], NIGHTLY);
    let mut ledger = admitted(&policy);
    let held = Held { accounts: [AccountName::parse("main").unwrap()].into(), ..Held::default() };
    assert_eq!(started(&pass(&mut ledger, &policy, &held, &KeptJobs::new(), 1)), [("nightly".to_owned(), id(101).to_string())]);
    assert_eq!(pass(&mut ledger, &policy, &Held::default(), &KeptJobs::new(), 2).begin.len(), 5);
}

#[test]
fn a_hundred_busy_instances_never_stand_before_a_free_one() {
    let policy = hundred_and_one();
    let mut ledger = admitted(&policy);
    let (mut busy, _): (Vec<Run>, Vec<Run>) = all(&mut ledger).into_iter().partition(|run| run.key.job.as_str() == "urgent");
    let look = Look::first(at(9_000));
    for run in &mut busy {
        run.state = State::Running { backup: BackupId(run.id.0), listed: true, since: at(0), absent_since: None, look };
    }
    ledger.record(&[], &busy).unwrap();
    let mut plan = pass(&mut ledger, &policy, &Held::default(), &KeptJobs::new(), 3_600);
    for _ in 0..2 {
        plan = pass(&mut ledger, &policy, &Held::default(), &KeptJobs::new(), 3_601);
    }
    let begun = started(&plan);
    assert_eq!(begun, [the_last()], "the next hour's runs wait for the instances, and the older of its two comes first");
    assert_eq!(plan.begin[0].key.slot, at(0));
    let lines: i64 = ledger.connection().query_row("SELECT count(*) FROM runs WHERE state = 'due'", [], |row| row.get(0)).unwrap();
    assert_eq!(lines, 102);
}

#[test]
fn one_run_of_an_instance_is_in_flight_and_its_head_is_the_first_that_no_hold_keeps() {
    let jobs = NIGHTLY.to_owned() + &NIGHTLY.replace("nightly", "backup-b").replace("method", "priority: 1, method");
    let policy = policy(&[("main", 1)], &jobs);
    let mut ledger = admitted(&policy);
    let next = |ledger: &mut Ledger, kept: &KeptJobs, s| {
        started(&pass(ledger, &policy, &Held::default(), kept, s)).into_iter().map(|(job, _)| job).collect::<Vec<_>>()
    };
    assert_eq!(next(&mut ledger, &KeptJobs::new(), 1), ["backup-b"], "by priority");
    assert_eq!(next(&mut ledger, &paused(&["backup-b"]), 2), ["nightly"], "a held one lets the other pass");
    let head = pass(&mut ledger, &policy, &Held::default(), &KeptJobs::new(), 3).begin.pop().unwrap();
    let begun = begin(&mut ledger, head, 3);
    assert_eq!(next(&mut ledger, &KeptJobs::new(), 4), [""; 0], "calling");
    let mut refused = begun.run;
    refused.state = State::Due { due_at: at(60) };
    ledger.record(&[], &[refused]).unwrap();
    assert_eq!(next(&mut ledger, &KeptJobs::new(), 5), ["nightly"], "while it waits for its next try the other starts");
    assert_eq!(next(&mut ledger, &KeptJobs::new(), 60), ["backup-b"], "then it is first again");
}

#[test]
fn a_later_slot_of_a_job_waits_behind_the_earlier_one_even_in_its_backoff() {
    let policy = policy(&[("main", 1)], NIGHTLY);
    let mut ledger = admitted(&policy);
    let head = pass(&mut ledger, &policy, &Held::default(), &KeptJobs::new(), 1).begin.pop().unwrap();
    let mut waiting = begin(&mut ledger, head, 1).run;
    waiting.state = State::Due { due_at: at(5_000) };
    ledger.record(&[], &[waiting]).unwrap();
    pass(&mut ledger, &policy, &Held::default(), &KeptJobs::new(), 3_600);
    assert_eq!(all(&mut ledger).len(), 2);
    assert_eq!(pass(&mut ledger, &policy, &Held::default(), &KeptJobs::new(), 3_601).begin.len(), 0);
    assert_eq!(pass(&mut ledger, &policy, &Held::default(), &KeptJobs::new(), 5_000).begin[0].key.slot, at(0));
}

#[test]
fn a_run_behind_an_open_one_is_skipped_by_a_list_younger_than_its_not_before() {
    let policy = policy(&[("main", 1)], NIGHTLY);
    let mut ledger = admitted(&policy);
    let mut first = all(&mut ledger).pop().unwrap();
    let mut polled = |ledger: &mut Ledger, read_at: i64| {
        let look = Look { at: at(90_000), step: 1, tried: None, read_at: Some(at(read_at)) };
        first.state = State::Running { backup: BackupId(1), listed: true, since: at(0), absent_since: None, look };
        ledger.record(&[], std::slice::from_ref(&first)).unwrap();
    };
    polled(&mut ledger, 3_600);
    pass(&mut ledger, &policy, &Held::default(), &KeptJobs::new(), 3_600);
    let second = |ledger: &mut Ledger| all(ledger)[1].word();
    pass(&mut ledger, &policy, &Held::default(), &KeptJobs::new(), 3_700);
    assert_eq!(second(&mut ledger), "due", "a list of that very moment says nothing of it");
    polled(&mut ledger, 3_601);
    pass(&mut ledger, &policy, &Held::default(), &KeptJobs::new(), 3_701);
    assert_eq!(second(&mut ledger), "skipped");
}

#[test]
fn a_clock_that_goes_back_shows_no_run_before_its_time() {
    let mut ledger = admitted(&policy(&[("main", 3)], NIGHTLY));
    for (s, shown) in [(100, 3), (-10, 0), (0, 3), (-10, 0), (200, 3)] {
        let reading = reading(&ledger, s);
        assert_eq!(ledger.view(&BTreeSet::new(), &reading).unwrap().queue.len(), shown, "at {s}");
    }
}

#[test]
fn a_view_stays_small_whatever_waits() {
    let policy = policy(&[("main", 1_500)], NIGHTLY);
    let mut ledger = admitted(&policy);
    let conn = ledger.connection();
    let lane = |lane: i64, set: &str| conn.execute(&format!("UPDATE runs SET {set} WHERE run_id % 5 = {lane}"), []).unwrap();
    let open = "next_at_ms = 1, look_at_ms = 1, look_step = 1";
    lane(0, "next_at_ms = 1");
    lane(1, &format!("state = 'uncertain', attempt_id = 1, doubt = 'busy', clear_after_ms = 1, {open}"));
    lane(2, &format!("state = 'running', due_at_ms = NULL, backup_id = 1, listed = 1, since_ms = 1, {open}"));
    lane(3, &format!("state = 'unknown', due_at_ms = NULL, why = '', finished_at_ms = 1, follow_until_ms = 1, {open}"));
    lane(4, "state = 'calling', due_at_ms = NULL, attempt_id = 1, signed_at_s = 1, process = 1, lease_ms = 1, next_at_ms = NULL");
    let reading = reading(&ledger, 50_000);
    let view = ledger.view(&BTreeSet::new(), &reading).unwrap();
    assert!(view.timed.len() <= 256 && view.queue.len() <= 16, "{} timed, {} in the queue", view.timed.len(), view.queue.len());
    let kinds: BTreeSet<&str> = view.timed.iter().map(|waiting| waiting.run.word()).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["calling", "due", "running", "uncertain", "unknown"], "each kind has its share");
    assert_eq!(view.in_flight.into_values().collect::<Vec<_>>(), [900]);
}

#[test]
fn a_view_says_when_anything_else_comes_due() {
    let policy = policy(&[("main", 1)], NIGHTLY);
    let mut ledger = admitted(&policy);
    let soonest = |ledger: &mut Ledger, s: i64| {
        let reading = reading(ledger, s);
        ledger.view(&BTreeSet::new(), &reading).unwrap().soonest.map(|t| (t - at(0)).num_seconds())
    };
    assert_eq!(soonest(&mut ledger, 1), Some(3_600), "the next slot");
    let mut run = all(&mut ledger).pop().unwrap();
    run.state = State::Due { due_at: at(77) };
    ledger.record(&[], std::slice::from_ref(&run)).unwrap();
    assert_eq!(soonest(&mut ledger, 1), Some(77), "the end of a wait");
    let look = Look::first(at(50));
    run.state = State::Running { backup: BackupId(1), listed: true, since: at(0), absent_since: None, look };
    ledger.record(&[], &[run]).unwrap();
    assert_eq!(soonest(&mut ledger, 1), Some(50), "a poll");
    assert_eq!(soonest(&mut ledger, 50), Some(3_600), "which is not ahead any more");
}
