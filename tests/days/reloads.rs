//! Another policy while the daemon turns: what was due is the old one's, what comes is the new one's, and what is open goes on.

use crate::world::{End, Row, World, job, policy, sim_instances, simulated};
use cdb_backupd::{
    daemon::{Fresh, Read, Refused, Source},
    domain::{
        names::{AccountName, CredentialSource, Endpoint},
        policy::{Account, Instance, Job, Policy},
    },
    sim::settings::Settings,
};
use chrono::{DateTime, Utc};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex},
    time::Duration,
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// 02:30 in Shanghai is half an hour after this, and every world here starts at it.
const EVENING: &str = "2026-11-24T18:00:00Z";

/// The way to a file; reading it takes no time.
pub(crate) fn file_of(file: &Arc<Mutex<Option<Read>>>) -> Source {
    let file = file.clone();
    Source::of(move || {
        let read = file.lock().unwrap().clone().unwrap();
        Box::pin(async move { read })
    })
}

/// Stands for the hash of its text.
pub(crate) fn hash(policy: &Policy) -> String {
    let mut hasher = DefaultHasher::new();
    format!("{policy:?}").hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

impl World {
    fn write(&self, policy: &Policy) {
        let fresh = Fresh { policy: Arc::new(policy.clone()), hash: hash(policy), text: format!("{policy:?}"), at_next_start: Vec::new() };
        *self.file.lock().unwrap() = Some(Ok(fresh));
    }

    /// Sends SIGHUP.
    fn hang_up(&self) {
        self.source.ask();
        self.ring.notify_one();
    }

    /// Writes another policy into the file and sends SIGHUP.
    fn reload(&self, policy: &Policy) {
        self.write(policy);
        self.hang_up();
    }

    /// Texts of the policies that were recorded.
    fn recorded(&self) -> i64 {
        let conn = rusqlite::Connection::open(self.ledger_path()).unwrap();
        conn.query_row("SELECT count(*) FROM policies", [], |row| row.get(0)).unwrap()
    }

    fn of(&self, job: &str) -> Vec<Row> {
        self.rows().into_iter().filter(|row| row.job == job).collect()
    }

    fn ends_of(&self, job: &str) -> Vec<(String, String)> {
        self.of(job).into_iter().map(|row| (row.state, row.reason)).collect()
    }
}

fn world(n: usize, faults: &str, jobs: &[(&str, &str)]) -> World {
    let mut policy = policy(n);
    policy.jobs = jobs.iter().map(|(name, schedule)| Arc::new(job(&policy, name, schedule))).collect();
    let mut settings = Settings::quiet(11, sim_instances(n));
    settings.durations = MINUTE * 10..=MINUTE * 10;
    settings.faults = faults.parse().unwrap();
    World::new(EVENING, settings, policy)
}

/// The world's policy with other jobs.
fn with_jobs(world: &World, jobs: &[(&str, &str)]) -> Policy {
    let mut policy = world.policy.clone();
    policy.jobs = jobs.iter().map(|(name, schedule)| Arc::new(job(&policy, name, schedule))).collect();
    policy
}

fn changed(policy: &Policy, change: impl Fn(&mut Job)) -> Policy {
    let mut policy = policy.clone();
    for job in &mut policy.jobs {
        change(Arc::make_mut(job));
    }
    policy
}

fn at(time: &str) -> DateTime<Utc> {
    format!("2026-11-24T{time}Z").parse().unwrap()
}

#[test]
fn a_removed_job_leaves_nothing_new_and_what_the_cloud_works_on_is_followed_to_its_end() {
    simulated(async {
        // At five a second nine runs take two; at 02:30:01 some are called or running, and the others are due.
        let world = world(9, "", &[("nightly", "30 2 * * *"), ("other", "0 4 * * *")]);
        let life = async {
            world.pass(MINUTE * 30 + Duration::from_millis(900)).await;
            world.reload(&with_jobs(&world, &[("other", "0 4 * * *")]));
            world.pass(HOUR * 27).await;
        };
        world.live(life, End::Stop).await;
        let ends = world.ends_of("nightly");
        let (good, removed) = (("succeeded".to_owned(), String::new()), ("cancelled".to_owned(), "removed".to_owned()));
        let (n_good, n_removed) = (ends.iter().filter(|end| **end == good).count(), ends.iter().filter(|end| **end == removed).count());
        assert!(n_good >= 3 && n_removed >= 3 && n_good + n_removed == 9, "{}", world.story());
        assert_eq!(world.audit().backups.iter().filter(|backup| backup.alias.starts_with("nightly")).count(), n_good, "{}", world.story());
        assert!(world.of("other").len() == 18 && world.of("other").iter().all(|row| row.state == "succeeded"), "{}", world.story());
        assert_eq!(world.recorded(), 2);
    });
}

#[test]
fn a_call_whose_answer_is_lost_while_its_job_goes_is_found_and_not_made_twice() {
    simulated(async {
        let world = world(1, "create#1:lost_after_act", &[("nightly", "30 2 * * *")]);
        let life = async {
            world.pass(MINUTE * 30 + Duration::from_secs(2)).await;
            assert_eq!(world.rows()[0].state, "calling");
            world.reload(&with_jobs(&world, &[("other", "0 12 * * *")]));
            world.pass(HOUR * 4).await;
        };
        world.live(life, End::Stop).await;
        assert_eq!(world.ends_of("nightly"), [("succeeded".into(), String::new())], "{}", world.story());
        assert_eq!(world.audit().backups.len(), 1);
    });
}

#[test]
fn a_call_that_never_arrived_is_not_made_again_once_its_job_is_gone() {
    simulated(async {
        let world = world(1, "create#1:lost_before_act", &[("nightly", "30 2 * * *")]);
        let life = async {
            world.pass(MINUTE * 30 + Duration::from_secs(2)).await;
            world.reload(&with_jobs(&world, &[("other", "0 12 * * *")]));
            world.pass(HOUR * 4).await;
        };
        world.live(life, End::Stop).await;
        assert_eq!(world.ends_of("nightly"), [("cancelled".into(), "removed".into())], "{}", world.story());
        assert_eq!(world.audit().backups.len(), 0);
    });
}

#[test]
fn a_changed_schedule_acts_from_the_moment_it_is_taken_and_loses_no_slot_of_the_old_one() {
    simulated(async {
        let world = world(3, "", &[("often", "*/10 * * * *")]);
        let life = async {
            // At the very moment of a slot, and of a slot of both.
            world.pass(MINUTE * 30).await;
            world.reload(&with_jobs(&world, &[("often", "*/15 * * * *")]));
            world.pass(MINUTE * 40).await;
        };
        world.live(life, End::Stop).await;
        let mut slots: Vec<_> = world.of("often").iter().filter(|row| row.instance == "cdb-sim00001").map(|row| row.slot).collect();
        slots.sort();
        // The daemon lives from 18:00:00 on, and the first slot after its load is 18:10.
        let expected = ["18:10:00", "18:20:00", "18:30:00", "18:45:00", "19:00:00"].map(at);
        assert_eq!(slots, expected, "{}", world.story());
        assert!(world.rows().iter().all(|row| row.state != "missed"), "{}", world.story());
    });
}

#[test]
fn a_job_that_comes_back_before_its_wish_was_honoured_keeps_its_run() {
    simulated(async {
        // While nobody knows whether the lost call was heard, the wish waits.
        let world = world(1, "create#1:lost_before_act", &[("nightly", "30 2 * * *")]);
        let life = async {
            world.pass(MINUTE * 30 + Duration::from_secs(2)).await;
            world.reload(&with_jobs(&world, &[("other", "0 12 * * *")]));
            world.pass(MINUTE * 2).await;
            assert_eq!((world.recorded(), world.rows()[0].state.as_str()), (2, "uncertain"), "{}", world.story());
            world.reload(&world.policy.clone());
            world.pass(HOUR * 3).await;
        };
        world.live(life, End::Stop).await;
        assert_eq!(world.recorded(), 3);
        assert_eq!(world.ends_of("nightly"), [("succeeded".into(), String::new())], "{}", world.story());
        assert_eq!((world.rows()[0].slot, world.audit().backups.len()), (at("18:30:00"), 1), "{}", world.story());
    });
}

/// A second account beside the first.
fn second(policy: &Policy) -> Account {
    let mut account = (*policy.accounts[0]).clone();
    account.name = AccountName::parse("second").unwrap();
    account
}

#[test]
fn an_instance_that_moves_to_another_account_is_called_by_it_from_its_next_slot_on() {
    simulated(async {
        let world = world(2, "", &[("often", "*/30 * * * *")]);
        let mut moved = world.policy.clone();
        moved.accounts.push(Arc::new(second(&moved)));
        let to_second = |instance: &Arc<Instance>| Arc::new(Instance { account: AccountName::parse("second").unwrap(), ..(**instance).clone() });
        moved.instances = moved.instances.iter().map(to_second).collect();
        let moved = changed(&moved, |job| job.instances = moved.instances.clone());
        let life = async {
            world.pass(MINUTE * 30 + Duration::from_secs(20)).await;
            world.reload(&moved);
            world.pass(HOUR).await;
        };
        world.live(life, End::Stop).await;
        let conn = rusqlite::Connection::open(world.ledger_path()).unwrap();
        let mut all =
            conn.prepare("SELECT slot_ms, account, state FROM runs WHERE slot_ms < 1000 * unixepoch('2026-11-24 19:30') ORDER BY 1").unwrap();
        let rows = all.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))).unwrap();
        let rows: Vec<_> =
            rows.map(Result::unwrap).map(|(slot, account, state)| (slot == at("18:30:00").timestamp_millis(), account, state)).collect();
        let expected = |first, account: &str| (first, account.to_owned(), "succeeded".to_owned());
        let all = [expected(true, "main"), expected(true, "main"), expected(false, "second"), expected(false, "second")];
        assert_eq!(rows, all, "{}", world.story());
    });
}

