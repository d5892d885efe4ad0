//! Any run that is written is the same when it is read back.

use super::shelf::{admitted, all, at, install, one_run, pass, policy};
use cdb_backupd::{
    domain::{
        catch_up::{Admitted, NewRun},
        names::{AccountName, BackupId, CredentialSource, Endpoint, InstanceName, Region},
        pause::Asked,
        plan::Admission,
        policy::{Account, Instance, Job, Method, Overlap, Policy, Poll, Retry, Table},
        reply::Class,
        run::{Closed, Doubt, Follow, LastFailure, Look, Outcome, State, Tally, Windows, Wish},
        terms::Terms,
    },
    ledger::Ledger,
};
use chrono::{DateTime, Utc};
use proptest::{collection::btree_map, collection::vec, option, prelude::*, sample::select};
use std::{sync::Arc, time::Duration};

fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    (-62_135_596_800_000..253_402_300_799_999_i64).prop_map(|ms| DateTime::from_timestamp_millis(ms).unwrap())
}

fn length() -> impl Strategy<Value = Duration> {
    (0..u64::from(u32::MAX) * 1_000).prop_map(Duration::from_millis)
}

fn backup() -> impl Strategy<Value = BackupId> {
    (1..=i64::MAX).prop_map(BackupId)
}

fn look() -> impl Strategy<Value = Look> {
    (instant(), any::<u32>(), option::of(any::<i64>()), option::of(instant())).prop_map(|(at, step, tried, read_at)| Look {
        at,
        step,
        tried,
        read_at,
    })
}

fn closed() -> impl Strategy<Value = Closed> {
    let late = select(&Outcome::ALL[1..]);
    let follow = (look(), instant()).prop_map(|(look, until)| Follow { look, until });
    let said = (select(&Outcome::ALL[..]), option::of(any::<String>()), any::<String>(), instant());
    (said, option::of(backup()), option::of(0..i64::MAX), option::of(late), option::of(follow)).prop_map(
        |((outcome, reason, why, at), backup, bytes, late, follow)| {
            let good = outcome == Outcome::Succeeded;
            let (first_outcome, follow) = (late.filter(|_| good), follow.filter(|_| !good));
            Closed { outcome, reason, why, at, backup, bytes, first_outcome, follow }
        },
    )
}

fn state() -> impl Strategy<Value = State> {
    let attempt = || 1..i64::MAX;
    let calling = (attempt(), any::<i64>(), any::<i64>(), length());
    let uncertain = (0..i64::MAX, select(vec![Doubt::Ambiguous, Doubt::Busy, Doubt::Old]), instant(), instant(), look());
    let running = (backup(), any::<bool>(), instant(), option::of(instant()), look());
    prop_oneof![
        instant().prop_map(|due_at| State::Due { due_at }),
        calling.prop_map(|(attempt, signed_at, process, lease)| State::Calling { attempt, signed_at, process, lease }),
        uncertain.prop_map(|(attempt, doubt, clear_after, then_due_at, look)| State::Uncertain { attempt, doubt, clear_after, then_due_at, look }),
        running.prop_map(|(backup, listed, since, absent_since, look)| State::Running { backup, listed, since, absent_since, look }),
        closed().prop_map(State::Closed),
    ]
}

type Beside = (u8, Tally, Option<Wish>, Option<(i64, u8)>, Option<DateTime<Utc>>, Option<LastFailure>);

