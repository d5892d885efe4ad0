//! The cloud's side: nobody answers for an hour; keys that are revoked, and right again; a clock that is ten minutes off.

use crate::{
    places::told,
    stage::{HOUR, MINUTE, s, simulated},
};
use chrono::TimeDelta;

#[test]
fn an_api_that_is_dead_for_an_hour_is_told_within_two_minutes_of_its_first_call_and_its_return_within_one() {
    // From half a minute before the slot of 19:30 on.
    simulated(3, "outage=1770s..5370s", async |stage| {
        stage
            .live(async |life| {
                life.until(MINUTE, |seen| seen.ready.0 == 200).await;
                stage.pass(s(1_800) - life.age()).await;
                assert!(life.look().are_well(), "nothing was called yet: {:#?}", life.look());
                let (seen, _) = life.until(MINUTE * 2, |seen| seen.ready.0 == 503).await;
                seen.all_say("cloud_silent", "the cloud has answered no call of main since 2026-11-24T19:30:0", (3, 503));
                assert_eq!(seen.ready.1["items"][0]["account"], "main");
                assert_eq!((seen.metric("clock_proved"), seen.metric("pairs_held{reason=\"retry\"}")), (1.0, 3.0));
                assert_eq!(told(&life.log(), "ERROR", "the cloud has answered no call of account main since 2026-11-24T19:30:0"), 1);
                stage.pass(MINUTE * 50).await;
                life.look().all_say("cloud_silent", "the cloud has answered no call of main since 2026-11-24T19:30:0", (3, 503));
                stage.pass(s(5_370) - life.age()).await;
                let (seen, _) = life.until(MINUTE, |seen| seen.ready.0 == 200).await;
                assert!(seen.are_well(), "{seen:#?}");
                let log = life.log();
                assert_eq!(told(&log, "ERROR", "the cloud has answered no call"), 1, "it is told once: {log:#?}");
                assert_eq!(told(&log, "INFO", "the cloud answers account main again"), 1, "{log:#?}");
                // The slot of 20:30 was skipped for them, and the next is good again.
                stage.pass(HOUR + MINUTE * 5).await;
                assert!(stage.count("succeeded") >= 3, "the runs of 19:30 were made inside their window");
                assert!(life.look().are_well(), "{:#?}", life.look());
            })
            .await;
    });
}

#[test]
fn one_call_that_nobody_answers_is_no_silence() {
    simulated(1, "create#1:lost_before_act,list#3:lost_before_act", async |stage| {
        stage
            .live(async |life| {
                life.until(MINUTE, |seen| seen.ready.0 == 200).await;
                for _ in 0..60 {
                    stage.pass(MINUTE).await;
                    assert_eq!(life.look().troubles(), [""; 0]);
                }
                assert_eq!(told(&life.log(), "ERROR", "the cloud has answered no call"), 0);
            })
            .await;
    });
}

#[test]
fn keys_that_are_revoked_are_told_with_the_first_calls_and_their_return_within_half_a_minute() {
    simulated(3, "key_revoked=1770s..2970s", async |stage| {
        stage
            .live(async |life| {
                life.until(MINUTE, |seen| seen.ready.0 == 200).await;
                stage.pass(s(1_800) - life.age()).await;
                let (seen, _) = life.until(s(20), |seen| seen.ready.0 == 503).await;
                seen.all_say("account_held", "the cloud does not accept the keys of main", (3, 503));
                assert_eq!((seen.ready.1["items"][0]["account"].as_str(), seen.metric("account_held{account=\"main\"}")), (Some("main"), 1.0));
                assert_eq!(told(&life.log(), "ERROR", "the keys of account main cannot be used"), 1);
                stage.pass(s(2_970) - life.age()).await;
                let (seen, _) = life.until(s(40), |seen| seen.ready.0 == 200).await;
                assert!(seen.are_well(), "{seen:#?}");
                let log = life.log();
                assert_eq!(told(&log, "ERROR", "cannot be used"), 1, "it is told once: {log:#?}");
                assert_eq!(told(&log, "INFO", "the keys of account main are accepted; its runs go on"), 1, "{log:#?}");
                stage.pass(HOUR / 4).await;
                assert_eq!(stage.count("succeeded"), 3, "no run was lost");
            })
            .await;
    });
}

#[test]
fn a_clock_that_jumps_ten_minutes_is_told_within_a_minute_and_trusted_again_within_one() {
    simulated(1, "", async |stage| {
        stage
            .live(async |life| {
                life.until(MINUTE, |seen| seen.ready.0 == 200).await;
                stage.pass(MINUTE).await;
                for minutes in [10, -10] {
                    stage.step_clock(TimeDelta::minutes(minutes));
                    let (seen, took) = life.until(s(20), |seen| seen.ready.0 == 503).await;
                    assert!(took <= s(2), "{took:?}");
                    seen.all_say("clock_unproved", "waiting for a reply of the cloud that proves the clock", (3, 503));
                    assert_eq!((seen.metric("clock_proved"), seen.metric("policy_in_force")), (0.0, 1.0));
                    stage.pass(MINUTE).await;
                    life.look().all_say("clock_unproved", "waiting for a reply of the cloud that proves the clock", (3, 503));
                    stage.step_clock(TimeDelta::minutes(-minutes));
                    let (seen, _) = life.until(MINUTE, |seen| seen.ready.0 == 200).await;
                    assert!(seen.are_well(), "{seen:#?}");
                }
                let log = life.log();
                assert_eq!(told(&log, "WARN", "wall and monotonic time have parted by more than a minute"), 2, "{log:#?}");
                assert_eq!(told(&log, "WARN", "s off the cloud's; nothing starts until they agree"), 2, "{log:#?}");
                assert_eq!(told(&log, "INFO", "the clock is proved by a reply's Date"), 3, "{log:#?}");
            })
            .await;
    });
}
