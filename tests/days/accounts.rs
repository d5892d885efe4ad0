//! Keys that the cloud does not accept for a while.

use crate::{
    lone::{HOUR, Lists, MINUTE, START, brief, lone, lone_as, s},
    world::{Api, End, World, job, policy, sim_instances, simulated},
};
use cdb_backupd::{
    clock::Clock,
    cloud::{CallError, CdbApi, Class, List, Reply},
    domain::names::CredentialSource,
    sim::settings::Settings,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

fn refused<T>(class: Class, code: &str) -> Reply<T> {
    let answer = Err(CallError { class, code: code.into(), message: String::new() });
    Reply { answer, date: None, request_id: None, elapsed: Duration::ZERO }
}

#[test]
fn a_key_that_is_revoked_at_the_slot_and_right_ten_minutes_later_loses_no_run() {
    simulated(async {
        let mut policy = policy(40);
        policy.jobs = vec![job(&policy, "nightly", "30 2 * * *").into()];
        let mut settings = Settings::quiet(5, sim_instances(40));
        settings.faults = "key_revoked=30s..660s".parse().unwrap();
        let world = World::new(START, settings, policy);
        world.live_for(HOUR * 3, End::Stop).await;
        let rows = world.rows();
        assert!(rows.len() == 40 && rows.iter().all(|row| row.state == "succeeded"), "{}", world.story());
    });
}

#[test]
fn a_held_accounts_windows_of_completion_close_all_the_same() {
    simulated(async {
        let world = lone_as(START, "create#1:backup_takes=20h,key_revoked=120s..20h", brief);
        world.live_for(HOUR * 2, End::Stop).await;
        assert_eq!(world.only().state, "timed_out", "{}", world.story());
    });
}

#[test]
fn a_probe_that_is_throttled_is_no_answer_and_another_follows() {
    simulated(async {
        let world = lone("key_revoked=30s..200s");
        let throttled = Arc::new(AtomicBool::new(false));
        let (truth, seen) = (world.truth, throttled.clone());
        let once = Lists {
            api: world.cloud.clone(),
            list: move |api: Api, list: List| {
                let seen = seen.clone();
                async move {
                    let probe = list.limit == 1 && truth.now().mono > s(80);
                    if probe && !seen.swap(true, Ordering::SeqCst) {
                        return refused(Class::Throttled, "RequestLimitExceeded");
                    }
                    api.describe_backups(list).await
                }
            },
        };
        world.live_with(once, world.pass(HOUR), End::Stop).await;
        assert!(throttled.load(Ordering::SeqCst), "{}", world.story());
        world.ends_with_one();
    });
}

#[test]
fn keys_of_an_earlier_policy_that_are_no_good_any_more_hold_nothing_that_has_good_ones() {
    simulated(async {
        let mut world = lone_as(START, "create#1@cdb-sim00001:backup_takes=20h", |job, settings| {
            brief(job, settings);
            settings.instances = sim_instances(2);
        });
        world.live_for(MINUTE * 10, End::Stop).await;
        // The keys lie elsewhere from now on, and a second instance has a job of its own.
        let mut moved = policy(2);
        let mut account = (*moved.accounts[0]).clone();
        let old = std::mem::replace(&mut account.credentials, CredentialSource::Env { prefix: "MOVED".into() });
        moved.accounts = vec![Arc::new(account)];
        let mut hourly = job(&moved, "hourly", "45 * * * *");
        hourly.instances.remove(0);
        moved.jobs = vec![Arc::new(hourly)];
        world.policy = moved;
        let gone = Lists {
            api: world.cloud.clone(),
            list: move |api: Api, list: List| {
                let old = old.clone();
                async move {
                    if list.call.access.credentials == old {
                        return refused(Class::Account, "no_credentials");
                    }
                    api.describe_backups(list).await
                }
            },
        };
        world.live_with(gone, world.pass(HOUR * 4), End::Stop).await;
        let (second, first): (Vec<_>, Vec<_>) = world.rows().into_iter().partition(|row| row.instance == "cdb-sim00002");
        assert!(second.len() >= 3 && second.iter().all(|row| row.state == "succeeded"), "{}", world.story());
        assert!(first.iter().all(|row| row.state == "timed_out"), "{}", world.story());
    });
}
