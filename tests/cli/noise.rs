//! Whatever the file holds, a check ends with an answer.

use cdb_backupd::config::{Machine, check_bytes};
use proptest::prelude::*;
use std::path::Path;

fn check(bytes: &[u8]) {
    let machine = Machine::pictured(&[], &[], "");
    let now = "2026-11-24T02:00:00Z".parse().expect("a moment");
    if let Err(error) = check_bytes("policy.yaml", bytes, Path::new("/etc"), &machine, now) {
        assert!(!error.faults().is_empty(), "refused without a reason");
        for fault in error.faults() {
            let drawn = fault.draw(false);
            assert!(drawn.len() < 20_000, "{} bytes are drawn", drawn.len());
        }
    }
}

/// Pieces of policies, good and bad, that random YAML is made of.
fn yaml() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "version: 1\n",
        "accounts:\n",
        "  main: {}\n",
        "instances:\n",
        "jobs:\n",
        "  - ",
        "name: a\n",
        "    schedule: \"* * * * *\"\n",
        "defaults: ",
        "{ ",
        "} ",
        "[ ",
        "] ",
        ", ",
        "&a ",
        "*a ",
        "<<: ",
        "? ",
        ": ",
        "- ",
        "!t ",
        "| \n",
        "> \n",
        "\n",
        "\r\n",
        "\t",
        "  ",
        "'",
        "\"",
        "#",
        "secret: ",
        "password: \"",
        "AKID123456789",
        "订单",
        "targets: { all: true }\n",
        "method: physical\n",
        "tables: ",
        "id: cdb-c1nl9rpv\n",
        "---\n",
        "%YAML 1.2\n",
        "null",
        "true",
        "1.5",
        "\u{85}",
        "\u{2028}",
        "e\u{301}",
        "🦀",
        "retry: { after_failed: 99 }\n",
        "blackouts: [{}]\n",
        "history: ",
    ]);
    prop::collection::vec(words, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        check(&bytes);
    }

    #[test]
    fn random_text_is_answered(text in "\\PC{0,200}") {
        check(text.as_bytes());
    }

    #[test]
    fn random_yaml_is_answered(text in yaml()) {
        check(text.as_bytes());
    }

    #[test]
    fn a_changed_policy_is_answered(at in 0..5_000_usize, cut in 0..40_usize, piece in yaml()) {
        let mut bytes = include_bytes!("../../config/policy.yaml").to_vec();
        let at = at.min(bytes.len());
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, piece.bytes());
        check(&bytes);
    }
}

#[test]
fn shapes_that_cost_much_end_soon() {
    for unit in ["[", "{", "{a: ", "- ", "? ", "[[],", "a: &a ", "'", "\"\\x41", "*a ", "!t ", "a:\n ", "- -\n", "{a: b, ", "&a *a "] {
        check(unit.repeat(200_000 / unit.len()).as_bytes());
        check(format!("version: 1\nx-a: {}", unit.repeat(20_000 / unit.len())).as_bytes());
    }
    let indented: String = (0..2_000).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
    check(indented.as_bytes());
}
