//! How the history looks.

use crate::books::{Books, TEXT, ended, put, text_in};
use cdb_backupd::{
    cli::{history::Output, moment::Shown},
    ledger::report::Filter,
};
use rusqlite::types::Value;

#[test]
fn the_text_form_says_at_a_glance_which_runs_were_bad_and_why() {
    insta::assert_snapshot!(Books::full().history(Filter::default(), TEXT));
}

#[test]
fn the_json_form_has_the_keys_of_the_interface() {
    let text = Books::full().history(Filter::default(), Output::Json);
    let whole: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(whole["items"].as_array().unwrap().len(), 13);
    insta::assert_snapshot!(text);
}

#[test]
fn the_csv_form_has_the_same_columns() {
    let text = Books::full().history(Filter::default(), Output::Csv);
    assert!(text.lines().count() == 14 && text.matches("\r\n").count() == 14);
    insta::assert_snapshot!(text.replace("\r\n", "\n"));
}

#[test]
fn csv_quotes_what_would_break_a_row() {
    let books = Books::empty();
    put(books.conn(), 0, &ended("failed", Some("a\"b"), "one, two\nthree"));
    let text = books.history(Filter::default(), Output::Csv);
    assert!(text.contains(",\"a\"\"b\",\"one, two\nthree\","), "{text}");
}

#[test]
fn a_limit_that_cut_the_list_is_said_with_counts() {
    let text = Books::full().history(Filter { limit: 12, ..Filter::default() }, TEXT);
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("12 shown: 1 calling, 1 cancelled, 1 due, 1 expired") && last.ends_with("there are more, see --limit"), "{last}");
    let all = Books::full().history(Filter { limit: 13, ..Filter::default() }, TEXT);
    assert!(!all.contains("shown:"), "{all}");
}

#[test]
fn no_line_is_wider_than_120_columns() {
    let books = Books::full();
    let long = "job-with-a-name-of-32-characters".to_owned();
    let columns =
        [ended("failed", None, &"a long reason ".repeat(30)), vec![("job", Value::Text(long)), ("run_id", 9_999_999_999_i64.into())]].concat();
    put(books.conn(), 20, &columns);
    let text = books.history(Filter { limit: 3, ..Filter::default() }, TEXT);
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    assert!(text.contains('…'), "{text}");
}

#[test]
fn the_longest_names_leave_room_for_every_bad_runs_reason() {
    let books = Books::empty();
    let names = |run: i64| {
        let (job, account) = (Value::Text("j".repeat(32)), Value::Text("main".into()));
        vec![("job", job), ("account", account), ("terms_id", 3.into()), ("run_id", (9_000_000_000 + run).into())]
    };
    let terms = "INSERT INTO terms SELECT 3, 'c', 'a-name-of-20-letters', tags, account, endpoint, credentials, region, method, tables, encrypted,
        absence_window_ms, after_failed, max_attempts, initial_backoff_ms, max_backoff_ms, poll_initial_ms, poll_max_ms, overlap FROM terms WHERE terms_id = 1";
    books.conn().execute_batch(terms).unwrap();
    let why = "the cloud rejected it with InvalidParameterValue.InvalidParameterValueError; it is not sent again";
    put(books.conn(), 0, &[ended("failed", Some("InvalidParameterValue.InvalidParameterValueError"), why), names(0)].concat());
    put(books.conn(), 1, &[ended("expired", Some("busy"), "busy 14 times: the instance did something else"), names(1)].concat());
    let good = [("backup_id", 4_294_967_301_i64.into()), ("bytes", 5_368_709_120_i64.into())];
    put(books.conn(), 2, &[ended("succeeded", None, "the backup is good"), good.to_vec(), names(2)].concat());
    let text = books.history(Filter::default(), TEXT);
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    assert!(text.contains(why) && text.contains("2026-11-24 02:30+08"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_zone_that_is_asked_for_is_the_zone_of_every_slot() {
    let text = Books::full().history(Filter { limit: 1, ..Filter::default() }, text_in("America/New_York"));
    assert!(text.contains("2026-11-24 03:30-05") && !text.contains("+08"), "{text}");
}

#[test]
fn text_of_the_cloud_never_drives_the_terminal() {
    let books = Books::empty();
    put(books.conn(), 0, &ended("failed", None, "\u{1b}]0;owned\u{7}\r\nok"));
    let text = books.history(Filter::default(), TEXT);
    assert!(!text.contains(['\u{1b}', '\u{7}', '\r']), "{text:?}");
    assert!(text.contains("\\u{1b}]0;owned\\u{7}\\r\\nok"), "{text}");
}

#[test]
fn only_bad_and_open_runs_are_coloured_and_only_when_asked() {
    let books = Books::full();
    let colour = books.history(Filter::default(), Output::Text { colour: true, shown: Shown::AS_THEY_ARE });
    let painted = |word: &str| colour.lines().find(|line| line.contains(word)).unwrap().starts_with('\u{1b}');
    assert!(painted("expired") && painted("uncertain") && !painted("RUN") && !painted("succeeded"));
    assert!(!books.history(Filter::default(), TEXT).contains('\u{1b}'));
}

#[test]
fn a_page_of_any_length_keeps_its_columns() {
    let books = Books::empty();
    for hour in 0..700 {
        put(books.conn(), hour, &ended("succeeded", None, "the backup is good"));
    }
    let text = books.history(Filter { limit: 700, ..Filter::default() }, TEXT);
    let places: std::collections::BTreeSet<_> = text.lines().map(|line| line.find("the backup").or(line.find("WHY"))).collect();
    assert_eq!((text.lines().count(), places.len()), (701, 1));
}
