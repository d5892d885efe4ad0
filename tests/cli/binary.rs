//! The binary: exit codes, streams, and options on either side of the command.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

fn cdb_backupd(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"));
    command.args(args).env_clear().env("TENCENTCLOUD_SECRET_ID", "x").env("TENCENTCLOUD_SECRET_KEY", "x");
    command
}

fn run(args: &[&str]) -> Output {
    cdb_backupd(args).output().expect("the binary starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn policy(dir: &tempfile::TempDir, text: &str) -> String {
    let path = dir.path().join("policy.yaml");
    std::fs::write(&path, text).expect("a policy is written");
    path.to_string_lossy().into_owned()
}

fn example() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/policy.yaml").to_string_lossy().into_owned()
}

#[test]
fn a_good_policy_is_told_what_it_means() {
    let output = run(&["check", "-c", &example()]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let text = stdout(&output);
    for part in ["1 account, 2 instances, 3 jobs", "CreateBackup calls a day", "nightly-full", "next slot"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    assert!(output.stderr.is_empty());
}

#[test]
fn a_missing_policy_ends_with_78_and_its_path() {
    let output = run(&["check", "-c", "/nowhere/policy.yaml"]);
    assert_eq!(output.status.code(), Some(78));
    assert!(stdout(&output).contains("/nowhere/policy.yaml"));
}

#[test]
fn an_unreadable_policy_ends_with_77() {
    let dir = tempfile::tempdir().expect("a directory");
    let output = run(&["check", "-c", &dir.path().to_string_lossy()]);
    assert_eq!(output.status.code(), Some(77), "{}", stdout(&output));
}

#[test]
fn faults_are_data_on_stdout_as_text_and_as_json() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = policy(&dir, "version: 1\njobs:\n  - { nam: a }\n");
    let output = run(&["check", "-c", &path]);
    assert_eq!(output.status.code(), Some(78));
    assert!(stdout(&output).contains("did you mean `name`?") && output.stderr.is_empty());
    let output = run(&["-o", "json", "check", "-c", &path]);
    assert_eq!(output.status.code(), Some(78));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["schema_version"], 1);
    let item = json["items"].as_array().and_then(|items| items.iter().find(|item| item["code"] == "unknown-key")).expect("the key is told");
    assert_eq!((&item["line"], &item["column"], &item["path"], &item["code"]), (&3.into(), &7.into(), &"jobs[0].nam".into(), &"unknown-key".into()));
    assert!(item["file"].is_string() && item["message"].is_string() && item["hint"] == "write `name`");
}

#[test]
fn strict_turns_warnings_into_78() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = policy(&dir, "version: 1\n");
    assert_eq!(run(&["check", "-c", &path]).status.code(), Some(0));
    assert_eq!(run(&["check", "--strict", "-c", &path]).status.code(), Some(78));
}

#[test]
fn options_stand_before_or_after_the_command() {
    let before = run(&["-c", &example(), "-o", "json", "--tz", "Asia/Tokyo", "--log-format", "json", "check"]);
    let after = run(&["check", "--log-format", "json", "--tz", "Asia/Tokyo", "-o", "json", "-c", &example()]);
    assert_eq!((before.status.code(), &before.stdout), (Some(0), &after.stdout));
}

#[test]
fn the_policy_can_be_named_by_the_environment() {
    let output = cdb_backupd(&["check"]).env("CDB_BACKUPD_CONFIG", "/nowhere/else.yaml").output().expect("the binary starts");
    assert!(stdout(&output).contains("/nowhere/else.yaml"));
}

#[test]
fn a_wrong_command_line_ends_with_2_and_help_with_0() {
    for args in [&["chekc"][..], &[], &["check", "--stricter"], &["check", "-o", "csv"], &["check", "-o", "xml"], &["check", "--tz", "Asia/Tokio"]] {
        assert_eq!(run(args).status.code(), Some(2), "{args:?}");
    }
    for args in [&["--help"][..], &["--version"], &["help", "check"]] {
        assert_eq!(run(args).status.code(), Some(0), "{args:?}");
    }
}

#[test]
fn a_job_is_printed_after_defaults() {
    let output = run(&["check", "--effective", "orders-nightly", "-c", &example()]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!("effective", stdout(&output));
    let json = run(&["check", "--effective", "-o", "json", "-c", &example()]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json["items"].as_array().map(Vec::len), Some(3));
    assert_eq!(run(&["check", "--effective", "nightly", "-c", &example()]).status.code(), Some(2));
}

#[test]
fn the_daemons_json_log_has_an_object_on_every_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let starts = policy(&dir, "version: 1\nledger: /dev/null/ledger.db\ninstances: []\n");
    let broken = dir.path().join("broken.yaml").to_string_lossy().into_owned();
    std::fs::write(&broken, "version: 1\nledgre: x\n").expect("a policy is written");
    let mut codes = Vec::new();
    for (path, code) in [(starts.as_str(), 74), (&broken, 78), ("/nowhere/policy.yaml", 78)] {
        let output = run(&["run", "--log-format", "json", "-c", path]);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        for line in said.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(line["timestamp"].is_string() && line["level"].is_string() && line["message"].is_string(), "{line}");
            codes.extend(line["code"].as_str().map(|code| (code.to_owned(), line["line"].as_u64(), line["hint"].is_string())));
        }
        assert!(said.contains("\"ERROR\""), "{said}");
    }
    let codes: Vec<_> = codes.iter().map(|(code, line, hint)| (code.as_str(), *line, *hint)).collect();
    assert_eq!(codes, [("no-job", None, true), ("unknown-key", Some(2), true), ("file-missing", None, true)]);
}

#[test]
fn the_simulators_faults_are_listed_with_what_they_do() {
    let output = run(&["sim", "--faults", "help"]);
    let text = stdout(&output);
    assert!(output.status.success() && text.contains("lost_after_act") && text.contains("it acts, and the reply is lost"), "{text}");
    let json = run(&["sim", "--faults", "help", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert!(json["items"].as_array().is_some_and(|items| items.len() > 30 && items[0]["does"].is_string()), "{json}");
}

/// The simulator and the first line that it says, after which nobody reads on.
fn said_first(args: &[&str]) -> (String, Output) {
    let mut command = Command::new("timeout");
    command.arg("30").arg(env!("CARGO_BIN_EXE_cdb-backupd")).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut first = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
    std::io::BufRead::read_line(&mut out, &mut first).expect("a line");
    drop(out);
    (first, child.wait_with_output().expect("it ends"))
}

#[test]
fn the_simulator_says_what_to_set_and_ends_quietly_with_its_reader() {
    for args in [&["sim"][..], &["sim", "-o", "json"]] {
        let (first, output) = said_first(args);
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""), "124 is the time's end");
        if args.len() == 1 {
            assert!(first.starts_with("listening on http://127.0.0.1:"), "{first}");
            continue;
        }
        let json: serde_json::Value = serde_json::from_str(&first).expect("JSON");
        assert!(json["endpoint"].as_str().is_some_and(|endpoint| endpoint.starts_with("http://127.0.0.1:")), "{json}");
        assert_eq!((&json["schema_version"], json["instances"].as_array().map(Vec::len)), (&1.into(), Some(10)));
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = cdb_backupd(&["check", "-c", &example()]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}
