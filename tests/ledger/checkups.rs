//! `ledger check`: a sound ledger has nothing to tell, and each thing that rows may not say together is found and named.

use super::shelf::{NIGHTLY, Shelf, at, install, policy};
use cdb_backupd::{
    domain::policy::HistoryBounds,
    ledger::{
        Ledger,
        check::{self, FINDINGS_MAX},
    },
};
use rusqlite::Connection;
use std::{fs, time::Duration};

const HOUR: i64 = 3_600;

/// Two instances of one job, six slots each that ended well, in a file; nobody has it open.
fn sound() -> Shelf {
    let shelf = Shelf::new();
    let mut ledger = shelf.open().ledger;
    install(&mut ledger, &policy(&[("main", 2)], NIGHTLY));
    let conn = ledger.connection();
    for instance in ["cdb-aaaa0001", "cdb-aaaa0002"] {
        for slot in 0..6 {
            good(conn, instance, slot);
        }
    }
    conn.execute("UPDATE cursors SET cursor_ms = ?1, next_slot_ms = ?2", [ms(5 * HOUR + 60), ms(6 * HOUR)]).unwrap();
    drop(ledger);
    shelf
}

fn ms(s: i64) -> i64 {
    at(s).timestamp_millis()
}

/// A run of the schedule that ended well, its one call and its backup.
fn good(conn: &Connection, instance: &str, slot: i64) {
    let alias = format!("nightly.{instance}.{slot}");
    conn.execute(
        "INSERT INTO runs (job, instance_id, slot_ms, trigger, slot_local, slot_last_ms, slots, terms_id, account, priority, alias, not_before_ms,
           start_by_ms, complete_by_ms, restart_by_ms, state, attempts, backup_id, why, finished_at_ms)
         VALUES ('nightly', ?1, ?2, 'schedule', '', ?2, 1, 1, 'main', 5, ?3, ?2, ?2, ?2, ?2, 'succeeded', 1, ?4, 'good', ?2)",
        rusqlite::params![instance, ms(slot * HOUR), alias, 100 + slot],
    )
    .unwrap();
    let run = conn.last_insert_rowid();
    let attempt = "INSERT INTO attempts (run_id, action, generation, begun_at_ms, signed_at_s, class, backup_id) VALUES (?1, 'CreateBackup', 1, 1, 1, 'accepted', ?2)";
    conn.execute(attempt, [run, 100 + slot]).unwrap();
    conn.execute("INSERT INTO backups VALUES (?1, ?2, ?3, 1, 'reply', 'success', 0, NULL, 1)", rusqlite::params![instance, 100 + slot, run]).unwrap();
}

/// What a check finds after this was done to a sound ledger: code and run.
fn found(sql: &str) -> Vec<(&'static str, Option<i64>)> {
    let shelf = sound();
    let conn = Connection::open(shelf.path()).unwrap();
    conn.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; DROP TRIGGER a_closed_run_may_only_turn_out_good").unwrap();
    conn.execute_batch(sql).unwrap();
    drop(conn);
    let checked = check::check(&shelf.path()).unwrap();
    checked.findings.into_iter().map(|finding| (finding.code, finding.run_id)).collect()
}

#[test]
fn a_sound_ledger_has_nothing_to_tell() {
    let shelf = sound();
    let before = shelf.copy();
    let checked = check::check(&shelf.path()).unwrap();
    assert_eq!((checked.runs, checked.pairs, checked.findings.as_slice()), (12, 2, [].as_slice()));
    assert_eq!(shelf.copy(), before, "it is only read");
    let _daemon = shelf.open();
    assert_eq!(check::check(&shelf.path()).unwrap().findings, [], "beside a daemon");
}

#[test]
fn each_thing_that_rows_may_not_say_together_is_found() {
    let second = "INSERT INTO backups VALUES ('cdb-aaaa0001', 900, 1,";
    for (sql, expected) in [
        (
            "DELETE FROM runs WHERE run_id = 3; DELETE FROM attempts WHERE run_id = 3; DELETE FROM backups WHERE run_id = 3",
            ("slot-without-a-row", None),
        ),
        (
            "UPDATE cursors SET cursor_ms = cursor_ms + 3600000, next_slot_ms = next_slot_ms + 3600000 WHERE instance_id = 'cdb-aaaa0001'",
            ("slot-without-a-row", None),
        ),
        ("UPDATE cursors SET next_slot_ms = next_slot_ms + 1 WHERE instance_id = 'cdb-aaaa0001'", ("next-slot-wrong", None)),
        ("UPDATE cursors SET schedule = 'never' WHERE instance_id = 'cdb-aaaa0001'", ("schedule-not-understood", None)),
        ("UPDATE runs SET slot_last_ms = slot_last_ms + 3600000, slots = 2, state = 'missed' WHERE run_id = 1", ("covered-twice", Some(1))),
        (&format!("{second} 1, 'list', 'failed', 0, NULL, 1)"), ("two-backups-of-a-generation", Some(1))),
        (&format!("{second} 2, 'list', 'running', 0, NULL, 1)"), ("two-backups-of-a-run", Some(1))),
        (&format!("{second} 1, 'reply', 'running', 1, NULL, 1)"), ("two-backups-of-a-generation", Some(1))),
        ("UPDATE runs SET backup_id = NULL WHERE run_id = 2", ("good-without-a-backup", Some(2))),
        ("UPDATE runs SET backup_id = 77 WHERE run_id = 2", ("unknown-backup", Some(2))),
        ("UPDATE attempts SET backup_id = 77 WHERE run_id = 2", ("unknown-backup-of-a-call", Some(2))),
        ("UPDATE runs SET alias = (SELECT alias FROM runs WHERE run_id = 1) WHERE run_id = 2", ("one-name-for-two", Some(2))),
        ("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'attempts'", ("attempts-numbered-back", None)),
        ("UPDATE runs SET policy_id = 99 WHERE run_id = 2", ("refers-to-nothing", None)),
    ] {
        assert_eq!(found(sql), [expected], "{sql}");
    }
    let two = found("UPDATE backups SET instance_id = 'cdb-zzzz0001' WHERE run_id = 2");
    assert!(two.contains(&("backup-of-another-instance", Some(2))), "{two:?}");
}

