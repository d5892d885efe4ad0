//! What people build upon is listed in the README, all of it and nothing else: JSON keys, log keys, views. (Exit codes: `readme`; metrics:
//! `tests/serve/scrapes.rs`, which asks the answer itself.)

use super::sources::{Source, product, read};
use cdb_backupd::ledger::Ledger;
use std::collections::{BTreeMap, BTreeSet};

/// Objects by what the README calls them, and the struct that each is written from.
const OBJECTS: &[(&str, &str, &str)] = &[
    ("`check`", "src/cli/check.rs", "Told"),
    ("a fault or warning in it", "src/config/fault.rs", "Fault"),
    ("what a policy would change: `check --against`", "src/domain/diff/mod.rs", "Diff"),
    ("each part of that", "src/domain/diff/mod.rs", "Few"),
    ("a job added", "src/domain/diff/mod.rs", "JobAdded"),
    ("a job removed", "src/domain/diff/mod.rs", "JobRemoved"),
    ("a job changed", "src/domain/diff/mod.rs", "JobChanged"),
    ("a job renamed", "src/domain/diff/mod.rs", "JobRenamed"),
    ("a pair added or removed", "src/domain/diff/mod.rs", "Pair"),
    ("a pair changed", "src/domain/diff/mod.rs", "PairChanged"),
    ("an account changed", "src/domain/diff/mod.rs", "AccountChanged"),
    ("a job after defaults, beside its policy's keys: `check --effective`", "src/cli/effective.rs", "Effective"),
    ("an instance of it", "src/cli/effective.rs", "EffectiveInstance"),
    ("a slot: `next`", "src/cli/next.rs", "Item"),
    ("`show`", "src/ledger/report/whole.rs", "Whole"),
    ("its run, beside the keys of a run", "src/ledger/report/whole.rs", "FullRun"),
    ("an attempt of it", "src/ledger/report/whole.rs", "Attempt"),
    ("a backup of it", "src/ledger/report/whole.rs", "Backup"),
    ("what comes next of it", "src/ledger/report/whole.rs", "Next"),
    ("`status`, `/`", "src/ledger/report/status.rs", "Overview"),
    ("the daemon in it; `health`", "src/ledger/report/pulse.rs", "Judged"),
    ("a pause of it", "src/ledger/report/pauses.rs", "PauseLine"),
    ("what a pause is about", "src/domain/scope.rs", "Scope"),
    ("a job of it", "src/ledger/report/status.rs", "JobLine"),
    ("what holds pairs of a job", "src/ledger/report/holds.rs", "HoldLine"),
    ("a pair of it", "src/ledger/report/status.rs", "PairLine"),
    ("the newest run of a pair that ended", "src/ledger/report/status.rs", "EndedLine"),
    ("its open run", "src/ledger/report/status.rs", "OpenLine"),
    ("what holds it", "src/ledger/report/holds.rs", "HeldLine"),
    ("an instance: `status --uncovered`", "src/ledger/report/status.rs", "Uncovered"),
    ("`explain`", "src/cli/explain/told.rs", "Told"),
    ("a job of `explain`", "src/cli/explain/told.rs", "JobTold"),
    ("what it does", "src/cli/explain/told.rs", "Fact"),
    ("a slot of it", "src/cli/explain/told.rs", "SlotTold"),
    ("what holds there", "src/cli/explain/told.rs", "HoldTold"),
    ("whom it holds", "src/cli/explain/told.rs", "HeldOf"),
    ("a pair of `explain`, beside the keys of a pair", "src/cli/explain/told.rs", "PairTold"),
    ("its next run", "src/cli/explain/told.rs", "NextRun"),
    ("a run of `explain`", "src/cli/explain/told.rs", "RunTold"),
    ("`backup`, `backfill`, `cancel`, `pause`, `resume`, `reload`", "src/cli/act/mod.rs", "Told"),
    ("the answer in the same object", "src/domain/request.rs", "Answer"),
    ("a run of an answer", "src/domain/request.rs", "RunAnswer"),
    ("`ledger check`", "src/cli/ledger/check.rs", "Told"),
    ("a finding of it", "src/cli/ledger/check.rs", "Item"),
    ("`ledger copy`", "src/cli/ledger/copy.rs", "Told"),
    ("`ledger rebuild`", "src/cli/ledger/rebuild/told.rs", "Told"),
    ("a run that was found", "src/cli/ledger/rebuild/told.rs", "Item"),
    ("a list that could not be read", "src/cli/ledger/rebuild/told.rs", "Unread"),
    ("`sim`", "src/cli/sim/mod.rs", "Introduction"),
    ("an instance of `sim`", "src/cli/sim/mod.rs", "Listed"),
    ("one that the policy leaves out", "src/cli/sim/mod.rs", "Unfit"),
    ("a fault: `sim --faults help`", "src/cli/sim/mod.rs", "Named"),
    ("`/healthz`", "src/serve/health.rs", "Alive"),
    ("`/readyz`", "src/serve/health.rs", "Ready"),
    ("a reason of it", "src/serve/health.rs", "Reason"),
    ("a list of the page", "src/serve/page/mod.rs", "List"),
    ("a part of `/`, beside the keys of `status`", "src/serve/page/mod.rs", "OverviewPart"),
    ("a slot of a calendar", "src/serve/page/calendar.rs", "SlotLine"),
    ("a refusal of the page", "src/serve/page/mod.rs", "Refused"),
];
/// Where structs are written as JSON that nobody outside reads, or under keys that are listed elsewhere: an entry of the policy, a line of the log,
/// what frames a list, a request's row.
const INNER: &[(&str, &str)] = &[
    ("src/cli/effective.rs", "Entry"),
    ("src/cli/effective.rs", "Tables"),
    ("src/cli/effective.rs", "Retry"),
    ("src/cli/effective.rs", "Poll"),
    ("src/cli/effective.rs", "Freshness"),
    ("src/cli/effective.rs", "EffectiveBlackout"),
    ("src/cli/output.rs", "Items"),
    ("src/cli/output.rs", "Logged"),
    ("src/cli/output.rs", "Place"),
    ("src/domain/request.rs", "Wanted"),
];
/// What every line of the log has.
const OF_ALL: [&str; 3] = ["timestamp", "level", "message"];

