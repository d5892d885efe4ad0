//! What the daemon says: one line for each change of a run's state with keys that are always there, and holds that are told and not repeated.

use crate::{
    lone::{START, brief, lone_as},
    world::{Api, Between, End, World, job, policy, sim_instances, simulated},
};
use cdb_backupd::{
    clock::Clock,
    cloud::{CdbApi, Create},
    sim::settings::Settings,
};
use chrono::TimeDelta;
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

const HOUR: Duration = Duration::from_secs(3_600);
const EVENING: &str = "2026-11-24T17:00:00Z";
/// What a line of a state has beside what every line has.
const KEYS: [&str; 12] = ["run", "job", "instance_id", "account", "region", "slot", "state", "reason", "attempt", "backup_id", "request_id", "code"];
/// What every line has.
const OF_ALL: [&str; 3] = ["timestamp", "level", "message"];

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lives through `life` as the daemon does, and hands back every line of its log at INFO, as JSON.
fn told(life: impl Future<Output = ()>) -> Vec<Map<String, Value>> {
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_target(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || simulated(life));
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn night(n: usize, faults: &str) -> World {
    let mut policy = policy(n);
    policy.jobs = vec![job(&policy, "nightly", "30 2 * * *").into()];
    let mut settings = Settings::quiet(7, sim_instances(n));
    settings.faults = faults.parse().unwrap();
    World::new(EVENING, settings, policy)
}

fn text<'a>(line: &'a Map<String, Value>, key: &str) -> &'a str {
    line.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn held<'a>(lines: &'a [Map<String, Value>], by: &str) -> Vec<&'a Map<String, Value>> {
    lines.iter().filter(|line| text(line, "held") == by).collect()
}

#[test]
fn each_state_change_is_one_line_with_the_same_keys_and_the_last_is_what_the_ledger_says() {
    let mut rows = BTreeMap::new();
    let lines = told(async {
        let faults = "create#1@cdb-sim00001:lost_after_act,create#1@cdb-sim00002:backup_fails,create#1@cdb-sim00003:throttle_burst=5s,\
            create#1@cdb-sim00004:busy=10m,create#1@cdb-sim00005:gateway_502,create#1@cdb-sim00006:unreachable";
        let world = night(6, faults);
        world.live_for(HOUR * 2, End::Kill).await;
        // A missed slot, and the next night.
        world.pass(HOUR * 47).await;
        world.live_for(HOUR * 24, End::Stop).await;
        rows.extend(world.rows().into_iter().map(|row| (row.run, (row.state, row.reason, row.backup))));
    });
    let expected: BTreeSet<&str> = KEYS.into_iter().chain(OF_ALL).collect();
    let changes: Vec<_> = lines.iter().filter(|line| line.contains_key("state")).collect();
    let mut last: BTreeMap<i64, &Map<String, Value>> = BTreeMap::new();
    for line in &changes {
        assert_eq!(line.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected, "{line:?}");
        assert_eq!(text(line, "level"), "INFO");
        assert!(["run", "attempt", "backup_id"].iter().all(|key| line[*key].is_i64()), "{line:?}");
        let message = text(line, "message");
        assert!(["job", "instance_id", "state"].iter().all(|key| message.contains(text(line, key))), "it is readable alone: {message}");
        let before = last.insert(line["run"].as_i64().unwrap(), line);
        assert!(before.is_none_or(|before| text(before, "state") != text(line, "state")), "said twice: {line:?}");
    }
    let mut calls: BTreeMap<i64, i64> = BTreeMap::new();
    for line in changes.iter().filter(|line| text(line, "state") == "calling") {
        let own = calls.entry(line["run"].as_i64().unwrap()).or_default();
        *own += 1;
        assert_eq!(line["attempt"].as_i64(), Some(*own), "a run counts its own calls: {line:?}");
    }
    assert!(calls.values().any(|n| *n > 1));
    let states: BTreeSet<&str> = changes.iter().map(|line| text(line, "state")).collect();
    assert_eq!(states, BTreeSet::from(["calling", "due", "missed", "running", "succeeded", "uncertain"]));
    assert_eq!(rows.len(), last.len(), "each run is told");
    for (run, (state, reason, backup)) in &rows {
        let line = last[run];
        assert_eq!((text(line, "state"), text(line, "reason"), line["backup_id"].as_i64()), (state.as_str(), reason.as_str(), Some(*backup)));
    }
    for (key, value) in [("code", "http_502"), ("code", "RequestLimitExceeded"), ("slot", "2026-11-24T18:30:00Z"), ("account", "main")] {
        assert!(changes.iter().any(|line| text(line, key).starts_with(value)), "{key} {value} is told");
    }
    assert!(changes.iter().any(|line| !text(line, "request_id").is_empty()) && changes.iter().any(|line| line["attempt"].as_i64() > Some(0)));
}

