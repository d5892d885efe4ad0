//! `status` over a ledger: the verdict, what is wrong, and the exit code.

use crate::books::{at, ended, put};
use cdb_backupd::ledger::Ledger;
use rusqlite::{Connection, params, types::Value};
use std::process::Command;
use tempfile::TempDir;

/// An hour's job on two instances, as the daemon would have recorded it; a job that the policy holds; and an instance that no job matches.
pub(crate) const POLICY: &str = "version: 1
accounts: { main: { credentials: env } }
instance_defaults: { account: main, region: ap-guangzhou }
instances:
  - { id: cdb-c1nl9rpv, name: orders, tags: { env: prod } }
  - { id: cdb-aaaa0001, name: pay }
  - { id: cdb-aaaa0002, name: scratch }
defaults: { time_zone: Asia/Shanghai, method: physical, start_within: 30m, complete_within: 45m, freshness: { max_age: 26h } }
jobs:
  - { name: nightly-full, schedule: '30 2 * * *', targets: { instances: [orders, pay] } }
  - { name: held, schedule: '0 5 * * *', suspend: true, targets: { instances: [orders] } }
";

pub(crate) struct Desk {
    folder: TempDir,
    ledger: Ledger,
}

impl Desk {
    /// A ledger with the policy in force and a pulse of now, and nothing else.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("ledger.db"), "desk", at("2026-11-23T00:00:00Z")).unwrap().ledger;
        let conn = ledger.connection();
        conn.execute("INSERT INTO policies VALUES (1, 'h', ?1, 0)", [POLICY]).unwrap();
        conn.execute_batch(
            "INSERT INTO terms VALUES (1, 'a', 'orders', '{}', 'main', 'cdb.tencentcloudapi.com', 'env:TENCENTCLOUD', 'ap-guangzhou', 'physical',
               NULL, 1, 540000, 1, NULL, 2000, 600000, 15000, 300000, 'skip');
             INSERT INTO cursors VALUES ('nightly-full', 'cdb-c1nl9rpv', '', '', 1, 5, 0, NULL, 0), ('nightly-full', 'cdb-aaaa0001', '', '', 1, 5, 0, NULL, 0),
               ('held', 'cdb-c1nl9rpv', '', '', 1, 5, 0, NULL, 0);
             INSERT INTO heartbeat VALUES (1, unixepoch() * 1000, 1, 7, 'ok', '');",
        )
        .unwrap();
        Self { folder, ledger }
    }

    pub(crate) fn conn(&self) -> &Connection {
        self.ledger.connection()
    }

    /// A run of the nightly job whose slot was so many hours ago, or up to one more; `put` places it by hours after a slot of 2026-11-23.
    pub(crate) fn run(&self, instance: &str, hours_ago: i64, state: &str, why: &str) {
        let now: i64 = self.conn().query_row("SELECT unixepoch()", [], |row| row.get(0)).unwrap();
        let hour = (now - hours_ago * 3_600 - at("2026-11-23T18:30:00Z").timestamp()).div_euclid(3_600);
        let of_pair = |instance: &str| vec![("instance_id", Value::Text(instance.to_owned()))];
        put(self.conn(), hour, &[ended(state, Some("reason"), why), of_pair(instance), vec![("run_id", Value::Null)]].concat());
        if state == "succeeded" {
            self.conn().execute("UPDATE runs SET reason = NULL WHERE state = 'succeeded'", []).unwrap();
        }
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("ledger.db")
    }

    pub(crate) fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"));
        command.arg("status").arg("--ledger").arg(self.path()).args(more);
        command
    }

    /// What it prints, and how it ends.
    fn says(&self, more: &[&str]) -> (String, Option<i32>) {
        let output = self.command(more).output().unwrap();
        (String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr), output.status.code())
    }
}

#[test]
fn where_every_backup_is_fresh_it_says_so_first_and_ends_with_0() {
    let desk = Desk::new();
    desk.run("cdb-c1nl9rpv", 3, "succeeded", "the backup is good");
    desk.run("cdb-aaaa0001", 3, "succeeded", "the backup is good");
    let (text, code) = desk.says(&[]);
    assert!(text.starts_with("ok: 3 pairs of job and instance, each with a fresh backup or none expected; last pass "), "{text}");
    assert_eq!(code, Some(0), "{text}");
    let job = text.lines().find(|line| line.starts_with("nightly-full")).unwrap();
    assert_eq!(job.split_whitespace().take(8).collect::<Vec<_>>(), ["nightly-full", "2", "2", "-", "-", "-", "-", "-"]);
}

#[test]
fn a_failure_since_the_newest_good_backup_is_told_with_its_reason_and_where_to_look() {
    let desk = Desk::new();
    desk.run("cdb-c1nl9rpv", 3, "succeeded", "the backup is good");
    desk.run("cdb-aaaa0001", 25, "succeeded", "the backup is good");
    desk.run("cdb-aaaa0001", 1, "failed", "the cloud rejected it with InternalError.Odd; it is not sent again");
    let (text, code) = desk.says(&[]);
    assert!(text.starts_with("not ok: 1 of 3 pairs of job and instance lacks a fresh backup; last pass "), "{text}");
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("? nightly-full on pay is late: its newest good backup is of ") && text.contains(" ago\n"), "{text}");
    assert!(text.contains(" failed: the cloud rejected it with InternalError.Odd; it is not sent again; `show 3` has its calls\n"), "{text}");
}

