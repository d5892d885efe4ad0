//! The schema for editors judges policies as `check` does, as far as a schema can see: it refuses no good one, and the bad ones that it lets pass are
//! listed in a snapshot.

use super::{bad_policies, good_policies::HEAD};
use cdb_backupd::config::{Machine, check_text, schema};
use serde_json::Value;
use std::{collections::BTreeSet, sync::LazyLock};

/// Codes of faults that a schema sees wherever they stand.
const SEEN: [&str; 9] =
    ["unknown-key", "wrong-type", "empty-value", "unknown-word", "unknown-version", "two-ways", "empty-list", "bad-id", "not-a-default"];
const KEYS: [(&str, &str); 2] = [("TENCENTCLOUD_SECRET_ID", "x"), ("TENCENTCLOUD_SECRET_KEY", "x")];

static VALIDATOR: LazyLock<jsonschema::Validator> = LazyLock::new(|| jsonschema::draft202012::new(&schema()).expect("a schema of its draft"));

/// A policy as an editor holds it; absent when it is no document, or one that JSON cannot say.
fn document(text: &str) -> Option<Value> {
    let text = text.trim_start_matches('\u{feff}');
    let json = || serde_json::from_str(text).ok();
    serde_yaml::from_str::<serde_yaml::Value>(text).ok().and_then(|value| serde_json::to_value(value).ok()).or_else(json)
}

/// The schema that lies beside the example.
pub(super) fn written() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/policy.schema.json")).unwrap_or_default()
}

/// What the schema says against a policy.
pub(super) fn complaints(text: &str) -> Vec<String> {
    let document = document(text).expect("a document");
    VALIDATOR.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Every map of keys in the schema, with its place.
fn maps<'s>(at: &str, value: &'s Value, found: &mut Vec<(String, &'s serde_json::Map<String, Value>)>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::Object(keys)) = map.get("properties") {
                found.push((at.to_owned(), keys));
            }
            map.iter()
                .filter(|(key, _)| !matches!(key.as_str(), "oneOf" | "dependentSchemas"))
                .for_each(|(key, below)| maps(&format!("{at}/{key}"), below, found));
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(i, below)| maps(&format!("{at}/{i}"), below, found)),
        _ => {}
    }
}

#[test]
fn every_key_has_a_description_that_an_editor_shows() {
    let schema = schema();
    let mut found = Vec::new();
    maps("", &schema, &mut found);
    let keys: Vec<(&str, &String, &Value)> = found.iter().flat_map(|(at, keys)| keys.iter().map(|(key, says)| (at.as_str(), key, says))).collect();
    assert!(keys.len() > 80, "{} keys", keys.len());
    for (at, key, says) in keys {
        let description = says["description"].as_str().unwrap_or_default();
        assert!(description.len() > 10 && description.ends_with('.'), "{at}: {key} says `{description}`");
    }
}

#[test]
fn the_example_names_its_schema_to_editors_and_fits_it() {
    let text = include_str!("../../config/policy.yaml");
    assert_eq!(text.lines().next(), Some("# yaml-language-server: $schema=policy.schema.json"));
    assert_eq!(complaints(text), Vec::<String>::new());
    assert!(serde_json::from_str::<Value>(&written()).is_ok_and(|it| it == schema()));
}

#[test]
fn what_the_schema_can_see_it_refuses() {
    let mut passed = Vec::new();
    let mut judged = 0;
    for (name, codes, text) in bad_policies::cases() {
        let Some(document) = document(&text) else { continue };
        judged += 1;
        let is_good = VALIDATOR.is_valid(&document);
        assert!(!(is_good && codes.iter().any(|code| SEEN.contains(&code.as_str()))), "the schema lets pass: {name}");
        if is_good {
            passed.push(format!("{name}: {}", codes.join(" ")));
        }
    }
    assert!(judged > 120, "{judged}");
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!("what_only_check_sees", passed.join("\n")) });
}

/// A policy that sets one key to a value.
fn setting(kind: &str, key: &str, value: &str) -> String {
    let job = |rest: &str| format!("{HEAD}jobs: [{{ name: a, schedule: \"@daily\", targets: {{ all: true }}, {rest} }}]\n");
    match kind {
        "History" => format!("{HEAD}history: {{ {key}: {value} }}\n"),
        "LedgerCopies" => format!("{HEAD}ledger_copies: {{ folder: copies, {key}: {value} }}\n"),
        "Account" => HEAD.replace("credentials: env", &format!("{key}: {value}")),
        "Job" if key == "method" => job(&format!("method: {value}")),
        "Job" => job(&format!("method: physical, {key}: {value}")),
        "JobDefaults" => HEAD.replace("time_zone: Asia/Shanghai", &format!("time_zone: Asia/Shanghai, {key}: {value}")),
        "Retry" => job(&format!("method: physical, retry: {{ {key}: {value} }}")),
        other => panic!("no policy is known that sets {other}.{key}"),
    }
}

fn is_good(text: &str) -> bool {
    check_text("policy.yaml", text, &Machine::pictured(&KEYS, &[], ""), "2026-11-24T02:00:00Z".parse().expect("a moment")).is_ok()
}

#[test]
fn the_numbers_of_the_schema_reach_as_far_as_those_of_the_decoder() {
    let schema = schema();
    let mut found = Vec::new();
    maps("", &schema, &mut found);
    let mut bounded = BTreeSet::new();
    for (at, keys) in &found {
        let kind = at.rsplit('/').next().unwrap_or_default();
        for (key, says) in
            keys.iter().filter(|(_, says)| ["integer", "number"].contains(&says["type"].as_str().unwrap_or_default()) && says.get("const").is_none())
        {
            bounded.insert(format!("{kind}.{key}"));
            let (least, most) = (says["minimum"].as_f64().expect("a least"), says["maximum"].as_f64().expect("a most"));
            let step = if says["type"] == "integer" { 1.0 } else { 0.01 };
            for (number, good) in [(least - step, false), (least, true), (most, true), (most + step, false)] {
                assert_eq!(is_good(&setting(kind, key, &number.to_string())), good, "{kind}.{key}: {number}");
            }
        }
    }
    assert!(bounded.len() >= 8, "{bounded:?}");
}

#[test]
fn the_words_of_the_schema_are_those_of_the_decoder() {
    let schema = schema();
    let mut found = Vec::new();
    maps("", &schema, &mut found);
    let mut words = 0;
    for (at, keys) in &found {
        let kind = at.rsplit('/').next().unwrap_or_default();
        for (key, word) in keys.iter().flat_map(|(key, says)| says["enum"].as_array().into_iter().flatten().map(move |word| (key, word))) {
            assert!(is_good(&setting(kind, key, word.as_str().expect("a word"))), "{kind}.{key}: {word}");
            words += 1;
        }
    }
    assert_eq!(words, 14);
}
