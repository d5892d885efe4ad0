//! `check` from outside: what it understood, what it finds on the machine, and jobs after defaults that can be pasted back.

use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

const HEAD: &str = "version: 1
instance_defaults: { account: main, region: ap-guangzhou }
instances: [{ id: cdb-c1nl9rpv, name: orders }, { id: cdb-aaaa0001 }]
defaults: { time_zone: Asia/Shanghai, method: physical }
listen: off
";
const JOB: &str = "jobs: [{ name: nightly, schedule: \"30 2 * * *\", targets: { all: true } }]\n";
const ENV: &str = "accounts: { main: { credentials: env } }\n";

/// Runs `check` on a policy that lies in `dir`.
fn check(dir: &Path, text: &str, args: &[&str], variables: &[(&str, &str)]) -> Output {
    let path = dir.join("policy.yaml");
    std::fs::write(&path, text).expect("a policy is written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"));
    command.arg("check").args(args).arg("-c").arg(path).env_clear().env("CDB_BACKUPD_LEDGER", dir.join("ledger.db"));
    command.envs(variables.iter().copied()).output().expect("the binary starts")
}

fn with_keys(text: &str, args: &[&str]) -> (String, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let output = check(dir.path(), text, args, &[("TENCENTCLOUD_SECRET_ID", "x"), ("TENCENTCLOUD_SECRET_KEY", "x")]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn keys_that_the_daemon_could_not_use_are_warned_of_with_the_reason() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("k.ini");
    let told = |variables: &[(&str, &str)], source: &str| {
        let text = format!("{HEAD}accounts: {{ main: {{ credentials: {source} }} }}\n{JOB}");
        let output = check(dir.path(), &text, &[], variables);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!text.contains("hunter2"), "{text}");
        text
    };
    let text = told(&[("TENCENTCLOUD_SECRET_ID_FILE", "/nope"), ("TENCENTCLOUD_SECRET_KEY", "hunter2")], "env");
    assert!(text.contains("absent-credentials") && text.contains("the file that TENCENTCLOUD_SECRET_ID_FILE names cannot be read"), "{text}");
    let good = "[default]\nsecret_id = hunter2\nsecret_key = hunter2\n";
    for (content, mode, reason) in [
        (good, 0o644, Some("may be read by other users")),
        ("garbage hunter2", 0o600, Some("has no `secret_id` under `[default]`")),
        ("[other]\nsecret_id = hunter2\n", 0o600, Some("has no `secret_id` under `[default]`")),
        (good, 0o600, None),
    ] {
        std::fs::write(&file, content).expect("a file is written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("a mode is set");
        let text = told(&[], "{ file: k.ini }");
        assert_eq!(text.contains("absent-credentials"), reason.is_some(), "{text}");
        assert!(reason.is_none_or(|reason| text.contains(reason)), "{text}");
    }
}

#[test]
fn as_json_the_faults_beyond_the_fiftieth_are_counted() {
    let dir = tempfile::tempdir().expect("a directory");
    let instances: String = (0..60).map(|i| format!("  - {{ id: wrong{i}, account: main, region: ap-guangzhou }}\n")).collect();
    let output = check(dir.path(), &format!("version: 1\naccounts: {{ main: {{}} }}\ninstances:\n{instances}"), &["-o", "json"], &[]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&json["total"], json["items"].as_array().map(Vec::len)), (&60.into(), Some(50)));
}

#[test]
fn thirty_instances_below_one_wrong_default_are_one_fault() {
    let dir = tempfile::tempdir().expect("a directory");
    let instances: String = (0..30).map(|i| format!("  - {{ id: cdb-{i:08} }}\n")).collect();
    let text = format!("version: 1\n{ENV}instance_defaults: {{ account: main, regoin: ap-guangzhou, tags: {{ env: 1 }} }}\ninstances:\n{instances}");
    let output = check(dir.path(), &text, &["-o", "json"], &[]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["total"], 2, "{json}");
}

#[test]
fn calls_a_day_are_said_in_words_that_fit() {
    let (text, _) = with_keys(&format!("{HEAD}{ENV}"), &[]);
    assert!(text.contains("0 jobs, no CreateBackup calls\n"), "{text}");
    let (text, _) = with_keys(&format!("{HEAD}{ENV}{}", JOB.replace("30 2 * * *", "@yearly")), &[]);
    assert!(text.contains("fewer than one CreateBackup call a day") && text.contains("under 1"), "{text}");
    let (text, _) = with_keys(&format!("{HEAD}{ENV}{JOB}"), &[]);
    assert!(text.contains("about 2 CreateBackup calls a day") && !text.contains("skipped"), "{text}");
    let dark = "blackouts: [{ schedule: \"@daily\", lasts: 24h }]\n";
    let (text, _) = with_keys(&format!("{HEAD}{ENV}{JOB}{dark}"), &[]);
    assert!(text.contains("no CreateBackup calls") && text.contains("Asia/Shanghai, skipped: blackout"), "{text}");
}

