//! The lock beside the ledger: one daemon at a time, and what a copy that was put back cannot know.

use super::shelf::{NIGHTLY, Shelf, all, at, begin, install, pass, policy, reading};
use cdb_backupd::{
    domain::{plan::Held, run::Restored},
    ledger::{Error, Ledger},
};
use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt, time::Duration};

/// A ledger on this shelf with one due run.
fn filled(shelf: &Shelf) -> Ledger {
    let mut ledger = shelf.open().ledger;
    let policy = policy(&[("main", 1)], NIGHTLY);
    install(&mut ledger, &policy);
    pass(&mut ledger, &policy, &Held::default(), &BTreeMap::new(), 0);
    ledger
}

/// Begins the one run once more, whatever became of it; the number of its call.
fn call(ledger: &mut Ledger) -> i64 {
    let run = all(ledger).pop().unwrap();
    begin(ledger, run, 10).attempt
}

/// What the lock file says.
fn mark(shelf: &Shelf) -> String {
    fs::read_to_string(shelf.lock()).unwrap()
}

fn said(id: &str, attempt: i64) -> String {
    format!("ledger {id}\nattempt {attempt:020}\n")
}

#[test]
fn a_second_daemon_is_refused_until_the_first_has_ended() {
    let shelf = Shelf::new();
    let first = shelf.open();
    let error = shelf.try_open().unwrap_err();
    assert!(matches!(&error, Error::Locked(path) if *path == shelf.lock()), "{error}");
    assert_eq!(error.to_string(), format!("another daemon works on this ledger, and {} is locked; end it first", shelf.lock().display()));
    drop(first);
    shelf.open();
}

#[test]
fn the_lock_file_knows_the_ledger_and_its_newest_call_and_is_never_replaced() {
    let shelf = Shelf::new();
    let mut ledger = filled(&shelf);
    assert_eq!((ledger.id(), mark(&shelf)), ("fresh", said("fresh", 0)));
    let inode = fs::metadata(shelf.lock()).unwrap().ino();
    for attempt in 1..=3 {
        assert_eq!(call(&mut ledger), attempt);
        assert_eq!(mark(&shelf), said("fresh", attempt), "before the call leaves");
    }
    drop(ledger);
    let opened = shelf.open();
    assert_eq!((opened.put_back, opened.ledger.restored(), mark(&shelf)), (false, Restored::Never, said("fresh", 3)));
    assert_eq!(fs::metadata(shelf.lock()).unwrap().ino(), inode);
}

/// A ledger of two calls that is put back to where it knew one.
fn put_back(shelf: &Shelf) {
    let mut ledger = filled(shelf);
    call(&mut ledger);
    drop(ledger);
    let copy = shelf.copy();
    call(&mut shelf.open().ledger);
    shelf.put_back(&copy);
}

#[test]
fn a_ledger_behind_its_lock_is_marked_restored_and_no_crash_forgets_it() {
    let shelf = Shelf::new();
    put_back(&shelf);
    let opened = shelf.open();
    assert_eq!((opened.put_back, opened.ledger.restored()), (true, Restored::Undated));
    drop(opened);
    for _ in 0..2 {
        let opened = shelf.open();
        assert_eq!((opened.put_back, opened.ledger.restored()), (false, Restored::Undated), "a start that ended before the proof");
    }
    let mut ledger = shelf.open().ledger;
    let proof = reading(&ledger, 0).proof.unwrap();
    ledger.date_restored(&proof, Duration::from_secs(660)).unwrap();
    let until = Restored::Until(at(-600 + 660));
    assert_eq!(ledger.restored(), until, "by the Date of the proof");
    ledger.date_restored(&proof, Duration::from_secs(9_000)).unwrap();
    assert_eq!(ledger.restored(), until, "it is dated once");
    drop(ledger);
    assert_eq!(shelf.open().ledger.restored(), until, "and never taken back");
}

#[test]
fn a_ledger_that_is_put_back_again_is_dated_again() {
    let shelf = Shelf::new();
    put_back(&shelf);
    let mut ledger = shelf.open().ledger;
    let proof = reading(&ledger, 0).proof.unwrap();
    ledger.date_restored(&proof, Duration::from_secs(660)).unwrap();
    drop(ledger);
    let copy = shelf.copy();
    call(&mut shelf.open().ledger);
    shelf.put_back(&copy);
    let opened = shelf.open();
    assert_eq!((opened.put_back, opened.ledger.restored()), (true, Restored::Undated));
}

#[test]
fn numbers_go_on_from_the_larger_of_ledger_and_lock() {
    let behind = Shelf::new();
    put_back(&behind);
    assert_eq!(call(&mut behind.open().ledger), 3, "the ledger knew one call, the lock two");
    let ahead = Shelf::new();
    let mut ledger = filled(&ahead);
    call(&mut ledger);
    call(&mut ledger);
    drop(ledger);
    // Killed between the commit of the second call and the lock's word of it.
    fs::write(ahead.lock(), said("fresh", 1)).unwrap();
    let mut opened = ahead.open();
    assert_eq!((opened.put_back, opened.ledger.restored()), (false, Restored::Never));
    assert_eq!(mark(&ahead), said("fresh", 2));
    assert_eq!(call(&mut opened.ledger), 3);
}

#[test]
fn a_ledger_that_is_gone_is_made_anew_under_its_old_id() {
    let shelf = Shelf::new();
    put_back(&shelf);
    fs::remove_file(shelf.path()).unwrap();
    let mut opened = Ledger::open(&shelf.path(), "another", at(0)).unwrap();
    assert_eq!((opened.ledger.id(), opened.put_back, opened.ledger.restored()), ("fresh", true, Restored::Undated));
    let policy = policy(&[("main", 1)], NIGHTLY);
    install(&mut opened.ledger, &policy);
    pass(&mut opened.ledger, &policy, &Held::default(), &BTreeMap::new(), 0);
    assert_eq!(call(&mut opened.ledger), 3);
}

#[test]
fn a_ledger_that_comes_without_its_own_lock_was_moved() {
    for (what, lock) in [
        ("none", None),
        ("not a lock", Some("what is this")),
        ("empty", Some("")),
        ("another ledger's", Some("ledger other\nattempt 00000000000000000009\n")),
    ] {
        let shelf = Shelf::new();
        let mut ledger = filled(&shelf);
        call(&mut ledger);
        drop(ledger);
        match lock {
            None => fs::remove_file(shelf.lock()).unwrap(),
            Some(text) => fs::write(shelf.lock(), text).unwrap(),
        }
        let mut opened = shelf.open();
        assert_eq!((opened.put_back, opened.ledger.restored(), opened.ledger.id()), (true, Restored::Undated, "fresh"), "{what}");
        assert_eq!(call(&mut opened.ledger), 2, "{what}: another ledger's numbers are not ours");
        assert_eq!(mark(&shelf).lines().take(2).collect::<Vec<_>>().join("\n") + "\n", said("fresh", 2), "{what}");
    }
}

#[test]
fn a_ledger_that_never_called_is_new_with_or_without_a_lock() {
    let shelf = Shelf::new();
    drop(filled(&shelf));
    fs::remove_file(shelf.lock()).unwrap();
    let opened = shelf.open();
    assert_eq!((opened.put_back, opened.ledger.restored()), (false, Restored::Never));
}
