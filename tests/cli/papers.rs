//! What the program says of itself: completions that a shell takes, a manual page of each command, the schema.

use cdb_backupd::cli::Cli;
use clap::{Command, CommandFactory};
use std::process;

fn said(args: &[&str]) -> String {
    let output = process::Command::new(env!("CARGO_BIN_EXE_cdb-backupd")).args(args).env_clear().output().expect("the binary starts");
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// Every command with the words that name it, the program itself first.
fn commands(of: &Command, words: &[String], found: &mut Vec<(Vec<String>, Command)>) {
    found.push((words.to_vec(), of.clone()));
    for below in of.get_subcommands().filter(|below| below.get_name() != "help") {
        commands(below, &[words, &[below.get_name().to_owned()]].concat(), found);
    }
}

pub(super) fn all() -> Vec<(Vec<String>, Command)> {
    let mut command = Cli::command();
    command.build();
    let mut found = Vec::new();
    commands(&command, &[], &mut found);
    found
}

#[test]
fn bash_completes_commands_and_options_with_what_is_printed_for_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let script = dir.path().join("completions");
    std::fs::write(&script, said(&["completions", "bash"])).expect("a file is written");
    let complete = |words: &[&str]| {
        let last = words.len();
        let line = format!(
            "source \"$0\"; COMP_WORDS=(cdb-backupd {}); COMP_CWORD={last}; _cdb__backupd cdb-backupd \"${{COMP_WORDS[{last}]}}\" \"${{COMP_WORDS[{last}-1]}}\"; echo \"${{COMPREPLY[@]}}\"",
            words.join(" ")
        );
        let output = process::Command::new("bash").args(["--norc", "-c", &line]).arg(&script).output().expect("bash starts");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    assert_eq!(complete(&["sta"]), "status");
    assert_eq!(complete(&["ledger", "reb"]), "rebuild");
    assert_eq!(complete(&["backup", "--even"]), "--even-if-held");
    assert_eq!(complete(&["completions", "f"]), "fish");
}

#[test]
fn every_shell_is_told_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = said(&["completions", shell]);
        for (words, _) in all() {
            assert!(words.last().is_none_or(|name| script.contains(name.as_str())), "{shell} knows no {words:?}");
        }
    }
}

#[test]
fn every_command_has_a_manual_page_with_its_options_and_examples() {
    for (words, command) in all() {
        let args: Vec<&str> = ["man"].into_iter().chain(words.iter().map(String::as_str)).collect();
        let page = said(&args).replace("\\-", "-");
        let name = ["cdb-backupd"].into_iter().chain(words.iter().map(String::as_str)).collect::<Vec<_>>().join("-");
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
        for long in command.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(|arg| arg.get_long()) {
            assert!(page.contains(&format!("--{long}")), "{name} says nothing of --{long}");
        }
        assert!(page.contains("Examples:"), "{name} has no examples");
    }
}

#[test]
fn a_page_of_no_command_is_a_wrong_command_line_that_says_which_was_meant() {
    let output = process::Command::new(env!("CARGO_BIN_EXE_cdb-backupd")).args(["man", "ledger", "chekc"]).output().expect("the binary starts");
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(told, "cdb-backupd: `cdb-backupd ledger` has no command `chekc`; did you mean `check`?\n");
}

#[test]
fn the_schema_is_printed_as_it_lies_in_the_repository() {
    assert!(said(&["schema"]) == super::schema::written(), "write it anew: cdb-backupd schema > config/policy.schema.json");
}
