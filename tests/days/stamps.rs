//! A request lives as long as its stamp: how long after it nothing can come of a lost call any more.

use crate::{
    lone::{HOUR, lone},
    world::{End, simulated},
};
use chrono::TimeDelta;

#[test]
fn a_stamp_of_a_clock_that_is_ahead_is_waited_for_so_much_longer() {
    simulated(async {
        // Ours is 55 s ahead: the stamp of 18:30:00 is signed at 18:29:05, taken at 18:34:55, acted on 25 s later, and listed at 18:38:18.
        let world = lone("create#1:arrives_late=350s+acts_late=25s+lists_late=178s+backup_takes=1s");
        world.step_clock(TimeDelta::seconds(55));
        world.live_for(HOUR * 2, End::Stop).await;
        world.ends_with_one();
    });
}

#[test]
fn a_request_that_acts_at_the_end_of_its_life_and_is_listed_late_is_waited_for() {
    simulated(async {
        let world = lone("create#1:arrives_late=295s+lists_late=90s+backup_takes=1s");
        world.live_for(HOUR * 2, End::Stop).await;
        world.ends_with_one();
    });
}
