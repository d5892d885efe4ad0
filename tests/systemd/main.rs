//! What systemd hears: the real binary, a real datagram socket in systemd's place, the simulated cloud over loopback. `boot` beside this file boots a
//! real systemd with it.

#![expect(clippy::expect_used, reason = "a test says what it expects, and fails")]

mod ear;
mod stage;

use cdb_backupd::{clock::Clock, sim::faults::Action};
use ear::Ear;
use rustix::process::Signal;
use stage::{Stage, in_real_time};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);
/// So short that a test need not wait long, and so long that a busy machine keeps it.
const WATCHDOG: &str = "WATCHDOG_USEC=2000000";

#[test]
fn ready_comes_once_with_the_first_pass_the_watchdog_is_fed_at_half_its_time_and_stopping_comes_last() {
    in_real_time(async {
        let stage = Stage::open("").await;
        let mut ear = Ear::in_folder(stage.folder());
        let daemon = stage.daemon(&ear, &[WATCHDOG, "WATCHDOG_PID=$$"]);
        stage.until(SOON, || (ear.count("WATCHDOG=1") >= 4).then_some(())).await;
        let fed = ear.times("WATCHDOG=1");
        let span = *fed.last().expect("it was fed") - fed[0];
        assert!(span >= Duration::from_millis(2_900), "three times half of two seconds: {fed:?}");
        daemon.tell(Signal::TERM);
        let status = stage.end_of(daemon).await;
        ear.listen();
        assert_eq!((status.code(), ear.count("READY=1")), (Some(0), 1), "{:?}", ear.lines());
        let (ready, stopping) = (ear.first("READY=1"), ear.first("STOPPING=1"));
        assert!(ready == Some(0) && stopping > ready, "{:?}", ear.lines());
        assert_eq!(ear.count("STOPPING=1"), 1);
        assert!(!ear.lines()[stopping.unwrap_or_default()..].iter().any(|line| line == "READY=1"), "{:?}", ear.lines());
    });
}

#[test]
fn the_status_is_the_verdict_first_what_is_awaited_then_what_runs_and_comes() {
    in_real_time(async {
        // The first list is not answered: the clock stays unproved for a while.
        let stage = Stage::open("list#1:unreachable").await;
        let mut ear = Ear::in_folder(stage.folder());
        let _daemon = stage.daemon(&ear, &[]);
        stage.until(SOON, || ear.status("waiting for a reply of the cloud that proves the clock").then_some(())).await;
        assert_eq!(ear.count("READY=1"), 1, "ready, whatever is proved by then: {:?}", ear.lines());
        stage.until(SOON, || ear.status("1 job, 1 running, next slot 20").then_some(())).await;
        assert_eq!(ear.count("WATCHDOG=1"), 0, "nobody asked for signs of life");
    });
}

#[test]
fn an_account_whose_keys_are_refused_is_named() {
    in_real_time(async {
        let stage = Stage::open("key_revoked=0s..600s").await;
        let mut ear = Ear::in_folder(stage.folder());
        let _daemon = stage.daemon(&ear, &[]);
        stage.until(SOON, || ear.status("the cloud does not accept the keys of sim; 1 job").then_some(())).await;
    });
}

#[test]
fn a_loop_that_hangs_is_not_fed_and_one_that_is_let_go_is_fed_again() {
    in_real_time(async {
        let stage = Stage::open("").await;
        let mut ear = Ear::in_folder(stage.folder());
        let _daemon = stage.daemon(&ear, &[WATCHDOG, "WATCHDOG_PID=$$"]);
        stage.until(SOON, || (ear.count("WATCHDOG=1") >= 1).then_some(())).await;
        stage.stick();
        let quiet = Duration::from_millis(2_500);
        let mut heard = (ear.count("WATCHDOG=1"), stage.clock.now().mono);
        // Passes that had begun may still be told of; then it is quiet for longer than the watchdog's whole time.
        stage
            .until(SOON, || {
                let (count, now) = (ear.count("WATCHDOG=1"), stage.clock.now().mono);
                if count != heard.0 {
                    heard = (count, now);
                }
                (now - heard.1 > quiet).then_some(())
            })
            .await;
        stage.let_go();
        stage.until(SOON, || (ear.count("WATCHDOG=1") > heard.0).then_some(())).await;
        assert_eq!(ear.count("READY=1"), 1, "{:?}", ear.lines());
    });
}

