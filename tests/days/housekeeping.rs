//! The history stays within its bounds, and what somebody still needs stays beyond them.

use crate::world::{End, World, job, policy, sim_instances, simulated};
use cdb_backupd::{
    domain::policy::HistoryBounds,
    ledger::{Ledger, Sweep},
    sim::settings::Settings,
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{sync::atomic::Ordering, time::Duration};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const EVENING: &str = "2026-11-24T12:00:00Z";

/// Two instances with a nightly job, and a history of so long.
fn world(max_age: Duration) -> World {
    let mut policy = policy(2);
    policy.jobs = vec![job(&policy, "nightly", "30 2 * * *").into()];
    policy.history.max_age = max_age;
    World::new(EVENING, Settings::quiet(5, sim_instances(2)), policy)
}

fn slots(world: &World) -> Vec<String> {
    world.rows().iter().map(|row| row.slot.format("%d").to_string()).collect()
}

fn count(world: &World, table: &str) -> i64 {
    let conn = rusqlite::Connection::open(world.ledger_path()).unwrap();
    conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn the_night_drops_runs_past_their_age_with_attempts_and_backups() {
    simulated(async {
        let world = world(DAY * 2);
        world.live_for(DAY * 5, End::Stop).await;
        assert_eq!(slots(&world), ["24", "24", "25", "25", "26", "26", "27", "27", "28", "28"], "nothing is dropped before it is asked for");
        assert_eq!((count(&world, "attempts"), count(&world, "backups")), (20, 10));
        world.chores.store(true, Ordering::Relaxed);
        world.live_for(HOUR, End::Stop).await;
        assert_eq!(slots(&world), ["27", "27", "28", "28"], "{}", world.story());
        assert!(!world.chores.load(Ordering::Relaxed), "the chore was taken");
        assert_eq!((count(&world, "attempts"), count(&world, "backups")), (8, 4), "what belonged to the dropped runs went with them");
        world.live_for(DAY * 2, End::Stop).await;
        assert_eq!(slots(&world).len(), 8, "nothing is dropped until the next night asks");
    });
}

#[test]
fn a_clock_that_is_years_ahead_drops_nothing() {
    simulated(async {
        let world = world(DAY * 2);
        world.live_for(DAY, End::Stop).await;
        world.chores.store(true, Ordering::Relaxed);
        world.step_clock(TimeDelta::days(3_653));
        world.live_for(HOUR, End::Stop).await;
        assert_eq!(slots(&world), ["24", "24"], "an unproved clock is no measure of age");
        assert!(world.chores.load(Ordering::Relaxed), "the chore waits for the clock's proof");
    });
}

#[test]
fn a_dropped_past_comes_back_as_nothing() {
    simulated(async {
        let world = world(DAY);
        world.live_for(HOUR, End::Stop).await;
        world.pass(DAY * 365).await;
        world.live_for(DAY * 3, End::Stop).await;
        world.chores.store(true, Ordering::Relaxed);
        world.live_for(HOUR, End::Kill).await;
        let rows = world.rows();
        assert!(rows.iter().all(|row| row.state == "succeeded") && !rows.is_empty(), "the year of downtime is past its age: {}", world.story());
        let made = world.audit().backups.len();
        world.live_for(HOUR, End::Stop).await;
        assert_eq!((world.rows().len(), world.audit().backups.len()), (rows.len(), made), "no dropped slot is planned or sent again");
    });
}

// From here on: a ledger whose rows are written by hand, so that each stands for one rule.

const NOW: &str = "2026-11-24T12:00:00Z";

/// A ledger of one job with two instances, both cursors at [`NOW`].
fn ledger() -> Ledger {
    let ledger = Ledger::in_memory("prune", now()).unwrap();
    ledger
        .connection()
        .execute_batch(
            "INSERT INTO terms VALUES (1, 'd', 'a', '{}', 'main', 'cdb.tencentcloudapi.com', 'env', 'ap-guangzhou', 'physical', NULL, NULL, 540000, 1,
               NULL, 2000, 600000, 15000, 300000, 'skip')",
        )
        .unwrap();
    for instance in ["cdb-aaaa0001", "cdb-aaaa0002"] {
        let insert = "INSERT INTO cursors VALUES ('nightly', ?1, '0 0 * * *', 'Etc/UTC', 1, 5, ?2, NULL, ?2)";
        ledger.connection().execute(insert, rusqlite::params![instance, now().timestamp_millis()]).unwrap();
    }
    ledger
}

fn now() -> DateTime<Utc> {
    NOW.parse().unwrap()
}

/// A row whose slot was so many hours ago and that ended at once; `state` and whatever other columns the rule is about.
fn row(ledger: &Ledger, instance: &str, hours_ago: i64, state: &str, more: &[(&str, i64)]) {
    let slot = (now() - TimeDelta::hours(hours_ago)).timestamp_millis();
    let open = matches!(state, "due" | "calling" | "uncertain" | "running");
    let mut columns = vec![("slot_ms", slot), ("slot_last_ms", slot), ("slots", 1), ("finished_at_ms", slot)];
    let replaced = |name: &str| more.iter().any(|(other, _)| *other == name) || (open && name == "finished_at_ms");
    columns.retain(|(name, _)| !replaced(name));
    columns.extend(more);
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let values: Vec<String> = columns.iter().map(|(_, value)| value.to_string()).collect();
    let why = if open { "NULL" } else { "'told'" };
    let sql = format!(
        "INSERT INTO runs (job, instance_id, trigger, slot_local, terms_id, account, priority, alias, not_before_ms, start_by_ms, complete_by_ms,
           restart_by_ms, state, why, {}) VALUES ('nightly', '{instance}', 'schedule', '', 1, 'main', 5, 'nightly.{slot}', {slot}, {slot}, {slot},
           {slot}, '{state}', {why}, {})",
        names.join(", "),
        values.join(", ")
    );
    ledger.connection().execute(&sql, []).unwrap();
}

