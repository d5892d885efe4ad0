//! A ledger put back from a copy, which knows nothing of what was sent since: nobody believes it before its time is over.

use crate::{
    lone::{HOUR, MINUTE, START, lone, lone_as, s},
    world::{End, World, job, simulated},
};
use cdb_backupd::domain::schedule::Schedule;
use chrono::TimeDelta;
use std::time::Duration;

/// The copy says `calling` for the first attempt, which was refused. The third lies in the network: it acts 540 s after the slot and is listed 175 s
/// later. The daemon is dead, and the copy is in its place, 260 s after the slot.
async fn with_a_later_attempt_in_the_network() -> World {
    let world = lone("key_revoked=30s..300s,create#1:slow_reply=10s,create#3:arrives_late=290s+lists_late=175s+backup_takes=1ms");
    let life = async {
        world.pass(s(60 + 5)).await;
        assert_eq!(world.only().state, "calling", "{}", world.story());
        world.copy_in_mid_life();
        world.pass(s(255)).await;
    };
    world.live(life, End::Kill).await;
    assert_eq!(world.creates(), 3, "{}", world.story());
    world.put_back();
    world
}

#[test]
fn a_restored_call_waits_for_the_calls_that_the_copy_does_not_know() {
    simulated(async {
        let world = with_a_later_attempt_in_the_network().await;
        world.live_for(HOUR * 2, End::Stop).await;
        world.ends_with_one();
    });
}

#[test]
fn the_mark_of_a_restored_ledger_is_dated_by_the_cloud_and_not_by_our_clock() {
    simulated(async {
        let world = with_a_later_attempt_in_the_network().await;
        world.step_clock(-TimeDelta::minutes(10));
        let life = async {
            world.pass(MINUTE).await;
            world.step_clock(TimeDelta::minutes(10));
            world.pass(HOUR * 2).await;
        };
        world.live(life, End::Stop).await;
        world.ends_with_one();
    });
}

#[test]
fn the_mark_of_a_restored_ledger_outlives_the_process_that_set_it() {
    simulated(async {
        let world = with_a_later_attempt_in_the_network().await;
        world.live_for(s(10), End::Kill).await;
        world.live_for(HOUR * 2, End::Stop).await;
        world.ends_with_one();
    });
}

/// Lives 30 s, is copied, lives on for so long, is killed, and the copy is put back.
async fn copied_before_the_slot(world: &World, on: Duration) {
    world.live_for(s(30), End::Stop).await;
    world.keep_copy();
    world.live_for(on, End::Kill).await;
    world.put_back();
}

#[test]
fn a_restored_ledger_waits_for_a_stamp_that_was_two_minutes_ahead() {
    simulated(async {
        // Ours is 55 s ahead, and 110 s from 18:28 on. The stamp of 18:30:00 is signed at 18:28:10, acts at 18:35:20 and is listed at 18:38:18.
        let world = lone_as("2026-11-24T18:26:00Z", "create#1:arrives_late=405s+acts_late=25s+lists_late=178s+backup_takes=1ms", |_, _| {});
        world.step_clock(TimeDelta::seconds(55));
        world.live_for(s(30), End::Stop).await;
        world.keep_copy();
        let life = async {
            world.pass(s(90)).await;
            world.step_clock(TimeDelta::seconds(55));
            world.pass(s(15)).await;
        };
        world.live(life, End::Kill).await;
        assert_eq!(world.creates(), 1, "{}", world.story());
        world.put_back();
        world.step_clock(-TimeDelta::seconds(110));
        world.live_for(HOUR * 2, End::Stop).await;
        world.ends_with_one();
    });
}

#[test]
fn a_call_that_was_begun_is_in_the_lock_file_before_it_is_sent() {
    simulated(async {
        let world = lone("create#1:slow_reply=15s+lists_late=120s+backup_takes=1ms");
        copied_before_the_slot(&world, s(35)).await;
        world.live_for(HOUR * 2, End::Stop).await;
        world.ends_with_one();
    });
}

#[test]
fn the_slot_and_not_the_moved_start_names_the_backup() {
    simulated(async {
        let mut world = lone("create#1:backup_takes=1s");
        copied_before_the_slot(&world, MINUTE * 20).await;
        let mut moved = job(&world.policy, "nightly", "30 2 * * *");
        moved.spread = MINUTE * 20;
        world.policy.jobs = vec![moved.into()];
        world.live_for(HOUR * 3, End::Stop).await;
        world.ends_with_one();
    });
}

#[test]
fn a_look_of_a_process_that_died_clears_nothing_for_the_next() {
    simulated(async {
        // Cleared by a look at +541 s, then seven times without a connection: the copy is of a row that waits for its next try.
        let unreachable: String = (2..=8).map(|n| format!(",create#{n}:unreachable")).collect();
        let world = lone(&format!("create#1:http_error_before_act{unreachable},create#9:backup_takes=1s"));
        let life = async {
            world.pass(s(60 + 550)).await;
            assert_eq!(world.only().state, "due", "{}", world.story());
            world.copy_in_mid_life();
            world.pass(MINUTE * 40).await;
        };
        world.live(life, End::Kill).await;
        assert_eq!(world.good(), 1, "{}", world.story());
        world.put_back();
        world.live_for(HOUR * 2, End::Stop).await;
        world.ends_with_one();
    });
}

#[test]
fn a_restored_run_is_looked_for_before_it_is_skipped_for_the_one_before_it() {
    simulated(async {
        // Two slots, 5 s apart. The first one's backup is listed with another type, so that its row stays open once its number is forgotten.
        let world = lone_as(START, "create#1:slow_reply=10s+wrong_type_listed+backup_takes=1s,create#2:backup_takes=60s", |job, _| {
            job.schedule = Schedule::parse("0,5 30 2 * * *", "Asia/Shanghai").unwrap();
        });
        let life = async {
            world.pass(s(60 + 7)).await;
            world.copy_in_mid_life();
            world.pass(MINUTE * 40).await;
        };
        world.live(life, End::Kill).await;
        assert_eq!(world.good(), 2, "{}", world.story());
        world.put_back();
        world.live_for(HOUR * 3, End::Stop).await;
        let states: Vec<_> = world.rows().into_iter().map(|row| row.state).collect();
        assert_eq!((states, world.good()), (vec!["uncertain".into(), "succeeded".into()], 2), "{}", world.story());
    });
}
