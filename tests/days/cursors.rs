//! From slots to rows where time was not passed in order: ranges around rows that exist, windows after a downtime, and yesterday's row.

use crate::{
    lone::{HOUR, Lists, MINUTE, START, lone, lone_as, s},
    world::{Api, End, World, job, simulated},
};
use cdb_backupd::{
    clock::Clock,
    cloud::{CdbApi, List},
    domain::policy::CatchUp,
};
use chrono::TimeDelta;

fn reschedule(world: &mut World, schedule: &str) {
    world.policy.jobs = vec![job(&world.policy, "nightly", schedule).into()];
}

#[test]
fn a_missed_range_leaves_out_a_slot_that_has_a_row() {
    simulated(async {
        let mut world = lone("create#1:backup_takes=60s");
        // Our clock is 55 s ahead, and the slot of 18:30 runs early.
        world.step_clock(TimeDelta::seconds(55));
        world.live_for(s(20), End::Stop).await;
        assert_eq!(world.only().attempts, 1, "{}", world.story());
        // Then it is 55 s behind, and the schedule is edited: its time begins before that slot.
        world.step_clock(-TimeDelta::seconds(110));
        reschedule(&mut world, "30 2,3,4 * * *");
        world.live_for(s(10), End::Stop).await;
        world.step_clock(TimeDelta::seconds(55));
        world.pass(HOUR * 8).await;
        world.live_for(HOUR, End::Stop).await;
        let rows: Vec<_> = world.rows().into_iter().map(|row| (row.state, row.slots)).collect();
        assert_eq!(rows, [("succeeded".to_owned(), 1), ("missed".to_owned(), 2)], "{}", world.story());
    });
}

#[test]
fn a_slot_that_is_caught_up_has_its_whole_start_window() {
    simulated(async {
        let world = lone_as(START, "", |job, _| {
            job.start_within = HOUR;
            job.catch_up = CatchUp::Latest { within: HOUR * 6 };
        });
        world.live_for(s(30), End::Stop).await;
        world.pass(HOUR * 3).await;
        world.live_for(HOUR * 3, End::Stop).await;
        world.ends_with_one();
    });
}

#[test]
fn a_row_that_only_our_ledger_still_calls_running_keeps_no_slot_from_its_turn() {
    simulated(async {
        let world = lone("create#1:backup_takes=2h");
        world.live_for(MINUTE * 11, End::Kill).await;
        world.pass(HOUR * 24 + s(58) - MINUTE * 11).await;
        // Back two seconds before the next slot, and the first look comes a minute after it. No clock wakes us at a slot's very instant.
        world.step_clock(TimeDelta::microseconds(300));
        let truth = world.truth;
        let late = Lists {
            api: world.cloud.clone(),
            list: move |api: Api, list: List| async move {
                let whole = list.limit > 1;
                let reply = api.describe_backups(list).await;
                if whole {
                    truth.sleep(MINUTE).await;
                }
                reply
            },
        };
        world.live_with(late, world.pass(HOUR * 12), End::Stop).await;
        let states: Vec<_> = world.rows().into_iter().map(|row| row.state).collect();
        assert_eq!(states, ["succeeded", "succeeded"], "{}", world.story());
    });
}