#[test]
fn a_cloud_that_cannot_be_reached_is_told_once_in_ten_minutes_and_its_return_once() {
    let lines = told(async {
        let world = night(2, "outage=0s..1h");
        world.live_for(HOUR * 2, End::Stop).await;
    });
    let unproved = held(&lines, "clock_unproved");
    assert!((6..=7).contains(&unproved.len()), "{unproved:#?}");
    assert!(unproved.iter().all(|line| text(line, "level") == "WARN" && text(line, "message").contains("nothing starts")));
    assert!(unproved[0]["lasts_s"].as_i64().is_some_and(|s| (10..=20).contains(&s)) && text(unproved[0], "code") == "connect", "{:?}", unproved[0]);
    assert_eq!(lines.iter().filter(|line| text(line, "message").starts_with("the clock is proved")).count(), 1);
}

fn at_level<'a>(lines: &'a [Map<String, Value>], level: &str) -> Vec<&'a Map<String, Value>> {
    lines.iter().filter(|line| text(line, "level") == level).collect()
}

#[test]
fn a_number_that_arrives_while_the_ledger_is_locked_is_in_the_log_of_a_daemon_that_is_killed() {
    let mut numbers = Vec::new();
    let lines = told(async {
        let world = lone_as(START, "", brief);
        let lock = Arc::new(Mutex::new(None));
        let (held, path) = (lock.clone(), world.ledger_path());
        let create = move |api: Api, create| {
            let (held, path) = (held.clone(), path.clone());
            async move {
                let other = rusqlite::Connection::open(path).unwrap();
                other.execute_batch("BEGIN IMMEDIATE").unwrap();
                *held.lock().unwrap() = Some(other);
                api.create_backup(create).await
            }
        };
        world.live_with(Between { api: world.cloud.clone(), create }, world.pass(Duration::from_secs(65)), End::Kill).await;
        lock.lock().unwrap().take();
        assert_eq!(world.only().backup, 0, "it was not written: {}", world.story());
        numbers.extend(world.audit().backups.iter().map(|backup| backup.id.0));
    });
    let told: Vec<_> = lines.iter().filter(|line| line.get("backup_id").and_then(Value::as_i64).is_some_and(|id| id > 0)).collect();
    assert_eq!(told.iter().filter_map(|line| line["backup_id"].as_i64()).collect::<Vec<_>>(), numbers, "{told:#?}");
    assert_eq!((numbers.len(), text(told[0], "level"), told[0]["attempt"].as_i64()), (1, "INFO", Some(1)), "{told:#?}");
}

