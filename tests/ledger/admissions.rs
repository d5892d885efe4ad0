//! Rows and cursors move together, and a collision stops nothing but itself.

use super::shelf::{NIGHTLY, all, at, begin, id, install, install_at, one_run, pass, policy};
use cdb_backupd::{
    domain::{
        catch_up::{Admitted, NewRun},
        names::{BackupId, JobName},
        pause::Asked,
        plan::{Admission, Held},
        reply::{BackupStatus, CallError, Class},
        run::{Key, Note, Outcome, Run, State, Windows},
    },
    ledger::{Answered, Attempt, Ledger},
};
use std::{collections::BTreeMap, time::Duration};

fn row(run: &Run, slot: i64) -> NewRun {
    let key = Key { slot: at(slot), ..run.key.clone() };
    let windows = Windows { not_before: at(slot), start_by: at(slot), complete_by: at(slot), restart_by: at(slot) };
    NewRun { key, slot_last: at(slot), slots: 1, slot_local: String::new(), windows, priority: 5, asked: Asked::default(), admitted: Admitted::Due }
}

fn missed(run: &Run, first: i64, last: i64) -> NewRun {
    let admitted = Admitted::Closed { outcome: Outcome::Missed, reason: "downtime".into(), why: "nobody was there".into() };
    NewRun { slot_last: at(last), slots: 2, admitted, ..row(run, first) }
}

fn admission(run: &Run, cursor: i64, rows: Vec<NewRun>) -> Admission {
    Admission { job: run.key.job.clone(), instance: run.key.instance.clone(), cursor: at(cursor), next_slot: Some(at(cursor + 1)), rows }
}

