//! Keys that the cloud does not accept for a while.

use crate::{
    lone::{HOUR, START},
    world::{End, World, job, policy, sim_instances, simulated},
};
use cdb_backupd::sim::settings::Settings;

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