/// The rows that are left: hours ago and state, oldest slot first.
fn left(ledger: &Ledger) -> Vec<(i64, String)> {
    let mut all = ledger.connection().prepare("SELECT slot_ms, state FROM runs ORDER BY slot_ms, run_id").unwrap();
    let rows = all.query_map([], |row| Ok(((now().timestamp_millis() - row.get::<_, i64>(0)?) / 3_600_000, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn swept(ledger: &mut Ledger, max_age: Duration, max_runs: u64) -> (u64, usize) {
    let mut sweep: Sweep = ledger.sweep(HistoryBounds { max_age, max_runs }, now()).unwrap();
    let mut slices = 1;
    while ledger.prune(&mut sweep).unwrap() {
        slices += 1;
    }
    (sweep.pruned, slices)
}

fn words(rows: &[(i64, &str)]) -> Vec<(i64, String)> {
    rows.iter().map(|(hours, state)| (*hours, (*state).to_owned())).collect()
}

const A: &str = "cdb-aaaa0001";
const B: &str = "cdb-aaaa0002";
const FOREVER: Duration = Duration::from_secs(10 * 365 * 86_400);

#[test]
fn age_counts_from_the_end_of_a_run_and_the_bound_itself_is_kept() {
    let mut ledger = ledger();
    let ended = |hours: i64| [("finished_at_ms", (now() - TimeDelta::hours(hours)).timestamp_millis())];
    row(&ledger, A, 90, "failed", &ended(49));
    row(&ledger, A, 80, "expired", &ended(48));
    row(&ledger, A, 70, "failed", &ended(47));
    assert_eq!(swept(&mut ledger, DAY * 2, 1_000), (1, 1));
    assert_eq!(left(&ledger), words(&[(80, "expired"), (70, "failed")]));
}

#[test]
fn the_newest_good_run_of_each_pair_outlives_both_bounds() {
    let mut ledger = ledger();
    for (instance, hours, state) in [(A, 990, "succeeded"), (A, 980, "succeeded"), (A, 970, "failed"), (B, 960, "succeeded"), (B, 950, "timed_out")] {
        row(&ledger, instance, hours, state, &[]);
    }
    assert_eq!(swept(&mut ledger, DAY, 0), (3, 1));
    assert_eq!(left(&ledger), words(&[(980, "succeeded"), (960, "succeeded")]));
}

#[test]
fn beyond_the_count_the_oldest_go_first() {
    let mut ledger = ledger();
    for hours in 1..=30 {
        row(&ledger, A, hours, "failed", &[]);
    }
    assert_eq!(swept(&mut ledger, FOREVER, 30).0, 0, "the bound itself is kept");
    assert_eq!(swept(&mut ledger, FOREVER, 27).0, 3);
    assert_eq!(left(&ledger).first().map(|row| row.0), Some(27));
    assert_eq!(left(&ledger).len(), 27);
    assert_eq!(swept(&mut ledger, FOREVER, 26).0, 1, "numbers that were dropped are not counted");
}

#[test]
fn a_run_that_ended_just_now_is_not_dropped_for_its_count() {
    let mut ledger = ledger();
    for seconds in [59, 61] {
        let ended = (now() - TimeDelta::seconds(seconds)).timestamp_millis();
        row(&ledger, A, seconds, "failed", &[("finished_at_ms", ended)]);
    }
    assert_eq!(swept(&mut ledger, FOREVER, 0).0, 1);
    assert_eq!(left(&ledger).first().map(|row| row.0), Some(59));
}

#[test]
fn open_and_followed_runs_stay() {
    let mut ledger = ledger();
    row(&ledger, A, 990, "due", &[("due_at_ms", 0)]);
    row(&ledger, A, 980, "calling", &[("attempt_id", 1), ("signed_at_s", 1), ("process", 1), ("lease_ms", 1)]);
    row(&ledger, A, 970, "running", &[("backup_id", 1), ("listed", 1), ("since_ms", 1), ("look_at_ms", 1), ("look_step", 0)]);
    row(&ledger, A, 960, "timed_out", &[("look_at_ms", 1), ("look_step", 0), ("follow_until_ms", now().timestamp_millis())]);
    row(&ledger, A, 950, "timed_out", &[]);
    assert_eq!(swept(&mut ledger, DAY, 0), (1, 1));
    assert_eq!(left(&ledger), words(&[(990, "due"), (980, "calling"), (970, "running"), (960, "timed_out")]));
}

#[test]
fn a_missed_range_that_a_cursor_has_not_stepped_over_stays() {
    let mut ledger = ledger();
    let range = |hours: i64| [("slots", 9), ("slot_last_ms", (now() - TimeDelta::hours(hours)).timestamp_millis())];
    row(&ledger, A, 990, "missed", &range(-1));
    row(&ledger, B, 980, "missed", &range(0));
    row(&ledger, "cdb-gone0001", 970, "missed", &range(-1));
    assert_eq!(swept(&mut ledger, DAY, 0), (2, 1), "B's cursor stands on the range's last slot, and the third has none any more");
    assert_eq!(left(&ledger), words(&[(990, "missed")]));
}

#[test]
fn a_long_history_goes_in_slices_of_a_thousand_that_begin_where_the_last_one_ended() {
    let mut ledger = ledger();
    ledger.connection().execute_batch("BEGIN").unwrap();
    row(&ledger, A, 5_000, "succeeded", &[]);
    // All of one slot: the walk goes on by number inside it.
    for request in 1..=2_500 {
        let ended = (now() - TimeDelta::hours(4_000)).timestamp_millis();
        row(&ledger, &format!("cdb-b{request:07}"), 4_000, "failed", &[("finished_at_ms", ended)]);
    }
    ledger.connection().execute_batch("COMMIT").unwrap();
    let mut sweep = ledger.sweep(HistoryBounds { max_age: DAY, max_runs: 1_000 }, now()).unwrap();
    let mut dropped = Vec::new();
    while ledger.prune(&mut sweep).unwrap() {
        dropped.push(sweep.pruned);
    }
    assert_eq!((dropped, sweep.pruned), (vec![999, 1_999], 2_500));
    assert_eq!(left(&ledger), words(&[(5_000, "succeeded")]));
}
