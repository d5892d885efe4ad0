//! `explain` over a ledger: all that bears on the next run, in words.

use crate::{
    books::{at, ended, put},
    status::Desk,
};
use cdb_backupd::{
    cli::{Cli, Command},
    domain::now::Now,
};
use clap::Parser;
use rusqlite::types::Value;
use std::time::Duration;

/// Every ledger here is looked at then: at 20:00 in Shanghai.
const NOW: &str = "2026-11-24T12:00:00Z";

/// A desk whose daemon finished a pass three seconds before.
fn desk() -> Desk {
    let desk = Desk::new();
    beat(&desk, 3, "ok");
    desk
}

fn beat(desk: &Desk, seconds_ago: i64, verdict: &str) {
    let at = at(NOW).timestamp_millis() - seconds_ago * 1_000;
    desk.conn().execute("UPDATE heartbeat SET at_ms = ?1, verdict = ?2", (at, verdict)).unwrap();
}

/// What it prints.
fn explained(desk: &Desk, words: &[&str]) -> String {
    let ledger = desk.path();
    let named = ledger.to_string_lossy().into_owned();
    let words = [&["cdb-backupd", "explain", "--ledger", &named], words].concat();
    let Cli { globals, command: Command::Explain(explain) } = Cli::try_parse_from(words).unwrap() else { panic!("another command") };
    explain.told(&globals, &ledger, Now { utc: at(NOW), mono: Duration::ZERO }).unwrap_or_else(|error| format!("refused: {error:#}\n"))
}

fn text(text: &str) -> Value {
    text.to_owned().into()
}

const ORDERS: (&str, &str) = ("instance_id", "cdb-c1nl9rpv");
const PAY: (&str, &str) = ("instance_id", "cdb-aaaa0001");

/// A run of the nightly job so many hours after 02:30 of 2026-11-24 in Shanghai.
fn run(desk: &Desk, number: i64, (column, instance): (&'static str, &str), hour: i64, columns: &[(&'static str, Value)]) {
    put(desk.conn(), hour, &[columns, &[(column, text(instance)), ("run_id", number.into())]].concat());
}

fn sql(desk: &Desk, sql: &str) {
    desk.conn().execute_batch(sql).unwrap();
}

#[test]
fn of_a_job_that_goes_well_it_tells_when_the_next_runs_come_and_what_the_last_codes_mean() {
    let desk = desk();
    sql(&desk, "UPDATE policies SET text = replace(text, 'schedule: ''30 2 * * *''', 'schedule: ''30 2 * * *'', spread: 20m')");
    run(&desk, 1, ORDERS, -24, &ended("succeeded", None, "the backup is good"));
    run(&desk, 2, ORDERS, 0, &ended("succeeded", None, "the backup is good, after 2 calls"));
    sql(&desk, "UPDATE runs SET last_class = 'throttled', last_code = 'RequestLimitExceeded' WHERE run_id = 2");
    run(&desk, 3, PAY, -24, &ended("succeeded", None, "the backup is good"));
    let why = "the cloud rejected it with OperationDenied.UserHasNoStrategy; it is not sent again";
    run(&desk, 4, PAY, 0, &ended("failed", Some("OperationDenied.UserHasNoStrategy"), why));
    sql(&desk, "UPDATE runs SET last_class = 'rejected', last_code = 'OperationDenied.UserHasNoStrategy' WHERE run_id = 4");
    sql(
        &desk,
        "INSERT INTO terms SELECT 2, 'b', 'pay', tags, account, endpoint, credentials, region, method, tables, encrypted, absence_window_ms, after_failed,
           max_attempts, initial_backoff_ms, max_backoff_ms, poll_initial_ms, poll_max_ms, overlap FROM terms;
         UPDATE runs SET terms_id = 2 WHERE instance_id = 'cdb-aaaa0001'",
    );
    insta::assert_snapshot!(explained(&desk, &["nightly-full"]));
}

