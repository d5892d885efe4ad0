//! A lost ledger is refilled from the cloud's lists: what is good is known again, and nothing is sent for it.

use crate::world::{End, World, job, policy, sim_instances, simulated};
use cdb_backupd::{
    cli::ledger::rebuild::{Refilled, refill},
    clock::Clock,
    cloud::{Access, Call, CdbApi, Create},
    domain::{
        names::InstanceId,
        policy::{Job, Method},
        schedule::Schedule,
    },
    ledger::{Fate, Ledger, check},
    sim::settings::Settings,
};
use chrono::{DateTime, Utc};
use std::{fs, time::Duration};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Two instances with a nightly job, from noon on.
fn world(faults: &str) -> World {
    let mut policy = policy(2);
    policy.jobs = vec![job(&policy, "nightly", "30 2 * * *").into()];
    let mut settings = Settings::quiet(5, sim_instances(2));
    settings.faults = faults.parse().unwrap();
    World::new("2026-11-24T12:00:00Z", settings, policy)
}

impl World {
    fn lose_ledger(&self, and_lock: bool) {
        for suffix in ["", "-wal", "-shm"] {
            drop(fs::remove_file(format!("{}{suffix}", self.ledger_path().display())));
        }
        if and_lock {
            fs::remove_file(format!("{}.lock", self.ledger_path().display())).unwrap();
        }
    }

    /// Rebuilds as the command does, under another id where no lock file says which.
    async fn rebuild(&self) -> Refilled {
        let mut ledger = Ledger::open(&self.ledger_path(), "made anew", self.truth.utc()).unwrap().ledger;
        refill(&self.truth, &self.cloud, &mut ledger, &self.policy, &|_, _, _| ()).await.unwrap()
    }

    /// Somebody else makes a backup of this name.
    async fn make_by_hand(&self, instance: &str, alias: &str) {
        let (account, now) = (&self.policy.accounts[0], self.truth.now());
        let call = Call {
            access: Access { endpoint: account.endpoint.clone(), credentials: account.credentials.clone() },
            region: self.policy.instances[0].region.clone(),
            instance: InstanceId::parse(instance).unwrap(),
            signed_at: now.utc.timestamp(),
            deadline: now.mono + HOUR,
        };
        let method = Method::Physical { encrypted: None };
        self.cloud.create_backup(Create { call, method, alias: alias.to_owned() }).await.answer.unwrap();
    }

    fn states(&self) -> Vec<(String, DateTime<Utc>, i64)> {
        self.rows().into_iter().map(|row| (row.state, row.slot, row.backup)).collect()
    }

    fn sound(&self) {
        assert_eq!(check::check(&self.ledger_path()).unwrap().findings, [], "{}", self.story());
    }
}

fn count(refilled: &Refilled, wanted: Fate) -> usize {
    refilled.runs.iter().filter(|(_, fate)| *fate == wanted).count()
}

#[test]
fn a_lost_ledger_knows_every_good_backup_again_whether_its_lock_is_left_or_not() {
    for and_lock in [false, true] {
        simulated(async {
            let world = world("");
            world.live_for(DAY * 4, End::Stop).await;
            let (before, creates) = (world.states(), world.creates());
            assert_eq!(before.len(), 8);
            world.lose_ledger(and_lock);
            let refilled = world.rebuild().await;
            assert_eq!((count(&refilled, Fate::Added), refilled.instances, refilled.unread.len()), (8, 2, 0));
            assert!(refilled.runs.iter().all(|(run, _)| run.is_proved != and_lock), "the name is proved by the id in the lock file");
            assert_eq!(world.states(), before);
            world.sound();
            // Once more changes nothing.
            let again = world.rebuild().await;
            assert_eq!((count(&again, Fate::Added), count(&again, Fate::TurnedGood), count(&again, Fate::Known)), (0, 0, 8));
            assert_eq!(world.states(), before);
            // And the daemon goes on from its start: nothing is sent for what was.
            world.live_for(HOUR, End::Stop).await;
            assert_eq!((world.creates(), world.states()), (creates, before.clone()), "{}", world.story());
            world.live_for(DAY, End::Stop).await;
            assert_eq!((world.creates(), world.rows().len()), (creates + 2, 10), "{}", world.story());
            assert_eq!(world.audit().doubled, []);
            world.sound();
        });
    }
}

#[test]
fn a_ledger_that_went_on_anew_takes_what_was_before_its_time_and_proves_what_is_in_it() {
    simulated(async {
        let world = world("");
        world.live_for(DAY * 2, End::Stop).await;
        world.lose_ledger(true);
        // systemd has started it again, under another id, and it has planned two nights since.
        world.live_for(DAY * 2, End::Stop).await;
        assert_eq!(world.rows().len(), 4);
        let refilled = world.rebuild().await;
        assert_eq!((count(&refilled, Fate::Added), count(&refilled, Fate::Known), refilled.unproved), (4, 4, 0), "{}", world.story());
        assert_eq!(world.rows().len(), 8);
        world.sound();
    });
}

#[test]
fn a_name_inside_the_time_that_the_ledger_planned_is_not_believed_without_proof() {
    simulated(async {
        let world = world("");
        world.live_for(HOUR, End::Stop).await;
        let strange = "nightly.20261124T183000Z.abcdefgh";
        world.make_by_hand("cdb-sim00001", strange).await;
        world.pass(HOUR * 12).await;
        let refilled = world.rebuild().await;
        assert_eq!((refilled.runs.len(), refilled.unproved, world.rows().len()), (0, 1, 0), "another's of this very slot");
        world.live_for(HOUR, End::Stop).await;
        assert!(world.rows().iter().all(|row| row.state != "succeeded"), "{}", world.story());
    });
}