#[test]
fn limits_and_blackouts_of_the_new_policy_hold_from_its_first_pass_on() {
    simulated(async {
        let world = world(6, "", &[("nightly", "30 2 * * *")]);
        let mut slower = world.policy.clone();
        let account = Account { max_running: Some(1), calls_per_second: 0.5, ..(*slower.accounts[0]).clone() };
        slower.accounts = vec![Arc::new(account)];
        let life = async {
            world.pass(MINUTE * 20).await;
            world.reload(&slower);
            world.pass(MINUTE * 45).await;
            world.reload(&changed(&slower, |job| job.suspend = true));
            world.pass(HOUR * 3).await;
        };
        world.live(life, End::Stop).await;
        let backups = world.audit().backups;
        let at_once = |moment| backups.iter().filter(|it| it.begins <= moment && moment < it.ends).count();
        assert_eq!(backups.iter().map(|backup| at_once(backup.begins)).max(), Some(1), "{}", world.story());
        let ends = world.ends_of("nightly");
        assert!((2..=5).contains(&backups.len()), "{}", world.story());
        assert!(ends.iter().all(|(state, reason)| state == "succeeded" || (state == "skipped" && reason == "suspended")), "{}", world.story());
    });
}

#[test]
fn a_bad_file_changes_nothing_and_the_next_good_one_does() {
    simulated(async {
        let world = world(1, "", &[("often", "*/10 * * * *")]);
        let life = async {
            world.pass(MINUTE * 15).await;
            let refused = Refused { faults: 2, place: "policy.yaml:3:7".into(), message: "no such key".into(), hint: "write another".into() };
            *world.file.lock().unwrap() = Some(Err(refused));
            world.hang_up();
            world.pass(MINUTE * 10).await;
            assert_eq!((world.recorded(), world.of("often").len()), (1, 2), "{}", world.story());
            world.reload(&with_jobs(&world, &[("hourly", "0 * * * *")]));
            world.pass(HOUR).await;
        };
        world.live(life, End::Stop).await;
        assert_eq!((world.recorded(), world.of("often").len(), world.of("hourly").len()), (2, 2, 1), "{}", world.story());
    });
}