#[test]
fn the_words_of_json_are_those_of_the_one_definition() {
    let desk = Desk::new();
    desk.run("cdb-c1nl9rpv", 27, "succeeded", "the backup is good");
    desk.run("cdb-aaaa0001", 1, "missed", "nobody was there to run it");
    let (text, code) = desk.says(&["-o", "json"]);
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    let of = |job: &str, instance: &str| {
        let item = told["items"].as_array().unwrap().iter().find(|item| item["job"] == job && item["instance_name"] == instance).unwrap();
        (item["freshness"].as_str().unwrap().to_owned(), item["wrong"].as_bool().unwrap())
    };
    assert_eq!(of("nightly-full", "orders"), ("stale".into(), true));
    assert_eq!(of("nightly-full", "pay"), ("never".into(), true));
    assert_eq!(of("held", "orders"), ("paused".into(), false));
    assert_eq!((told["ok"].as_bool(), told["schema_version"].as_i64(), code), (Some(false), Some(1), Some(3)));
    let (text, code) = desk.says(&["--job", "held"]);
    assert!(text.starts_with("ok: 1 pair") && code == Some(0), "{text}");
}

#[test]
fn before_the_first_slot_nothing_is_wrong() {
    let (text, code) = Desk::new().says(&["--instance", "pay"]);
    assert!(text.starts_with("ok: 1 pair of job and instance waits for the first slot") && code == Some(0), "{text}");
}

#[test]
fn a_daemon_that_does_not_turn_is_not_all_good_though_every_backup_is_there() {
    let desk = Desk::new();
    desk.run("cdb-c1nl9rpv", 3, "succeeded", "the backup is good");
    desk.run("cdb-aaaa0001", 3, "succeeded", "the backup is good");
    desk.conn().execute("UPDATE heartbeat SET at_ms = at_ms - 3600000", params![]).unwrap();
    let (text, code) = desk.says(&[]);
    assert!(
        text.starts_with("not ok: 3 pairs")
            && text.matches("last pass").count() == 1
            && text.contains("; last pass 1h ago\ndaemon not ok: its daemon hangs"),
        "{text}"
    );
    assert_eq!(code, Some(3));
}