fn beside() -> impl Strategy<Value = Beside> {
    let tally = any::<[u32; 4]>().prop_map(|[attempts, sends, busy, failures]| Tally { attempts, sends, busy, failures });
    let classes = [Class::Refused, Class::Throttled, Class::Busy, Class::Ambiguous, Class::Account, Class::Rejected];
    let last = (select(classes.to_vec()), any::<String>()).prop_map(|(class, code)| LastFailure { class, code });
    let wish = select(vec![Wish::Cancel, Wish::Removed, Wish::Vanished]);
    (1..=10_u8, tally, option::of(wish), option::of((any::<i64>(), 1..=10_u8)), option::of(instant()), option::of(last))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn a_run_in_any_state_is_read_back_as_it_was_written(state in state(), beside in beside()) {
        let (mut ledger, mut run) = one_run();
        (run.generation, run.tally, run.wish, run.looked_for, run.started_at, run.last) = beside;
        run.state = state;
        ledger.record(&[], std::slice::from_ref(&run)).unwrap();
        prop_assert_eq!(all(&mut ledger), vec![run]);
    }

    #[test]
    fn what_a_run_is_called_with_is_read_back_as_the_policy_had_it(job in job(), account in account(), tags in tags()) {
        let (policy, terms) = with(job, account, tags);
        let mut ledger = Ledger::in_memory("shelf", at(-600)).unwrap();
        install(&mut ledger, &policy);
        install(&mut ledger, &policy);
        pass(&mut ledger, &policy, &Default::default(), &Default::default(), 0);
        let runs = all(&mut ledger);
        prop_assert_eq!(runs.len(), 1);
        prop_assert_eq!(&*runs[0].terms, &terms);
        let kept: i64 = ledger.connection().query_row("SELECT count(*) FROM terms", [], |row| row.get(0)).unwrap();
        prop_assert_eq!(kept, 1, "equal terms are one row");
    }

    #[test]
    fn a_new_row_is_read_back_with_its_key_and_its_times(slot in instant(), windows in vec(instant(), 4), priority in 0..=9_u8) {
        let policy = policy(&[("main", 1)], super::shelf::NIGHTLY);
        let mut ledger = admitted(&policy);
        let admitted = all(&mut ledger).pop().unwrap();
        prop_assume!(slot != admitted.key.slot);
        let mut times = windows;
        times.sort();
        let windows = Windows { not_before: times[0], start_by: times[1], restart_by: times[2], complete_by: times[3] };
        let mut key = admitted.key;
        key.slot = slot;
        let row = NewRun { key: key.clone(), slot_last: slot, slots: 1, slot_local: String::new(), windows, priority, asked: Asked::default(), admitted: Admitted::Due };
        let admission = Admission { job: key.job.clone(), instance: key.instance.clone(), cursor: at(0), next_slot: None, rows: vec![row] };
        let fresh = ledger.record(&[admission], &[]).unwrap();
        let read = ledger.runs(fresh).unwrap().into_values().next().unwrap();
        prop_assert_eq!((read.key, read.windows, read.priority), (key, windows, priority));
        prop_assert_eq!((read.state, read.generation, read.tally), (State::Due { due_at: windows.not_before }, 1, Tally::default()));
    }
}

fn method() -> impl Strategy<Value = Method> {
    let table = (any::<String>(), option::of(any::<String>())).prop_map(|(db, table)| Table { db, table });
    prop_oneof![
        vec(table, 0..4).prop_map(|tables| Method::Logical { tables }),
        option::of(any::<bool>()).prop_map(|encrypted| Method::Physical { encrypted }),
        Just(Method::Snapshot),
    ]
}

fn job() -> impl Strategy<Value = (Method, Retry, Poll, Overlap)> {
    let retry = (0..=8_u8, option::of(any::<u32>()), length(), length());
    let retry = retry.prop_map(|(after_failed, max_attempts, initial_backoff, max_backoff)| Retry {
        after_failed,
        max_attempts,
        initial_backoff,
        max_backoff,
    });
    let poll = (length(), length()).prop_map(|(initial, max)| Poll { initial, max });
    (method(), retry, poll, select(vec![Overlap::Skip, Overlap::Queue]))
}

fn tags() -> impl Strategy<Value = std::collections::BTreeMap<String, String>> {
    btree_map(any::<String>(), any::<String>(), 0..4)
}

fn account() -> impl Strategy<Value = (Endpoint, CredentialSource, Duration)> {
    let endpoint = select(vec!["cdb.tencentcloudapi.com", "cdb.example.com:8443", "http://127.0.0.1:9", "http://[::1]:9", "https://localhost"]);
    let source = prop_oneof![
        "[A-Z_]{1,12}".prop_map(|prefix| CredentialSource::Env { prefix }),
        "/[ -~é]{0,20}".prop_map(|path| CredentialSource::File { path: path.into() }),
    ];
    (endpoint.prop_map(|text| Endpoint::parse(text).unwrap()), source, length())
}

/// A policy of one job, and the terms of its only run.
fn with(
    (method, retry, poll, overlap): (Method, Retry, Poll, Overlap),
    (endpoint, credentials, absence_window): (Endpoint, CredentialSource, Duration),
    tags: std::collections::BTreeMap<String, String>,
) -> (Policy, Terms) {
    let mut policy = policy(&[("main", 1)], super::shelf::NIGHTLY);
    let account = Account { endpoint, credentials, absence_window, ..(*policy.accounts[0]).clone() };
    let instance = Instance {
        name: InstanceName::parse("überweisungen").unwrap(),
        account: AccountName::parse("main").unwrap(),
        region: Region::parse("ap-shanghai-fsi").unwrap(),
        tags,
        ..(*policy.instances[0]).clone()
    };
    let job = Job { method, retry, poll, overlap, instances: vec![Arc::new(instance.clone())], ..(*policy.jobs[0]).clone() };
    let terms = Terms::of(&job, &instance, &account);
    policy.accounts = vec![Arc::new(account)];
    policy.instances = vec![Arc::new(instance)];
    policy.jobs = vec![Arc::new(job)];
    (policy, terms)
}
