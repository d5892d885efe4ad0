//! SIGHUP: what a real daemon makes of another file, of a bad one, and of one that cannot be read to its end. Real processes against the simulator.

use super::stops::{Daemon, Stage, in_real_time, tell, writing};
use cdb_backupd::sim::faults::Action;
use rustix::process::Signal;
use std::{fs, process::Command, time::Duration};

const SOON: Duration = Duration::from_secs(30);

impl Stage {
    fn policy(&self) -> String {
        fs::read_to_string(self.folder.path().join("policy.yaml")).expect("a policy")
    }

    fn write(&self, policy: &str) {
        fs::write(self.folder.path().join("policy.yaml"), policy).expect("a policy is written");
    }

    /// Sends SIGHUP, and waits for a line of the log that has all of these, after what stood there before.
    async fn hears(&self, daemon: &Daemon, parts: &[&str]) -> String {
        let before = self.log().len();
        tell(daemon, Signal::HUP);
        let seen = || self.log().get(before..)?.lines().find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned);
        self.until(SOON, seen).await
    }

    /// Waits until another slot has its row.
    async fn goes_on(&self) {
        let rows = || -> i64 {
            let ledger = rusqlite::Connection::open(self.folder.path().join("ledger.db")).expect("the ledger opens");
            ledger.query_row("SELECT count(*) FROM runs", [], |row| row.get(0)).expect("it has runs")
        };
        let before = rows();
        self.until(SOON, || (rows() > before).then_some(())).await;
    }

    fn jobs_in_ledger(&self) -> Vec<String> {
        let ledger = rusqlite::Connection::open(self.folder.path().join("ledger.db")).expect("the ledger opens");
        let mut jobs = ledger.prepare("SELECT job FROM cursors ORDER BY job").expect("it has cursors");
        jobs.query_map([], |row| row.get(0)).expect("it can be read").collect::<Result<_, _>>().expect("names")
    }
}

#[test]
fn another_policy_takes_force_without_a_restart_and_a_bad_one_is_refused_with_its_place() {
    in_real_time(async {
        let stage = Stage::with("").await;
        let mut daemon = stage.daemon();
        stage.has_taken(Action::Create).await;
        let first = stage.policy();
        let second = first.replace("name: often", "name: frequent");
        stage.write(&second);
        let line = stage.hears(&daemon, &["another policy is in force"]).await;
        assert!(line.contains("1 job added, 1 removed; 1 pair added, 1 removed") && line.contains("jobs_added=1"), "{line}");
        assert!(stage.log().contains("job frequent looks like often under another name"), "{}", stage.log());
        assert_eq!(stage.jobs_in_ledger(), ["frequent"]);
        stage.goes_on().await;

        stage.hears(&daemon, &["the policy was read again: nothing changed"]).await;
        stage.write(&second.replace("method: physical", "methd: physical"));
        let line = stage.hears(&daemon, &["ERROR", "the policy is not reloaded, the one in force stays"]).await;
        assert!(line.contains("policy.yaml:9:") && line.contains("methd") && line.contains("hint"), "{line}");
        assert_eq!(stage.jobs_in_ledger(), ["frequent"]);
        stage.goes_on().await;

        fs::remove_file(stage.folder.path().join("policy.yaml")).expect("the policy is removed");
        stage.hears(&daemon, &["the policy is not reloaded", "there is no policy at"]).await;
        stage.write(&second.replace("ledger.db", "other.db").replace("\"off\"", "127.0.0.1:1"));
        stage.hears(&daemon, &["names another ledger", "other.db", "until it is restarted"]).await;
        assert!(stage.log().contains("the policy says `listen: 127.0.0.1:1`; this daemon keeps to off"), "{}", stage.log());
        assert!(!stage.folder.path().join("other.db").exists());
        assert!(daemon.0.try_wait().expect("a child").is_none());
    });
}

#[test]
fn a_file_that_hangs_hangs_neither_the_loop_nor_the_end() {
    in_real_time(async {
        let stage = Stage::with("").await;
        let mut daemon = stage.daemon();
        stage.has_taken(Action::Create).await;
        // Whoever opens it waits for somebody to write into it.
        let path = stage.folder.path().join("policy.yaml");
        fs::remove_file(&path).expect("the policy is removed");
        assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
        tell(&daemon, Signal::HUP);
        stage.goes_on().await;
        stage.hears(&daemon, &["asked to read the policy again while it is being read"]).await;
        stage.goes_on().await;
        stage.until(SOON, || stage.log().contains("did not end within 5 seconds").then_some(())).await;
        tell(&daemon, Signal::TERM);
        let (status, took) = stage.end_of(&mut daemon).await;
        assert_eq!(status.code(), Some(0), "{}", stage.log());
        assert!(took < Duration::from_secs(8), "{took:?}");
    });
}

#[test]
fn a_signal_that_comes_before_the_ledger_is_open_ends_nobody_and_is_heard_after() {
    in_real_time(async {
        let stage = Stage::with("").await;
        let mut daemon = stage.daemon();
        stage.has_taken(Action::Create).await;
        tell(&daemon, Signal::TERM);
        stage.end_of(&mut daemon).await;
        let (other, before) = (writing(&stage), stage.log().len());
        let mut daemon = stage.daemon();
        let told = |what: &str| stage.log().get(before..).is_some_and(|log| log.contains(what)).then_some(());
        stage.until(SOON, || told("the ledger cannot be opened yet")).await;
        tell(&daemon, Signal::HUP);
        stage.write(&stage.policy().replace("name: often", "name: frequent"));
        drop(other);
        stage.until(SOON, || told("another policy is in force")).await;
        assert!(daemon.0.try_wait().expect("a child").is_none());
        assert_eq!(stage.jobs_in_ledger(), ["frequent"]);
    });
}