#[test]
fn a_job_after_defaults_means_the_same_when_it_is_pasted_back() {
    let example = include_str!("../../config/policy.yaml").replace("credentials: env\n", "credentials: env\n    max_running: 3\n");
    let (head, _) = example.split_once("\njobs:").expect("the example has jobs");
    let (first, _) = with_keys(&example, &["--effective"]);
    assert_eq!(first.matches("- name: ").count(), 3, "{first}");
    let (again, _) = with_keys(&format!("{head}\njobs:\n{first}"), &["--effective"]);
    assert_eq!(first, again);
    let odd = "jobs:\n- { name: odd, schedule: \"*/7 3 * * SUN\", time_zone: UTC, targets: { all: true, except: [orders, cdb-aaaa0001] }, may_be_empty: true, \
               retry: { max_attempts: 3 }, freshness: { max_age: 48h }, catch_up: none, start_within: 90m, spread: 1s, \
               blackouts: [{ schedule: \"0 9 * * 1-5\", lasts: 10h, time_zone: Asia/Tokyo, reason: \"no: yes\" }] }\n";
    let (first, _) = with_keys(&format!("{HEAD}{ENV}{odd}"), &["--effective"]);
    for part in ["max_age: 2d", "may_be_empty: true", "max_attempts: 3", "start_within: 90m", "time_zone: Asia/Tokyo"] {
        assert!(first.contains(part), "{part} is not in:\n{first}");
    }
    let (again, _) = with_keys(&format!("{HEAD}{ENV}jobs:\n{first}"), &["--effective"]);
    assert_eq!(first, again);
}

#[test]
fn without_a_job_there_is_an_empty_list() {
    let (text, told) = with_keys(&format!("{HEAD}{ENV}"), &["--effective"]);
    assert_eq!(text, "[]\n");
    assert!(told.contains("the policy has no job\n"), "{told}");
}

#[test]
fn where_the_ledger_cannot_or_does_not_yet_lie_is_told() {
    let (text, _) = with_keys(&format!("{HEAD}{ENV}{JOB}ledger: /tmp\n"), &[]);
    assert!(text.contains("ledger-is-a-folder") && text.contains("write a file's path, such as `/tmp/ledger.db`"), "{text}");
    let dir = tempfile::tempdir().expect("a directory");
    for home in ["\"~/x.db\"", "\"~\"", "~backup/x.db"] {
        let output = check(dir.path(), &format!("{HEAD}{ENV}{JOB}ledger: {home}\n"), &[], &[]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.code() == Some(78) && text.contains("bad-path") && text.contains("write the path out"), "{text}");
    }
    let (text, _) = with_keys(&format!("{HEAD}{ENV}{JOB}ledger: no/such/folder/ledger.db\n"), &[]);
    assert!(text.contains("(its folder is not there; `run` makes it)"), "{text}");
}

#[test]
fn under_strict_the_last_line_says_that_warnings_are_faults() {
    let dir = tempfile::tempdir().expect("a directory");
    let strict = |jobs: &str, args: &[&str]| {
        let text = format!("{HEAD}{ENV}{jobs}");
        let keys = [("TENCENTCLOUD_SECRET_ID", "x"), ("TENCENTCLOUD_SECRET_KEY", "x")];
        let output = check(dir.path(), &text, &[&["--strict"], args].concat(), &keys);
        let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        (output.status.code(), out, err)
    };
    let odd = JOB.replace("30 2 * * *", "0 2 1-7 * SUN");
    let last = "policy.yaml is refused: 1 warning, and under --strict warnings are faults\n";
    let (code, out, err) = strict(&odd, &[]);
    assert!(code == Some(78) && out.ends_with(last) && !out.contains("is good") && err.is_empty(), "{out}{err}");
    for args in [&["-o", "json"][..], &["--effective"]] {
        let (code, out, err) = strict(&odd, args);
        assert!(code == Some(78) && err.ends_with(last) && !out.contains("refused"), "{out}{err}");
    }
    let (code, out, err) = strict(JOB, &[]);
    assert!(code == Some(0) && out.contains("policy.yaml is good") && !out.contains("refused") && err.is_empty(), "{out}{err}");
    let job = |i: u8| format!("  - {{ name: j{i}, schedule: \"0 2 1-7 * SUN\", targets: {{ all: true }}, suspend: true }}\n");
    let (_, out, _) = strict(&format!("jobs:\n{}", (0..60).map(job).collect::<String>()), &[]);
    assert!(out.contains("and 10 more warnings\n") && out.ends_with("60 warnings, and under --strict warnings are faults\n"), "{out}");
}

#[test]
fn a_pipe_is_read_and_one_into_which_nobody_writes_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let pipe = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo starts").success());
    let check = |path: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"));
        command.args(["check", "-c", path]).env_clear();
        command
    };
    let output = check(&pipe.to_string_lossy()).output().expect("the binary starts");
    assert_eq!(output.status.code(), Some(77));
    assert!(String::from_utf8_lossy(&output.stdout).contains("it is no regular file"), "{output:?}");
    let (from, mut into) = std::io::pipe().expect("a pipe");
    std::io::Write::write_all(&mut into, format!("{HEAD}{ENV}{JOB}").as_bytes()).expect("it is written");
    drop(into);
    let output = check("/dev/stdin").stdin(from).output().expect("the binary starts");
    assert!(String::from_utf8_lossy(&output.stdout).contains("/dev/stdin is good"), "{output:?}");
}
