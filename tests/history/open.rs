//! Ledgers that are not there, not ours, not writable, or in use.

use crate::books::{Books, TEXT, at, history_of};
use cdb_backupd::{
    cli::history::Output,
    ledger::{Error, Ledger, report::Filter},
};
use rusqlite::Connection;
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

fn refused(path: &Path) -> Error {
    history_of(path, Filter::default(), TEXT).unwrap_err().downcast::<Error>().unwrap()
}

fn count(path: &Path) -> usize {
    history_of(path, Filter { limit: 1000, ..Filter::default() }, Output::Csv).unwrap().lines().count() - 1
}

#[test]
fn a_ledger_that_is_not_there_is_an_empty_history() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no/such/ledger.db");
    assert_eq!(history_of(&path, Filter::default(), TEXT).unwrap(), "");
    let json: serde_json::Value = serde_json::from_str(&history_of(&path, Filter::default(), Output::Json).unwrap()).unwrap();
    assert_eq!(json, serde_json::json!({"schema_version": 1, "items": []}));
    assert!(!folder.path().join("no").exists());
}

#[test]
fn a_ledger_without_tables_is_an_empty_history() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    fs::write(&path, "").unwrap();
    assert_eq!(count(&path), 0);
}

#[test]
fn a_foreign_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (text, other) = (folder.path().join("notes.txt"), folder.path().join("other.db"));
    fs::write(&text, "this is no database ".repeat(100)).unwrap();
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let before = (fs::read(&text).unwrap(), fs::read(&other).unwrap());
    assert!(matches!(refused(&text), Error::Foreign(_)));
    assert!(matches!(refused(&other), Error::Foreign(_)));
    assert!(matches!(refused(folder.path()), Error::Foreign(_)));
    assert_eq!((fs::read(&text).unwrap(), fs::read(&other).unwrap()), before);
}

#[test]
fn a_newer_ledger_is_refused_with_both_versions() {
    let books = Books::full();
    books.conn().pragma_update(None, "user_version", 7).unwrap();
    let error = refused(&books.path());
    assert!(matches!(error, Error::Newer { found: 7, known: 1, .. }), "{error}");
}

#[test]
fn the_history_is_read_beside_a_working_daemon_and_after_its_end() {
    let mut books = Books::full();
    assert!(books.folder.path().join("ledger.db-wal").exists());
    assert_eq!(count(&books.path()), 13);
    books.conn().execute("DELETE FROM runs WHERE run_id = 14", []).unwrap();
    assert_eq!(count(&books.path()), 12);
    books.daemon = None;
    assert_eq!(count(&books.path()), 12);
    // A process that another test begins just now holds all that is open here until it has become another program.
    let opened = (0..10_000).find_map(|_| Ledger::open(&books.path(), "books", at("2026-11-24T00:00:00Z")).ok());
    assert!(opened.is_some(), "the next daemon opens it");
}

#[test]
fn a_reader_does_not_keep_the_daemon_from_writing() {
    let books = Books::full();
    let reader = cdb_backupd::ledger::report::Reader::open(&books.path()).unwrap().unwrap();
    let mut seen = 0;
    reader
        .history(&Filter::default(), |_| {
            seen += 1;
            books.conn().execute("UPDATE runs SET priority = 6 WHERE run_id = 14", []).map_err(Error::from).map(drop)
        })
        .unwrap();
    assert_eq!(seen, 13);
}

#[test]
fn a_dead_daemons_log_is_read_with_the_ledger() {
    let books = Books::full();
    let copy = tempfile::tempdir().unwrap();
    for name in ["ledger.db", "ledger.db-wal"] {
        fs::copy(books.folder.path().join(name), copy.path().join(name)).unwrap();
    }
    assert_eq!(count(&copy.path().join("ledger.db")), 13);
}

/// What another user gets who may not write the folder: `history` in a child of that user, for the one who runs tests may write anything.
fn as_nobody(path: &Path) -> String {
    let test = std::env::current_exe().unwrap();
    let mut command = Command::new(test);
    command.args(["--exact", "open::the_other_users_side", "--nocapture"]).env("LEDGER_OF_ANOTHER", path);
    if is_root(path) {
        use std::os::unix::process::CommandExt;
        command.uid(65_534).gid(65_534);
    }
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

fn is_root(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).unwrap().uid() == 0
}

#[test]
fn the_other_users_side() {
    let Some(path) = std::env::var_os("LEDGER_OF_ANOTHER") else { return };
    match history_of(Path::new(&path), Filter::default(), Output::Csv) {
        Ok(text) => println!("\nruns: {}.", text.lines().count() - 1),
        Err(error) => println!("\nrefused {}: {error}.", error.downcast_ref::<Error>().is_some_and(|it| matches!(it, Error::NotPermitted { .. }))),
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn another_user_reads_a_folder_that_only_its_owner_may_write() {
    let mut books = Books::full();
    books.daemon = None;
    assert!(!books.folder.path().join("ledger.db-wal").exists());
    mode(&books.path(), 0o444);
    mode(books.folder.path(), 0o555);
    let said = as_nobody(&books.path());
    mode(books.folder.path(), 0o755);
    assert!(said.contains("runs: 13."), "{said}");
}

#[test]
fn a_log_that_cannot_be_read_is_not_passed_over() {
    let books = Books::full();
    let copy = tempfile::tempdir().unwrap();
    for name in ["ledger.db", "ledger.db-wal"] {
        fs::copy(books.folder.path().join(name), copy.path().join(name)).unwrap();
    }
    mode(&copy.path().join("ledger.db"), 0o444);
    mode(&copy.path().join("ledger.db-wal"), 0o000);
    mode(copy.path(), 0o555);
    let said = as_nobody(&copy.path().join("ledger.db"));
    mode(copy.path(), 0o755);
    assert!(said.contains("refused true: ") && said.contains("-wal has to be read with it"), "{said}");
}

#[test]
fn a_file_that_this_user_may_not_read_is_refused_with_the_reason() {
    let books = Books::full();
    mode(books.folder.path(), 0o755);
    mode(&books.path(), 0o600);
    if !is_root(&books.path()) {
        mode(&books.path(), 0o000);
    }
    let said = as_nobody(&books.path());
    assert!(said.contains("refused true: ") && said.contains("ermission denied"), "{said}");
}
