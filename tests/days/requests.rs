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

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
/// 02:30 in Shanghai is half an hour after this, and every world here starts at it.
const EVENING: &str = "2026-11-24T18:00:00Z";

pub(crate) fn world(n: usize, faults: &str, change: impl FnOnce(&mut Job)) -> World {
    let mut policy = policy(n);
    let mut nightly = job(&policy, "nightly", "30 2 * * *");
    change(&mut nightly);
    policy.jobs = vec![Arc::new(nightly)];
    let mut settings = Settings::quiet(11, sim_instances(n));
    settings.durations = MINUTE * 10..=MINUTE * 10;
    settings.faults = faults.parse().unwrap();
    World::new(EVENING, settings, policy)
}

pub(crate) fn at(time: &str) -> DateTime<Utc> {
    format!("2026-11-24T{time}Z").parse().unwrap()
}

impl World {
    /// Asks as a command does, and rings as the alarm does within a second.
    pub(crate) fn ask(&self, request: &Request) -> i64 {
        let from = Asker { who: "alice".into(), uid: 1_000, reason: Some("a test".into()) };
        let id = ask(&self.ledger_path(), request, &from, self.truth.utc()).unwrap();
        self.ring.notify_one();
        id
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn asked(&self, request: &Request) -> Answer {
        let id = self.ask(request);
        self.pass(Duration::from_secs(1)).await;
        self.answer(id).unwrap()
    }

    pub(crate) fn answer(&self, request: i64) -> Option<Answer> {
        Reader::open(&self.ledger_path()).unwrap().unwrap().answer(request).unwrap()
    }

    /// Asks until the daemon, which has just begun, has answered.
    pub(crate) async fn asked_when_proved(&self, request: &Request) -> Answer {
        self.pass(Duration::from_secs(5)).await;
        self.asked(request).await
    }

    /// When the first create of an instance's backups acted.
    pub(crate) fn first_create(&self, n: usize) -> DateTime<Utc> {
        let id = crate::world::ids(n + 1).pop().unwrap();
        let backups = self.audit().backups;
        let scheduled = backups.iter().filter(|backup| backup.instance == id && backup.alias.contains("T1830"));
        let begins = scheduled.map(|backup| backup.begins).min().unwrap();
        EVENING.parse::<DateTime<Utc>>().unwrap() + begins
    }

    pub(crate) fn of_instance(&self, n: usize) -> Vec<Row> {
        let id = crate::world::ids(n + 1).pop().unwrap();
        self.rows().into_iter().filter(|row| row.instance == id).collect()
    }
}

pub(crate) fn now_please(instance: usize, even_if_held: bool) -> Request {
    let instance = crate::world::ids(instance + 1).pop().unwrap();
    Request::Backup { wanted: vec![Wanted { job: Some("nightly".into()), instance, method: None, tables: Vec::new() }], even_if_held }
}

pub(crate) fn only(instance: usize) -> Scope {
    Scope { instances: crate::world::ids(instance + 1).split_off(instance), ..Scope::default() }
}

pub(crate) fn states(rows: &[Row]) -> Vec<(&str, &str)> {
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

#[test]
fn a_run_that_is_being_cancelled_stands_for_nothing() {
    simulated(async {
        let world = world(1, "create#1:lost_before_act", |_| {});
        let life = async {
            world.pass(MINUTE).await;
            let first = world.asked(&now_please(0, false)).await.runs[0].run_id;
            world.pass(MINUTE).await;
            assert_eq!(states(&world.rows()), [("uncertain", "")]);
            world.asked(&Request::Cancel { runs: vec![first] }).await;
            let second = world.asked(&now_please(0, false)).await;
            assert_ne!(second.runs[0].run_id, first, "{second:?}");
            world.pass(MINUTE * 25).await;
        };
        world.live(life, End::Stop).await;
        let rows = world.rows();
        assert_eq!(states(&rows), [("cancelled", "cancelled"), ("succeeded", "")], "{}", world.story());
        assert!(rows[0].why.contains("proved first"), "{}", rows[0].why);
    });
}

#[test]
fn many_backfilled_slots_of_one_instance_lose_no_window_to_each_other_and_cost_the_schedule_nothing() {
    simulated(async {
        let world = world(1, "", |job| {
            job.start_within = MINUTE * 20;
            job.complete_within = MINUTE * 20;
        });
        world.live_for(MINUTE, End::Stop).await;
        world.pass(HOUR * (24 * 9 + 6)).await;
        let life = async {
            world.pass(MINUTE).await;
            let (since, until) = ("2026-11-24T00:00:00Z".parse().unwrap(), "2026-12-04T00:00:00Z".parse().unwrap());
            let answer = world.asked(&Request::Backfill { job: "nightly".into(), scope: Scope::default(), since, until }).await;
            assert!(answer.done && answer.runs.len() == 10, "{answer:?}");
            world.pass(HOUR * 20).await;
        };
        world.live(life, End::Stop).await;
        let rows = world.rows();
        assert!(rows.len() == 11 && rows.iter().all(|row| row.state == "succeeded"), "{}", world.story());
    });
}

#[test]
fn what_nobody_took_for_an_hour_and_what_a_clock_ahead_asked_for_is_refused() {
    simulated(async {
        let world = world(1, "", |_| {});
        drop(world.open());
        let from = Asker { who: "alice".into(), uid: 1_000, reason: Some("a test".into()) };
        let pause = |at| ask(&world.ledger_path(), &Request::Pause { scope: Scope::default(), until: None }, &from, at).unwrap();
        let old = pause(at("16:59:00"));
        let ahead = pause(at("18:30:00"));
        world.live_for(HOUR * 2, End::Stop).await;
        for (request, says) in [(old, "for an hour"), (ahead, "clock that is ahead")] {
            let answer = world.answer(request).unwrap();
            assert!(!answer.done && answer.says[0].contains(says), "{answer:?}");
        }
        assert_eq!(states(&world.rows()), [("succeeded", "")], "nothing was paused: {}", world.story());
    });
}
