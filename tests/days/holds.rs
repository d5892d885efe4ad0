//! What keeps a due run from starting, and that nothing else does: the night goes on around whatever is held.

use crate::world::{End, Row, World, job, policy, sim_instances, simulated};
use cdb_backupd::{
    domain::policy::{Blackout, BlackoutSpan, Job, Overlap, Policy},
    sim::{audit::Seen, settings::Settings},
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{sync::Arc, time::Duration};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// 02:30 in Shanghai is half an hour after this, and every world here starts at it.
const EVENING: &str = "2026-11-24T18:00:00Z";

/// A world of `n` instances whose jobs are made by `jobs`.
fn world(n: usize, faults: &str, jobs: impl FnOnce(&Policy) -> Vec<Job>) -> World {
    let mut policy = policy(n);
    policy.jobs = jobs(&policy).into_iter().map(Arc::new).collect();
    let mut settings = Settings::quiet(11, sim_instances(n));
    settings.durations = MINUTE * 10..=MINUTE * 10;
    settings.faults = faults.parse().unwrap();
    World::new(EVENING, settings, policy)
}

fn nightly(policy: &Policy) -> Vec<Job> {
    vec![job(policy, "nightly", "30 2 * * *")]
}

fn ends(world: &World) -> Vec<(String, String)> {
    world.rows().into_iter().map(|row| (row.state, row.reason)).collect()
}

fn all_succeeded(world: &World, runs: usize) {
    let rows = world.rows();
    assert!(rows.len() == runs && rows.iter().all(|row| row.state == "succeeded"), "{}", world.story());
}

fn began(backup: &Seen) -> DateTime<Utc> {
    EVENING.parse::<DateTime<Utc>>().unwrap() + TimeDelta::from_std(backup.begins).unwrap()
}

fn at(time: &str) -> DateTime<Utc> {
    format!("2026-11-24T{time}Z").parse().unwrap()
}

fn blackout(from: &str, to: &str) -> Blackout {
    Blackout { span: BlackoutSpan::Once { from: at(from), to: at(to) }, reason: "double eleven".into() }
}

#[test]
fn an_account_has_no_more_backups_in_progress_than_max_running_says() {
    simulated(async {
        let world = with_account(world(9, "", nightly), |account| account.max_running = Some(3));
        world.live_for(HOUR * 3, End::Stop).await;
        all_succeeded(&world, 9);
        let backups = world.audit().backups;
        let at_once = |moment| backups.iter().filter(|it| it.begins <= moment && moment < it.ends).count();
        assert_eq!(backups.iter().map(|backup| at_once(backup.begins)).max(), Some(3), "{}", world.story());
    });
}

/// The nightly job, with a start window of so long.
fn within(window: Duration) -> impl FnOnce(&Policy) -> Vec<Job> {
    move |policy| {
        let mut nightly = job(policy, "nightly", "30 2 * * *");
        nightly.start_within = window;
        vec![nightly]
    }
}

/// A world whose one account is changed.
fn with_account(mut world: World, change: impl FnOnce(&mut cdb_backupd::domain::policy::Account)) -> World {
    let mut account = (*world.policy.accounts[0]).clone();
    change(&mut account);
    world.policy.accounts = vec![Arc::new(account)];
    world
}

/// How many runs succeeded, and how many expired for this reason; there are no others.
fn expired_for(world: &World, reason: &str) -> (usize, usize) {
    let ends = ends(world);
    let good = ends.iter().filter(|(state, _)| state == "succeeded").count();
    let expired = ends.iter().filter(|(state, why)| (state.as_str(), why.as_str()) == ("expired", reason)).count();
    assert_eq!(good + expired, ends.len(), "{}", world.story());
    (good, expired)
}

#[test]
fn runs_that_found_no_room_in_their_account_say_so() {
    simulated(async {
        let world = with_account(world(3, "", within(MINUTE * 5)), |account| account.max_running = Some(1));
        world.live_for(HOUR * 2, End::Stop).await;
        assert_eq!(expired_for(&world, "max_running"), (1, 2), "{}", world.story());
    });
}

#[test]
fn runs_that_waited_for_the_pace_to_the_last_say_so() {
    simulated(async {
        let world = with_account(world(30, "", within(MINUTE * 2)), |account| account.calls_per_second = 0.1);
        world.live_for(HOUR * 2, End::Stop).await;
        let (good, expired) = expired_for(&world, "rate_limit");
        assert!((11..=14).contains(&good) && expired == 30 - good, "{}", world.story());
    });
}

#[test]
fn runs_whose_window_closed_while_no_daemon_was_there_say_so() {
    simulated(async {
        let world = with_account(world(3, "", within(MINUTE * 5)), |account| account.calls_per_second = 0.1);
        world.live_for(MINUTE * 30 + Duration::from_secs(5), End::Kill).await;
        world.pass(HOUR).await;
        world.live_for(HOUR, End::Stop).await;
        assert_eq!(expired_for(&world, "not_running"), (1, 2), "{}", world.story());
        assert!(world.rows().iter().filter(|row| row.state == "expired").all(|row| row.why.contains("nobody was there")), "{}", world.story());
    });
}

#[test]
fn a_run_whose_window_the_daemon_slept_through_says_that_nobody_was_there() {
    simulated(async {
        let world = world(1, "", |policy| {
            let mut spread = job(policy, "nightly", "30 2 * * *");
            (spread.spread, spread.start_within) = (MINUTE * 20, Duration::from_secs(30));
            vec![spread]
        });
        let life = async {
            world.pass(MINUTE * 30 + Duration::from_secs(1)).await;
            let ledger = rusqlite::Connection::open(world.ledger_path()).unwrap();
            let starts: i64 = ledger.query_row("SELECT not_before_ms FROM runs", [], |row| row.get(0)).unwrap();
            let rest = DateTime::from_timestamp_millis(starts).unwrap() - world.truth.utc() - TimeDelta::seconds(2);
            world.pass(rest.to_std().expect("it starts later than this")).await;
            // As after SIGSTOP: the wall clock is 50 s further on, and no pass was made in between.
            world.step_clock(TimeDelta::seconds(50));
            world.pass(HOUR).await;
        };
        world.live(life, End::Stop).await;
        assert_eq!(expired_for(&world, "not_running"), (0, 1), "{}", world.story());
    });
}

#[test]
fn a_run_whose_call_was_lost_in_a_crash_says_what_became_of_it() {
    simulated(async {
        let world = world(1, "create#1:lost_before_act", within(MINUTE * 3));
        world.live_for(MINUTE * 30 + Duration::from_secs(5), End::Kill).await;
        world.live_for(HOUR, End::Stop).await;
        assert_eq!(expired_for(&world, "no_answer"), (0, 1), "{}", world.story());
        assert!(world.rows()[0].why.starts_with("its last call had no answer"), "{}", world.story());
    });
}

#[test]
fn a_spread_moves_the_start_and_never_the_slot() {
    simulated(async {
        let world = world(24, "", |policy| {
            let mut spread = job(policy, "nightly", "30 2 * * *");
            spread.spread = MINUTE * 20;
            vec![spread]
        });
        world.live_for(HOUR * 2, End::Stop).await;
        all_succeeded(&world, 24);
        assert!(world.rows().iter().all(|row| row.slot == at("18:30:00")), "{}", world.story());
        let starts: Vec<_> = world.audit().backups.iter().map(began).collect();
        let early = starts.iter().filter(|it| **it < at("18:40:00")).count();
        assert!(starts.iter().all(|it| (at("18:30:00")..at("18:51:00")).contains(it)), "{starts:?}");
        assert!((4..=20).contains(&early), "{early} of 24 started in the first half: {starts:?}");
    });
}

#[test]
fn a_slot_in_a_blackout_is_skipped_with_its_reason() {
    simulated(async {
        let mut world = world(2, "", nightly);
        world.policy.blackouts = vec![blackout("18:30:00", "18:31:00")];
        world.live_for(HOUR * 2, End::Stop).await;
        let rows = world.rows();
        assert!(rows.iter().all(|row| (row.state.as_str(), row.reason.as_str()) == ("skipped", "blackout")), "{}", world.story());
        assert!(rows.iter().all(|row| row.why.contains("double eleven")), "{}", world.story());
        assert_eq!(world.audit().backups, []);
    });
}

#[test]
fn a_run_whose_start_falls_into_a_later_blackout_waits_for_its_end() {
    simulated(async {
        let mut world = world(2, "outage=29m..40m", nightly);
        world.policy.blackouts = vec![blackout("18:35:00", "19:45:00")];
        world.live_for(HOUR * 3, End::Stop).await;
        all_succeeded(&world, 2);
        assert!(world.audit().backups.iter().all(|backup| began(backup) >= at("19:45:00")), "{}", world.story());
    });
}

#[test]
fn a_blackout_that_outlasts_the_start_window_skips_the_run() {
    simulated(async {
        let mut world = world(2, "outage=29m..40m", nightly);
        world.policy.blackouts = vec![blackout("18:35:00", "21:00:00")];
        world.live_for(HOUR * 4, End::Stop).await;
        assert!(ends(&world).iter().all(|end| *end == ("skipped".into(), "blackout".into())) && world.rows().len() == 2, "{}", world.story());
    });
}

#[test]
fn a_suspended_job_calls_nothing_and_ends_skipped() {
    simulated(async {
        let world = world(2, "", |policy| {
            let mut suspended = job(policy, "nightly", "30 2 * * *");
            suspended.suspend = true;
            vec![suspended, job(policy, "other", "40 2 * * *")]
        });
        world.live_for(HOUR * 4, End::Stop).await;
        let of = |name: &str| -> Vec<Row> { world.rows().into_iter().filter(|row| row.job == name).collect() };
        assert!(of("nightly").iter().all(|row| row.state == "skipped" && row.reason == "suspended" && row.attempts == 0), "{}", world.story());
        assert!(of("other").iter().all(|row| row.state == "succeeded") && of("other").len() == 2, "{}", world.story());
    });
}

#[test]
fn keys_that_are_wrong_at_the_slot_and_right_ten_minutes_later_cost_no_run() {
    simulated(async {
        let world = world(400, "key_revoked=29m..40m", nightly);
        world.live_for(HOUR * 2, End::Stop).await;
        all_succeeded(&world, 400);
        let refused = world.audit().events.iter().filter(|event| event.answer.contains("AuthFailure")).count();
        assert!(refused <= 40, "{refused} calls with keys that were known to be wrong");
    });
}

#[test]
fn an_instance_that_cannot_be_looked_at_gets_no_create_and_delays_nobody() {
    simulated(async {
        let world = world(3, "list#1@cdb-sim00002:list_refused=3h", |policy| {
            let mut hourly = job(policy, "hourly", "30 * * * *");
            (hourly.start_within, hourly.complete_within) = (MINUTE * 30, HOUR * 5);
            vec![hourly]
        });
        world.live_for(HOUR * 6, End::Stop).await;
        let of = |id: &str| -> Vec<Seen> { world.audit().backups.into_iter().filter(|it| it.instance == id).collect() };
        assert_eq!(of("cdb-sim00001").len(), 6, "{}", world.story());
        let blind: Vec<_> = of("cdb-sim00002").iter().map(began).collect();
        assert_eq!(blind.iter().filter(|it| **it < at("21:31:00")).count(), 1, "created blindly: {blind:?} {}", world.story());
        assert!(blind.len() >= 3, "the hold was never lifted: {blind:?} {}", world.story());
        world.covers(EVENING.parse().unwrap());
    });
}

/// Each backup takes 90 minutes, and a slot comes every hour.
fn overlapping(overlap: Overlap) -> World {
    world(1, "backup_takes=90m:1", |policy| {
        let mut hourly = job(policy, "hourly", "30 * * * *");
        (hourly.start_within, hourly.complete_within, hourly.overlap) = (MINUTE * 55, HOUR * 3, overlap);
        vec![hourly]
    })
}

#[test]
fn an_overlapping_run_is_skipped_once_the_one_before_is_seen_to_run_on() {
    simulated(async {
        let world = overlapping(Overlap::Skip);
        world.live_for(HOUR * 5, End::Stop).await;
        let ends: Vec<_> = world.rows().into_iter().map(|row| (row.state, row.reason)).take(4).collect();
        let (good, over) = (("succeeded".to_owned(), String::new()), ("skipped".to_owned(), "overlap".to_owned()));
        assert_eq!(ends, [good.clone(), over.clone(), good, over], "{}", world.story());
    });
}

#[test]
fn a_queued_run_starts_when_the_one_before_has_ended() {
    simulated(async {
        let world = overlapping(Overlap::Queue);
        world.live_for(HOUR * 4, End::Stop).await;
        let rows = world.rows();
        assert!(rows.iter().take(2).all(|row| row.state == "succeeded"), "{}", world.story());
        let backups = world.audit().backups;
        assert!(backups.windows(2).all(|pair| pair[0].ends <= pair[1].begins), "{}", world.story());
    });
}

#[test]
fn what_is_more_urgent_starts_first() {
    simulated(async {
        let world = world(20, "", |policy| {
            let (mut late, mut soon) = (job(policy, "a-later", "30 2 * * *"), job(policy, "z-sooner", "30 2 * * *"));
            (late.priority, soon.priority) = (7, 2);
            late.instances.truncate(10);
            soon.instances = soon.instances.split_off(10);
            vec![late, soon]
        });
        world.live_for(HOUR * 2, End::Stop).await;
        all_succeeded(&world, 20);
        let order: Vec<_> = world.audit().backups.iter().map(|backup| backup.alias.starts_with("z-sooner")).collect();
        assert!(order[..10].iter().all(|urgent| *urgent), "{order:?}");
    });
}