#[test]
fn of_an_instance_that_everything_holds_it_tells_each_thing_and_who_is_in_the_way() {
    let desk = desk();
    beat(&desk, 3, "account_held");
    sql(
        &desk,
        r#"INSERT INTO requests (request_id, at_ms, who, uid, what, arguments, reason) VALUES
             (1, 1, 'alice', 7, 'pause', '{}', 'storage migration'), (2, 1, 'bob', 8, 'backup', '{}', 'before the release');
           INSERT INTO pauses VALUES (1, '{"instances":["orders"]}', 1795510800000, 1795550400000, 'alice', 'storage migration', NULL);
           UPDATE policies SET text = replace(text, '{ main: { credentials: env } }', '{ main: { credentials: env, max_running: 1 } }')
             || 'blackouts: [{ from: "2026-11-24T10:00:00Z", to: "2026-11-24T22:00:00Z", reason: month-end }]';
           INSERT INTO holds VALUES ('account_held', 'main', 1795519800000, 'AuthFailure.SecretIdNotFound'),
             ('cannot_look', 'cdb-c1nl9rpv', 1795520000000, 'InvalidParameter.InstanceNotFound');"#,
    );
    let refused = [("attempts", 1.into()), ("last_class", text("account")), ("last_code", text("AuthFailure.SecretIdNotFound"))];
    run(&desk, 5, ORDERS, 17, &[&refused[..], &[("due_at_ms", (at(NOW).timestamp_millis() + 90_000).into())]].concat());
    let calling = [("state", text("running")), ("due_at_ms", Value::Null), ("backup_id", 77.into()), ("listed", 1.into())];
    let since = at("2026-11-24T11:40:00Z").timestamp_millis();
    let look = [("since_ms", since.into()), ("started_at_ms", since.into()), ("look_at_ms", since.into()), ("look_step", 0.into())];
    let by_hand = [("trigger", text("manual")), ("request", 2.into()), ("asked", 2.into()), ("job", text("by-hand")), ("attempts", 1.into())];
    run(&desk, 6, ORDERS, 16, &[&calling[..], &look, &by_hand].concat());
    insta::assert_snapshot!(explained(&desk, &["orders"]));
    let told: serde_json::Value = serde_json::from_str(&explained(&desk, &["cdb-c1nl9rpv", "-o", "json"])).unwrap();
    let reasons: Vec<&str> = told["holds"].as_array().unwrap().iter().map(|hold| hold["reason"].as_str().unwrap()).collect();
    let expected = ["paused", "suspended", "blackout", "account_held", "cannot_look", "instance_in_use", "max_running", "retry"];
    assert_eq!(reasons, expected, "the weightiest first: {told:#}");
}

#[test]
fn with_the_daemon_dead_it_tells_so_first_and_what_becomes_of_the_slots_that_came_since() {
    let desk = desk();
    beat(&desk, 40 * 3_600, "account_held");
    sql(&desk, "INSERT INTO holds VALUES ('account_held', 'main', 1, 'AuthFailure')");
    let cursor = at("2026-11-22T12:00:00Z").timestamp_millis();
    desk.conn().execute("UPDATE cursors SET cursor_ms = ?1", [cursor]).unwrap();
    let told = explained(&desk, &["pay"]);
    assert!(told.contains("\n  not_running: no daemon turns, so nothing starts: its daemon hangs, cannot write, or is gone"), "{told}");
    assert!(!told.contains("account_held:"), "what it said last says nothing of now: {told}");
    assert!(told.contains("\n    2 slots have come unseen, and will not be run\n"), "{told}");
    let cursor = at("2026-11-24T11:00:00Z").timestamp_millis();
    desk.conn().execute("UPDATE cursors SET cursor_ms = ?1", [cursor]).unwrap();
    sql(&desk, "UPDATE policies SET text = replace(text, '30 2 * * *', '*/20 * * * *')");
    let told = explained(&desk, &["pay"]);
    assert!(
        told.contains("    3 slots have come unseen: if the daemon goes on now, that of 2026-11-24 20:00+08 is run and the rest are not"),
        "{told}"
    );
}

