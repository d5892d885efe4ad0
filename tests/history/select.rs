//! Which runs are shown.

use crate::books::{Books, at, ended, put};
use cdb_backupd::{cli::history::Output, domain::scope::Scope, ledger::report::Filter};
use rusqlite::types::Value;

fn runs(books: &Books, filter: Filter) -> Vec<i64> {
    let whole: serde_json::Value = serde_json::from_str(&books.history(filter, Output::Json)).unwrap();
    whole["items"].as_array().unwrap().iter().map(|item| item["run_id"].as_i64().unwrap()).collect()
}

fn selected(books: &Books, selectors: Scope) -> Vec<i64> {
    runs(books, Filter { selectors, ..Filter::default() })
}

fn names(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[test]
fn the_newest_slot_comes_first_and_the_newest_row_among_equals() {
    let books = Books::full();
    put(books.conn(), 13, &[("run_id", 99.into()), ("instance_id", Value::Text("cdb-aaaa0002".into()))]);
    assert_eq!(runs(&books, Filter::default()), [15, 99, 14, 13, 12, 11, 10, 9, 8, 5, 4, 3, 2, 1]);
    assert_eq!(runs(&books, Filter { limit: 2, ..Filter::default() }), [15, 99]);
}

#[test]
fn selectors_of_one_kind_are_alternatives_and_of_several_kinds_all_hold() {
    let books = Books::full();
    assert_eq!(selected(&books, Scope { jobs: names(&["pay-hourly", "by-hand"]), ..Scope::default() }), [15, 13, 3]);
    assert_eq!(selected(&books, Scope { jobs: names(&["pay-hourly"]), accounts: names(&["main"]), ..Scope::default() }), [] as [i64; 0]);
    assert_eq!(selected(&books, Scope { accounts: names(&["pay"]), ..Scope::default() }), [13, 3]);
    assert_eq!(selected(&books, Scope { regions: names(&["ap-shanghai"]), ..Scope::default() }), [13, 3]);
}

#[test]
fn an_instance_is_found_by_name_and_by_id() {
    let books = Books::full();
    assert_eq!(selected(&books, Scope { instances: names(&["pay"]), ..Scope::default() }), [13, 3]);
    assert_eq!(selected(&books, Scope { instances: names(&["cdb-aaaa0001"]), ..Scope::default() }), [13, 3]);
    assert_eq!(selected(&books, Scope { instances: names(&["nobody' OR 1=1 --"]), ..Scope::default() }), [] as [i64; 0]);
}

#[test]
fn several_tags_must_all_match_and_several_values_of_one_are_alternatives() {
    let books = Books::full();
    let tags = |pairs: &[(&str, &str)]| Scope { tags: pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(), ..Scope::default() };
    assert_eq!(selected(&books, tags(&[("env", "test")])), [13, 3]);
    assert_eq!(selected(&books, tags(&[("env", "test"), ("env", "prod")])).len(), 13);
    assert_eq!(selected(&books, tags(&[("env", "test"), ("tier", "gold")])), [] as [i64; 0]);
}

#[test]
fn states_and_not_ok_narrow_the_list() {
    let books = Books::full();
    assert_eq!(runs(&books, Filter { states: names(&["due", "running"]), ..Filter::default() }), [14, 12]);
    assert_eq!(runs(&books, Filter { not_ok: true, ..Filter::default() }), [11, 10, 9, 8, 5, 4, 3]);
}

#[test]
fn since_is_kept_and_until_is_not() {
    let books = Books::full();
    let filter = Filter { since: Some(at("2026-11-23T20:30:00Z")), until: Some(at("2026-11-23T22:30:00Z")), ..Filter::default() };
    assert_eq!(runs(&books, filter), [4, 3]);
}

#[test]
fn downtime_that_reaches_into_the_time_asked_for_is_shown() {
    let books = Books::empty();
    let range = [ended("missed", Some("downtime"), "nobody was there to run it"), vec![("slots", 4.into())]].concat();
    let until = Value::Integer(at("2026-11-23T21:30:00Z").timestamp_millis());
    put(books.conn(), 0, &[range, vec![("slot_last_ms", until)]].concat());
    put(books.conn(), 5, &ended("succeeded", None, "the backup is good"));
    let since = |time: &str, filter: Filter| runs(&books, Filter { since: Some(at(time)), ..filter });
    assert_eq!(since("2026-11-23T21:30:00Z", Filter::default()), [6, 1]);
    assert_eq!(since("2026-11-23T21:30:00Z", Filter { not_ok: true, ..Filter::default() }), [1]);
    assert_eq!(since("2026-11-23T21:30:01Z", Filter::default()), [6], "its last slot is over");
    assert_eq!(since("2026-11-23T18:00:00Z", Filter::default()), [6, 1], "once");
    assert_eq!(since("2026-11-23T21:30:00Z", Filter { states: names(&["succeeded"]), ..Filter::default() }), [6]);
}
