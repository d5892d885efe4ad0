//! One run, all of it.

use crate::books::{Books, TEXT};
use cdb_backupd::{
    cli::{history::Output, show},
    domain::names::RunId,
};

#[test]
fn a_good_run_is_told_with_every_call_and_backup() {
    insta::assert_snapshot!(Books::full().show(1, TEXT));
}

#[test]
fn a_good_run_as_json() {
    let text = Books::full().show(2, Output::Json);
    assert!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["next"].is_null());
    insta::assert_snapshot!(Books::full().show(1, Output::Json));
}

#[test]
fn an_open_run_says_what_happens_next_and_when() {
    let books = Books::full();
    let all: Vec<_> = [9, 12, 13, 14, 15].map(|run| books.show(run, TEXT)).into();
    insta::assert_snapshot!(all.join("----------\n"));
    let next: serde_json::Value = serde_json::from_str(&books.show(13, Output::Json)).unwrap();
    assert_eq!(next["next"]["at"], "2026-11-24T05:40:00Z");
}

#[test]
fn a_run_that_is_not_there_says_what_to_do() {
    let books = Books::full();
    let mut out = Vec::new();
    let error = show::run(&books.path(), RunId(999), TEXT, &mut out).unwrap_err().to_string();
    assert!(error.contains("there is no run 999") && error.contains("cdb-backupd history"), "{error}");
    let error = show::run(&books.folder.path().join("none.db"), RunId(1), TEXT, &mut out).unwrap_err().to_string();
    assert!(error.contains("--ledger") && out.is_empty(), "{error}");
}
