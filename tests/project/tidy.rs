//! The shape of the code, as rules that a reader may rely on: who imports whom, how long things are, which names say nothing.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Who may use whom; the first part of a `crate::` path. `cli` puts concrete things together and may name all.
const LAYERS: &[(&str, &[&str])] = &[
    ("domain", &["domain"]),
    ("cloud", &["cloud", "domain", "clock"]),
    ("config", &["config", "domain"]),
    ("ledger", &["ledger", "domain"]),
    ("clock", &["domain"]),
    ("alarm", &[]),
    ("telemetry", &[]),
    ("daemon", &["daemon", "domain", "ledger", "clock", "cloud"]),
    ("sim", &["sim", "domain", "cloud", "clock"]),
];
/// The daemon sees the trait, never the client.
const FORBIDDEN: &[(&str, &str)] = &[("daemon", "cloud::client"), ("daemon", "cloud::wire"), ("domain", "async fn"), ("domain", "Utc::now")];
/// Files longer than 400 lines without their tests. May only shrink: an entry that is not needed any more fails the test.
const LONG_FILES: &[&str] = &["src/domain/run/mod.rs"];
const LINES_MAX: usize = 400;
const BANNED: [&str; 9] = ["manager", "helper", "utils", "util", "handler", "service", "common", "misc", "types"];
const TOP: [&str; 13] = [
    "Cargo.toml",
    "Cargo.lock",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "Dockerfile",
    "src",
    "config",
    "tests",
    "systemd",
    "benches",
    "target",
    "rustfmt.toml",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|end| end == "rs") {
            found.push(entry);
        }
    }
}

/// Each source file: its path from the root, and its text without the tests at its end.
fn files() -> Vec<(String, String)> {
    let mut found = Vec::new();
    sources(&root().join("src"), &mut found);
    assert!(found.len() > 50, "the sources were not found");
    let named = found.iter().map(|path| {
        let text = fs::read_to_string(path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
        (path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned(), text)
    });
    named.collect()
}

/// The first parts of all `crate::` paths, also of those inside `use crate::{…}`.
fn uses(text: &str) -> BTreeSet<String> {
    let mut parts = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        if let Some(block) = rest.strip_prefix('{') {
            let (mut depth, mut word) = (0, String::new());
            for c in block.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    _ => {}
                }
                match c {
                    c if depth == 0 && (c.is_alphanumeric() || c == '_') => word.push(c),
                    ':' | ',' | '\n' | ' ' | '{' | '}' => {
                        if !word.is_empty() && (c == ':' || c == ',') && depth == 0 {
                            parts.insert(std::mem::take(&mut word));
                        }
                        if c == ':' || c == '{' {
                            // What follows belongs to the part that was just named.
                        }
                        word.clear();
                    }
                    _ => {}
                }
            }
        } else {
            parts.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    parts
}

#[test]
fn every_layer_imports_only_what_it_may() {
    let known: BTreeSet<&str> = LAYERS.iter().map(|(layer, _)| *layer).chain(["cli"]).collect();
    for (path, text) in files() {
        let layer = path.trim_start_matches("src/").split(['/', '.']).next().unwrap().to_owned();
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else { continue };
        let used: Vec<String> = uses(&text).into_iter().filter(|part| known.contains(part.as_str())).collect();
        for part in used {
            assert!(allowed.contains(&part.as_str()), "{path} uses crate::{part}");
        }
        for (layer_of, word) in FORBIDDEN {
            assert!(*layer_of != layer || !text.contains(word), "{path} names {word}");
        }
    }
}

#[test]
fn no_file_outgrows_what_a_reader_takes_in_and_the_exceptions_shrink() {
    for (path, text) in files() {
        let lines = text.lines().count();
        let excepted = LONG_FILES.contains(&path.as_str());
        assert!(lines <= LINES_MAX || excepted, "{path} has {lines} lines: which concept lacks a name?");
        assert!(lines > LINES_MAX || !excepted, "{path} has {lines} lines; take it off the list of exceptions");
    }
}

#[test]
fn no_file_and_no_type_has_a_name_that_says_nothing() {
    for (path, text) in files() {
        for word in path.trim_end_matches(".rs").split(['/', '_']) {
            assert!(!BANNED.contains(&word), "{path}");
        }
        for line in text.lines().map(str::trim) {
            let name = ["pub struct ", "struct ", "pub enum ", "enum ", "pub trait "].iter().find_map(|start| line.strip_prefix(start));
            let Some(name) = name.map(|rest| rest.chars().take_while(|c| c.is_alphanumeric()).collect::<String>()) else { continue };
            let banned = BANNED.iter().find(|word| name.to_lowercase().contains(*word));
            assert!(banned.is_none(), "{path}: {name}");
        }
    }
}

#[test]
fn no_sentence_of_sql_reads_a_clock() {
    for (path, text) in files() {
        for clock in ["'now'", "CURRENT_TIMESTAMP", "current_timestamp"] {
            assert!(!text.contains(clock), "{path} lets SQLite read the time");
        }
    }
    let schema = fs::read_to_string(root().join("src/ledger/v1.sql")).unwrap();
    assert!(!schema.contains("'now'") && !schema.contains("CURRENT_"), "the schema reads the time");
}

#[test]
fn the_top_level_holds_what_was_asked_for_and_no_more() {
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with('.') || TOP.contains(&name.as_str()), "{name} stands at the top level");
    }
}
