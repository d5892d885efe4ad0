//! What people hold: pauses, and blackouts and suspensions beside them, and what starts all the same.

use crate::{
    requests::{HOUR, MINUTE, at, now_please, only, states, world},
    world::{End, World, simulated},
};
use cdb_backupd::domain::{
    names::InstanceName,
    policy::{Account, Blackout, BlackoutSpan, Instance, Job},
    request::{Request, Wanted},
    scope::Scope,
};
use std::sync::Arc;

#[test]
fn a_pause_holds_through_a_restart_and_ends_by_itself() {
    simulated(async {
        let world = world(2, "", |_| {});
        let life = async {
            world.pass(MINUTE).await;
            let answer = world.asked(&Request::Pause { scope: only(0), until: Some(at("19:00:00")) }).await;
            assert!(answer.done && answer.says[0].contains("nothing new starts"), "{answer:?}");
            world.pass(MINUTE * 35).await;
        };
        world.live(life, End::Kill).await;
        assert_eq!(states(&world.of_instance(0)), [("due", "")], "{}", world.story());
        assert_eq!(states(&world.of_instance(1)), [("running", "")], "it holds nothing else: {}", world.story());
        world.live_for(HOUR * 2, End::Stop).await;
        assert_eq!(states(&world.of_instance(0)), [("succeeded", "")], "{}", world.story());
        let sent = world.first_create(0);
        assert!(sent >= at("19:00:00") && sent < at("19:00:02"), "sent at {sent}: {}", world.story());
    });
}

#[test]
fn a_run_that_is_paused_over_the_end_of_its_window_is_skipped_and_says_so() {
    simulated(async {
        let world = world(1, "", |_| {});
        let life = async {
            world.asked_when_proved(&Request::Pause { scope: Scope::default(), until: None }).await;
            world.pass(HOUR * 4).await;
        };
        world.live(life, End::Stop).await;
        assert_eq!(states(&world.rows()), [("skipped", "paused")], "{}", world.story());
        assert_eq!(world.audit().backups.len(), 0);
    });
}

#[test]
fn while_a_pause_holds_a_backup_by_hand_needs_even_if_held_and_resume_ends_it_at_once() {
    simulated(async {
        let world = world(2, "", |_| {});
        let life = async {
            world.asked_when_proved(&Request::Pause { scope: Scope::default(), until: None }).await;
            let refused = world.asked(&now_please(0, false)).await;
            assert!(!refused.done && refused.says[0].contains("--even-if-held"), "{refused:?}");
            assert!(world.asked(&now_please(0, true)).await.done);
            world.pass(MINUTE * 45).await;
            assert_eq!(states(&world.of_instance(0)), [("succeeded", ""), ("due", "")], "{}", world.story());
            let other = world.asked(&Request::Resume { pauses: Vec::new(), scope: only(0) }).await;
            assert!(!other.done, "no pause is of this instance alone: {other:?}");
            assert!(world.asked(&Request::Resume { pauses: Vec::new(), scope: Scope::default() }).await.done);
            world.pass(HOUR).await;
        };
        world.live(life, End::Stop).await;
        assert_eq!(states(&world.of_instance(1)), [("succeeded", "")], "{}", world.story());
        let sent = world.first_create(1);
        assert!(sent < at("18:48:00"), "resumed before that, sent at {sent}: {}", world.story());
    });
}

#[test]
fn a_pause_counts_what_goes_on_and_what_waits() {
    simulated(async {
        let world = world(3, "", |job| job.start_within = HOUR);
        let life = async {
            world.pass(MINUTE * 31).await;
            assert!(world.asked(&Request::Pause { scope: only(2), until: Some(at("22:00:00")) }).await.done);
            let all = world.asked(&Request::Pause { scope: Scope::default(), until: Some(at("22:00:00")) }).await;
            assert!(all.says[0].contains("3 backups run on in the cloud"), "{all:?}");
            world.pass(MINUTE).await;
        };
        world.live(life, End::Stop).await;
    });
}

#[test]
fn a_blackout_of_the_policy_holds_what_waits_by_hand_and_refuses_what_comes() {
    simulated(async {
        let mut world = world(2, "", |_| {});
        world.policy.blackouts = vec![Blackout { span: BlackoutSpan::Once { from: at("18:10:00"), to: at("18:40:00") }, reason: "sale".into() }];
        let account = Account { max_running: Some(1), ..(*world.policy.accounts[0]).clone() };
        world.policy.accounts = vec![Arc::new(account)];
        let by_hand = |n: usize| {
            let instance = crate::world::ids(n + 1).remove(n);
            Request::Backup { wanted: vec![Wanted { job: None, instance, method: Some("physical".into()), tables: Vec::new() }], even_if_held: false }
        };
        let life = async {
            world.pass(MINUTE * 5).await;
            assert!(world.asked(&by_hand(0)).await.done && world.asked(&by_hand(1)).await.done);
            // The first ends in the blackout; the account would have room for the second.
            world.pass(MINUTE * 20).await;
            assert_eq!(states(&world.of_instance(0)[..1]), [("succeeded", "")], "{}", world.story());
            assert_eq!(states(&world.of_instance(1)[..1]), [("due", "")], "{}", world.story());
            assert!(world.asked(&by_hand(0)).await.says[0].contains("is held (blackout)"));
            world.pass(HOUR).await;
        };
        world.live(life, End::Stop).await;
        assert_eq!(states(&world.of_instance(1)[..1]), [("succeeded", "")], "{}", world.story());
    });
}

#[test]
fn a_pause_of_an_instance_holds_runs_of_a_job_that_has_left_the_policy_and_outlives_a_new_name() {
    simulated(async {
        let mut world = world(1, "", |_| {});
        let named = |world: &mut World, name: &str| {
            let instance = Arc::new(Instance { name: InstanceName::parse(name).unwrap(), ..(*world.policy.instances[0]).clone() });
            let job = Job { instances: vec![instance.clone()], ..(*world.policy.jobs[0]).clone() };
            world.policy.instances = vec![instance];
            world.policy.jobs = vec![Arc::new(job)];
        };
        named(&mut world, "orders");
        let life = async {
            world.pass(MINUTE).await;
            let scope = Scope { instances: vec!["orders".into()], ..Scope::default() };
            assert!(world.asked(&Request::Pause { scope, until: None }).await.done);
        };
        world.live(life, End::Stop).await;
        named(&mut world, "uno");
        let life = async {
            world.pass(MINUTE).await;
            assert!(!world.asked(&now_please(0, false)).await.done, "it holds the instance, however it is called");
            world.pass(MINUTE * 40).await;
        };
        world.live(life, End::Stop).await;
        assert_eq!(states(&world.rows()), [("due", "")], "{}", world.story());
    });
}

#[test]
fn even_if_held_starts_a_run_that_waits_already() {
    simulated(async {
        let world = world(1, "", |_| {});
        let life = async {
            world.asked_when_proved(&Request::Pause { scope: Scope::default(), until: None }).await;
            world.pass(MINUTE * 31).await;
            assert_eq!(states(&world.rows()), [("due", "")]);
            let answer = world.asked(&now_please(0, true)).await;
            assert!(answer.done && answer.runs[0].run_id == world.rows()[0].run, "{answer:?}");
            world.pass(HOUR).await;
        };
        world.live(life, End::Stop).await;
        assert_eq!(states(&world.rows()), [("succeeded", "")], "{}", world.story());
    });
}
