//! The shape of the code, as rules that a reader may rely on: how long things are, which names say nothing, which words stand where.
//!
//! A list of exceptions may only shrink: it holds the size that was accepted, so that nothing on it grows, and an entry that is not needed any more
//! fails its test.

use super::sources::{Source, paths, product, read, rust};
use std::{collections::BTreeMap, fs};

/// Lines of a file without its unit tests.
const FILE_MAX: usize = 400;
/// Lines of a function, from its name to its closing brace.
const FUNCTION_MAX: usize = 70;
/// Longer files, and how long they may be.
const LONG_FILES: &[(&str, usize)] = &[];
/// Longer functions as `file: name`, and how long they may be. Only tables belong here.
const LONG_FUNCTIONS: &[(&str, usize)] = &[];
/// Names that say nothing.
const BANNED: &[&str] = &["manager", "helper", "helpers", "util", "utils", "handler", "service", "common", "misc", "types"];
/// How SQL asks for the time.
const SQL_CLOCKS: &[&str] = &["'now'", "current_timestamp", "current_date", "current_time ", "unixepoch()", "julianday()", "datetime()"];
/// The states of a run that mean nothing else.
const STATES: &[&str] = &["due", "calling", "uncertain", "succeeded", "timed_out", "expired", "missed", "skipped", "cancelled"];
/// Where a state may be spelled: the word's home, the record, and what people read.
const STATES_AT: &[&str] = &[
    "src/domain/run/due.rs",
    "src/domain/run/grade.rs",
    "src/domain/run/mod.rs",
    "src/ledger/install.rs",
    "src/ledger/open.rs",
    "src/ledger/pauses.rs",
    "src/ledger/queue.rs",
    "src/ledger/report/query.rs",
    "src/ledger/requests.rs",
    "src/ledger/row.rs",
    "src/ledger/view.rs",
    "src/ledger/write.rs",
];
/// What stands at the top level beside files that begin with a dot; `target` is git's to ignore.
const TOP: &[&str] = &[
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "benches",
    "config",
    "proptest-regressions",
    "src",
    "systemd",
    "target",
    "tests",
];
/// Folders that are somebody's machine, in halves so that this file passes.
const MACHINES: &[(&str, &str)] = &[("/ho", "me/"), ("/ro", "ot/"), ("/wo", "rk/"), ("/Us", "ers/")];

/// The sizes over a limit by name, held against the exceptions.
fn held(found: &BTreeMap<String, usize>, limit: usize, exceptions: &[(&str, usize)]) {
    for (name, lines) in found.iter().filter(|(_, lines)| **lines > limit) {
        let most = exceptions.iter().find(|(excepted, _)| excepted == name).map_or(limit, |(_, most)| *most);
        assert!(*lines <= most, "{name} has {lines} lines, and {most} are the most: which concept lacks a name?");
    }
    for (name, _) in exceptions {
        let lines = found.get(*name).copied().unwrap_or_default();
        assert!(lines > limit, "{name} has {lines} lines; take it off the list of exceptions");
    }
}

/// Every function of a text with its length. What `rustfmt` has formatted ends at the first line that is a brace as far in as the function.
fn functions(source: &Source) -> Vec<(String, usize)> {
    let lines: Vec<&str> = source.code.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function(line.trim_start()) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let ends = |line: &&str| line.strip_prefix(indent).is_some_and(|rest| rest == "}" || (rest.starts_with(')') && rest.ends_with(';')));
        let long = !(line.ends_with('}') || line.ends_with(';'));
        let length = if long { lines[at..].iter().position(ends).map_or(lines.len() - at, |end| end + 1) } else { 1 };
        found.push((format!("{}: {name}", source.path), length));
    }
    found
}

/// The name of the function that a line begins.
fn function(line: &str) -> Option<&str> {
    let mut words = line.split(' ').skip_while(|word| word.starts_with("pub") || matches!(*word, "const" | "async" | "unsafe"));
    let name = (words.next() == Some("fn")).then(|| words.next())??;
    name.split(['(', '<']).next()
}

/// The words of a name in camel case, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for c in name.chars() {
        match words.last_mut() {
            Some(word) if !c.is_uppercase() => word.push(c),
            _ => words.push(c.to_lowercase().collect()),
        }
    }
    words
}

