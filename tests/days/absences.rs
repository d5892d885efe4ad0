//! Nobody ran: downtime of a night and of a year, a ledger put back from a copy, a schedule edited meanwhile.

use crate::world::{End, World, job, policy, sim_instances, simulated};
use cdb_backupd::{domain::schedule::Schedule, sim::settings::Settings};
use std::{sync::Arc, time::Duration};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

fn world(start: &str) -> World {
    let mut policy = policy(2);
    policy.jobs = vec![job(&policy, "nightly", "30 2 * * *").into()];
    World::new(start, Settings::quiet(5, sim_instances(2)), policy)
}

#[test]
fn a_year_of_downtime_is_one_missed_row_for_each_pair() {
    simulated(async {
        let world = world("2026-11-24T12:00:00Z");
        let from = world.truth.utc();
        world.live_for(HOUR, End::Stop).await;
        world.pass(DAY * 365).await;
        world.live_for(HOUR, End::Stop).await;
        let rows = world.rows();
        assert_eq!(rows.len(), 2, "{}", world.story());
        assert!(rows.iter().all(|row| (row.state.as_str(), row.reason.as_str(), row.slots) == ("missed", "downtime", 365)), "{}", world.story());
        world.check(from);
    });
}

#[test]
fn the_newest_slot_of_a_short_downtime_is_caught_up() {
    simulated(async {
        let world = world("2026-11-24T12:00:00Z");
        let from = world.truth.utc();
        world.live_for(HOUR, End::Kill).await;
        // Back 90 minutes after the slot of the third night; `catch_up_within` is two hours.
        world.pass(DAY * 2 + HOUR * 7).await;
        world.live_for(HOUR * 4, End::Stop).await;
        let states: Vec<_> = world.rows().into_iter().map(|row| (row.state, row.slots)).collect();
        assert_eq!(states.iter().filter(|(state, slots)| state == "missed" && *slots == 2).count(), 2, "{}", world.story());
        assert_eq!(states.iter().filter(|(state, _)| state == "succeeded").count(), 2, "{}", world.story());
        world.check(from);
    });
}

#[test]
fn a_ledger_put_back_from_yesterday_sends_nothing_twice() {
    simulated(async {
        let world = world("2026-11-24T12:00:00Z");
        world.live_for(HOUR, End::Stop).await;
        world.keep_copy();
        world.live_for(HOUR * 7 + Duration::from_secs(600), End::Kill).await;
        let made = world.audit().backups.len();
        assert_eq!(made, 2, "{}", world.story());
        world.put_back();
        world.live_for(HOUR * 4, End::Stop).await;
        assert_eq!(world.audit().backups.len(), made, "the slot was sent again, {}", world.story());
        let rows = world.rows();
        assert!(rows.iter().all(|row| row.state == "succeeded") && rows.len() == 2, "{}", world.story());
    });
}

#[test]
fn an_edited_schedule_owes_what_its_old_text_had_promised() {
    simulated(async {
        let mut world = world("2026-11-24T12:00:00Z");
        world.live_for(HOUR, End::Stop).await;
        world.pass(HOUR * 6).await;
        let mut edited = job(&world.policy, "nightly", "30 2 * * *");
        edited.schedule = Schedule::parse("45 2 * * *", "Asia/Shanghai").unwrap();
        world.policy.jobs = vec![Arc::new(edited)];
        world.live_for(HOUR, End::Stop).await;
        let rows = world.rows();
        assert_eq!(rows.len(), 2, "{}", world.story());
        assert!(rows.iter().all(|row| row.state == "missed" && row.reason == "policy_changed"), "{}", world.story());
        assert!(world.audit().backups.is_empty(), "a policy never acts on time before it was loaded");
    });
}