/// The words between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The rows of the table whose heading begins so: first and second cell.
fn rows(heading: &str) -> Vec<(String, String)> {
    let readme = read("README.md");
    let table = readme.lines().skip_while(|line| !line.starts_with(heading)).skip(2).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| line.trim_matches(['|', ' ']).split_once(" | ").map(|(name, keys)| (name.to_owned(), keys.to_owned()));
    table.map(|line| cells(line).unwrap_or_else(|| panic!("a row of two cells: {line}"))).collect()
}

/// Every struct of a file that is written as JSON, with its keys in their order.
fn written(source: &Source) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for (at, derive) in source.code.match_indices("#[derive(") {
        let rest = &source.code[at + derive.len()..];
        let Some((derived, rest)) = rest.split_once(")]") else { continue };
        let head: String = rest.lines().skip(1).take_while(|line| line.starts_with("#[")).collect();
        let Some(line) = rest.lines().skip(1).find(|line| !line.starts_with("#[")) else { continue };
        let Some((_, name)) = line.split_once("struct ").filter(|_| line.ends_with('{')) else { continue };
        if derived.split([',', ' ']).any(|word| word == "Serialize") && !head.contains("rename_all") {
            let name = name.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            let body = rest.split_once("{\n").map_or("", |(_, body)| body.split("\n}").next().unwrap_or_default());
            found.push((name.to_owned(), keys(body)));
        }
    }
    found
}

fn keys(body: &str) -> Vec<String> {
    let (mut keys, mut said) = (Vec::new(), String::new());
    for line in body.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        if line.starts_with("#[") {
            said += line;
        } else if let Some((name, _)) = line.split_once(": ") {
            let name = name.rsplit(' ').next().unwrap_or_default();
            if !said.contains("flatten") && !said.contains("serde(skip)") {
                keys.push(name.to_owned());
            }
            said.clear();
        }
    }
    keys
}

