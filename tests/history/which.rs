//! The binary: which ledger it reads, which times it takes, and what it says when it cannot.

use crate::books::Books;
use std::{
    path::Path,
    process::{Command, Output},
};

fn cdb_backupd(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"));
    command.args(args).env_clear().env("TZ", "Asia/Shanghai");
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn write(books: &Books, text: &str) -> String {
    let path = books.folder.path().join("policy.yaml");
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

fn named(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[test]
fn the_policys_ledger_goes_before_the_environments_as_in_run() {
    let (books, other) = (Books::full(), Books::empty());
    let policy = write(&books, &format!("version: 1\nledger: {}\n", books.path().display()));
    for args in [&["history", "-c", &policy][..], &["show", "3", "-c", &policy]] {
        let output = cdb_backupd(args).env("CDB_BACKUPD_LEDGER", other.path()).output().unwrap();
        assert!(output.status.success() && stdout(&output).contains("pay-hourly"), "{output:?}");
    }
    let option = cdb_backupd(&["history", "-c", &policy, "--ledger", &named(&other.path())]).output().unwrap();
    assert!(stderr(&option).contains("no run matches"), "{option:?}");
    let silent = write(&books, "version: 1\n");
    let of_env = cdb_backupd(&["history", "-c", &silent]).env("CDB_BACKUPD_LEDGER", books.path()).output().unwrap();
    assert!(stdout(&of_env).contains("pay-hourly"), "{of_env:?}");
    let of_state = cdb_backupd(&["history", "-c", &silent]).env("STATE_DIRECTORY", books.folder.path()).output().unwrap();
    assert!(stdout(&of_state).contains("pay-hourly"), "{of_state:?}");
}

#[test]
fn without_a_policy_the_environments_ledger_is_read_and_that_is_told() {
    let books = Books::full();
    let broken = write(&books, "version: 1\nledgre: x\n");
    for policy in [broken.as_str(), "/nowhere/policy.yaml"] {
        let output = cdb_backupd(&["history", "-c", policy]).env("CDB_BACKUPD_LEDGER", books.path()).output().unwrap();
        assert!(output.status.success() && stdout(&output).contains("pay-hourly"), "{output:?}");
        assert!(stderr(&output).contains("reading the ledger that the environment names, ") && stderr(&output).lines().count() == 1, "{output:?}");
    }
}

#[test]
fn a_broken_policy_is_told_with_the_option_that_does_without() {
    let books = Books::full();
    let broken = write(&books, "version: 1\nledgre: x\n");
    for args in [&["history"][..], &["show", "1"]] {
        let output = cdb_backupd(&[args, &["-c", &broken]].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(78));
        assert!(stderr(&output).contains("did you mean `ledger`?"), "{output:?}");
        assert!(stderr(&output).ends_with("cdb-backupd: name the ledger with `--ledger PATH` to read it without a policy\n"), "{output:?}");
    }
}

#[test]
fn a_missing_policy_is_told_once() {
    for args in [&["history"][..], &["next"], &["run"]] {
        let output = cdb_backupd(&[args, &["-c", "/nowhere/policy.yaml"]].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(78));
        let said = stderr(&output);
        assert!(said.starts_with("cdb-backupd: there is no policy at /nowhere/policy.yaml; name the policy with"), "{said}");
        assert_eq!((said.matches("there is no policy").count(), said.contains("--ledger")), (1, args == ["history"]), "{said}");
    }
}

#[test]
fn times_between_which_nothing_lies_are_a_wrong_command_line() {
    let books = Books::full();
    let ledger = named(&books.path());
    for times in [["--since", "1h", "--until", "2h"], ["--since", "2026-11-24", "--until", "2026-11-24"]] {
        let output = cdb_backupd(&[&["history", "--ledger", &ledger][..], &times].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(stderr(&output).contains("no time lies between --since and --until"), "{output:?}");
    }
}

#[test]
fn a_date_is_its_midnight_in_the_zone_and_the_zone_is_shown() {
    let books = Books::full();
    let ledger = named(&books.path());
    let runs = |more: &[&str]| {
        let output = cdb_backupd(&[&["history", "--ledger", &ledger][..], more].concat()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        stdout(&output)
    };
    assert!(runs(&["--until", "2026-11-24"]).is_empty(), "the first slot is at 02:30 in Shanghai");
    let utc = runs(&["--until", "2026-11-24", "--tz", "Etc/UTC"]);
    assert_eq!(utc.matches("2026-11-23 ").count(), 5, "{utc}");
    assert!(utc.contains("2026-11-23 18:30+00"), "{utc}");
}

#[test]
fn a_number_that_is_none_is_refused_with_a_sentence() {
    for number in ["#5", "0", "last"] {
        let output = cdb_backupd(&["show", number, "--ledger", "/nowhere/ledger.db"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("write the run's number alone, such as 5"), "{output:?}");
    }
}
