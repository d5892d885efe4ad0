//! A simulated cloud, a policy, a daemon's process, and commands.

use cdb_backupd::{
    clock::{Clock, SystemClock},
    ledger::report::Reader,
    sim::{
        Cloud,
        http::HttpDoor,
        settings::{Settings, SimAccount, SimInstance},
    },
};
use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::runtime::Runtime;

/// A cloud, and a policy for it.
pub(crate) struct Stage {
    pub(crate) cloud: Cloud<SystemClock>,
    folder: tempfile::TempDir,
    door: HttpDoor,
    _threads: Runtime,
}

/// A daemon's process; it does not outlive its test.
pub(crate) struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
}

impl Said {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Stage {
    /// Two instances that no schedule touches in the next hours.
    pub(crate) fn with(faults: &str) -> Self {
        // A day half a year away, so that no slot comes into a test.
        Self::of(
            faults,
            2,
            "instances: [ { id: cdb-sim00001, name: orders }, { id: cdb-sim00002, name: pay } ]\n\
             defaults: { time_zone: Asia/Shanghai, poll: { initial: 200ms, max: 1s } }\n\
             jobs:\n  - { name: nightly, schedule: \"30 2 29 2 *\", targets: { all: true }, method: physical }\n",
        )
    }

    /// So many instances, and what a policy says of them and their jobs.
    pub(crate) fn of(faults: &str, instances: usize, says: &str) -> Self {
        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut settings = Settings::quiet(1, (1..=instances).map(|n| SimInstance::plain(&format!("cdb-sim{n:05}"))).collect());
        settings.durations = Duration::from_secs(1)..=Duration::from_secs(1);
        settings.list_lag = Duration::ZERO..=Duration::ZERO;
        settings.faults = faults.parse().unwrap();
        let cloud = Cloud::new(settings, SystemClock::new());
        let door = threads.block_on(HttpDoor::open(cloud.clone(), "127.0.0.1:0".parse().unwrap())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let policy = format!(
            "version: 1\nlisten: \"off\"\nledger: {}\naccounts:\n  sim: {{ credentials: env, endpoint: \"http://{}\", absence_window: 5s }}\n\
             instance_defaults: {{ account: sim, region: ap-guangzhou }}\n{says}",
            folder.path().join("ledger.db").display(),
            door.address()
        );
        std::fs::write(folder.path().join("policy.yaml"), policy).unwrap();
        Self { cloud, folder, door, _threads: threads }
    }

    /// Puts another text in the policy's place.
    pub(crate) fn rewrite(&self, from: &str, to: &str) {
        let path = self.folder.path().join("policy.yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    /// Where the cloud answers.
    pub(crate) fn address(&self) -> String {
        self.door.address().to_string()
    }

    fn program(&self) -> Command {
        let account = SimAccount::example();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"));
        command.env_clear().env("TZ", "Asia/Shanghai").env("CDB_BACKUPD_CONFIG", self.folder.path().join("policy.yaml"));
        command.env("TENCENTCLOUD_SECRET_ID", account.secret_id).env("TENCENTCLOUD_SECRET_KEY", account.secret_key);
        command.stdin(Stdio::null());
        command
    }

    /// A daemon that has finished its first pass.
    pub(crate) fn daemon(&self) -> Daemon {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let daemon = Daemon(self.program().arg("run").stdout(Stdio::null()).stderr(log).spawn().unwrap());
        self.until("a pulse", || Reader::open(&self.ledger()).ok().flatten().and_then(|reader| reader.pulse().ok().flatten()));
        daemon
    }

    pub(crate) fn says(&self, words: &[&str]) -> Said {
        let output = self.program().args(words).output().unwrap();
        Said { out: String::from_utf8(output.stdout).unwrap(), err: String::from_utf8(output.stderr).unwrap(), code: output.status.code() }
    }

    /// Both of its outputs, as they follow each other.
    pub(crate) fn says_on_a_terminal(&self, words: &[&str]) -> String {
        let path = self.folder.path().join("terminal");
        let terminal = std::fs::File::options().create(true).append(true).open(&path).unwrap();
        self.program().args(words).stdout(terminal.try_clone().unwrap()).stderr(terminal).status().unwrap();
        let said = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        said
    }

    pub(crate) fn until<T>(&self, what: &str, mut seen: impl FnMut() -> Option<T>) -> T {
        let clock = SystemClock::new();
        let end = clock.now().mono + Duration::from_secs(60);
        loop {
            if let Some(seen) = seen() {
                return seen;
            }
            assert!(clock.now().mono < end, "{what} did not come: {}", std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default());
            self._threads.block_on(clock.sleep(Duration::from_millis(20)));
        }
    }
}
