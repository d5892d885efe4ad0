//! How the daemon ends: asked once, asked twice, refused its ledger, refused its policy. Real processes against the simulator over HTTP.

use cdb_backupd::{
    clock::{Clock, SystemClock},
    sim::{
        Cloud,
        faults::Action,
        http::HttpDoor,
        settings::{Settings, SimInstance},
    },
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

/// One instance, a slot every second, and a cloud that answers creates as `faults` say.
pub(crate) struct Stage {
    clock: SystemClock,
    pub(crate) cloud: Cloud<SystemClock>,
    pub(crate) folder: tempfile::TempDir,
    _door: HttpDoor,
}

/// A daemon's process; it does not outlive its test.
pub(crate) struct Daemon(pub(crate) Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Stage {
    pub(crate) async fn with(faults: &str) -> Self {
        let clock = SystemClock::new();
        let mut settings = Settings::quiet(1, vec![SimInstance::plain("cdb-sim00001")]);
        settings.faults = faults.parse().expect("faults");
        let cloud = Cloud::new(settings, clock);
        let door = HttpDoor::open(cloud.clone(), "127.0.0.1:0".parse().expect("an address")).await.expect("a door");
        let folder = tempfile::tempdir().expect("a folder");
        let policy = format!(
            "version: 1\nlisten: \"off\"\nledger: {}\naccounts:\n  sim: {{ credentials: env, endpoint: \"http://{}\" }}\n\
             instance_defaults: {{ account: sim, region: ap-guangzhou }}\ninstances: [ {{ id: cdb-sim00001 }} ]\n\
             jobs:\n  - {{ name: often, schedule: \"* * * * * *\", time_zone: Etc/UTC, targets: {{ all: true }}, method: physical }}\n",
            folder.path().join("ledger.db").display(),
            door.address()
        );
        std::fs::write(folder.path().join("policy.yaml"), policy).expect("a policy is written");
        Self { clock, cloud, folder, _door: door }
    }

    pub(crate) fn daemon(&self) -> Daemon {
        let account = cdb_backupd::sim::settings::SimAccount::example();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"));
        command.arg("run").arg("--config").arg(self.folder.path().join("policy.yaml")).env_clear();
        command.env("TENCENTCLOUD_SECRET_ID", account.secret_id).env("TENCENTCLOUD_SECRET_KEY", account.secret_key);
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join("log")).expect("a log");
        Daemon(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("the daemon starts"))
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).expect("a log")
    }

    /// Waits until the cloud has taken a call of this kind.
    pub(crate) async fn has_taken(&self, action: Action) {
        self.until(Duration::from_secs(60), || self.cloud.audit().events.iter().any(|event| event.action == action).then_some(())).await;
    }

    pub(crate) async fn until<T>(&self, longest: Duration, mut seen: impl FnMut() -> Option<T>) -> T {
        let end = self.clock.now().mono + longest;
        loop {
            if let Some(seen) = seen() {
                return seen;
            }
            assert!(self.clock.now().mono < end, "it did not come within {longest:?}:\n{}", self.log());
            self.clock.sleep(Duration::from_millis(20)).await;
        }
    }

    /// How a daemon ended, and how long that took.
    pub(crate) async fn end_of(&self, daemon: &mut Daemon) -> (ExitStatus, Duration) {
        let asked = self.clock.now().mono;
        let status = self.until(Duration::from_secs(30), || daemon.0.try_wait().expect("a child")).await;
        (status, self.clock.now().mono - asked)
    }
}

pub(crate) fn tell(daemon: &Daemon, signal: Signal) {
    let pid = i32::try_from(daemon.0.id()).ok().and_then(Pid::from_raw).expect("a pid");
    kill_process(pid, signal).expect("the signal is sent");
}

pub(crate) fn in_real_time<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime").block_on(test)
}

#[test]
fn a_call_that_hangs_keeps_nobody_longer_than_eight_seconds() {
    in_real_time(async {
        let stage = Stage::with("create#1:slow_reply=60s").await;
        let mut daemon = stage.daemon();
        stage.has_taken(Action::Create).await;
        tell(&daemon, Signal::TERM);
        let (status, took) = stage.end_of(&mut daemon).await;
        assert_eq!(status.code(), Some(0));
        assert!((Duration::from_secs(4)..Duration::from_secs(8)).contains(&took), "{took:?}");
    });
}

#[test]
fn a_second_signal_ends_it_at_once() {
    in_real_time(async {
        let stage = Stage::with("create#1:slow_reply=60s").await;
        let mut daemon = stage.daemon();
        stage.has_taken(Action::Create).await;
        tell(&daemon, Signal::INT);
        stage.until(Duration::from_secs(5), || stage.log().contains("asked to stop").then_some(())).await;
        assert!(daemon.0.try_wait().expect("a child").is_none(), "the first one lets a call finish");
        tell(&daemon, Signal::TERM);
        let (status, took) = stage.end_of(&mut daemon).await;
        assert_eq!(status.code(), Some(0));
        assert!(took < Duration::from_secs(3), "{took:?}");
    });
}

#[test]
fn a_second_daemon_is_refused_the_ledger_and_a_broken_policy_is_not_run() {
    in_real_time(async {
        let stage = Stage::with("").await;
        let _first = stage.daemon();
        stage.has_taken(Action::Create).await;
        let (second, _) = stage.end_of(&mut stage.daemon()).await;
        assert_eq!(second.code(), Some(75));
        std::fs::write(stage.folder.path().join("policy.yaml"), "version: 1\njobs: [ { nmae: x } ]\n").expect("a policy is written");
        let (broken, _) = stage.end_of(&mut stage.daemon()).await;
        assert_eq!(broken.code(), Some(78));
    });
}

/// Another process in the middle of a write.
pub(crate) fn writing(stage: &Stage) -> rusqlite::Connection {
    let other = rusqlite::Connection::open(stage.folder.path().join("ledger.db")).expect("the ledger opens");
    other.busy_timeout(Duration::from_secs(10)).expect("it waits");
    other.execute_batch("BEGIN IMMEDIATE").expect("the ledger is taken");
    other
}

#[test]
fn a_stop_is_heard_while_somebody_else_writes_the_ledger() {
    in_real_time(async {
        let stage = Stage::with("").await;
        let mut daemon = stage.daemon();
        stage.has_taken(Action::Create).await;
        let _other = writing(&stage);
        stage.until(Duration::from_secs(10), || stage.log().contains("the ledger cannot be written").then_some(())).await;
        tell(&daemon, Signal::TERM);
        let (status, took) = stage.end_of(&mut daemon).await;
        assert_eq!(status.code(), Some(0), "{}", stage.log());
        assert!(took < Duration::from_secs(8), "{took:?}");
    });
}

#[test]
fn a_ledger_that_somebody_else_writes_at_the_start_is_waited_for() {
    in_real_time(async {
        let stage = Stage::with("").await;
        let mut daemon = stage.daemon();
        stage.has_taken(Action::Create).await;
        tell(&daemon, Signal::TERM);
        stage.end_of(&mut daemon).await;
        let lists = || stage.cloud.audit().events.iter().filter(|event| event.action == Action::List).count();
        let (before, other) = (lists(), writing(&stage));
        let mut daemon = stage.daemon();
        stage.until(Duration::from_secs(20), || stage.log().contains("the ledger cannot be opened yet").then_some(())).await;
        assert!(daemon.0.try_wait().expect("a child").is_none() && lists() == before, "{}", stage.log());
        drop(other);
        stage.until(Duration::from_secs(20), || (lists() > before).then_some(())).await;
    });
}
