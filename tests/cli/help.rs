//! The help of every command has examples, and each example is a command line that is understood.

use super::papers::all;
use cdb_backupd::cli::Cli;
use clap::Parser;

/// The words of a line of a shell, as far as the command goes: without what a pipe, a redirection or another command adds.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), None::<String>, false);
    for c in line.chars() {
        match c {
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            ' ' if !is_quoted => words.extend(word.take()),
            '|' | '>' | '&' | ';' if !is_quoted => break,
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn a_line_ends_where_another_command_begins() {
    assert_eq!(words("a \"b c\" --d | e"), ["a", "b c", "--d"]);
    assert_eq!(words("a > f"), ["a"]);
}

#[test]
fn every_command_has_examples_that_are_understood() {
    for (path, command) in all() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let (_, examples) = help.split_once("Examples:\n").unwrap_or_else(|| panic!("{path:?} has no examples"));
        let lines = examples.lines().filter_map(|line| line.strip_prefix("  ")).flat_map(|line| line.split(" && "));
        let own: Vec<Vec<String>> = lines.map(words).filter(|words| words.first().is_some_and(|word| word == "cdb-backupd")).collect();
        assert!(own.iter().any(|words| words.get(1..=path.len()) == Some(path.as_slice())), "{path:?} has no example of its own: {own:?}");
        for line in own {
            if let Err(error) = Cli::try_parse_from(&line) {
                panic!("{line:?}: {error}");
            }
        }
    }
}
