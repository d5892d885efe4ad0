//! What people ask for while the night goes on: backups by hand, pauses, cancels, backfills; each once, whatever dies in between.

use crate::world::{End, Row, World, job, policy, sim_instances, simulated};
use cdb_backupd::{
    domain::{
        policy::Job,
        request::{Answer, Request, Wanted},
        scope::Scope,
    },
    ledger::{Asker, ask, report::Reader},
    sim::settings::Settings,
};
use chrono::{DateTime, Utc};
use std::{sync::Arc, time::Duration};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// 02:30 in Shanghai is half an hour after this, and every world here starts at it.
const EVENING: &str = "2026-11-24T18:00:00Z";

fn world(n: usize, faults: &str, change: impl FnOnce(&mut Job)) -> World {
    let mut policy = policy(n);
    let mut nightly = job(&policy, "nightly", "30 2 * * *");
    change(&mut nightly);
    policy.jobs = vec![Arc::new(nightly)];
    let mut settings = Settings::quiet(11, sim_instances(n));
    settings.durations = MINUTE * 10..=MINUTE * 10;
    settings.faults = faults.parse().unwrap();
    World::new(EVENING, settings, policy)
}

fn at(time: &str) -> DateTime<Utc> {
    format!("2026-11-24T{time}Z").parse().unwrap()
}

impl World {
    /// Asks as a command does, and rings as the alarm does within a second.
    fn ask(&self, request: &Request) -> i64 {
        let from = Asker { who: "alice".into(), uid: 1_000, reason: Some("a test".into()) };
        let id = ask(&self.ledger_path(), request, &from, self.truth.utc()).unwrap();
        self.ring.notify_one();
        id
    }

    /// Asks, and waits for the answer.
    async fn asked(&self, request: &Request) -> Answer {
        let id = self.ask(request);
        self.pass(Duration::from_secs(1)).await;
        self.answer(id).expect("an answer within a second")
    }

    fn answer(&self, request: i64) -> Option<Answer> {
        Reader::open(&self.ledger_path()).unwrap().unwrap().answer(request).unwrap()
    }

    /// Asks until the daemon, which has just begun, has answered.
    async fn asked_when_proved(&self, request: &Request) -> Answer {
        self.pass(Duration::from_secs(5)).await;
        self.asked(request).await
    }

    /// When the first create of an instance's backups acted.
    fn first_create(&self, n: usize) -> DateTime<Utc> {
        let id = crate::world::ids(n + 1).pop().unwrap();
        let backups = self.audit().backups;
        let scheduled = backups.iter().filter(|backup| backup.instance == id && backup.alias.contains("T1830"));
        let begins = scheduled.map(|backup| backup.begins).min().expect("a backup of the slot");
        EVENING.parse::<DateTime<Utc>>().unwrap() + begins
    }

    fn of_instance(&self, n: usize) -> Vec<Row> {
        let id = crate::world::ids(n + 1).pop().unwrap();
        self.rows().into_iter().filter(|row| row.instance == id).collect()
    }
}

fn now_please(instance: usize, even_if_held: bool) -> Request {
    let instance = crate::world::ids(instance + 1).pop().unwrap();
    Request::Backup { wanted: vec![Wanted { job: Some("nightly".into()), instance, method: None, tables: Vec::new() }], even_if_held }
}

fn only(instance: usize) -> Scope {
    Scope { instances: crate::world::ids(instance + 1).split_off(instance), ..Scope::default() }
}

fn states(rows: &[Row]) -> Vec<(&str, &str)> {
    rows.iter().map(|row| (row.state.as_str(), row.reason.as_str())).collect()
}

#[test]
fn a_backup_asked_for_by_hand_is_made_at_once_and_beside_the_schedule() {
    simulated(async {
        let world = world(2, "", |_| {});
        let life = async {
            world.pass(MINUTE).await;
            let answer = world.asked(&now_please(0, false)).await;
            assert!(answer.done && answer.runs.len() == 1 && answer.ahead == 0, "{answer:?}");
            world.pass(HOUR * 2).await;
        };
        world.live(life, End::Stop).await;
        let rows = world.of_instance(0);
        assert_eq!(
            rows.iter().map(|row| (row.trigger.as_str(), row.state.as_str())).collect::<Vec<_>>(),
            [("manual", "succeeded"), ("schedule", "succeeded")]
        );
        assert_eq!(rows[0].slot, at("18:01:00"), "its slot is the moment of the request");
        assert_eq!(world.audit().backups.len(), 3, "{}", world.story());
    });
}

#[test]
fn whoever_asks_while_one_is_open_gets_that_one() {
    simulated(async {
        let world = world(1, "", |_| {});
        let life = async {
            world.pass(MINUTE).await;
            let first = world.asked(&now_please(0, false)).await;
            let second = world.asked(&now_please(0, false)).await;
            assert_eq!(first.runs[0].run_id, second.runs[0].run_id);
            assert!(second.done && second.runs[0].says.contains("already"), "{second:?}");
            world.pass(HOUR).await;
        };
        world.live(life, End::Stop).await;
        assert_eq!(world.rows().len(), 2, "{}", world.story());
    });
}

