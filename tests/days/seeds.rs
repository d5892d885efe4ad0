//! Many seeds, many faults, one promise. A seed that fails prints itself and its story.

use crate::world::{End, World, job, policy, sim_instances, simulated};
use cdb_backupd::{
    domain::policy::Policy,
    sim::{script::Faults, settings::Settings},
};
use std::time::Duration;

const FAULTS: &str = "lost_before_act:0.05,lost_after_act:0.05,reset_mid_body:0.03,http_error_after_act:0.03,http_error_before_act:0.03,\
    acts_late=20s:0.03,gateway_502:0.03,throttle_burst=5s:0.02,busy_after_act:0.03,busy=30m:0.02,backup_fails:0.1,lists_late=170s:0.05,\
    slow_reply=15s:0.03,garbage:0.02,unknown_code_after_act:0.02,unknown_status:0.05,list_throttled:0.05,list_truncated:0.03,no_date:0.05,unreachable:0.05";

fn two_jobs(n: usize) -> Policy {
    let mut policy = policy(n);
    let mut hourly = job(&policy, "hourly", "15 */3 * * *");
    hourly.start_within = Duration::from_secs(3600);
    hourly.complete_within = Duration::from_secs(7200);
    policy.jobs = vec![job(&policy, "nightly", "30 2 * * *").into(), hourly.into()];
    policy
}

fn world(seed: u64) -> World {
    let mut settings = Settings::quiet(seed, sim_instances(5));
    settings.faults = FAULTS.parse().unwrap();
    World::new("2026-11-24T12:00:00Z", settings, two_jobs(5))
}

#[test]
fn days_of_faults_and_a_kill_cover_every_slot_once_and_double_nothing() {
    for seed in 0..12 {
        simulated(async {
            let world = world(seed);
            let from = world.truth.utc();
            world.live_for(Duration::from_secs(12 * 3600), End::Kill).await;
            world.live_for(Duration::from_secs(8 * 3600), End::Stop).await;
            world.cloud.set_faults(Faults::default());
            world.live_for(Duration::from_secs(4 * 3600), End::Stop).await;
            checked(seed, &world, from);
        });
    }
}

fn checked(seed: u64, world: &World, from: chrono::DateTime<chrono::Utc>) {
    let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.check(from)));
    if let Err(panic) = checked {
        let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        panic!("seed {seed}: {text}\n{}", world.story());
    }
}