#[test]
fn an_open_run_needs_a_time_an_attempt_and_the_name_of_its_key() {
    let open = |state: &str, columns: &str| {
        found(&format!("UPDATE runs SET backup_id = NULL, why = NULL, finished_at_ms = NULL, state = '{state}', {columns} WHERE run_id = 2"))
    };
    let codes = |found: Vec<(&'static str, Option<i64>)>| found.into_iter().map(|(code, _)| code).collect::<Vec<_>>();
    assert_eq!(codes(open("due", "due_at_ms = 1, next_at_ms = 1")), ["another-name"]);
    assert_eq!(codes(open("due", "due_at_ms = 1")), ["open-without-a-time", "another-name"]);
    let calling = "attempt_id = 99, signed_at_s = 1, process = 1, lease_ms = 1";
    assert_eq!(codes(open("calling", calling)), ["call-without-an-attempt", "another-name"], "a call in flight needs no time: its process has it");
}

#[test]
fn a_number_that_no_list_ever_showed_beside_the_listed_one_is_one_backup() {
    assert_eq!(found("INSERT INTO backups VALUES ('cdb-aaaa0001', 900, 1, 1, 'reply', 'running', 0, NULL, 1)"), []);
}

#[test]
fn what_was_dropped_as_too_old_is_not_missed() {
    let shelf = sound();
    let mut ledger = shelf.open().ledger;
    let mut sweep = ledger.sweep(HistoryBounds { max_age: Duration::from_secs(3 * 3_600), max_runs: 1_000 }, at(5 * HOUR)).unwrap();
    assert!(!ledger.prune(&mut sweep).unwrap() && sweep.pruned > 0);
    drop(ledger);
    assert_eq!(check::check(&shelf.path()).unwrap().findings, []);
    let conn = Connection::open(shelf.path()).unwrap();
    conn.execute_batch("PRAGMA foreign_keys = ON; DELETE FROM runs WHERE run_id = 5").unwrap();
    let findings = check::check(&shelf.path()).unwrap().findings;
    assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["slot-without-a-row"], "what went later is missed");
}

#[test]
fn many_findings_are_counted_and_the_first_are_told() {
    let shelf = sound();
    let conn = Connection::open(shelf.path()).unwrap();
    for request in 1..=FINDINGS_MAX + 20 {
        let sql =
            "INSERT INTO runs (job, instance_id, slot_ms, trigger, request, asked, slot_local, slot_last_ms, slots, terms_id, account, priority, alias,
             not_before_ms, start_by_ms, complete_by_ms, restart_by_ms, state, due_at_ms, next_at_ms)
           VALUES ('nightly', 'cdb-aaaa0001', 1, 'manual', ?1, ?1, '', 1, 1, 1, 'main', 5, 'x' || ?1, 1, 1, 1, 1, 'due', 1, NULL)";
        conn.execute(sql, [request as i64]).unwrap();
    }
    let checked = check::check(&shelf.path()).unwrap();
    assert_eq!((checked.findings.len(), checked.beyond), (FINDINGS_MAX, 2 * (FINDINGS_MAX as u64 + 20) - FINDINGS_MAX as u64));
}

#[test]
fn a_file_with_a_broken_page_is_damaged_and_one_that_is_no_ledger_is_none() {
    let shelf = sound();
    let mut bytes = fs::read(shelf.path()).unwrap();
    let at = bytes.len() - 3 * 4_096;
    bytes[at..at + 4_096].fill(0x5a);
    fs::write(shelf.path(), bytes).unwrap();
    let findings = check::check(&shelf.path()).unwrap().findings;
    assert!(!findings.is_empty() && findings.iter().all(|finding| finding.code == "damaged"), "{findings:?}");
    fs::write(shelf.path(), "this is no database ".repeat(100)).unwrap();
    assert!(check::check(&shelf.path()).is_err());
    let error = check::check(&shelf.folder().join("none.db")).unwrap_err();
    assert_eq!(error.to_string(), format!("there is no ledger at {}", shelf.folder().join("none.db").display()));
    assert!(Ledger::rehearsal(&shelf.path(), at_now()).is_err(), "nor is it rehearsed with");
}

fn at_now() -> chrono::DateTime<chrono::Utc> {
    at(0)
}
