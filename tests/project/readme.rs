//! The README says what is so: its commands, flags, paths, policy, JSON keys, exit codes, views and outcomes are the program's.

use super::sources::{read, root};
use cdb_backupd::{
    cli::{Cli, exit::Exit},
    config::{Machine, check_text},
};
use clap::{Command, CommandFactory};
use std::collections::BTreeSet;

/// Options in the README that belong to other programs.
const FOREIGN: &[&str] =
    &["--release", "--full", "--system", "--home-dir", "--shell", "--now", "--tag", "--detach", "--name", "--env-file", "--volume"];
const FIRST: [&str; 2] = ["cargo run --release -- demo", "cargo test"];

/// The words between backticks, code blocks left out.
fn quoted(text: &str) -> Vec<String> {
    let prose: String = text.split("```").step_by(2).collect();
    prose.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The code block of a language.
fn block(language: &str) -> String {
    let readme = read("README.md");
    let (_, rest) = readme.split_once(&format!("```{language}\n")).unwrap_or_else(|| panic!("no block of {language}"));
    rest.split_once("```").unwrap().0.to_owned()
}

/// Every long option of a command and of those below it.
fn options(command: &Command, found: &mut BTreeSet<String>) {
    found.extend(command.get_arguments().filter_map(|arg| arg.get_long()).map(|long| format!("--{long}")));
    command.get_subcommands().for_each(|below| options(below, found));
}

#[test]
fn the_readme_begins_with_two_commands_and_ci_runs_the_second() {
    let lines: Vec<String> = block("sh").lines().map(|line| line.split('#').next().unwrap_or_default().trim().to_owned()).collect();
    assert_eq!(lines, FIRST);
    assert!(read(".ci/run").lines().any(|line| line.starts_with("check ") && line.contains(FIRST[1])));
}

#[test]
fn every_option_in_the_readme_is_an_option() {
    let mut known = BTreeSet::new();
    let mut command = Cli::command();
    // With `--help` and `--version`, which every command line has.
    command.build();
    options(&command, &mut known);
    let readme = read("README.md");
    let words = readme.split(|c: char| c.is_whitespace() || "`,;()".contains(c)).filter(|word| word.starts_with("--") && word.len() > 2);
    for word in words.filter(|word| !word.starts_with("---") && *word != "-->") {
        assert!(known.contains(word) || FOREIGN.contains(&word), "the README names {word}");
    }
}

#[test]
fn every_command_in_the_readme_is_a_command() {
    let command = Cli::command();
    for text in quoted(&read("README.md")) {
        let Some(name) = text.strip_prefix("cdb-backupd ").and_then(|rest| rest.split(' ').next()) else { continue };
        assert!(command.find_subcommand(name).is_some(), "the README names `{text}`");
    }
}

#[test]
fn every_path_of_the_project_in_the_readme_is_there() {
    let readme = read("README.md");
    let folders = ["src/", "tests/", "config/", "systemd/", "benches/", ".ci/"];
    let words = readme.split(|c: char| c.is_whitespace() || "`[]()".contains(c)).map(|word| word.trim_end_matches(['.', ',', ';']));
    let named: BTreeSet<&str> = words.filter(|word| folders.iter().any(|folder| word.starts_with(folder))).collect();
    assert!(named.len() > 10, "the README names the homes of its promises");
    for path in named {
        assert!(root().join(path).exists(), "the README names {path}");
    }
}

/// The rows of the table of promises: what is promised, and what shows it.
fn promises() -> Vec<(String, String)> {
    let readme = read("README.md");
    let table = readme.lines().skip_while(|line| !line.starts_with("| in particular |")).skip(2).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| line.trim_matches(['|', ' ']).rsplit_once(" | ").map(|(promise, shown)| (promise.to_owned(), shown.to_owned()));
    table.map(|line| cells(line).unwrap_or_else(|| panic!("a row of two cells: {line}"))).collect()
}

#[test]
fn what_shows_a_promise_is_a_test_of_cargo_or_says_in_which_command_it_runs() {
    let promises = promises();
    assert!(promises.len() > 15, "{promises:#?}");
    for (promise, shown) in promises {
        let named: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        let is_test = |path: &str| path.ends_with(".rs") || root().join(path).join("main.rs").exists();
        let all_are = named.iter().all(|name| name.starts_with("tests/") && is_test(name));
        assert!(!named.is_empty() && (all_are || shown.contains("in `.ci/run")), "`{shown}` does not say where it runs: {promise}");
    }
}

#[test]
fn figures_of_the_readme_beside_the_table_name_their_tests() {
    let readme = read("README.md").replace('\n', " ");
    for (figure, test) in [
        ("files 0640", "tests/ledger/files.rs"),
        ("within the last minute", "tests/cli/health.rs"),
        ("kills the daemon with SIGKILL", "tests/crash/short"),
    ] {
        let (_, behind) = readme.split_once(figure).unwrap_or_else(|| panic!("the README says `{figure}`"));
        let sentence: String = behind.chars().take(120).collect();
        assert!(sentence.contains(test), "`{figure}` names {test}: {sentence}");
    }
}

#[test]
fn the_readmes_policy_is_good() {
    let machine = Machine::pictured(&[("TENCENTCLOUD_SECRET_ID", "x"), ("TENCENTCLOUD_SECRET_KEY", "x")], &[], "");
    let loaded = check_text("README.md", &block("yaml"), &machine, "2026-11-24T02:00:00Z".parse().unwrap());
    match loaded {
        Ok(loaded) => assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings),
        Err(error) => panic!("{:?}", error.faults()),
    }
}

#[test]
fn the_readme_has_the_keys_of_a_run_in_their_order() {
    let text = read("tests/history/snapshots/history__look__the_json_form_has_the_keys_of_the_interface.snap");
    let line = text.lines().find(|line| line.starts_with("{\"run_id\"")).unwrap();
    let item: serde_json::Map<_, _> = serde_json::from_str(line.trim_end_matches(',')).unwrap();
    let mut keys: Vec<(usize, &String)> = item.keys().map(|key| (line.find(&format!("\"{key}\":")).unwrap(), key)).collect();
    keys.sort();
    let keys: Vec<String> = keys.iter().map(|(_, key)| format!("`{key}`")).collect();
    let readme = read("README.md").replace('\n', " ");
    assert!(readme.contains(&keys.join(", ")), "the README lists {}", keys.join(", "));
}

#[test]
fn the_readme_has_every_exit_code_and_no_other() {
    let all = [Exit::Ok, Exit::Failed, Exit::Usage, Exit::NotAllGood, Exit::LedgerIo, Exit::LedgerLocked, Exit::NotPermitted, Exit::PolicyFault];
    let readme = read("README.md");
    let told = readme.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse::<u8>().ok());
    assert_eq!(told.collect::<Vec<_>>(), all.map(|exit| exit as u8));
}

#[test]
fn the_views_that_stay_stable_are_those_of_the_ledger() {
    let schema = read("src/ledger/v1.sql");
    let views: Vec<String> = schema.lines().filter_map(|line| line.strip_prefix("CREATE VIEW ")?.split(' ').next()).map(str::to_owned).collect();
    assert_eq!(views, ["history", "latest", "gaps"]);
    let quoted = quoted(&read("README.md"));
    assert!(views.iter().all(|view| quoted.contains(view)));
}