#[test]
fn a_backup_that_somebody_has_to_look_at_is_told_once_and_an_own_one_of_another_type_never() {
    let errors = |faults: &str| {
        let lines = told(async { lone_as(START, faults, brief).live_for(HOUR * 4, End::Stop).await });
        at_level(&lines, "ERROR").into_iter().cloned().collect::<Vec<_>>()
    };
    let impostor = errors("create#1:lost_after_act+wrong_type_listed+backup_takes=1s");
    assert!(impostor.len() == 1 && text(&impostor[0], "message").contains("cannot be ours"), "{impostor:#?}");
    let own = errors("create#1:wrong_type_listed+backup_takes=40m");
    assert_eq!(own.len(), 0, "{own:#?}");
    let second = told(async {
        let world = lone_as(START, "create#1:backup_takes=1s,create#2:backup_takes=40m", brief);
        let clock = world.truth;
        let create = move |api: Api, create: Create| async move {
            api.create_backup(create.clone()).await.answer.unwrap();
            clock.sleep(Duration::from_secs(10)).await;
            api.create_backup(create).await
        };
        world.live_with(Between { api: world.cloud.clone(), create }, world.pass(HOUR * 4), End::Stop).await;
        assert_eq!(world.good(), 2, "{}", world.story());
    });
    let second = at_level(&second, "ERROR");
    assert!(second.len() == 1 && text(second[0], "message").starts_with("a second backup of one run exists"), "{second:#?}");
}

#[test]
fn a_clock_that_is_off_is_told_once_in_ten_minutes_and_by_one_line() {
    let lines = told(async {
        let world = night(1, "");
        world.step_clock(TimeDelta::minutes(10));
        world.live_for(HOUR, End::Stop).await;
    });
    let warned = at_level(&lines, "WARN");
    assert!((6..=7).contains(&warned.len()), "{warned:#?}");
    assert!(warned.iter().all(|line| line.contains_key("clock_off_s") && text(line, "held") == "clock_unproved"), "{warned:#?}");
}

#[test]
fn a_rate_that_others_use_up_is_told_and_not_with_each_refusal() {
    let lines = told(async {
        let world = night(20, "create#1:throttle_burst=30m");
        world.live_for(HOUR * 3, End::Stop).await;
        assert!(world.audit().creates_refused_by_rate() > 50, "{}", world.story());
    });
    let rate = held(&lines, "rate");
    assert!((3..=4).contains(&rate.len()), "{rate:#?}");
    assert_eq!((text(rate[0], "account"), text(rate[0], "action")), ("main", "CreateBackup"));
    assert!(text(rate[0], "code").starts_with("RequestLimitExceeded") && text(rate[0], "level") == "WARN");
}

#[test]
fn an_instance_that_is_busy_for_long_is_told_at_the_fourth_answer_and_at_each_doubling() {
    let lines = told(async {
        let world = night(1, "create#1:busy=100m");
        world.live_for(HOUR * 4, End::Stop).await;
    });
    let busy = held(&lines, "busy");
    let times: Vec<_> = busy.iter().filter_map(|line| line["times"].as_u64()).collect();
    assert!(times.starts_with(&[4]) && times.iter().all(|n| n.is_power_of_two()), "{busy:#?}");
    assert!(text(busy[0], "message").contains("cdb-sim00001 has been busy 4 times") && text(busy[0], "instance_id") == "cdb-sim00001");
}

#[test]
fn an_account_that_is_held_and_an_instance_that_cannot_be_looked_at_are_told_at_both_ends() {
    let lines = told(async {
        let world = night(2, "key_revoked=80m..150m,list#1@cdb-sim00002:list_refused=1h");
        world.live_for(HOUR * 5, End::Stop).await;
    });
    let account = held(&lines, "account");
    assert_eq!((account.len(), text(account[0], "account"), text(account[0], "level")), (1, "main", "ERROR"), "{account:#?}");
    assert_eq!(lines.iter().filter(|line| text(line, "message").starts_with("the keys of account main are accepted")).count(), 1);
    let unseen = held(&lines, "cannot_look");
    assert_eq!((unseen.len(), unseen.first().map(|line| text(line, "instance_id"))), (1, Some("cdb-sim00002")), "{unseen:#?}");
    let again = lines.iter().filter(|line| text(line, "message").ends_with("can be listed again")).count();
    assert_eq!(unseen.len(), again);
}
