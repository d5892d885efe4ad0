//! A task that ended FAILED may be followed by another: each generation has a name of its own, and the last one counts.

use crate::{
    lone::{HOUR, MINUTE, START, brief, lone, lone_as, s},
    world::{End, World, simulated},
};
use std::time::Duration;

/// Lives until it is `killed` so long after the slot; a copy is made `copied` after it, when the row says `word`. The copy is put back, and the
/// daemon lives on.
async fn put_back_in_between(world: &World, copied: Duration, word: &str, killed: Duration, then: Duration) {
    let life = async {
        world.pass(MINUTE + copied).await;
        assert_eq!(world.only().state, word, "{}", world.story());
        world.copy_in_mid_life();
        world.pass(killed - copied).await;
    };
    world.live(life, End::Kill).await;
    assert_eq!(world.creates(), 2, "{}", world.story());
    world.put_back();
    world.live_for(then, End::Stop).await;
}

#[test]
fn the_second_generation_is_not_mistaken_for_the_first_that_failed() {
    simulated(async {
        let world = lone("create#1:backup_fails+backup_takes=60s,create#2:lost_after_act+lists_late=90s+backup_takes=1s");
        world.live_for(HOUR * 3, End::Stop).await;
        world.ends_with_one();
    });
}

#[test]
fn of_two_under_one_name_the_one_that_did_not_fail_is_ours() {
    simulated(async {
        let world = lone("create#1:lost_after_act+duplicate_name+backup_takes=10m");
        world.live_for(HOUR * 3, End::Stop).await;
        world.ends_with_one();
        assert_eq!(world.only().generation, 1, "{}", world.story());
    });
}

#[test]
fn a_look_that_shows_a_later_generation_finds_the_run() {
    simulated(async {
        let world = lone("create#1:slow_reply=10s+backup_fails+backup_takes=30s+deleted=60s,create#2:backup_takes=5m");
        put_back_in_between(&world, s(5), "calling", MINUTE * 40, HOUR * 3).await;
        world.ends_with_one();
        assert_eq!(world.only().generation, 2, "{}", world.story());
    });
}

#[test]
fn a_vanished_backup_fails_its_run_only_when_no_later_one_lives() {
    simulated(async {
        let world = lone("create#1:backup_fails+backup_takes=120s+deleted=60s,create#2:backup_takes=2h");
        put_back_in_between(&world, s(60), "running", MINUTE * 20, HOUR * 6).await;
        world.ends_with_one();
        assert_eq!(world.only().generation, 2, "{}", world.story());
    });
}

#[test]
fn a_run_given_up_on_is_followed_to_its_later_generation() {
    simulated(async {
        let world = lone_as(START, "create#1:lists_late=50s+backup_fails+backup_takes=60s+deleted=60s,create#2:backup_takes=3h", brief);
        put_back_in_between(&world, s(5), "running", MINUTE * 20, HOUR * 5).await;
        world.ends_with_one();
        let row = world.only();
        assert_eq!((row.generation, row.late, row.first_outcome.as_str()), (2, 1, "timed_out"), "{}", world.story());
    });
}

#[test]
fn a_restored_run_whose_backup_failed_is_looked_for_before_its_next_generation() {
    simulated(async {
        let world = lone("create#1:backup_fails+backup_takes=60s,create#2:backup_takes=60s");
        put_back_in_between(&world, s(30), "running", MINUTE * 20, HOUR * 3).await;
        world.ends_with_one();
        assert_eq!(world.only().generation, 2, "{}", world.story());
    });
}

#[test]
fn a_run_that_timed_out_is_never_sent_again_and_turns_out_good_late() {
    simulated(async {
        let world = lone_as(START, "create#1:backup_takes=3h", brief);
        world.live_for(HOUR * 5, End::Stop).await;
        world.ends_with_one();
        let row = world.only();
        assert_eq!((row.late, row.first_outcome.as_str(), row.attempts), (1, "timed_out", 1), "{}", world.story());
    });
}