#[test]
fn the_same_bytes_and_two_signals_at_once_record_nothing_twice() {
    simulated(async {
        let world = world(1, "", &[("often", "*/10 * * * *")]);
        let other = with_jobs(&world, &[("other", "*/10 * * * *")]);
        let life = async {
            world.pass(MINUTE).await;
            world.reload(&world.policy.clone());
            world.hang_up();
            world.pass(MINUTE).await;
            assert_eq!(world.recorded(), 1);
            world.reload(&other);
            world.hang_up();
            world.pass(MINUTE).await;
            world.hang_up();
            world.pass(MINUTE * 20).await;
        };
        world.live(life, End::Stop).await;
        assert_eq!((world.recorded(), world.of("often").len(), world.of("other").len()), (2, 0, 2), "{}", world.story());
    });
}

#[test]
fn a_policy_that_was_taken_back_before_it_could_be_recorded_never_acts() {
    simulated(async {
        let world = world(1, "outage=0s..30m", &[("often", "*/10 * * * *")]);
        let life = async {
            world.pass(MINUTE).await;
            world.reload(&with_jobs(&world, &[("wrong", "*/10 * * * *")]));
            world.pass(MINUTE).await;
            world.reload(&world.policy.clone());
            world.pass(HOUR).await;
        };
        world.live(life, End::Stop).await;
        assert_eq!((world.recorded(), world.of("wrong").len()), (1, 0), "{}", world.story());
        assert!(!world.of("often").is_empty(), "{}", world.story());
    });
}

