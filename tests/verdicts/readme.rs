//! The README's table says what is so: its words are the daemon's, its log lines stand in the source, and no trouble is left out.

use cdb_backupd::domain::trouble::Trouble;
use std::{collections::BTreeSet, fs, path::Path};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// What is quoted in a cell.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// The table's rows, a list of cells each.
fn rows(readme: &str) -> Vec<Vec<&str>> {
    let (_, table) = readme.split_once("| trouble | ").unwrap();
    let lines = table.lines().skip(2).take_while(|line| line.starts_with("| "));
    lines.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

#[test]
fn the_table_has_every_trouble_of_the_daemon_and_no_other_word() {
    let readme = read("README.md");
    let rows = rows(&readme);
    assert!(rows.len() == 10 && rows.iter().all(|cells| cells.len() == 6), "{rows:#?}");
    let named: BTreeSet<&str> = rows.iter().flat_map(|cells| quoted(cells[2])).filter(|word| !word.starts_with('/') && *word != "stuck").collect();
    // A policy that is not in force waits for the clock or the ledger, which are named.
    let all: BTreeSet<&str> = Trouble::WORDS.into_iter().filter(|word| *word != "policy_not_in_force").collect();
    assert_eq!(named, all);
}

#[test]
fn what_the_table_quotes_of_the_log_and_of_status_stands_in_the_source() {
    let readme = read("README.md");
    let sources = ["src/daemon/log.rs", "src/daemon/mod.rs", "src/domain/trouble.rs", "src/ledger/mod.rs", "src/serve/door.rs", "src/cli/run.rs"];
    let log: String = sources.map(read).concat();
    let said = read("src/ledger/report/pulse.rs");
    for cells in rows(&readme) {
        for line in quoted(cells[3]) {
            assert!(log.contains(line), "no log says {line:?}");
        }
        for sentence in quoted(cells[1]).filter(|sentence| sentence.contains(' ')) {
            assert!(said.contains(sentence), "no pulse says {sentence:?}");
        }
    }
}
