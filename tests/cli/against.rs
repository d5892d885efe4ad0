//! What a policy changes beside the one in force: the sentences, the JSON, and `check --against running`.

use cdb_backupd::{
    config::{Machine, check_text},
    domain::{diff::Diff, policy::Policy},
    ledger::Ledger,
};
use chrono::{DateTime, Utc};
use std::{
    fmt::Write,
    path::Path,
    process::{Command, Output},
};

const BEFORE: &str = "version: 1
ledger: /tmp/l.db
accounts: { main: { credentials: env }, pay: { credentials: { file: pay.ini } }, old: { credentials: { env_prefix: OLD } } }
instance_defaults: { account: main, region: ap-guangzhou }
instances:
  - { id: cdb-aaaa0001, name: orders }
  - { id: cdb-aaaa0002 }
  - { id: cdb-aaaa0003 }
defaults: { time_zone: Asia/Shanghai, method: physical }
jobs:
  - { name: nightly, schedule: '30 2 * * *', targets: { all: true } }
  - { name: weekly, schedule: '0 4 * * SUN', targets: { instances: [orders] } }
  - { name: gone, schedule: '0 6 * * *', targets: { instances: [cdb-aaaa0002] } }
  - { name: same, schedule: '0 7 * * *', targets: { all: true, except: [cdb-aaaa0002] } }
";

const AFTER: &str = "version: 1
ledger: /tmp/l.db
history: { max_age: 30d }
accounts: { main: { credentials: env, max_running: 3 }, pay: { credentials: { file: pay.ini } }, new: { credentials: { env_prefix: NEW } } }
instance_defaults: { account: main, region: ap-guangzhou }
instances:
  - { id: cdb-aaaa0001, name: orders }
  - { id: cdb-aaaa0002, account: pay }
  - { id: cdb-aaaa0004 }
defaults: { time_zone: Asia/Shanghai, method: physical }
jobs:
  - { name: nightly, schedule: '45 2 * * *', targets: { all: true }, spread: 10m }
  - { name: sunday, schedule: '0 4 * * SUN', targets: { instances: [orders] } }
  - { name: hourly, schedule: '15 * * * *', targets: { instances: [cdb-aaaa0004] }, start_within: 30m, complete_within: 45m }
  - { name: same, schedule: '0 7 * * *', targets: { instances: [orders] }, priority: 2 }
";

fn now() -> DateTime<Utc> {
    "2026-11-24T02:00:00Z".parse().expect("a time")
}

fn policy(text: &str) -> Policy {
    check_text("policy.yaml", text, &Machine::pictured(&[], &[], ""), now()).expect("a good policy").policy
}

fn says(before: &str, after: &str) -> String {
    Diff::of(&policy(before), &policy(after), now()).says(|slot, schedule| schedule.local(slot)).join("\n")
}

#[test]
fn each_change_is_said_with_its_keys_and_slots() {
    insta::assert_snapshot!(says(BEFORE, AFTER));
}

#[test]
fn each_change_has_its_place_in_the_json() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&Diff::of(&policy(BEFORE), &policy(AFTER), now())).expect("JSON"));
}

#[test]
fn comments_and_spelling_change_nothing() {
    let spelled = BEFORE.replace("jobs:", "# the jobs\njobs:").replace("{ id: cdb-aaaa0003 }", "{ id: \"cdb-aaaa0003\" }");
    assert!(Diff::of(&policy(BEFORE), &policy(&spelled), now()).is_empty());
    assert_eq!(says(BEFORE, &spelled), "nothing changed but comments and spelling");
}

#[test]
fn ten_thousand_instances_are_counted_and_twenty_named() {
    let many = |first: usize| {
        let mut text = BEFORE.split("  - { id: cdb-aaaa0003 }").next().expect("a part").to_owned();
        for n in first..first + 10_000 {
            writeln!(text, "  - {{ id: cdb-b{n:08} }}").expect("a line");
        }
        text + "defaults: { time_zone: Asia/Shanghai, method: physical }\njobs:\n  - { name: nightly, schedule: '30 2 * * *', targets: { all: true } }\n"
    };
    let diff = Diff::of(&policy(&many(0)), &policy(&many(5_000)), now());
    assert_eq!((diff.pairs_added.total, diff.pairs_removed.total, diff.pairs_added.items.len()), (5_000, 5_000, 20));
    let lines = diff.says(|slot, schedule| schedule.local(slot));
    assert!(lines.len() < 60 && lines.iter().any(|line| line == "  and 4980 more added pairs"), "{lines:#?}");
}

struct Desk(tempfile::TempDir);

impl Desk {
    /// A ledger in which this policy is in force, and a file.
    fn with(in_force: Option<&str>, file: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = Ledger::open(&folder.path().join("ledger.db"), "desk", now()).expect("a ledger").ledger;
        if let Some(text) = in_force {
            ledger.connection().execute("INSERT INTO policies VALUES (1, 'h', ?1, 0)", [text]).expect("a policy in force");
        }
        std::fs::write(folder.path().join("policy.yaml"), file).expect("a policy is written");
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn check(&self, more: &[&str]) -> (Output, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"));
        command.env_clear().args(["check", "--against", "running", "--config", &self.path("policy.yaml"), "--ledger", &self.path("ledger.db")]);
        let output = command.args(more).output().expect("the binary starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output, text)
    }
}

#[test]
fn the_file_is_held_against_the_policy_that_the_ledger_holds() {
    let desk = Desk::with(Some(BEFORE), AFTER);
    let (output, text) = desk.check(&[]);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let (_, compared) = text.split_once("beside the policy in force in ").expect("it is compared");
    // The file of an account's keys begins in one folder for both: it has not changed.
    assert!(compared.contains("ledger.db: 2 jobs added, 2 removed, 2 changed;") && !compared.contains("credentials"), "{text}");
    assert!(compared.contains("~ job nightly: schedule, spread, targets") && compared.contains("next slots are then "), "{text}");
    let (output, text) = desk.check(&["-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&text).expect("one object");
    assert_eq!((output.status.code(), &json["schema_version"], &json["changes"]["jobs_added"]["total"]), (Some(0), &1.into(), &2.into()), "{text}");
}

#[test]
fn the_same_file_an_empty_ledger_and_a_file_at_fault_say_so() {
    let (output, text) = Desk::with(Some(BEFORE), BEFORE).check(&[]);
    assert!(output.status.success() && text.contains("nothing changed beside the policy in force in "), "{text}");
    let empty = Desk::with(None, BEFORE);
    let (output, text) = empty.check(&[]);
    assert!(output.status.success() && text.contains("no policy is in force in "), "{text}");
    assert!(empty.check(&["-o", "json"]).1.contains("\"changes\":null"));
    let (output, text) = Desk::with(Some(BEFORE), "version: 1\njobs: [ { nmae: x } ]\n").check(&[]);
    assert!(output.status.code() == Some(78) && !text.contains("in force"), "{text}");
    let broken = Desk::with(Some(BEFORE), AFTER);
    for leftover in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        drop(std::fs::remove_file(Path::new(&broken.path(leftover))));
    }
    std::fs::write(broken.path("ledger.db"), "no ledger").expect("a file");
    assert_eq!(broken.check(&[]).0.status.code(), Some(74));
}