#[test]
fn the_weightiest_holds_of_the_whole_are_said_with_what_to_do() {
    let desk = desk();
    beat(&desk, 1, "clock_unproved");
    assert!(explained(&desk, &["pay"]).contains("\n  clock_unproved: no reply of the cloud has proved the machine's clock"));
    beat(&desk, 1, "ledger_not_writable");
    assert!(explained(&desk, &["pay"]).contains("\n  ledger_not_writable: the daemon cannot write the ledger"));
}

#[test]
fn what_only_waits_its_turn_is_not_called_held() {
    let desk = desk();
    assert!(explained(&desk, &["pay"]).contains("\nwhat holds it now\n  nothing: a run that came now would start at once\n"));
    run(&desk, 7, PAY, 17, &[]);
    let told = explained(&desk, &["pay"]);
    assert!(told.contains("\n  rate_limit: nothing holds it: it is sent in its turn among those of account main, 5 a second at most\n"), "{told}");
    assert!(told.contains("\n    of nightly-full (run 7 waits)\n"), "{told}");
    desk.conn().execute("UPDATE runs SET due_at_ms = ?1", [at(NOW).timestamp_millis() + 60_000]).unwrap();
    let told = explained(&desk, &["pay"]);
    assert!(told.contains("\n  spread: its share of the job's spread is not over: it starts from 2026-11-24 20:01+08\n"), "{told}");
}

#[test]
fn a_name_that_means_nothing_is_told_with_the_one_that_was_probably_meant() {
    let desk = desk();
    let said = |name: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_cdb-backupd")).arg("explain").arg("--ledger").arg(desk.path()).arg(name).output();
        let output = output.unwrap();
        (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
    };
    let nothing = "cdb-backupd: the policy in force has no job and no instance";
    assert_eq!(said("nightly-ful"), (format!("{nothing} `nightly-ful`; did you mean `nightly-full`?\n"), Some(2)));
    assert_eq!(said("order").0, format!("{nothing} `order`; did you mean `orders`?\n"));
    assert!(said("whatever").0.contains("`cdb-backupd check --effective` lists those there are"));
    sql(&desk, "UPDATE policies SET text = replace(text, 'name: scratch', 'name: held')");
    assert!(said("held").0.contains("`held` is a job and an instance; write `--kind job` or `--kind instance`"));
    assert!(
        explained(&desk, &["held", "--kind", "instance"]).starts_with("instance held (cdb-aaaa0002), account main, ap-guangzhou: no job matches it")
    );
    assert!(explained(&desk, &["held", "--kind", "job"]).contains("\n  suspended: the policy suspends the job: take its `suspend` out and reload\n"));
}

#[test]
fn it_needs_no_daemon_and_no_policy_file_and_before_the_first_daemon_only_the_file() {
    let desk = desk();
    let explain = |args: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_cdb-backupd")).arg("explain").args(args).output().unwrap();
        (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
    };
    let (file, ledger, none) = (desk.path().with_file_name("policy.yaml"), desk.path(), desk.path().with_file_name("none.db"));
    let [file, ledger, none] = [&file, &ledger, &none].map(|path| path.to_string_lossy().into_owned());
    std::fs::write(&file, "version: 1\njobs: [").unwrap();
    let (text, _, code) = explain(&["orders", "-c", &file, "--ledger", &ledger]);
    assert!(text.starts_with("instance orders (cdb-c1nl9rpv)") && code == Some(0), "a broken file bears on nothing: {text}");
    std::fs::write(&file, crate::status::POLICY).unwrap();
    let (text, said, code) = explain(&["nightly-full", "-c", &file, "--ledger", &none]);
    assert!(text.contains("daemon not ok: no pass has finished in ") && text.contains("\nnext slots of nightly-full\n"), "{text}{said}");
    assert_eq!(code, Some(0));
    assert!(!std::path::Path::new(&none).exists(), "reading makes nothing");
}
