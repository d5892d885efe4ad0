//! `next`: text for people and JSON for programs, over nights that are fixed by `--from`.

use serde_json::{Value, json};
use std::process::{Command, Output};

const POLICY: &str = r#"version: 1
accounts: { main: { credentials: env } }
instance_defaults: { account: main, region: ap-guangzhou }
instances: [{ id: cdb-aaaa0001 }, { id: cdb-aaaa0002 }]
defaults: { method: physical }
blackouts: [{ from: "2027-03-29T00:00:00Z", to: "2027-03-29T01:00:00Z", reason: fair }]
jobs:
  - { name: nightly, schedule: "30 2 * * *", time_zone: Europe/Berlin, targets: { all: true } }
  - { name: noon, schedule: "0 12 * * *", time_zone: Asia/Shanghai, targets: { instances: [cdb-aaaa0001] } }
"#;

fn next(args: &[&str]) -> Output {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("policy.yaml");
    std::fs::write(&path, POLICY).expect("a policy is written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"));
    command.arg("next").args(args).arg("-c").arg(path).env_clear().env("TENCENTCLOUD_SECRET_ID", "x").env("TENCENTCLOUD_SECRET_KEY", "x");
    command.output().expect("the binary starts")
}

fn items(args: &[&str]) -> Vec<Value> {
    let output = next(&[args, &["-o", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let mut answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["schema_version"], 1);
    match answer["items"].take() {
        Value::Array(items) => items,
        other => panic!("items are {other}"),
    }
}

#[test]
fn a_coming_slot_has_every_key_and_null_where_nothing_starts() {
    let items = items(&["nightly", "--from", "2027-03-27T12:00:00Z", "--count", "2"]);
    let jump = "the clock of Europe/Berlin jumps on 2027-03-28 over the job's time: runs at the jump";
    assert_eq!(
        items,
        [
            json!({
                "job": "nightly", "slot": "2027-03-28T01:00:00Z", "slot_local": "2027-03-28 03:00:00 +02:00", "runs": 2,
                "starts_from": "2027-03-28T01:00:00.000Z", "starts_until": "2027-03-28T01:00:00.202Z", "note": jump,
            }),
            json!({
                "job": "nightly", "slot": "2027-03-29T00:30:00Z", "slot_local": "2027-03-29 02:30:00 +02:00", "runs": 2,
                "starts_from": null, "starts_until": null, "note": "skipped: blackout (fair) until 2027-03-29 03:00:00 +02:00",
            }),
        ]
    );
}

#[test]
fn slots_of_all_jobs_come_in_their_order_and_the_count_is_for_each() {
    let slots: Vec<_> = items(&["--from", "2026-11-24T00:00:00Z", "--count", "2"]).iter().map(|i| (i["job"].clone(), i["slot"].clone())).collect();
    let expected = [
        ("nightly", "2026-11-24T01:30:00Z"),
        ("noon", "2026-11-24T04:00:00Z"),
        ("nightly", "2026-11-25T01:30:00Z"),
        ("noon", "2026-11-25T04:00:00Z"),
    ];
    assert_eq!(slots, expected.map(|(job, slot)| (json!(job), json!(slot))));
    assert_eq!(items(&[]).len(), 10);
}

#[test]
fn the_beginning_is_outside_and_the_end_inside() {
    let slots = items(&["noon", "--from", "2026-11-24T04:00:00Z", "--until", "2026-11-26T04:00:00Z"]);
    assert_eq!(slots.iter().map(|i| &i["slot"]).collect::<Vec<_>>(), [&json!("2026-11-25T04:00:00Z"), &json!("2026-11-26T04:00:00Z")]);
}

#[test]
fn people_read_a_line_for_each_slot_and_its_notes_below_it() {
    let output = next(&["--from", "2027-03-28T00:00:00Z", "--until", "2027-03-29T03:00:00Z"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8_lossy(&output.stdout);
    insta::assert_snapshot!("next", text);
    assert!(text.lines().all(|line| line.chars().count() <= 120));
}

#[test]
fn a_zone_that_is_asked_for_is_the_zone_of_slots_and_starts() {
    let output = next(&["--from", "2026-11-24T00:00:00Z", "--count", "1", "--tz", "Asia/Tokyo"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("2026-11-24 10:30:00 +09:00  2026-11-24 01:30:00Z  nightly  2     10:30:00"), "{text}");
    assert!(text.contains("2026-11-24 13:00:00 +09:00  2026-11-24 04:00:00Z  noon     1     13:00:00"), "{text}");
}

#[test]
fn a_zone_that_is_asked_for_is_the_zone_of_notes_for_people() {
    let args = ["nightly", "--from", "2027-03-28T12:00:00Z", "--count", "1", "--tz", "Asia/Kolkata"];
    let text = String::from_utf8_lossy(&next(&args).stdout).into_owned();
    assert!(text.contains("  skipped: blackout (fair) until 2027-03-29 06:30:00 +05:30\n"), "{text}");
    assert_eq!(items(&args)[0]["note"], "skipped: blackout (fair) until 2027-03-29 03:00:00 +02:00");
}

#[test]
fn an_abbreviation_of_several_zones_is_not_guessed_at() {
    for zone in ["CST", "PST", "IST", "bst"] {
        let said = String::from_utf8_lossy(&next(&["--tz", zone]).stderr).into_owned();
        assert!(
            said.contains("abbreviations mean several zones; write a zone's name, such as `Asia/Shanghai`") && !said.contains("did you mean"),
            "{said}"
        );
    }
}

#[test]
fn warnings_of_the_policy_go_to_stderr_and_change_nothing() {
    let output = next(&["noon", "--from", "2027-03-28T00:00:00Z"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("changed-night"));
    assert!(!String::from_utf8_lossy(&output.stdout).contains("changed-night"));
}

#[test]
fn what_cannot_be_answered_ends_with_2() {
    let until_before_from = ["--from", "2026-11-24T00:00:00Z", "--until", "2026-11-23T00:00:00Z"];
    for args in [&["nobody"][..], &["--count", "0"], &["--count", "1001"], &["--from", "soon"], &["-o", "csv"], &until_before_from] {
        assert_eq!(next(args).status.code(), Some(2), "{args:?}");
    }
    let said = |args: &[&str]| String::from_utf8_lossy(&next(args).stderr).into_owned();
    let beyond = said(&["--from", "1000000y"]);
    assert!(beyond.contains("no time comes after --from") && !beyond.contains("--until"), "{beyond}");
    assert!(said(&["--until", "2026-11-01"]).contains("--until is over"));
}
