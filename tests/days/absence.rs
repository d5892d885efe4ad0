//! Nothing is sent again without proof of absence: what is no proof, however much it looks like one.

use crate::{
    lone::{HOUR, Lists, MINUTE, START, brief, lone, lone_as, s},
    world::{Api, Between, End, World, simulated},
};
use cdb_backupd::{
    clock::Clock,
    cloud::{CdbApi, Create, List},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Lives while replies to creates come so much later than the cloud gave them.
async fn live_with_slow_senders(world: &World, late: Duration, life: impl Future<Output = ()>) {
    let truth = world.truth;
    let slow = Between {
        api: world.cloud.clone(),
        create: move |api: Api, create: Create| async move {
            let reply = api.create_backup(create).await;
            truth.sleep(late).await;
            reply
        },
    };
    world.live_with(slow, life, End::Stop).await;
}

#[test]
fn a_list_speaks_for_the_moment_it_was_made_and_not_for_the_moment_it_is_read() {
    simulated(async {
        // The first look is made at +35 s, the request acts at +200 s, and the look is read at +635 s.
        let world = lone("create#1:arrives_late=200s+lists_late=60s+backup_takes=1s");
        let (truth, held) = (world.truth, Arc::new(AtomicBool::new(false)));
        let late = Lists {
            api: world.cloud.clone(),
            list: move |api: Api, list: List| {
                let hold = list.limit > 1 && !held.swap(true, Ordering::Relaxed);
                async move {
                    let reply = api.describe_backups(list).await;
                    if hold {
                        truth.sleep(MINUTE * 10).await;
                    }
                    reply
                }
            },
        };
        world.live_with(late, world.pass(HOUR * 2), End::Stop).await;
        world.ends_with_one();
    });
}

#[test]
fn an_answer_that_says_nothing_is_looked_into_and_not_sent_again() {
    simulated(async {
        let world = lone("create#1:http_error_after_act+backup_takes=1ms");
        world.live_for(HOUR * 2, End::Stop).await;
        world.ends_with_one();
        assert_eq!(world.creates(), 1, "{}", world.story());
    });
}

#[test]
fn a_backup_on_the_second_page_is_found() {
    simulated(async {
        let world = lone_as(START, "create#1:lost_after_act+backup_takes=1s", |_, settings| {
            settings.oldest_first = true;
            settings.instances[0].old_backups = 1_001;
        });
        world.live_for(HOUR * 2, End::Stop).await;
        world.ends_with_one();
    });
}

#[test]
fn a_list_that_changed_between_its_pages_proves_nothing() {
    simulated(async {
        // It is listed from +493 s on. An old one is deleted between the pages of the look at +541 s, and ours slips over the edge.
        let world = lone_as(START, "create#1:arrives_late=290s+acts_late=25s+lists_late=178s+backup_takes=1s", |_, settings| {
            settings.oldest_first = true;
            settings.instances[0].old_backups = 1_000;
        });
        let life = async {
            world.pass(s(60 + 500)).await;
            world.cloud.set_faults("list_truncated".parse().unwrap());
            world.pass(HOUR * 2).await;
        };
        world.live(life, End::Stop).await;
        world.ends_with_one();
    });
}

#[test]
fn something_that_bears_our_name_and_is_of_another_type_is_no_absence() {
    simulated(async {
        let world = lone_as(START, "create#1:lost_after_act+wrong_type_listed+backup_takes=1s", brief);
        world.live_for(HOUR * 4, End::Stop).await;
        assert_eq!(world.good(), 1, "{}", world.story());
        assert_eq!(world.only().state, "unknown", "{}", world.story());
    });
}

#[test]
fn no_list_speaks_for_a_row_whose_call_still_lives() {
    simulated(async {
        // Its backup is over and gone before anybody lists it; the number waits in a task for 800 s.
        let world = lone_as(START, "create#1:never_listed+backup_takes=1s", brief);
        live_with_slow_senders(&world, s(800), world.pass(HOUR)).await;
        assert_eq!(world.creates(), 1, "{}", world.story());
        assert_eq!(world.only().state, "running", "{}", world.story());
    });
}

#[test]
fn a_number_that_comes_after_the_lease_is_taken_at_once() {
    simulated(async {
        let world = lone("create#1:lists_late=170s+backup_takes=1s");
        let life = async {
            world.pass(s(60 + 50)).await;
            assert_eq!(world.only().state, "running", "{}", world.story());
            world.pass(HOUR).await;
        };
        live_with_slow_senders(&world, s(40), life).await;
        world.ends_with_one();
    });
}

#[test]
fn a_call_that_was_in_flight_when_its_process_was_killed_is_remembered() {
    simulated(async {
        let world = lone("create#1:slow_reply=15s+lists_late=120s+backup_takes=1s");
        world.live_for(s(60 + 5), End::Kill).await;
        world.live_for(HOUR * 2, End::Stop).await;
        world.ends_with_one();
    });
}
