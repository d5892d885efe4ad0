//! The database refuses what no row may say, whoever writes it: each state has its own columns and no others, and a column has one type.

use super::shelf::{NIGHTLY, admitted, all, at, policy};
use cdb_backupd::{
    domain::{
        names::BackupId,
        run::{Closed, Doubt, Follow, Look, Outcome, Run, State},
    },
    ledger::Ledger,
};
use rusqlite::Connection;
use std::time::Duration;

/// Columns that a state has or lacks, each with a value that would be good where it may stand.
const STATE_COLUMNS: &[(&str, &str)] = &[
    ("due_at_ms", "1"),
    ("attempt_id", "1"),
    ("signed_at_s", "1"),
    ("process", "1"),
    ("lease_ms", "1"),
    ("doubt", "'old'"),
    ("clear_after_ms", "1"),
    ("look_at_ms", "1"),
    ("look_step", "1"),
    ("look_tried", "1"),
    ("read_at_ms", "1"),
    ("backup_id", "1"),
    ("listed", "1"),
    ("since_ms", "1"),
    ("absent_since_ms", "1"),
    ("follow_until_ms", "1"),
    ("reason", "'busy'"),
    ("why", "'because'"),
    ("finished_at_ms", "1"),
    ("bytes", "1"),
    ("first_outcome", "'failed'"),
];

