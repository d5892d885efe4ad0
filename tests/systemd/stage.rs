//! One instance with a slot every second, the cloud, and daemons that do not outlive their test.

use super::ear::Ear;
use cdb_backupd::{
    clock::{Clock, SystemClock},
    sim::{
        Cloud,
        faults::Action,
        http::HttpDoor,
        settings::{Settings, SimAccount, SimInstance},
    },
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

pub(crate) struct Stage {
    pub(crate) clock: SystemClock,
    cloud: Cloud<SystemClock>,
    folder: tempfile::TempDir,
    _door: HttpDoor,
}

pub(crate) struct Daemon(Child);

impl Daemon {
    pub(crate) fn tell(&self, signal: Signal) {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, signal).expect("the signal is sent");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Stage {
    pub(crate) async fn open(faults: &str) -> Self {
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

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a daemon that `ear` hears. `$$` in a variable is the daemon's own number: the shell becomes it.
    pub(crate) fn daemon(&self, ear: &Ear, variables: &[&str]) -> Daemon {
        let script = format!("{} exec \"$0\" run --config \"$1\"", variables.join(" "));
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_cdb-backupd")).arg(self.folder().join("policy.yaml")).env_clear();
        let account = SimAccount::example();
        command.env("TENCENTCLOUD_SECRET_ID", account.secret_id).env("TENCENTCLOUD_SECRET_KEY", account.secret_key);
        command.env("NOTIFY_SOCKET", ear.name()).env("CDB_BACKUPD_TEST_STUCK", self.pipe());
        let log = std::fs::File::options().create(true).append(true).open(self.folder().join("log")).expect("a log");
        Daemon(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("the daemon starts"))
    }

    fn pipe(&self) -> PathBuf {
        self.folder().join("stuck")
    }

    /// The next pass hangs.
    pub(crate) fn stick(&self) {
        assert!(Command::new("mkfifo").arg(self.pipe()).status().expect("mkfifo starts").success());
    }

    /// The pass that hangs goes on.
    pub(crate) fn let_go(&self) {
        let pipe = std::fs::File::options().write(true).open(self.pipe()).expect("somebody waits at the other end");
        std::fs::remove_file(self.pipe()).expect("it is gone");
        drop(pipe);
    }

    /// Lets a daemon make the ledger, and ends it.
    pub(crate) async fn makes_its_ledger(&self) {
        let mut ear = Ear::without_a_file("maker");
        let daemon = self.daemon(&ear, &[]);
        self.until(Duration::from_secs(30), || (ear.count("READY=1") == 1).then_some(())).await;
        daemon.tell(Signal::TERM);
        self.end_of(daemon).await;
    }

    /// Another process in the middle of a write.
    pub(crate) fn writing(&self) -> rusqlite::Connection {
        let other = rusqlite::Connection::open(self.folder().join("ledger.db")).expect("the ledger opens");
        other.busy_timeout(Duration::from_secs(10)).expect("it waits");
        other.execute_batch("BEGIN IMMEDIATE").expect("the ledger is taken");
        other
    }

    pub(crate) async fn has_taken(&self, action: Action) {
        self.until(Duration::from_secs(60), || self.cloud.audit().events.iter().any(|event| event.action == action).then_some(())).await;
    }

    pub(crate) async fn until<T>(&self, longest: Duration, mut seen: impl FnMut() -> Option<T>) -> T {
        let end = self.clock.now().mono + longest;
        loop {
            if let Some(seen) = seen() {
                return seen;
            }
            let log = || std::fs::read_to_string(self.folder().join("log")).unwrap_or_default();
            assert!(self.clock.now().mono < end, "it did not come within {longest:?}:\n{}", log());
            self.clock.sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn end_of(&self, mut daemon: Daemon) -> ExitStatus {
        self.until(Duration::from_secs(30), || daemon.0.try_wait().expect("a child")).await
    }
}

pub(crate) fn in_real_time<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime").block_on(test)
}