#[test]
fn a_slot_that_was_missed_by_a_ledger_put_back_turns_good_by_its_proved_backup() {
    simulated(async {
        let mut world = world("");
        let hourly = Schedule::parse("30 */6 * * *", "Asia/Shanghai").unwrap();
        world.policy.jobs = vec![std::sync::Arc::new(Job { schedule: hourly, ..job(&world.policy, "nightly", "30 2 * * *") })];
        world.live_for(HOUR, End::Stop).await;
        world.keep_copy();
        // One slot is run, and the copy put back long after it could be caught up.
        world.live_for(HOUR * 4, End::Stop).await;
        let made = world.creates();
        assert_eq!(made, 2, "{}", world.story());
        world.put_back();
        world.pass(HOUR * 4).await;
        world.live_for(HOUR, End::Stop).await;
        let missed = world.rows().iter().filter(|row| row.state == "missed" && row.slots == 1).count();
        assert_eq!(missed, 2, "{}", world.story());
        let refilled = world.rebuild().await;
        assert_eq!(count(&refilled, Fate::TurnedGood), 2, "{}", world.story());
        let good: Vec<_> = world.rows().into_iter().filter(|row| row.first_outcome == "missed").map(|row| (row.state, row.late)).collect();
        assert_eq!(good, [("succeeded".to_owned(), 1), ("succeeded".to_owned(), 1)]);
        world.sound();
    });
}

#[test]
fn slots_that_have_their_backup_are_cut_out_of_a_missed_row_of_several() {
    simulated(async {
        let mut world = world("");
        let often = Schedule::parse("30 */6 * * *", "Asia/Shanghai").unwrap();
        world.policy.jobs = vec![std::sync::Arc::new(Job { schedule: often, ..job(&world.policy, "nightly", "30 2 * * *") })];
        world.live_for(HOUR, End::Stop).await;
        world.keep_copy();
        // Two slots are run that the copy knows nothing of, and a third passes before it is put to work.
        world.live_for(HOUR * 14, End::Stop).await;
        let made = world.creates();
        assert_eq!(made, 4, "{}", world.story());
        world.put_back();
        world.pass(HOUR * 5).await;
        world.live_for(HOUR, End::Stop).await;
        let missed = |world: &World| {
            let rows: Vec<_> = world.rows().into_iter().filter(|row| row.state == "missed").collect();
            (rows.len(), rows.iter().map(|row| row.slots).sum::<i64>())
        };
        assert_eq!(missed(&world), (2, 6), "{}", world.story());
        let refilled = world.rebuild().await;
        assert_eq!((count(&refilled, Fate::Added), missed(&world)), (4, (2, 2)), "{}", world.story());
        assert_eq!(count(&world.rebuild().await, Fate::Known), 4);
        world.sound();
        world.live_for(HOUR, End::Stop).await;
        assert_eq!((world.creates(), world.rows().len()), (made, 6), "{}", world.story());
    });
}

#[test]
fn a_slot_ahead_of_a_restored_cursor_that_is_rebuilt_is_not_sent_again() {
    simulated(async {
        let world = world("");
        world.live_for(HOUR, End::Stop).await;
        world.keep_copy();
        world.live_for(HOUR * 7, End::Stop).await;
        let creates = world.creates();
        assert_eq!(creates, 2, "{}", world.story());
        world.put_back();
        let refilled = world.rebuild().await;
        assert_eq!(count(&refilled, Fate::Added), 2);
        world.live_for(HOUR * 3, End::Stop).await;
        assert_eq!((world.creates(), world.rows().len()), (creates, 2), "{}", world.story());
        assert!(world.rows().iter().all(|row| row.state == "succeeded"));
        world.sound();
    });
}

#[test]
fn failed_running_and_foreign_backups_become_no_row_and_a_rehearsal_writes_nothing() {
    simulated(async {
        let world = world("create#1:backup_takes=600s,create#2:backup_fails+backup_takes=10s");
        world.live_for(HOUR * 6 + Duration::from_secs(1_900), End::Kill).await;
        world.lose_ledger(false);
        let lock = fs::read(format!("{}.lock", world.ledger_path().display())).unwrap();
        let mut rehearsed = Ledger::rehearsal(&world.ledger_path(), world.truth.utc()).unwrap();
        let refilled = refill(&world.truth, &world.cloud, &mut rehearsed, &world.policy, &|_, _, _| ()).await.unwrap();
        assert_eq!((refilled.runs.len(), refilled.not_good), (0, 2), "{}", world.audit().timeline());
        assert!(!world.ledger_path().exists());
        assert_eq!(fs::read(format!("{}.lock", world.ledger_path().display())).unwrap(), lock);
    });
}

#[test]
fn a_list_that_is_throttled_is_asked_for_again() {
    simulated(async {
        let world = world("list_throttled:0.3");
        world.live_for(HOUR * 12, End::Stop).await;
        world.lose_ledger(false);
        let refilled = world.rebuild().await;
        assert_eq!((count(&refilled, Fate::Added), refilled.unread.len()), (2, 0), "{refilled:?}");
    });
}

#[test]
fn keys_that_are_refused_are_told_once_and_nothing_is_lost_by_trying() {
    simulated(async {
        let world = world("key_revoked=12h..13h");
        world.live_for(HOUR * 12, End::Stop).await;
        world.lose_ledger(false);
        world.pass(HOUR / 2).await;
        let refilled = world.rebuild().await;
        assert_eq!((refilled.runs.len(), refilled.instances, refilled.unread.len()), (0, 0, 1), "{refilled:?}");
        world.pass(HOUR).await;
        assert_eq!(count(&world.rebuild().await, Fate::Added), 2);
    });
}
