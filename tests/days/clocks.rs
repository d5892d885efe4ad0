//! Clocks that are wrong, step or are a decade ahead: nothing starts on an unproved clock, and nothing stays behind.

use crate::world::{Between, End, World, job, policy, sim_instances, simulated};
use cdb_backupd::{clock::Clock, cloud::CdbApi, sim::settings::Settings};
use chrono::TimeDelta;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

fn world(start: &str, faults: &str) -> World {
    let mut policy = policy(3);
    policy.jobs = vec![job(&policy, "nightly", "30 2 * * *").into()];
    let mut settings = Settings::quiet(3, sim_instances(3));
    settings.faults = faults.parse().unwrap();
    World::new(start, settings, policy)
}

fn states(world: &World) -> Vec<(String, String)> {
    world.rows().into_iter().map(|row| (row.state, row.reason)).collect()
}

#[test]
fn a_machine_that_boots_ten_years_ahead_starts_nothing_and_leaves_nothing_behind() {
    simulated(async {
        let world = world("2026-11-24T12:00:00Z", "");
        let from = world.truth.utc();
        world.live_for(HOUR, End::Stop).await;
        world.step_clock(TimeDelta::days(3_653));
        world.live_for(HOUR, End::Stop).await;
        assert_eq!(world.rows(), [], "an unproved clock makes no rows");
        world.step_clock(-TimeDelta::days(3_653));
        world.live_for(HOUR * 10, End::Stop).await;
        assert!(states(&world).iter().all(|(state, _)| state == "succeeded"), "{}", world.story());
        world.check(from);
    });
}

#[test]
fn a_clock_that_jumps_in_mid_run_proves_no_absence_and_closes_no_row() {
    simulated(async {
        // The reply is lost, the backup listed 90 s late; our clock jumps ten minutes ahead while the call is in flight.
        let world = world("2026-11-24T18:29:00Z", "create#1:lost_after_act+lists_late=90s,create#2:lost_after_act,create#3:lost_before_act");
        let from = world.truth.utc();
        let jumps = async {
            world.pass(Duration::from_secs(65)).await;
            world.step_clock(TimeDelta::minutes(10));
            world.pass(HOUR).await;
            world.step_clock(-TimeDelta::minutes(10));
            world.pass(HOUR * 2).await;
        };
        world.live(jumps, End::Stop).await;
        assert_eq!(world.audit().doubled, [], "{}", world.story());
        assert!(states(&world).iter().all(|(state, _)| state == "succeeded"), "{}", world.story());
        world.check(from);
    });
}

#[test]
fn a_call_that_leaves_late_carries_the_timestamp_of_its_intent() {
    simulated(async {
        // The sender stops for 400 s between intent and send: the cloud refuses the old stamp, and only the second send makes a backup.
        let world = world("2026-11-24T18:29:00Z", "");
        let from = world.truth.utc();
        let truth = world.truth;
        let held = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        let late = Between {
            api: world.cloud.clone(),
            create: move |api: crate::world::Api, create: cdb_backupd::cloud::Create| {
                let held = held.clone();
                async move {
                    if held.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
                        truth.sleep(Duration::from_secs(400)).await;
                    }
                    api.create_backup(create).await
                }
            },
        };
        world.live_with(late, world.pass(HOUR * 3), End::Stop).await;
        assert!(world.audit().timeline().contains("AuthFailure.SignatureExpire"), "{}", world.story());
        assert_eq!(world.audit().backups.len(), 3, "{}", world.story());
        world.check(from);
    });
}
