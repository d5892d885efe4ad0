//! Who may import whom: DESIGN §3 as a table, held against the paths that every file names.

use super::sources::product;
use std::collections::BTreeSet;

/// A part of the crate, and the paths below the crate's root that it may name beside its own. The longest part that fits a file holds for it, and a
/// path stands for all below it.
const LAYERS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("config", &["domain"]),
    ("cloud", &["domain", "clock"]),
    ("ledger", &["domain"]),
    ("metrics", &["domain"]),
    ("clock", &["domain"]),
    ("daemon", &["domain", "ledger", "clock", "metrics", "cloud"]),
    ("sim", &["domain", "cloud", "clock"]),
    ("serve", &["domain", "clock", "ledger::report", "metrics"]),
    ("notify", &["domain", "ledger::report", "metrics"]),
    ("alarm", &[]),
    ("telemetry", &[]),
    ("systemd", &[]),
    // The command line puts concrete things together; those of its files that only read see no loop and no cloud.
    ("cli", &["alarm", "clock", "cloud", "config", "daemon", "domain", "ledger", "metrics", "notify", "serve", "sim", "systemd", "telemetry"]),
    ("cli::against", &["config", "domain", "ledger::report"]),
    ("cli::check", &["clock", "config", "domain"]),
    ("cli::effective", &["config", "domain"]),
    ("cli::health", &["domain", "ledger::report"]),
    ("cli::history", &["clock", "config", "domain", "ledger"]),
    ("cli::reading", &["clock", "config", "domain", "ledger"]),
    ("cli::selectors", &["config", "domain", "ledger::report"]),
    ("cli::show", &["clock", "config", "domain", "ledger"]),
    ("cli::table", &["domain", "ledger::report"]),
];

/// What stays closed although its layer is open: a part, and a path.
const CLOSED: &[(&str, &[&str])] = &[
    ("daemon", &["cloud::client", "cloud::codes", "cloud::credentials", "cloud::sign", "cloud::wire", "ledger::report", "clock::SystemClock"]),
    ("sim", &["cloud::client", "cloud::credentials", "cloud::sign", "cloud::wire"]),
    ("cli::history", &["ledger::Ledger"]),
    ("cli::reading", &["ledger::Ledger"]),
    ("cli::show", &["ledger::Ledger"]),
];

/// What the pure core may not even spell.
const IMPURE: &[&str] = &[
    "async fn",
    ".await",
    "Utc::now",
    "Instant::now",
    "SystemTime",
    "std::fs",
    "std::io",
    "std::env",
    "net::Tcp",
    "ToSocketAddrs",
    "tokio::",
    "rusqlite",
    "reqwest",
];

/// Whether `path` is `part` or lies below it.
fn is_below(path: &str, part: &str) -> bool {
    path.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The module that a file is, as a path from the crate's root: `src/a/mod.rs` is `a`, `src/a/b.rs` is `a::b`.
fn module(path: &str) -> String {
    let inner = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    inner.replace('/', "::")
}

/// The paths below the crate's root that a file names, groups spelled out: `crate::{a::{b, c}, d}` are `a::b`, `a::c` and `d`.
fn named(module: &str, code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_none_or(|c| c != ':' && c != '_' && c != '$' && !c.is_alphanumeric()) {
                spell(&code[at..], "", &mut found);
            }
        }
    }
    found.iter().filter_map(|path| from_root(module, path)).collect()
}

/// Takes one path, or one group of them, off the front of `text`.
fn spell(text: &str, before: &str, found: &mut BTreeSet<String>) {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        for part in parts(group) {
            spell(part, before, found);
        }
        return;
    }
    let word: &str = &text[..text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())];
    let path = if before.is_empty() || word.is_empty() { format!("{before}{word}") } else { format!("{before}::{word}") };
    match text[word.len()..].strip_prefix("::") {
        Some(rest) if !word.is_empty() => spell(rest, &path, found),
        _ => {
            found.insert(path);
        }
    }
}

/// The parts of a group, up to the brace that closes it.
fn parts(group: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                parts.push(&group[from..at]);
                from = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    parts
}

/// A path that began with `crate` or with `super`, from the crate's root.
fn from_root(module: &str, path: &str) -> Option<String> {
    if let Some(rest) = path.strip_prefix("crate::") {
        return Some(rest.to_owned());
    }
    let mut home: Vec<&str> = module.split("::").collect();
    let mut steps = path.split("::").peekable();
    while steps.next_if_eq(&"super").is_some() {
        home.pop()?;
    }
    let whole: Vec<&str> = home.into_iter().chain(steps).collect();
    Some(whole.join("::"))
}

/// The row of a table whose part fits a module best.
fn row<'a>(table: &[(&str, &'a [&'a str])], module: &str) -> Option<&'a [&'a str]> {
    let fitting = table.iter().filter(|(part, _)| is_below(module, part));
    fitting.max_by_key(|(part, _)| part.len()).map(|(_, paths)| *paths)
}

/// What a file names and may not.
fn trespasses(module: &str, code: &str) -> Vec<String> {
    let home = module.split("::").next().unwrap_or(module);
    let allowed = row(LAYERS, module).unwrap_or_else(|| panic!("{module} is no layer of the table"));
    let closed = row(CLOSED, module).unwrap_or(&[]);
    let is_ours = |path: &String| LAYERS.iter().any(|(layer, _)| is_below(path, layer));
    let may =
        |path: &String| is_below(path, home) || (allowed.iter().any(|open| is_below(path, open)) && !closed.iter().any(|shut| is_below(path, shut)));
    named(module, code).into_iter().filter(|path| is_ours(path) && !may(path)).collect()
}

#[test]
fn every_layer_imports_only_what_it_may() {
    for source in product() {
        let module = module(&source.path);
        if matches!(module.as_str(), "build" | "lib" | "main") {
            continue;
        }
        let found = trespasses(&module, &source.statements());
        assert!(found.is_empty(), "{} names {found:?}, which lies outside its layer", source.path);
    }
}

#[test]
fn the_core_has_no_clock_no_input_or_output_and_no_async() {
    for source in product().iter().filter(|source| source.path.starts_with("src/domain/")) {
        let code = source.statements();
        let found: Vec<_> = IMPURE.iter().filter(|word| code.contains(**word)).collect();
        assert!(found.is_empty(), "{} has {found:?}", source.path);
    }
}

#[test]
fn the_loop_knows_the_cloud_by_its_trait_alone() {
    let client = "use crate::{clock::Clock, cloud::{CdbApi, client::Client}};";
    assert_eq!(trespasses("daemon::act", client), ["cloud::client::Client"]);
    assert_eq!(trespasses("daemon", "ledger::report::Reader; crate::ledger::report::Reader::open()"), ["ledger::report::Reader::open"]);
}

#[test]
fn a_path_is_seen_however_it_is_written() {
    assert_eq!(trespasses("domain::run::due", "use super::super::super::ledger::Ledger;"), ["ledger::Ledger"]);
    assert_eq!(trespasses("ledger::row", "fn f(x: crate::cloud::wire::Reply) {}"), ["cloud::wire::Reply"]);
    assert_eq!(trespasses("config", "use crate::{domain::{a, b::{c}},\n    ledger::{self, Error},\n};"), ["ledger::Error", "ledger::self"]);
    assert_eq!(trespasses("alarm", "use super::{telemetry, alarm::x};"), ["telemetry"]);
    assert!(trespasses("domain::run", "use super::names::RunId; use crate::domain::now::Now;").is_empty());
}