#[test]
fn a_pass_that_holds_because_the_ledger_cannot_be_written_feeds_the_watchdog_too() {
    in_real_time(async {
        let stage = Stage::open("").await;
        let mut ear = Ear::in_folder(stage.folder());
        let _daemon = stage.daemon(&ear, &[WATCHDOG, "WATCHDOG_PID=$$"]);
        stage.has_taken(Action::Create).await;
        let other = stage.writing();
        stage.until(SOON, || ear.status("the ledger cannot be written").then_some(())).await;
        let before = ear.count("WATCHDOG=1");
        stage.until(SOON, || (ear.count("WATCHDOG=1") > before + 1).then_some(())).await;
        drop(other);
        let told = ear.lines().len();
        stage.until(SOON, || ear.status_since(told, "1 job").then_some(())).await;
    });
}

#[test]
fn a_ledger_that_is_waited_for_at_the_start_asks_for_more_time_and_is_not_ready() {
    in_real_time(async {
        let stage = Stage::open("").await;
        stage.makes_its_ledger().await;
        let other = stage.writing();
        let mut ear = Ear::in_folder(stage.folder());
        let _daemon = stage.daemon(&ear, &[]);
        stage.until(SOON, || (ear.count("EXTEND_TIMEOUT_USEC=30000000") >= 2).then_some(())).await;
        assert!(ear.status("waiting for the ledger: ") && ear.count("READY=1") == 0, "{:?}", ear.lines());
        drop(other);
        stage.until(SOON, || (ear.count("READY=1") == 1).then_some(())).await;
    });
}

#[test]
fn a_reload_is_announced_after_the_first_ready_and_ends_with_another_whether_the_file_is_good_or_not() {
    in_real_time(async {
        let stage = Stage::open("").await;
        let mut ear = Ear::in_folder(stage.folder());
        let daemon = stage.daemon(&ear, &[]);
        stage.has_taken(Action::Create).await;
        daemon.tell(Signal::HUP);
        stage.until(SOON, || (ear.count("READY=1") == 2).then_some(())).await;
        std::fs::write(stage.folder().join("policy.yaml"), "version: 1\njobs: [ { nmae: x } ]\n").expect("a policy is written");
        daemon.tell(Signal::HUP);
        stage.until(SOON, || (ear.count("READY=1") == 3).then_some(())).await;
        assert_eq!((ear.count("RELOADING=1"), ear.count_of("MONOTONIC_USEC=")), (2, 2), "{:?}", ear.lines());
        assert!(ear.first("READY=1") < ear.first("RELOADING=1"), "{:?}", ear.lines());
    });
}

#[test]
fn a_watchdog_of_another_process_is_not_fed_and_a_socket_without_a_file_is_heard() {
    in_real_time(async {
        let stage = Stage::open("").await;
        let mut ear = Ear::without_a_file("watched");
        let _daemon = stage.daemon(&ear, &["WATCHDOG_USEC=100000", "WATCHDOG_PID=1"]);
        stage.until(SOON, || ear.status("1 job, ").then_some(())).await;
        stage.until(SOON, || (ear.count_of("STATUS=") >= 3).then_some(())).await;
        assert_eq!((ear.count("READY=1"), ear.count("WATCHDOG=1")), (1, 0), "{:?}", ear.lines());
    });
}

#[test]
fn a_ledger_that_is_taken_away_is_told_with_the_end() {
    in_real_time(async {
        let stage = Stage::open("").await;
        let mut ear = Ear::in_folder(stage.folder());
        let daemon = stage.daemon(&ear, &[]);
        stage.has_taken(Action::Create).await;
        std::fs::rename(stage.folder().join("ledger.db"), stage.folder().join("elsewhere.db")).expect("it is moved");
        let status = stage.end_of(daemon).await;
        ear.listen();
        assert_eq!((status.code(), ear.count("STOPPING=1")), (Some(74), 1), "{:?}", ear.lines());
        assert!(ear.status("is no longer the file that was opened"), "{:?}", ear.lines());
    });
}
