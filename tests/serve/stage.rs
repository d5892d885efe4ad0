//! The real daemon on a port of its own, against the simulated cloud over HTTP.

use crate::scene::{Answer, LONGEST};
use cdb_backupd::{
    clock::{Clock, SystemClock},
    sim::{
        Cloud,
        http::HttpDoor,
        settings::{Settings, SimAccount, SimInstance},
    },
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::File,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// One instance with a slot each second, and a daemon that is to be started.
pub(crate) struct Stage {
    pub(crate) clock: SystemClock,
    pub(crate) cloud: Cloud<SystemClock>,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) secret_key: String,
    _door: HttpDoor,
}

/// The daemon's process; it does not outlive its test.
pub(crate) struct Daemon {
    child: Child,
    clock: SystemClock,
    pub(crate) address: SocketAddr,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let clock = SystemClock::new();
        let mut settings = Settings::quiet(1, vec![SimInstance::plain("cdb-sim00001")]);
        settings.durations = Duration::from_millis(500)..=Duration::from_millis(500);
        settings.list_lag = Duration::ZERO..=Duration::ZERO;
        let cloud = Cloud::new(settings, clock);
        let door = HttpDoor::open(cloud.clone(), "127.0.0.1:0".parse().expect("an address")).await.expect("a door");
        let folder = tempfile::tempdir().expect("a folder");
        Self { clock, cloud, folder, secret_key: SimAccount::example().secret_key, _door: door }
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Starts the program with a policy that listens as `listen` says; returns at once.
    pub(crate) fn start(&self, listen: &str) -> Child {
        let policy = format!(
            "version: 1\n{listen}\nledger: {}\naccounts:\n  sim: {{ credentials: env, endpoint: \"http://{}\" }}\n\
             instance_defaults: {{ account: sim, region: ap-guangzhou }}\ninstances: [ {{ id: cdb-sim00001 }} ]\n\
             jobs:\n  - {{ name: often, schedule: \"* * * * * *\", time_zone: Etc/UTC, targets: {{ all: true }}, method: physical,\n\
             \x20     poll: {{ initial: 500ms, max: 1s }} }}\n",
            self.ledger().display(),
            self._door.address()
        );
        let path = self.folder.path().join("policy.yaml");
        std::fs::write(&path, policy).expect("a policy is written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"));
        command.arg("run").arg("--config").arg(path).env_clear();
        command.env("TENCENTCLOUD_SECRET_ID", SimAccount::example().secret_id).env("TENCENTCLOUD_SECRET_KEY", &self.secret_key);
        let log = File::options().create(true).append(true).open(self.folder.path().join("log")).expect("a log");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("the daemon starts")
    }

    /// A daemon that listens on a free port; the log says on which.
    pub(crate) async fn daemon(&self) -> Daemon {
        let child = self.start("listen: 127.0.0.1:0");
        let mut daemon = Daemon { child, clock: self.clock, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        daemon.address = self
            .until("it says where it listens", || {
                let log = self.log();
                let (_, rest) = log.rsplit_once("listen=")?;
                rest.trim_start_matches('"').split(['"', ' ', '\n']).next()?.parse().ok()
            })
            .await;
        daemon
    }

    pub(crate) async fn until<T>(&self, what: &str, mut seen: impl FnMut() -> Option<T>) -> T {
        let end = self.clock.now().mono + LONGEST;
        loop {
            if let Some(seen) = seen() {
                return seen;
            }
            assert!(self.clock.now().mono < end, "{what}: not within {LONGEST:?}:\n{}", self.log());
            self.clock.sleep(GLANCE).await;
        }
    }
}

impl Daemon {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let mut text = Vec::new();
        let asked = async {
            let mut stream = TcpStream::connect(self.address).await?;
            stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await?;
            stream.read_to_end(&mut text).await
        };
        drop(asked.await);
        Answer(String::from_utf8_lossy(&text).into_owned())
    }

    /// Asks again until the answer is as wanted.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let end = self.clock.now().mono + 2 * LONGEST;
        loop {
            let answer = self.get(path).await;
            if wanted(&answer) {
                return answer;
            }
            assert!(self.clock.now().mono < end, "{path} still says {answer:?}");
            self.clock.sleep(GLANCE).await;
        }
    }

    /// The most memory that it ever had, in bytes.
    pub(crate) fn most_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it lives");
        let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kilobytes.expect("Linux tells it") * 1_024
    }

    /// Stops the process where it stands, until it is told to go on.
    pub(crate) async fn freeze(&self) {
        self.tell(Signal::STOP);
        let end = self.clock.now().mono + LONGEST;
        let stat = format!("/proc/{}/stat", self.child.id());
        while !std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T ")) {
            assert!(self.clock.now().mono < end, "it does not stop");
            self.clock.sleep(GLANCE).await;
        }
    }

    pub(crate) fn tell(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, signal).expect("the signal is sent");
    }

    pub(crate) async fn end(&mut self) -> ExitStatus {
        self.tell(Signal::TERM);
        let end = self.clock.now().mono + LONGEST;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(self.clock.now().mono < end, "it does not end");
            self.clock.sleep(GLANCE).await;
        }
    }
}
