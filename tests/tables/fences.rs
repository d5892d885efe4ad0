//! What reaches a run too late: answers and lists of an attempt or a generation that it has left behind. And which errors of the ledger end a process.

use cdb_backupd::{
    domain::{
        names::{AccountName, BackupId, CredentialSource, Endpoint, InstanceId, InstanceName, JobName, Region, RunId},
        now::Now,
        policy::{Method, Overlap, Poll, Retry},
        reply::{CallError, Class},
        run::{Key, Note, Proof, Reading, Restored, Run, State, Tally, Trigger, Windows, seen::List, sent::Answer},
        terms::Terms,
    },
    ledger::{Error, Remedy},
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

const PROCESS: i64 = 7;

fn slot() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("an instant")
}

/// So many seconds after the slot, by both clocks.
fn at(seconds: i64) -> Reading {
    let now = Now { utc: slot() + TimeDelta::seconds(seconds), mono: Duration::from_secs(60 + seconds.unsigned_abs()) };
    let proof = Proof { date: slot(), started: slot() - TimeDelta::seconds(60), ahead: TimeDelta::zero() };
    Reading { now, process: PROCESS, proof: Some(proof), restored: Restored::Never }
}

fn run() -> Run {
    let instance = InstanceId::parse("cdb-sim00001").expect("an id");
    let terms = Terms {
        instance_name: InstanceName::from(&instance),
        tags: [].into(),
        account: AccountName::parse("main").expect("a name"),
        endpoint: Endpoint::parse(Endpoint::DEFAULT).expect("an endpoint"),
        credentials: CredentialSource::Env { prefix: CredentialSource::DEFAULT_PREFIX.into() },
        region: Region::parse("ap-guangzhou").expect("a region"),
        method: Method::Physical { encrypted: None },
        absence_window: Duration::from_secs(540),
        retry: Retry { after_failed: 1, max_attempts: None, initial_backoff: Duration::from_secs(2), max_backoff: Duration::from_secs(600) },
        poll: Poll { initial: Duration::from_secs(15), max: Duration::from_secs(300) },
        overlap: Overlap::Skip,
    };
    let hours = |n| slot() + TimeDelta::hours(n);
    Run {
        id: RunId(1),
        key: Key { job: JobName::parse("nightly").expect("a name"), instance, slot: slot(), trigger: Trigger::Schedule, request: 0 },
        terms: Arc::new(terms),
        windows: Windows { not_before: slot(), start_by: hours(2), complete_by: hours(14), restart_by: hours(14) },
        priority: 5,
        alias: "nightly.20270115T080000Z.abcdefgh".into(),
        generation: 1,
        tally: Tally::default(),
        wish: None,
        looked_for: None,
        started_at: None,
        last: None,
        state: State::Due { due_at: slot() },
    }
}

/// Begun for the second time, 600 s after the slot, while the first attempt's answer never came.
fn begun_twice() -> Run {
    let mut run = run();
    run.begin(1, slot().timestamp(), &at(0));
    run.lease_over(&at(31));
    run.seen(run.place(), &list(&at(599)), &BTreeSet::new(), &at(600));
    assert_eq!(run.word(), "due", "an empty list after the window clears it");
    run.begin(2, at(600).now.utc.timestamp(), &at(600));
    run
}

/// A complete list without anything in it.
fn list(reading: &Reading) -> List {
    List { items: Vec::new(), complete: true, date: Some(reading.now.utc), asked_at: reading.now.utc }
}

fn refusal(class: Class) -> CallError {
    CallError { class, code: "X".into(), message: String::new() }
}

#[test]
fn a_refusal_of_an_earlier_attempt_moves_nothing() {
    for class in [Class::Refused, Class::Throttled, Class::Account, Class::Rejected, Class::Busy, Class::Ambiguous] {
        let mut run = begun_twice();
        let before = run.clone();
        let late = Answer { attempt: 1, generation: 1, answer: Err(refusal(class)), date: Some(at(601).now.utc) };
        assert_eq!(run.answered(&late, &at(601)), [], "{class:?}");
        assert_eq!(run, before, "{class:?}");
        let current = Answer { attempt: 2, ..late };
        run.answered(&current, &at(601));
        assert_ne!(run, before, "{class:?}: the current attempt's does");
    }
}

#[test]
fn a_number_of_an_earlier_generation_is_told_and_moves_nothing() {
    let mut second = begun_twice();
    second.generation = 2;
    let mut uncertain = second.clone();
    uncertain.lease_over(&at(640));
    for mut run in [second, uncertain] {
        let before = run.clone();
        let late = Answer { attempt: 1, generation: 1, answer: Ok(BackupId(41)), date: None };
        let notes = run.answered(&late, &at(650));
        assert!(matches!(notes[..], [Note::Backup { id: BackupId(41), generation: 1, duplicate: true, .. }]), "{notes:?}");
        assert_eq!(run, before);
        let own = Answer { generation: 2, ..late };
        run.answered(&own, &at(650));
        assert_eq!(run.word(), "running", "its own generation's does");
    }
}

#[test]
fn a_list_that_was_asked_for_before_the_current_attempt_proves_nothing() {
    let mut waiting = run();
    waiting.begin(1, slot().timestamp(), &at(0));
    waiting.lease_over(&at(31));
    let place = waiting.place();
    let mut run = begun_twice();
    run.lease_over(&at(640));
    let before = run.clone();
    // However late its `Date` is.
    assert_eq!(run.seen(place, &list(&at(5_000)), &BTreeSet::new(), &at(5_000)), []);
    assert_eq!(run, before);
    run.seen(run.place(), &list(&at(5_000)), &BTreeSet::new(), &at(5_000));
    assert_eq!(run.word(), "due", "one that was asked for now does");
}

#[test]
fn only_a_ledger_that_may_be_writable_again_is_tried_again() {
    let of = |code| Error::Sql(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)).remedy();
    use rusqlite::ffi::{SQLITE_BUSY, SQLITE_CORRUPT, SQLITE_FULL, SQLITE_IOERR, SQLITE_IOERR_FSYNC, SQLITE_LOCKED, SQLITE_NOTADB, SQLITE_READONLY};
    for code in [SQLITE_BUSY, SQLITE_LOCKED, SQLITE_FULL, SQLITE_READONLY] {
        assert_eq!(of(code), Remedy::Hold, "{code}");
    }
    // After a failed sync nobody knows what is on the disk.
    for code in [SQLITE_IOERR, SQLITE_IOERR_FSYNC, SQLITE_CORRUPT, SQLITE_NOTADB] {
        assert_eq!(of(code), Remedy::End, "{code}");
    }
}
