//! Every bad policy of `policies/bad.txt` is refused with the codes in its heading, and drawn as its snapshot says.

use cdb_backupd::config::{LoadError, Machine, check_text};

const BASE: &str = "version: 1
accounts: { main: { credentials: env } }
instance_defaults: { account: main, region: ap-guangzhou, tags: { env: prod } }
instances: [{ id: cdb-c1nl9rpv, name: orders }]
defaults: { time_zone: Asia/Shanghai }";
const JOB: &str = "jobs: [{ name: nightly, schedule: \"30 2 * * *\", targets: { all: true }, method: physical }]";

/// Name, codes, text.
pub(super) fn cases() -> Vec<(String, Vec<String>, String)> {
    let text = include_str!("policies/bad.txt");
    let cases = text.split("=== ").skip(1).map(|case| {
        let (heading, policy) = case.split_once('\n').expect("a heading ends its line");
        let (name, codes) = heading.rsplit_once(": ").expect("a heading has codes");
        let codes = codes.split(' ').map(str::to_owned).collect();
        (name.to_owned(), codes, policy.replace("{base}", BASE).replace("{job}", JOB))
    });
    cases.collect()
}

fn refusal(text: &str) -> LoadError {
    let machine = Machine::pictured(&[("TENCENTCLOUD_SECRET_ID", "x"), ("TENCENTCLOUD_SECRET_KEY", "x")], &[], "");
    check_text("policy.yaml", text, &machine, "2026-11-24T02:00:00Z".parse().expect("a moment")).expect_err("the policy is bad")
}

/// The text without what colours it.
fn uncoloured(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}

fn shows_a_secret(text: &str) -> bool {
    ["hunter2", "AKIDz8", "z8krbsJ5y", "Gu5t9x"].iter().any(|secret| text.contains(secret))
}

#[test]
fn each_bad_policy_is_refused_with_its_codes_and_drawn() {
    let cases = cases();
    assert!(cases.len() >= 60, "{} bad policies", cases.len());
    let mut wrong = Vec::new();
    for (name, codes, text) in cases {
        let error = refusal(&text);
        let mut found: Vec<&str> = error.faults().iter().map(|f| f.code).collect();
        let mut expected: Vec<&str> = codes.iter().map(String::as_str).collect();
        found.sort_unstable();
        expected.sort_unstable();
        if found != expected {
            wrong.push(format!("{name}: {found:?} instead of {expected:?}"));
        }
        let drawn: Vec<String> = error.faults().iter().map(|f| f.draw(false)).collect();
        for (fault, drawn) in error.faults().iter().zip(&drawn) {
            assert_eq!(uncoloured(&fault.draw(true)), *drawn, "{name} says something else in colour");
            assert!(!drawn.lines().any(|line| line.trim() == ":::"), "{name} draws a place without a file:\n{drawn}");
        }
        let drawn = drawn.join("\n\n");
        assert!(!shows_a_secret(&drawn), "{name} shows a secret:\n{drawn}");
        insta::with_settings!({ description => name.clone(), omit_expression => true }, {
            insta::assert_snapshot!(name.replace([' ', ',', '\''], "_"), drawn);
        });
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_code_or_message_holds_a_secret_as_json() {
    for (name, _, text) in cases() {
        let json = serde_json::to_string(refusal(&text).faults()).expect("faults are JSON");
        assert!(!shows_a_secret(&json), "{name}: {json}");
    }
}

#[test]
fn the_first_fifty_faults_are_shown_and_the_rest_is_counted() {
    let instances: String = (0..70).map(|i| format!("  - {{ id: wrong{i}, account: main, region: ap-guangzhou }}\n")).collect();
    let error = refusal(&format!("version: 1\naccounts: {{ main: {{}} }}\ninstances:\n{instances}"));
    assert_eq!(error.faults().len(), 50);
    assert!(matches!(error, LoadError::Faulty { beyond: 20, .. }));
}

#[test]
fn a_long_line_is_drawn_around_its_fault() {
    let error = refusal(&format!("version: 1\nx-pad: [{} ] \nlisten: {}\n", "a, ".repeat(300_000), "y".repeat(1_000_000)));
    let drawn = error.faults()[0].draw(false);
    assert!(drawn.len() < 2_000 && drawn.contains("listen: yyy"), "{} bytes", drawn.len());
    let error = refusal(&format!("version: 1\nlisten: [{} ]\nhistory: {{ {}max_age: 1s }}\n", "a, ".repeat(9), " ".repeat(1_000_000)));
    let fault = error.faults().last().expect("two faults");
    assert_eq!((fault.line, fault.column), (Some(3), Some(1_000_021)));
    assert!(fault.draw(false).len() < 2_000);
}

#[test]
fn what_is_no_text_is_refused_without_being_drawn() {
    for (bytes, line) in [(&b"version: 1\n\x00\x01"[..], 2), (b"\xff\xfe\x00v", 1), (b"version: 1\nlisten: \x1b[31m", 2), (b"a: b\rc: d", 1)] {
        let now = "2026-11-24T02:00:00Z".parse().expect("a moment");
        let error = cdb_backupd::config::check_bytes("p", bytes, std::path::Path::new(""), &Machine::pictured(&[], &[], ""), now);
        let error = error.expect_err("no text");
        assert_eq!(error.faults().iter().map(|f| (f.code, f.line)).collect::<Vec<_>>(), [("not-text", Some(line))]);
    }
}

#[test]
fn over_16_mib_is_refused() {
    let error = refusal(&format!("version: 1\n# {}\n", "x".repeat(16 << 20)));
    assert_eq!(error.faults()[0].code, "file-too-large");
}
