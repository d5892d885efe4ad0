//! Ordinary nights, and nights on which one thing goes wrong.

use crate::world::{End, World, job, policy, sim_instances, simulated};
use cdb_backupd::sim::settings::Settings;
use std::time::Duration;

const EVENING: &str = "2026-11-24T12:00:00Z";

fn night(n: usize, faults: &str) -> World {
    let mut policy = policy(n);
    policy.jobs = vec![job(&policy, "nightly", "30 2 * * *").into()];
    let mut settings = Settings::quiet(7, sim_instances(n));
    settings.faults = faults.parse().unwrap();
    World::new(EVENING, settings, policy)
}

const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn a_quiet_night_ends_with_one_good_backup_for_each_instance() {
    simulated(async {
        let world = night(5, "");
        let from = world.truth.utc();
        world.live_for(DAY, End::Stop).await;
        let rows = world.rows();
        assert_eq!(rows.len(), 5, "{}", world.story());
        assert!(rows.iter().all(|row| row.state == "succeeded"), "{}", world.story());
        world.check(from);
    });
}
