//! Busy because of ourselves: the gateway had repeated the call inside, the first acted, and the second was answered busy.

use crate::{
    lone::{HOUR, lone},
    world::{End, simulated},
};

#[test]
fn a_busy_answer_is_looked_into_before_the_next_try() {
    simulated(async {
        let world = lone("create#1:busy_after_act+lists_late=60s+backup_takes=40s");
        world.live_for(HOUR * 2, End::Stop).await;
        world.ends_with_one();
    });
}

#[test]
fn a_busy_answer_may_be_of_a_backup_that_is_over_already() {
    simulated(async {
        let world = lone("create#1:busy_after_act+backup_takes=1s");
        world.live_for(HOUR * 2, End::Stop).await;
        world.ends_with_one();
    });
}

#[test]
fn what_was_answered_busy_has_its_time_to_act_and_to_be_listed() {
    simulated(async {
        let world = lone("create#1:busy_after_act+acts_late=25s+lists_late=180s+backup_takes=1s");
        world.live_for(HOUR * 2, End::Stop).await;
        world.ends_with_one();
    });
}
