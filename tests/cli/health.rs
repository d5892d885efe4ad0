//! `health`: what an orchestrator and a person are told of a daemon, from its ledger alone.

use cdb_backupd::{
    clock::{Clock, SystemClock},
    ledger::Ledger,
};
use chrono::TimeDelta;
use std::{
    path::Path,
    process::{Command, Output},
};

fn health(ledger: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"));
    command.arg("health").args(more).env_clear().env("CDB_BACKUPD_LEDGER", ledger).env("CDB_BACKUPD_CONFIG", "/nowhere/policy.yaml");
    command.output().expect("the binary starts")
}

fn ends(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A ledger whose daemon wrote its pulse so long ago.
fn pulsed(folder: &tempfile::TempDir, age: TimeDelta) -> std::path::PathBuf {
    let (path, now) = (folder.path().join("ledger.db"), SystemClock::new().now().utc);
    let mut ledger = Ledger::open(&path, "health", now).expect("a ledger").ledger;
    ledger.heartbeat(now - age, 1, "ok", "").expect("a pulse");
    path
}

#[test]
fn a_daemon_that_turns_is_well_and_no_policy_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = pulsed(&folder, TimeDelta::seconds(2));
    let (code, text) = ends(&health(&path, &[]));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("ok: last pass ") && text.ends_with(" s ago\n") && text.lines().count() == 1, "{text}");
}

#[test]
fn a_daemon_that_stands_still_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = pulsed(&folder, TimeDelta::minutes(10));
    let (code, text) = ends(&health(&path, &[]));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.starts_with("not ok: last pass 10m ago; ") && text.lines().count() == 1, "{text}");
    let (code, json) = ends(&health(&path, &["-o", "json"]));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((code, &json["schema_version"], &json["ok"], &json["verdict"]), (Some(1), &1.into(), &false.into(), &"ok".into()));
    assert!(json["last_pass_age_s"].as_i64().is_some_and(|age| (600..700).contains(&age)) && json["advice"].is_string(), "{json}");
}

#[test]
fn a_ledger_that_no_daemon_has_made_yet_is_not_well_and_is_not_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("no/ledger.db");
    let (code, text) = ends(&health(&path, &[]));
    assert_eq!(code, Some(1));
    assert!(text.starts_with("not ok: no pass has finished in ") && text.lines().count() == 1, "{text}");
    assert!(!folder.path().join("no").exists());
}

#[test]
fn a_file_that_is_no_ledger_ends_as_in_history() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "this is no ledger ".repeat(100)).expect("a file");
    assert_eq!(health(&path, &[]).status.code(), Some(74));
}