fn cursor(ledger: &Ledger) -> (i64, i64) {
    let cursors = "SELECT (cursor_ms - ?1) / 1000, (next_slot_ms - ?1) / 1000 FROM cursors";
    ledger.connection().query_row(cursors, [at(0).timestamp_millis()], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

#[test]
fn a_collision_does_not_keep_the_other_rows_out() {
    let (mut ledger, run) = one_run();
    let rows = vec![row(&run, 0), row(&run, 100), missed(&run, 50, 150), row(&run, 200), missed(&run, 300, 400), row(&run, 350), row(&run, 500)];
    let fresh = ledger.record(&[admission(&run, 600, rows)], &[]).unwrap();
    let slots: Vec<_> = ledger.runs(fresh).unwrap().into_values().map(|run| (run.key.slot - at(0)).num_seconds()).collect();
    assert_eq!(slots, [100, 200, 300, 500], "the taken slot, the range over a row and the row in a range are left out");
    assert_eq!(cursor(&ledger), (600, 601));
}

#[test]
fn a_cursor_never_goes_back_and_a_pair_without_one_admits_nothing() {
    let (mut ledger, run) = one_run();
    ledger.record(&[admission(&run, 600, Vec::new())], &[]).unwrap();
    ledger.record(&[admission(&run, 100, Vec::new())], &[]).unwrap();
    assert_eq!(cursor(&ledger).0, 600);
    let stranger = Admission { job: JobName::parse("other").unwrap(), ..admission(&run, 700, vec![row(&run, 650)]) };
    assert_eq!(ledger.record(&[stranger], &[]).unwrap(), []);
}

#[test]
fn rows_and_cursor_are_one_transaction() {
    let (mut ledger, run) = one_run();
    let before = (all(&mut ledger), cursor(&ledger));
    let damaged = Run { generation: 11, ..run.clone() };
    ledger.record(&[admission(&run, 600, vec![row(&run, 100)])], &[damaged]).unwrap_err();
    assert_eq!((all(&mut ledger), cursor(&ledger)), before);
}

#[test]
fn a_policy_acts_on_no_time_before_it_was_loaded_and_what_the_old_one_owed_is_missed() {
    let mut ledger = Ledger::in_memory("shelf", at(-600)).unwrap();
    let hourly = policy(&[("main", 1)], NIGHTLY);
    let states = |ledger: &mut Ledger| all(ledger).iter().map(|run| ((run.key.slot - at(0)).num_seconds(), run.word())).collect::<Vec<_>>();
    let turn = |ledger: &mut Ledger, policy: &_, s: i64| drop(pass(ledger, policy, &Held::default(), &BTreeMap::new(), s));
    install(&mut ledger, &hourly);
    turn(&mut ledger, &hourly, -1);
    assert_eq!(states(&mut ledger), [], "no slot has passed since it was loaded");
    turn(&mut ledger, &hourly, 0);
    assert_eq!(states(&mut ledger), [(0, "due")]);
    // Edited at +7300 from half past to a quarter to, while nobody ran: +3600 and +7200 were owed, and nothing of the new one before.
    let edited = policy(&[("main", 1)], &NIGHTLY.replace("30 *", "45 *"));
    assert_eq!(install_at(&mut ledger, &edited, "edited", 7_300), 1);
    turn(&mut ledger, &edited, 8_100);
    assert_eq!(states(&mut ledger), [(0, "expired"), (3_600, "missed"), (8_100, "due")]);
    let why: (i64, String, String) = ledger
        .connection()
        .query_row("SELECT slots, reason, why FROM runs WHERE state = 'missed'", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    assert_eq!((why.0, why.1.as_str(), why.2.as_str()), (2, "policy_changed", "the policy was changed before anybody ran it"));
    // The same text again owes nothing and is no new policy.
    assert_eq!(install_at(&mut ledger, &edited, "edited", 9_000), 0);
    let policies: i64 = ledger.connection().query_row("SELECT count(*) FROM policies", [], |row| row.get(0)).unwrap();
    assert_eq!(policies, 2);
}

#[test]
fn runs_of_a_job_that_is_gone_are_wished_away_until_it_comes_back() {
    let hourly = policy(&[("main", 1)], NIGHTLY);
    let (mut ledger, run) = one_run();
    let other = policy(&[("main", 1)], &NIGHTLY.replace("nightly", "other"));
    install_at(&mut ledger, &other, "other", 10);
    let wish = |ledger: &mut Ledger| ledger.runs([run.id]).unwrap()[&run.id].wish;
    assert!(wish(&mut ledger).is_some());
    install_at(&mut ledger, &hourly, "hash", 20);
    assert_eq!(wish(&mut ledger), None);
    install_at(&mut ledger, &other, "other", 30);
    pass(&mut ledger, &other, &Held::default(), &BTreeMap::new(), 40);
    assert_eq!(ledger.runs([run.id]).unwrap()[&run.id].word(), "cancelled", "at once, for it is due");
}

fn answered(run: &Run, attempt: i64, answer: Result<i64, Class>, notes: Vec<Note>) -> Answered {
    let failure = answer.err().map(|class| CallError { class, code: "Code".into(), message: "text".into() });
    let call = Attempt {
        run: run.id,
        generation: run.generation,
        begun_at: at(0),
        signed_at: 0,
        elapsed: Duration::from_millis(120),
        failure,
        request_id: Some(format!("request-{attempt}")),
    };
    Answered { run: run.clone(), notes, create: Some((attempt, call, answer.ok())), list: None, at: at(30) }
}

#[test]
fn an_answer_is_kept_with_its_call_however_late_it_comes() {
    let (mut ledger, run) = one_run();
    let first = begin(&mut ledger, run, 0);
    let mut again = first.run.clone();
    again.state = State::Due { due_at: at(600) };
    let second = begin(&mut ledger, again, 600);
    assert_eq!((first.attempt, second.attempt), (1, 2));
    let mut closed = second.run.clone();
    closed.state = State::Due { due_at: at(700) };
    closed.end_as(Outcome::Failed, None, super::shelf::reading(&ledger, 700).now);
    let note = Note::Backup { id: BackupId(501), generation: 1, status: BackupStatus::Running, found_by_list: false, duplicate: true, bytes: None };
    ledger.answered(&[answered(&closed, 2, Err(Class::Rejected), Vec::new()), answered(&closed, 1, Ok(501), vec![note])]).unwrap();
    let mut calls = ledger
        .connection()
        .prepare(
            "SELECT attempt_id || ' ' || class || ' ' || coalesce(code, '') || ' ' || coalesce(backup_id, '') || ' ' || request_id FROM attempts",
        )
        .unwrap();
    let calls = calls.query_map([], |row| row.get::<_, String>(0)).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!(calls, ["1 accepted  501 request-1", "2 rejected Code  request-2"]);
    let backup: (i64, String, i64) = ledger
        .connection()
        .query_row("SELECT backup_id, found_by, duplicate FROM backups", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    assert_eq!(backup, (501, "reply".into(), 1));
}

#[test]
fn a_number_belongs_to_the_run_that_first_had_it_and_only_a_list_changes_its_status() {
    let (mut ledger, run) = one_run();
    let note = |status, found_by_list, duplicate| Note::Backup { id: BackupId(501), generation: 1, status, found_by_list, duplicate, bytes: None };
    let told = |ledger: &mut Ledger, notes| ledger.answered(&[Answered { create: None, ..answered(&run, 1, Ok(501), notes) }]).unwrap();
    let status = |ledger: &Ledger| -> (String, i64) {
        ledger.connection().query_row("SELECT status, duplicate FROM backups", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    told(&mut ledger, vec![note(BackupStatus::Success, true, false)]);
    told(&mut ledger, vec![note(BackupStatus::Running, false, true)]);
    assert_eq!(status(&ledger), ("success".into(), 1), "a late reply knows no status");
    told(&mut ledger, vec![note(BackupStatus::Success, true, false)]);
    assert_eq!(status(&ledger).1, 1, "what was a duplicate stays one");
    told(&mut ledger, vec![Note::Vanished { id: BackupId(501) }]);
    assert_eq!(status(&ledger), ("vanished".into(), 1));
    let mut other = run.clone();
    assert_eq!(ledger.taken(&other).unwrap().len(), 0, "its own number is not taken");
    other.id.0 += 1;
    assert_eq!(ledger.taken(&other).unwrap().into_iter().collect::<Vec<_>>(), [BackupId(501)]);
    other.key.instance = id(9);
    assert_eq!(ledger.taken(&other).unwrap().len(), 0, "numbers are one instance's");
}
