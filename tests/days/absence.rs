//! Nothing is sent again without proof of absence: what is no proof, however much it looks like one.

use crate::{
    lone::{HOUR, Lists, MINUTE, START, brief, lone, lone_as, s},
    world::{Api, Between, End, World, job, policy, sim_instances, simulated},
};
use cdb_backupd::{
    clock::Clock,
    cloud::{CdbApi, Create, List},
    sim::settings::Settings,
};
use chrono::TimeDelta;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Two instances, so that the second one's polls keep the loop turning while a call of the first is in flight.
fn two(faults: &str) -> World {
    let mut policy = policy(2);
    let mut nightly = job(&policy, "nightly", "30 2 * * *");
    let mut settings = Settings::quiet(11, sim_instances(2));
    settings.faults = format!("create#1@cdb-sim00002:backup_takes=30m,create#1@cdb-sim00001:{faults}").parse().unwrap();
    brief(&mut nightly, &mut settings);
    policy.jobs = vec![nightly.into()];
    World::new(START, settings, policy)
}

/// Lives while the first instance's replies come so much later than the cloud gave them.
async fn live_with_a_slow_sender(world: &World, late: Duration, life: impl Future<Output = ()>) {
    let truth = world.truth;
    let slow = Between {
        api: world.cloud.clone(),
        create: move |api: Api, create: Create| async move {
            let first = create.call.instance.as_str() == "cdb-sim00001";
            let reply = api.create_backup(create).await;
            truth.sleep(if first { late } else { Duration::ZERO }).await;
            reply
        },
    };
    world.live_with(slow, life, End::Stop).await;
}

/// Where the first instance's run stands.
fn first(world: &World) -> String {
    world.rows().into_iter().find(|row| row.instance == "cdb-sim00001").unwrap().state
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
fn a_clock_that_jumps_ahead_does_not_shorten_the_wait() {
    simulated(async {
        // Ours jumps by 290 s with the call in flight; the look at +251 s is made at +541 s of it. The request acts at +200 s and is listed at +320 s.
        let world = lone("create#1:arrives_late=200s+lists_late=120s+backup_takes=1s");
        let life = async {
            world.pass(s(60 + 5)).await;
            world.step_clock(TimeDelta::seconds(290));
            world.pass(s(295)).await;
            world.step_clock(-TimeDelta::seconds(290));
            world.pass(HOUR).await;
        };
        world.live(life, End::Stop).await;
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
        let world = two("never_listed+backup_takes=1s");
        let life = async {
            world.pass(s(60 + 790)).await;
            assert_eq!(first(&world), "uncertain", "{}", world.story());
            world.pass(s(60)).await;
            assert_eq!(first(&world), "running", "{}", world.story());
        };
        live_with_a_slow_sender(&world, s(800), life).await;
        assert_eq!(world.creates(), 2, "{}", world.story());
    });
}

#[test]
fn a_number_that_comes_after_the_lease_is_taken_at_once() {
    simulated(async {
        let world = two("lists_late=170s+backup_takes=1s");
        let life = async {
            world.pass(s(60 + 59)).await;
            assert_eq!(first(&world), "uncertain", "{}", world.story());
            world.pass(s(2)).await;
            assert_eq!(first(&world), "running", "{}", world.story());
            world.pass(HOUR).await;
        };
        live_with_a_slow_sender(&world, s(60), life).await;
        assert!(world.rows().iter().all(|row| row.state == "succeeded"), "{}", world.story());
        assert_eq!(world.good(), 2, "{}", world.story());
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

#[test]
fn a_server_that_gives_shorter_pages_than_asked_for_is_read_to_the_end() {
    simulated(async {
        let world = lone_as(START, "create#1:lost_after_act+backup_takes=1s", |_, settings| {
            settings.oldest_first = true;
            settings.instances[0].old_backups = 151;
        });
        let capped = Lists {
            api: world.cloud.clone(),
            list: |api: Api, list: List| async move { api.describe_backups(List { limit: list.limit.min(100), ..list }).await },
        };
        world.live_with(capped, world.pass(HOUR * 2), End::Stop).await;
        world.ends_with_one();
    });
}

#[test]
fn a_list_whose_first_page_has_no_date_proves_no_absence_by_the_date_of_its_second() {
    simulated(async {
        let world = lone_as(START, "create#1:lost_before_act", |job, settings| {
            brief(job, settings);
            settings.instances[0].old_backups = 1_001;
        });
        let undated = Lists {
            api: world.cloud.clone(),
            list: |api: Api, list: List| async move {
                let first_of_more = list.offset == 0 && list.limit > 1;
                let mut reply = api.describe_backups(list).await;
                reply.date = reply.date.filter(|_| !first_of_more);
                reply
            },
        };
        world.live_with(undated, world.pass(HOUR * 3), End::Stop).await;
        assert_eq!((world.creates(), world.only().state.as_str()), (1, "unknown"), "{}", world.story());
    });
}