#[test]
fn below_a_jobs_line_stands_how_many_of_its_pairs_are_held_and_by_what() {
    let desk = Desk::new();
    let conn = desk.conn();
    for instance in ["cdb-c1nl9rpv", "cdb-aaaa0001"] {
        let columns = [("instance_id", Value::Text(instance.to_owned())), ("run_id", Value::Null)];
        put(conn, 0, &columns);
    }
    let said = || {
        let text = desk.says(&[]).0;
        text.lines().skip_while(|line| !line.starts_with("nightly-full")).nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(said(), "  2 held: in line for the pace of account main");
    conn.execute("UPDATE runs SET due_at_ms = (unixepoch() + 600) * 1000 WHERE instance_id = 'cdb-aaaa0001'", []).unwrap();
    assert_eq!(said(), "  1 held: in line for the pace of account main", "its share of the spread is no hold");
    conn.execute("UPDATE runs SET attempts = 1, last_class = 'throttled', last_code = 'RequestLimitExceeded' WHERE instance_id = 'cdb-aaaa0001'", [])
        .unwrap();
    let retry = said();
    assert!(
        retry.starts_with("  2 held: 1 retry after RequestLimitExceeded until ") && retry.ends_with("+08, 1 in line for the pace of account main")
    );
    let account = "INSERT INTO holds VALUES ('account_held', 'main', unixepoch() * 1000, 'AuthFailure.SecretIdNotFound')";
    conn.execute(account, []).unwrap();
    assert_eq!(said(), "  2 held: account main: its keys are refused");
    conn.execute_batch(
        r#"INSERT INTO requests (request_id, at_ms, who, uid, what, arguments) VALUES (1, 1, 'alice', 7, 'pause', '{}');
           INSERT INTO pauses VALUES (1, '{"instances":["pay"]}', 1, 4000000000000, 'alice', 'storage migration', NULL);"#,
    )
    .unwrap();
    assert_eq!(said(), "  2 held: 1 pause 1 until 2096-10-02 15:06:40+08, 1 account main: its keys are refused");
    let told: serde_json::Value = serde_json::from_str(&desk.says(&["-o", "json"]).0).unwrap();
    let pay = told["items"].as_array().unwrap().iter().find(|item| item["instance_name"] == "pay").unwrap();
    let reasons: Vec<&str> = pay["held"].as_array().unwrap().iter().map(|held| held["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["paused", "account_held", "retry"], "as JSON all of them are told");
    assert_eq!((&pay["held"][0]["by"], &pay["held"][0]["until"]), (&"1".into(), &"2096-10-02T07:06:40Z".into()));
    let job = &told["jobs"][0];
    assert_eq!((&job["waiting"], &job["held"], &job["holds"][0]["pairs"]), (&2.into(), &2.into(), &1.into()));
    conn.execute("UPDATE heartbeat SET at_ms = at_ms - 3600000", params![]).unwrap();
    assert_eq!(said(), "  2 held: no daemon turns");
}

#[test]
fn a_blackout_is_named_by_its_reason_and_an_instance_by_the_run_that_is_at_work_on_it() {
    let desk = Desk::new();
    let conn = desk.conn();
    put(conn, 0, &[("run_id", 7.into())]);
    let calling = [("state", Value::Text("calling".into())), ("due_at_ms", Value::Null), ("signed_at_s", 1.into()), ("process", 7.into())];
    let by_hand = [("trigger", Value::Text("manual".into())), ("request", 1.into()), ("asked", 1.into()), ("job", Value::Text("by-hand".into()))];
    put(conn, 0, &[&calling[..], &by_hand, &[("lease_ms", 1.into()), ("attempt_id", 10.into()), ("run_id", 8.into())]].concat());
    assert!(desk.says(&[]).0.contains("\n  1 held: instance in use by run 8\n"), "{}", desk.says(&[]).0);
    let dark = "blackouts: [{ from: '2020-01-01T00:00:00Z', to: '2096-10-02T07:06:40Z', reason: double eleven }]\n";
    conn.execute("UPDATE policies SET text = text || ?1", [dark]).unwrap();
    assert!(desk.says(&[]).0.contains("\n  1 held: blackout `double eleven` until 2096-10-02 15:06:40+08\n"), "{}", desk.says(&[]).0);
    let asked = "UPDATE runs SET asked = 2, even_if_held = 1 WHERE run_id = 7";
    conn.execute(asked, []).unwrap();
    assert!(desk.says(&[]).0.contains("\n  1 held: instance in use by run 8\n"), "a person asked for it though it be held");
}

#[test]
fn instances_without_any_good_backup_and_those_that_no_job_matches_are_named() {
    let desk = Desk::new();
    desk.run("cdb-c1nl9rpv", 300, "succeeded", "the backup is good");
    let (text, code) = desk.says(&["--uncovered"]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with("cdb-aaaa0001  pay") && lines[0].ends_with("no good backup yet by nightly-full"), "{text}");
    assert!(lines[1].starts_with("cdb-aaaa0002  scratch") && lines[1].ends_with("no job matches it"), "{text}");
    assert_eq!(code, Some(3));
}

#[test]
fn what_nobody_can_know_is_never_said_to_be_well() {
    let desk = Desk::new();
    desk.run("cdb-c1nl9rpv", 3, "succeeded", "the backup is good");
    for (option, name, says) in
        [("--job", "nightly-ful", "knows no job nightly-ful; did you mean `nightly-full`?"), ("--instance", "gone", "knows no instance gone")]
    {
        let (text, code) = desk.says(&[option, name]);
        assert!(code == Some(2) && text.contains(says), "{text}");
    }
    let none = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"))
        .args(["status", "--uncovered", "--ledger"])
        .arg(desk.path().with_file_name("none.db"))
        .output();
    let none = none.unwrap();
    let (text, code) = (String::from_utf8_lossy(&none.stdout), none.status.code());
    assert!(code == Some(3) && text.starts_with("not ok: no policy was ever in force here"), "{text}");
}

#[test]
fn what_is_paused_stands_on_top_and_a_pause_older_than_a_day_is_asked_about() {
    let desk = Desk::new();
    desk.run("cdb-c1nl9rpv", 27, "succeeded", "the backup is good");
    desk.run("cdb-aaaa0001", 3, "succeeded", "the backup is good");
    let conn = desk.conn();
    conn.execute_batch(
        r#"INSERT INTO requests (request_id, at_ms, who, uid, what, arguments) VALUES (1, 1, 'alice', 7, 'pause', '{}'), (2, 1, 'bob', 8, 'pause', '{}');
           INSERT INTO pauses VALUES (1, '{"instances":["orders"]}', (unixepoch() - 7200) * 1000, NULL, 'alice', 'storage migration', NULL),
             (2, '{"jobs":["held"],"tags":[["env","prod"]]}', (unixepoch() - 200000) * 1000, (unixepoch() + 60) * 1000, 'bob', 'costs', NULL);"#,
    )
    .unwrap();
    let (text, code) = desk.says(&[]);
    assert_eq!(code, Some(0), "the stale one is paused: {text}");
    assert!(text.contains("- pause 1: instance orders is paused until `resume 1`, asked for 2h ago by alice: storage migration\n"), "{text}");
    assert!(
        text.contains("? pause 2: job held and tag env=prod is paused until ")
            && text.contains(", asked for 2days 7h ago by ")
            && text.contains("is it forgotten?"),
        "{text}"
    );
    let told: serde_json::Value = serde_json::from_str(&desk.says(&["-o", "json"]).0).unwrap();
    assert_eq!((&told["pauses"][0]["who"], &told["pauses"][1]["is_long"]), (&"alice".into(), &true.into()));
}
