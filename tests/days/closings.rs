//! No row is closed while an attempt is unresolved, and each is closed in the end.

use crate::{
    lone::{HOUR, MINUTE, START, brief, lone, lone_as, s},
    world::{Api, Between, End, simulated},
};
use cdb_backupd::cloud::{CdbApi, Create};
use chrono::TimeDelta;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

#[test]
fn a_start_window_that_closes_over_a_lost_answer_closes_nothing() {
    simulated(async {
        let world = lone_as(START, "create#1:arrives_late=200s+backup_takes=1s", |job, _| job.start_within = MINUTE * 2);
        world.live_for(HOUR * 2, End::Stop).await;
        world.ends_with_one();
    });
}

#[test]
fn a_wish_to_cancel_waits_for_the_answer_to_the_call() {
    simulated(async {
        let world = lone("create#1:lost_after_act+backup_takes=1s");
        let life = async {
            world.pass(s(60 + 5)).await;
            let conn = rusqlite::Connection::open(world.ledger_path()).unwrap();
            assert_eq!(conn.execute("UPDATE runs SET wish = 'cancel' WHERE state = 'calling'", []).unwrap(), 1);
            world.pass(HOUR * 2).await;
        };
        world.live(life, End::Stop).await;
        world.ends_with_one();
    });
}

#[test]
fn the_last_attempt_allowed_is_followed_to_its_end_like_any_other() {
    simulated(async {
        let world = lone_as(START, "create#1:lost_after_act+lists_late=60s+backup_takes=1s", |job, _| job.retry.max_attempts = Some(1));
        world.live_for(HOUR * 2, End::Stop).await;
        world.ends_with_one();
    });
}

#[test]
fn a_run_outlives_the_job_that_began_it() {
    simulated(async {
        let mut world = lone("create#1:slow_reply=15s+backup_takes=10m");
        world.live_for(s(60 + 5), End::Kill).await;
        world.policy.jobs.clear();
        world.live_for(HOUR * 2, End::Stop).await;
        world.ends_with_one();
    });
}

#[test]
fn a_run_that_nobody_can_look_for_ends_all_the_same() {
    simulated(async {
        // The first list proves the clock; no later one is answered with a list.
        let world = lone_as(START, "create#1:lost_before_act,list#2:list_refused=1000h", brief);
        world.live_for(HOUR * 3, End::Stop).await;
        assert_eq!(world.only().state, "unknown", "{}", world.story());
    });
}

#[test]
fn a_wrong_clock_closes_no_row() {
    simulated(async {
        let world = lone("create#1:backup_takes=2h");
        world.live_for(MINUTE * 11, End::Kill).await;
        world.step_clock(TimeDelta::days(3_653));
        world.live_for(MINUTE * 30, End::Kill).await;
        assert_eq!(world.only().state, "running", "{}", world.story());
        world.step_clock(-TimeDelta::days(3_653));
        world.live_for(HOUR * 4, End::Stop).await;
        world.ends_with_one();
        assert_eq!(world.only().late, 0, "{}", world.story());
    });
}

#[test]
fn an_answer_that_comes_while_our_clock_is_wrong_puts_nothing_off_for_years() {
    simulated(async {
        let world = lone("create#1:slow_reply=10s+throttle_burst=1s,create#2:backup_takes=60s");
        let life = async {
            world.pass(s(60 + 5)).await;
            world.step_clock(TimeDelta::days(3_653));
            world.pass(MINUTE).await;
            assert_eq!(world.only().state, "due", "{}", world.story());
            world.step_clock(-TimeDelta::days(3_653));
            world.pass(HOUR).await;
        };
        world.live(life, End::Stop).await;
        world.ends_with_one();
    });
}

#[test]
fn a_call_that_panics_is_a_call_without_an_answer() {
    simulated(async {
        let world = lone("");
        let panicked = Arc::new(AtomicBool::new(false));
        let create = move |api: Api, create: Create| {
            let panicked = panicked.clone();
            async move {
                let reply = api.create_backup(create).await;
                assert!(panicked.swap(true, Ordering::Relaxed), "the test breaks the first call, after it has acted");
                reply
            }
        };
        world.live_with(Between { api: world.cloud.clone(), create }, world.pass(HOUR * 2), End::Stop).await;
        world.ends_with_one();
    });
}