/// The types and traits that a text names. The types inside an `impl` bear the names that their trait gives them.
fn kinds(code: &str) -> impl Iterator<Item = &str> {
    let starts = ["struct ", "enum ", "trait ", "type "];
    code.lines().filter(|line| !line.starts_with(" ") || !line.trim_start().starts_with("type ")).filter_map(move |line| {
        let line = line.trim_start().trim_start_matches("pub(super) ").trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        let name = starts.iter().find_map(|start| line.strip_prefix(start))?;
        name.split(|c: char| !c.is_alphanumeric()).next()
    })
}

#[test]
fn no_file_outgrows_what_a_reader_takes_in() {
    let sources = rust("src").into_iter().chain(rust("tests"));
    held(&sources.map(|source| (source.path, source.code.lines().count())).collect(), FILE_MAX, LONG_FILES);
}

#[test]
fn no_function_outgrows_what_a_reader_takes_in() {
    let sources: Vec<Source> = rust("src").into_iter().chain(rust("tests")).collect();
    let found: BTreeMap<String, usize> = sources.iter().flat_map(functions).collect();
    assert!(found.len() > 500, "the functions were not found");
    held(&found, FUNCTION_MAX, LONG_FUNCTIONS);
}

#[test]
fn a_function_is_measured_to_its_closing_brace() {
    let code =
        "impl A {\n    pub(super) async fn a(\n        b: u8,\n    ) -> u8 {\n        if b {\n        }\n    }\n    fn c() {}\n    fn d(&self);\n}\n";
    let source = Source { path: "x".into(), code: code.into() };
    assert_eq!(functions(&source), [("x: a".into(), 6), ("x: c".into(), 1), ("x: d".into(), 1)]);
}

#[test]
fn no_file_and_no_type_has_a_name_that_says_nothing() {
    for path in paths("src").into_iter().chain(paths("tests").into_iter().filter(|path| path.ends_with(".rs"))) {
        let stem = path.rsplit_once('.').map_or(path.as_str(), |(stem, _)| stem);
        assert!(!stem.split(['/', '_']).any(|word| BANNED.contains(&word)), "{path}");
    }
    for source in rust("src").iter().chain(&rust("tests")) {
        for name in kinds(&source.code) {
            assert!(!words(name).iter().any(|word| BANNED.contains(&word.as_str())), "{}: {name}", source.path);
        }
    }
}

#[test]
fn every_file_of_the_product_says_first_what_it_is() {
    for source in product() {
        assert!(source.code.starts_with("//! "), "{} has no head", source.path);
    }
}

#[test]
fn no_sentence_of_sql_reads_a_clock() {
    for path in paths("src") {
        let text = read(&path).to_lowercase();
        let clocks = SQL_CLOCKS.iter().filter(|clock| path.ends_with(".sql") || !clock.ends_with("()") || **clock == "unixepoch()");
        let found: Vec<_> = clocks.filter(|clock| text.contains(**clock)).collect();
        assert!(found.is_empty(), "{path} lets SQLite read the time with {found:?}");
    }
}

#[test]
fn the_states_of_a_run_are_spelled_in_few_places() {
    let spells = |source: &Source| {
        let code = source.statements();
        STATES.iter().any(|state| code.contains(&format!("\"{state}\"")) || code.contains(&format!("'{state}'")))
    };
    let found: Vec<String> = product().into_iter().filter(spells).map(|source| source.path).collect();
    for path in &found {
        assert!(STATES_AT.contains(&path.as_str()), "{path} spells a state; ask the run for its word");
    }
    for path in STATES_AT {
        assert!(found.iter().any(|found| found == path), "{path} spells no state any more; take it off the list");
    }
}

#[test]
fn no_test_is_switched_off() {
    let off = concat!("#[ig", "nore");
    for source in rust("src").iter().chain(&rust("tests")) {
        assert!(!read(&source.path).contains(off), "{} switches a test off", source.path);
    }
}

#[test]
fn the_top_level_holds_what_was_asked_for_and_no_more() {
    for entry in fs::read_dir(super::sources::root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with('.') || TOP.contains(&name.as_str()), "{name} stands at the top level");
    }
}

#[test]
fn no_file_names_a_folder_of_somebodys_machine() {
    for path in paths("") {
        let text = String::from_utf8_lossy(&fs::read(super::sources::root().join(&path)).unwrap()).into_owned();
        for (one, half) in MACHINES {
            let folder = format!("{one}{half}");
            // A folder of that name below another, or below a host, is somebody else's.
            let found = text.match_indices(&folder).any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '.' || c == '-'));
            assert!(!found, "{path} names {folder}");
        }
    }
}