/// A kind of row: its name, what it must have, and what it may have beside.
type Kind = (&'static str, &'static [&'static str], &'static [&'static str]);

const KINDS: &[Kind] = &[
    ("due", &["due_at_ms"], &[]),
    ("calling", &["attempt_id", "signed_at_s", "process", "lease_ms"], &[]),
    ("uncertain", &["due_at_ms", "attempt_id", "doubt", "clear_after_ms", "look_at_ms", "look_step"], &["look_tried", "read_at_ms"]),
    ("running", &["look_at_ms", "look_step", "backup_id", "listed", "since_ms"], &["look_tried", "read_at_ms", "absent_since_ms"]),
    ("failed", &["why", "finished_at_ms"], &["reason", "backup_id", "bytes"]),
    ("succeeded", &["why", "finished_at_ms"], &["reason", "backup_id", "bytes"]),
    ("turned out good", &["why", "finished_at_ms", "first_outcome"], &["reason", "backup_id", "bytes"]),
    (
        "watched",
        &["why", "finished_at_ms", "follow_until_ms", "look_at_ms", "look_step"],
        &["reason", "backup_id", "bytes", "look_tried", "read_at_ms"],
    ),
];

fn state(kind: &str) -> State {
    let look = Look { at: at(0), step: 1, tried: None, read_at: None };
    let closed = |outcome, first_outcome, follow| {
        State::Closed(Closed { outcome, reason: None, why: "so it is".into(), at: at(0), backup: None, bytes: None, first_outcome, follow })
    };
    match kind {
        "due" => State::Due { due_at: at(0) },
        "calling" => State::Calling { attempt: 1, signed_at: 1, process: 1, lease: Duration::ZERO },
        "uncertain" => State::Uncertain { attempt: 0, doubt: Doubt::Busy, clear_after: at(0), then_due_at: at(0), look },
        "running" => State::Running { backup: BackupId(1), listed: false, since: at(0), absent_since: None, look },
        "failed" => closed(Outcome::Failed, None, None),
        "succeeded" => closed(Outcome::Succeeded, None, None),
        "turned out good" => closed(Outcome::Succeeded, Some(Outcome::Unknown), None),
        _ => closed(Outcome::TimedOut, None, Some(Follow { look, until: at(0) })),
    }
}

/// A ledger with one row of each kind, in their order.
fn of_each_kind() -> (Ledger, Vec<Run>) {
    let kinds = u32::try_from(KINDS.len()).unwrap();
    let mut ledger = admitted(&policy(&[("main", kinds)], NIGHTLY));
    let mut runs = all(&mut ledger);
    for (run, (kind, ..)) in runs.iter_mut().zip(KINDS) {
        run.state = state(kind);
    }
    ledger.record(&[], &runs).unwrap();
    (ledger, runs)
}

/// Whether the database takes a statement; it is taken back at once.
fn takes(conn: &Connection, sql: &str) -> bool {
    conn.execute_batch("SAVEPOINT tried").unwrap();
    let taken = conn.execute(sql, []);
    conn.execute_batch("ROLLBACK TO tried; RELEASE tried").unwrap();
    match taken {
        Ok(rows) => {
            assert!(rows > 0, "{sql} met no row");
            true
        }
        Err(error) if error.to_string().contains("constraint") || error.to_string().contains("mismatch") => false,
        Err(error) => panic!("{sql}: {error}"),
    }
}

#[test]
fn each_state_has_its_own_columns_and_no_others() {
    let (ledger, runs) = of_each_kind();
    for (run, (kind, needed, allowed)) in runs.iter().zip(KINDS) {
        for (column, good) in STATE_COLUMNS {
            let set = |value: &str| takes(ledger.connection(), &format!("UPDATE runs SET {column} = {value} WHERE run_id = {}", run.id));
            let (may_be_set, may_be_null) = (needed.contains(column) || allowed.contains(column), !needed.contains(column));
            assert_eq!(set(good), may_be_set, "{column} = {good} in a row that is {kind}");
            assert_eq!(set("NULL"), may_be_null, "{column} = NULL in a row that is {kind}");
        }
    }
}

#[test]
fn no_column_takes_a_value_of_another_type() {
    let (ledger, _) = of_each_kind();
    let conn = ledger.connection();
    conn.execute_batch(
        "INSERT INTO attempts (run_id, action, generation, begun_at_ms, signed_at_s) VALUES (1, 'CreateBackup', 1, 1, 1);
         INSERT INTO backups VALUES ('cdb-aaaa0001', 1, 1, 1, 'reply', 'running', 0, NULL, 1);
         INSERT INTO requests (at_ms, who, uid, what, arguments) VALUES (1, 'x', 1, 'x', 'x');
         INSERT INTO pauses (pause_id, scope, from_ms, who, reason) VALUES (1, '{}', 1, 'x', 'x');
         INSERT INTO heartbeat VALUES (1, 1, 1, 1, 'ok', '');
         INSERT INTO holds VALUES ('account_held', 'main', 1, 'AuthFailure');",
    )
    .unwrap();
    let columns =
        "SELECT t.name, c.name, c.type FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'";
    let mut columns = conn.prepare(columns).unwrap();
    let columns = columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    let columns = columns.collect::<Result<Vec<(String, String, String)>, _>>().unwrap();
    assert!(columns.len() > 100, "the columns were not found");
    for (table, column, kind) in columns {
        let wrong: &[&str] = if kind == "INTEGER" { &["'a word'", "1.5", "x'00'"] } else { &["x'00'"] };
        for value in wrong {
            assert!(!takes(conn, &format!("UPDATE {table} SET {column} = {value}")), "{table}.{column} took {value}");
        }
    }
}

#[test]
fn numbers_and_words_outside_their_range_are_refused() {
    let (ledger, _) = of_each_kind();
    let conn = ledger.connection();
    let due = |set: &str| takes(conn, &format!("UPDATE runs SET {set} WHERE run_id = 1"));
    for good in [
        "priority = 0",
        "priority = 9",
        "generation = 10",
        "trigger = 'manual', request = 1, asked = 1",
        "asked = 1, even_if_held = 1, behind_ms = 1",
        "slot_last_ms = slot_ms",
        "wish = 'cancel'",
    ] {
        assert!(due(good), "{good}");
    }
    for bad in [
        "trigger = 'cron'",
        "trigger = 'manual'",
        "trigger = 'manual', request = 1",
        "even_if_held = 1",
        "behind_ms = -1",
        "request = 1",
        "slot_last_ms = slot_ms - 1",
        "slots = 0",
        "slots = 2",
        "priority = 10",
        "priority = -1",
        "alias = printf('%059d', 1)",
        "complete_by_ms = start_by_ms - 1",
        "restart_by_ms = complete_by_ms + 1",
        "generation = 0",
        "generation = 11",
        "wish = 'stop'",
        "last_class = 'sad'",
        "looked_process = 1",
        "looked_generation = 1",
        "late = 1",
        "late = 2",
        "terms_id = 999",
        "policy_id = 999",
        "job = NULL",
        "slot_ms = NULL",
        "state = NULL",
    ] {
        assert!(!due(bad), "{bad}");
    }
    for (run, bad) in [
        (3, "doubt = 'perhaps'"),
        (4, "backup_id = 0"),
        (4, "backup_id = -1"),
        (4, "listed = 2"),
        (6, "late = 1"),
        (7, "first_outcome = 'succeeded'"),
        (7, "first_outcome = 'lost'"),
        (7, "late = 0"),
    ] {
        assert!(!takes(conn, &format!("UPDATE runs SET {bad} WHERE run_id = {run}")), "{bad} in run {run}");
    }
}

#[test]
fn what_stands_beside_the_runs_is_held_to_its_words_too() {
    let (ledger, _) = of_each_kind();
    let conn = ledger.connection();
    let attempt = |run: i64, action: &str| {
        takes(conn, &format!("INSERT INTO attempts (run_id, action, generation, begun_at_ms, signed_at_s) VALUES ({run}, '{action}', 1, 1, 1)"))
    };
    assert!(attempt(1, "CreateBackup") && attempt(1, "DescribeBackups"));
    assert!(!attempt(1, "DeleteBackup") && !attempt(999, "CreateBackup"));
    let backup = |values: &str| takes(conn, &format!("INSERT INTO backups VALUES ('cdb-aaaa0001', {values}, NULL, 1)"));
    assert!(backup("1, 1, 1, 'reply', 'running', 0"));
    for bad in [
        "0, 1, 1, 'reply', 'running', 0",
        "1, 999, 1, 'reply', 'running', 0",
        "1, 1, 1, 'luck', 'running', 0",
        "1, 1, 1, 'list', 'good', 0",
        "1, 1, 1, 'list', 'failed', 2",
    ] {
        assert!(!backup(bad), "{bad}");
    }
    let terms = |set: &str| takes(conn, &format!("UPDATE terms SET {set}"));
    assert!(terms("method = 'logical', encrypted = NULL, tables = '[]'") && terms("encrypted = 1"));
    for bad in [
        "method = 'copy'",
        "tables = '[]'",
        "method = 'snapshot', encrypted = 1",
        "encrypted = 2",
        "after_failed = 9",
        "after_failed = -1",
        "overlap = 'both'",
    ] {
        assert!(!terms(bad), "{bad}");
    }
    assert!(!takes(conn, "INSERT INTO heartbeat VALUES (2, 1, 1, 1, 'ok', '')"), "one heart beats");
    assert!(!takes(conn, "DELETE FROM terms"), "what runs were called with stays");
}