#[test]
fn the_readme_lists_the_keys_of_every_object_that_is_printed() {
    let readers = ["src/cli/", "src/ledger/report/", "src/serve/", "src/domain/", "src/config/"];
    let mut found: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for source in product().iter().filter(|source| readers.iter().any(|part| source.path.starts_with(part))) {
        found.extend(written(source).into_iter().map(|(name, keys)| ((source.path.clone(), name), keys)));
    }
    let told: BTreeMap<String, String> = rows("| object |").into_iter().collect();
    for (object, path, name) in OBJECTS {
        let keys = found.remove(&((*path).to_owned(), (*name).to_owned())).unwrap_or_else(|| panic!("{path} writes no {name} any more"));
        let row = told.get(*object).unwrap_or_else(|| panic!("the README has no row for {object}"));
        assert_eq!(quoted(row), keys, "the README's row for {object}, which is {name} in {path}");
    }
    for (path, name) in INNER {
        assert!(found.remove(&((*path).to_owned(), (*name).to_owned())).is_some(), "{path} writes no {name} any more");
    }
    assert!(found.is_empty(), "the README lists the keys of these nowhere: {found:#?}");
    assert_eq!(told.len(), OBJECTS.len());
}

/// What stands between the brackets of each macro that logs, in parts.
fn said(code: &str) -> Vec<Vec<String>> {
    let levels = ["error", "warn", "info", "debug"].map(|level| format!("tracing::{level}!("));
    levels.iter().flat_map(|level| code.match_indices(level.as_str())).map(|(at, level)| parts(&code[at + level.len()..])).collect()
}

fn parts(code: &str) -> Vec<String> {
    let (mut parts, mut part, mut depth, mut in_text, mut is_escaped) = (Vec::new(), String::new(), 0, false, false);
    for c in code.chars() {
        match c {
            '"' if !is_escaped => in_text = !in_text,
            '(' | '[' | '{' if !in_text => depth += 1,
            ')' if !in_text && depth == 0 => break,
            ')' | ']' | '}' if !in_text => depth -= 1,
            ',' if !in_text && depth == 0 => {
                parts.push(std::mem::take(&mut part).trim().to_owned());
                continue;
            }
            _ => {}
        }
        is_escaped = c == '\\' && !is_escaped;
        part.push(c);
    }
    parts.push(part.trim().to_owned());
    parts
}

#[test]
fn the_readme_lists_the_keys_of_the_log() {
    let mut logged: BTreeSet<String> = OF_ALL.map(str::to_owned).into();
    for source in product() {
        for parts in said(&source.statements()) {
            let keys = parts.iter().take_while(|part| !part.starts_with('"')).map(|part| part.trim_start_matches(['%', '?']));
            logged.extend(keys.map(|key| key.split([' ', '=']).next().unwrap_or_default().to_owned()));
        }
    }
    let place = written(&Source { path: String::new(), code: read("src/cli/output.rs") }).into_iter().find(|(name, _)| name == "Place");
    logged.extend(place.expect("a fault's place is logged").1);
    assert!(logged.len() > 40, "{logged:?}");
    let readme = read("README.md");
    let (_, list) = readme.split_once("Each line of the log has").expect("the README speaks of the log");
    let list = list.split_once("What lasts").expect("and of what lasts").0;
    let told: BTreeSet<String> = quoted(list).into_iter().filter(|word| !word.starts_with("--") && !word.contains('/')).map(str::to_owned).collect();
    assert_eq!(told, logged);
}

#[test]
fn the_readme_lists_the_columns_of_the_views() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    drop(Ledger::open(&path, "views", "2026-11-24T02:00:00Z".parse().expect("a moment")).expect("a ledger"));
    let conn = rusqlite::Connection::open(&path).expect("it opens");
    let told = rows("| view |");
    assert_eq!(told.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["`history`", "`latest`", "`gaps`"]);
    for (name, columns) in told {
        let mut info = conn.prepare(&format!("SELECT name FROM pragma_table_info('{}')", name.trim_matches('`'))).expect("a view");
        let are: Vec<String> = info.query_map([], |row| row.get(0)).expect("columns").map(|column| column.expect("a name")).collect();
        assert_eq!(quoted(&columns), are, "{name}");
    }
}
