//! One run, all of it.

use crate::books::{Books, TEXT, ended, put, text_in};
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
fn a_run_that_ended_before_its_second_generation_was_sent_speaks_of_the_first() {
    let books = Books::empty();
    let why = "the cloud accepted it, and its task ended FAILED";
    put(books.conn(), 0, &[ended("failed", Some("task_failed"), why), vec![("generation", 2.into()), ("attempts", 1.into())]].concat());
    books
        .conn()
        .execute_batch(
            "INSERT INTO attempts (run_id, action, generation, begun_at_ms, signed_at_s, class, backup_id) VALUES
              (1, 'CreateBackup', 1, 1763922601005, 1763922601, 'accepted', 7);
            INSERT INTO backups VALUES ('cdb-c1nl9rpv', 7, 1, 1, 'reply', 'failed', 0, 0, 1763922605000);",
        )
        .unwrap();
    let whole: serde_json::Value = serde_json::from_str(&books.show(1, Output::Json)).unwrap();
    assert_eq!(whole["run"]["generation"], 1);
    assert!(whole["backups"][0]["bytes"].is_null(), "a backup that failed has no size: {whole}");
    assert_eq!((&whole["run"]["create_calls"], &whole["run"]["list_calls_kept"]), (&1.into(), &0.into()));
    let text = books.show(1, TEXT);
    assert!(text.contains("abcdefgh\n") && !text.contains("abcdefgh.2") && !text.contains(", 0 B"), "{text}");
}

#[test]
fn a_busy_run_and_one_of_an_instance_without_a_name_say_what_there_is_to_say() {
    let books = Books::full();
    books.conn().execute_batch("UPDATE terms SET instance_name = 'cdb-c1nl9rpv' WHERE terms_id = 1").unwrap();
    let text = books.show(4, TEXT);
    assert!(text.starts_with("run 4  nightly-full on cdb-c1nl9rpv: expired\n"), "{text}");
    assert!(text.contains("14 CreateBackup, 14 of them answered busy\n"), "{text}");
}

#[test]
fn a_zone_that_is_asked_for_is_the_zone_of_every_time() {
    let text = Books::full().show(1, text_in("Asia/Tokyo"));
    for part in ["2026-11-24 03:30+09", "until 2026-11-24 05:30:00 +09:00", "2025-11-24 03:30:01.005 +09:00"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    let utc = text.matches('Z').count();
    assert_eq!(utc, 2, "only the slot's own UTC and the alias: {text}");
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
