//! What the database itself forbids of whole rows: a second row for a slot, and a closed row that changes its mind.

use super::shelf::one_run;
use rusqlite::{Connection, params};

/// Puts a row for the slots `first..=last` of the run's pair: an ordinary one, or a missed range. Says whether it is there.
fn put(conn: &Connection, trigger: &str, first: i64, last: i64, slots: i64) -> bool {
    let (state, due, ended) = if slots > 1 { ("missed", None, Some(1)) } else { ("due", Some(1), None) };
    let inserted = conn
        .execute(
            "INSERT INTO runs (job, instance_id, slot_ms, trigger, request, asked, slot_local, slot_last_ms, slots, terms_id, account, priority, alias,
               not_before_ms, start_by_ms, complete_by_ms, restart_by_ms, state, due_at_ms, why, finished_at_ms)
             VALUES ('hourly', 'cdb-aaaa0009', ?1, ?2, ?3, ?3, '', ?4, ?5, 1, 'main', 5, '', 0, 0, 0, 0, ?6, ?7, ?8, ?8) ON CONFLICT DO NOTHING",
            params![first, trigger, i64::from(trigger == "manual"), last, slots, state, due, ended],
        )
        .unwrap();
    inserted == 1
}

#[test]
fn a_missed_slot_has_no_row_of_its_own_and_a_range_covers_no_row() {
    let (ledger, _) = one_run();
    let conn = ledger.connection();
    assert!(put(conn, "schedule", 100, 200, 5));
    for (slot, there) in [(99, true), (100, false), (150, false), (200, false), (201, true)] {
        assert_eq!(put(conn, "schedule", slot, slot, 1), there, "a row at {slot}");
    }
    for (first, last, there) in
        [(50, 99, false), (50, 98, true), (150, 160, false), (90, 300, false), (200, 300, false), (201, 300, false), (202, 300, true)]
    {
        assert_eq!(put(conn, "schedule", first, last, 2), there, "a range from {first} to {last}");
    }
    assert!(put(conn, "manual", 150, 150, 1), "a person may ask for any time");
    assert!(put(conn, "schedule", 400, 500, 2) && !put(conn, "schedule", 400, 400, 1));
}

#[test]
fn one_slot_has_one_row() {
    let (ledger, _) = one_run();
    let conn = ledger.connection();
    assert!(put(conn, "schedule", 100, 100, 1));
    assert!(!put(conn, "schedule", 100, 100, 1));
    assert!(put(conn, "manual", 100, 100, 1), "a request is another key");
    assert!(!put(conn, "manual", 100, 100, 1));
}

const CLOSED: [&str; 8] = ["succeeded", "failed", "timed_out", "unknown", "expired", "missed", "skipped", "cancelled"];

#[test]
fn a_closed_run_changes_only_to_good_and_late() {
    let (ledger, run) = one_run();
    let conn = ledger.connection();
    let close = |word: &str| {
        conn.execute_batch("SAVEPOINT closed").unwrap();
        conn.execute("UPDATE runs SET state = ?1, due_at_ms = NULL, why = '', finished_at_ms = 1 WHERE run_id = ?2", params![word, run.id.0])
            .unwrap();
    };
    let change = |set: &str| conn.execute(&format!("UPDATE runs SET {set} WHERE run_id = {}", run.id), []);
    for from in CLOSED {
        for to in CLOSED.into_iter().filter(|to| *to != from) {
            close(from);
            let error = change(&format!("state = '{to}'")).unwrap_err().to_string();
            assert!(error.contains("a closed run may only turn out good"), "from {from} to {to}: {error}");
            conn.execute_batch("ROLLBACK TO closed; RELEASE closed").unwrap();
        }
        for open in
            ["state = 'due', due_at_ms = 1, why = NULL, finished_at_ms = NULL", "state = 'calling'", "state = 'uncertain'", "state = 'running'"]
        {
            close(from);
            assert!(change(open).is_err(), "from {from} to {open}");
            conn.execute_batch("ROLLBACK TO closed; RELEASE closed").unwrap();
        }
        close(from);
        let late = |first: &str| change(&format!("state = 'succeeded', late = 1, first_outcome = '{first}'"));
        let other = if from == "failed" { "unknown" } else { "failed" };
        if from == "succeeded" {
            assert!(change("bytes = 5").is_ok(), "a good one learns its size");
        } else {
            assert!(late(other).is_err(), "{from} did not end as {other}");
            assert!(late(from).is_ok(), "{from} turned out good");
            assert!(late(from).is_ok() && change("state = 'failed'").is_err(), "and stays so");
        }
        conn.execute_batch("ROLLBACK TO closed; RELEASE closed").unwrap();
    }
}