#[test]
fn a_request_that_outlives_its_daemon_is_carried_out_once() {
    simulated(async {
        for before in [Duration::ZERO, Duration::from_millis(1), Duration::from_secs(2), MINUTE * 3] {
            let world = world(1, "create#1:lost_after_act", |_| {});
            let life = async {
                world.pass(MINUTE).await;
                world.ask(&now_please(0, false));
                world.pass(before).await;
            };
            world.live(life, End::Kill).await;
            world.live_for(HOUR * 2, End::Stop).await;
            let rows = world.of_instance(0);
            assert_eq!(states(&rows), [("succeeded", ""), ("succeeded", "")], "killed after {before:?}: {}", world.story());
            assert_eq!(world.audit().backups.len(), 2, "killed after {before:?}: {}", world.story());
        }
    });
}

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
fn cancel_ends_what_waits_and_says_plainly_that_the_cloud_cannot_be_stopped() {
    simulated(async {
        let world = world(2, "", |_| {});
        let life = async {
            world.pass(MINUTE).await;
            assert!(world.asked(&Request::Pause { scope: only(0), until: None }).await.done);
            world.pass(MINUTE * 31).await;
            let run = |n: usize| world.of_instance(n)[0].run;
            let (waits, runs) = (run(0), run(1));
            let answer = world.asked(&Request::Cancel { runs: vec![waits, runs] }).await;
            assert!(answer.done && answer.runs[0].says.contains("nothing was sent"), "{answer:?}");
            assert!(answer.runs[1].says.contains("no way to stop it"), "{answer:?}");
            let again = world.asked(&Request::Cancel { runs: vec![waits, 999] }).await;
            assert!(!again.done && again.says[0].contains("no run 999") && again.runs[0].says.contains("ended already"), "{again:?}");
            world.pass(HOUR).await;
        };
        world.live(life, End::Stop).await;
        assert_eq!(states(&world.of_instance(0)), [("cancelled", "cancelled")], "{}", world.story());
        assert_eq!(states(&world.of_instance(1)), [("succeeded", "")], "{}", world.story());
        assert_eq!(world.audit().backups.len(), 1);
    });
}

#[test]
fn a_backfill_runs_missed_slots_newest_first_and_leaves_each_slot_covered_once() {
    simulated(async {
        let world = world(1, "", |job| job.overlap = cdb_backupd::domain::policy::Overlap::Skip);
        world.live_for(MINUTE, End::Stop).await;
        // Ten nights without a daemon; the last is too old to be caught up.
        world.pass(HOUR * (24 * 10 + 6)).await;
        let life = async {
            world.pass(MINUTE).await;
            assert_eq!(world.rows().iter().map(|row| (row.state.as_str(), row.slots)).collect::<Vec<_>>(), [("missed", 11)]);
            let (since, until) = ("2026-11-27T00:00:00Z".parse().unwrap(), "2026-11-30T00:00:00Z".parse().unwrap());
            let wanted = Request::Backfill { job: "nightly".into(), scope: Scope::default(), since, until };
            let answer = world.asked(&wanted).await;
            assert!(answer.done && answer.runs.len() == 3, "{answer:?}");
            let again = world.asked(&wanted).await;
            assert!(!again.done, "they are there already: {again:?}");
            world.pass(HOUR * 4).await;
        };
        world.live(life, End::Stop).await;
        let rows = world.rows();
        let shape: Vec<_> = rows.iter().map(|row| (row.state.as_str(), row.slots, row.slot.format("%d").to_string())).collect();
        let expected = [("missed", 3, "24"), ("succeeded", 1, "27"), ("succeeded", 1, "28"), ("succeeded", 1, "29"), ("missed", 5, "30")];
        assert_eq!(shape, expected.map(|(state, slots, day)| (state, slots, day.to_owned())), "{}", world.story());
        let creates: Vec<String> = world.audit().backups.iter().map(|backup| backup.alias.clone()).collect();
        let slots: Vec<_> = creates.iter().map(|alias| alias.split('.').nth(1).unwrap()[6..8].to_owned()).collect();
        assert_eq!(slots, ["29", "28", "27"], "the newest first");
    });
}

#[test]
fn a_backup_waits_for_the_clocks_proof_and_a_pause_does_not() {
    simulated(async {
        let world = world(1, "list#1:unreachable,list#2:unreachable,list#3:unreachable", |_| {});
        let life = async {
            world.pass(Duration::from_millis(500)).await;
            let pause = world.ask(&Request::Pause { scope: only(0), until: Some(at("19:00:00")) });
            let backup = world.ask(&now_please(0, true));
            world.pass(Duration::from_millis(100)).await;
            assert!(world.answer(pause).is_some_and(|answer| answer.done) && world.answer(backup).is_none());
            world.pass(HOUR).await;
            assert!(world.answer(backup).is_some_and(|answer| answer.done));
            world.pass(HOUR).await;
        };
        world.live(life, End::Stop).await;
        assert_eq!(world.of_instance(0)[0].trigger, "manual", "{}", world.story());
    });
}