#[test]
fn a_reload_while_the_clock_is_unproved_is_recorded_once_it_is_proved_and_acts_on_no_time_before() {
    simulated(async {
        let world = world(1, "outage=0s..25m", &[("often", "*/10 * * * *")]);
        let life = async {
            world.pass(MINUTE * 15).await;
            world.reload(&with_jobs(&world, &[("other", "*/10 * * * *")]));
            world.pass(MINUTE * 35).await;
        };
        world.live(life, End::Stop).await;
        assert_eq!((world.recorded(), world.of("often").len()), (1, 0), "{}", world.story());
        let first = world.of("other").first().map(|row| row.slot);
        assert_eq!(first, Some(at("18:20:00")), "{}", world.story());
    });
}

#[test]
fn a_reload_while_the_ledger_cannot_be_written_takes_force_when_it_can() {
    simulated(async {
        let world = world(1, "", &[("often", "*/10 * * * *")]);
        let life = async {
            world.pass(MINUTE).await;
            let other = rusqlite::Connection::open(world.ledger_path()).unwrap();
            other.execute_batch("BEGIN IMMEDIATE").unwrap();
            world.reload(&with_jobs(&world, &[("other", "*/10 * * * *")]));
            world.pass(MINUTE).await;
            assert_eq!(world.recorded(), 1);
            other.execute_batch("ROLLBACK").unwrap();
            world.pass(MINUTE * 10).await;
        };
        world.live(life, End::Stop).await;
        assert_eq!((world.recorded(), world.of("often").len(), world.of("other").len()), (2, 0, 1), "{}", world.story());
    });
}

#[test]
fn an_account_held_for_keys_that_the_new_policy_replaces_is_held_no_more() {
    simulated(async {
        let world = world(2, "key_revoked=29m..3h", &[("nightly", "30 2 * * *")]);
        let mut other = world.policy.clone();
        let credentials = CredentialSource::Env { prefix: "OTHER".into() };
        other.accounts = vec![Arc::new(Account { credentials, ..(*other.accounts[0]).clone() })];
        let refused = || world.audit().events.iter().filter(|event| event.answer.contains("AuthFailure")).count();
        let life = async {
            world.pass(MINUTE * 32 + Duration::from_secs(10)).await;
            let before = refused();
            world.pass(Duration::from_secs(5)).await;
            assert_eq!(refused(), before, "between two probes nobody asks");
            world.reload(&other);
            world.pass(Duration::from_secs(1)).await;
            assert!(refused() > before, "the other keys are tried at once: {}", world.story());
        };
        world.live(life, End::Stop).await;
    });
}

#[test]
fn an_endpoint_that_changes_leaves_open_runs_where_they_were_made() {
    simulated(async {
        let world = world(1, "", &[("nightly", "30 2 * * *")]);
        let mut other = world.policy.clone();
        other.accounts =
            vec![Arc::new(Account { endpoint: Endpoint::parse("cdb.intl.tencentcloudapi.com").unwrap(), ..(*other.accounts[0]).clone() })];
        let life = async {
            world.pass(MINUTE * 31).await;
            assert_eq!(world.rows()[0].state, "running");
            world.reload(&other);
            world.pass(HOUR).await;
        };
        world.live(life, End::Stop).await;
        let conn = rusqlite::Connection::open(world.ledger_path()).unwrap();
        let found: String = conn.query_row("SELECT t.endpoint FROM runs r JOIN terms t USING (terms_id)", [], |row| row.get(0)).unwrap();
        assert!(!found.contains("intl") && world.rows()[0].state == "succeeded", "{found}: {}", world.story());
    });
}
