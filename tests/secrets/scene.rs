//! A simulated cloud that knows the canary's keys, a relay that sees what is sent to it, and the binary with everything it writes in one folder.

use crate::canary::{Canary, Needles};
use cdb_backupd::{
    clock::{Clock, SystemClock},
    sim::{
        Cloud,
        http::HttpDoor,
        settings::{Settings, SimAccount, SimInstance},
    },
};
use chrono::{TimeDelta, Timelike};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

/// What befalls the calls: everything that is told in words, in logs, rows and answers.
const FAULTS: &str = "create#1@cdb-sim00001:http_error_after_act,create#1@cdb-sim00002:reset_mid_body,create#1@cdb-sim00003:gateway_502,\
    create#1@cdb-sim00004:garbage,create#1@cdb-sim00005:throttle_burst=1s,create#1@cdb-sim00006:backup_fails,create#2@cdb-sim00003:redirect_307,\
    list_throttled:0.1";
const INSTANCES: usize = 6;
/// Far longer than anything takes here, on a machine that is busy.
const DEADLINE: Duration = Duration::from_secs(90);

pub(crate) struct Scene {
    pub(crate) canary: Canary,
    pub(crate) cloud: Cloud<SystemClock>,
    pub(crate) relay: Relay,
    folder: tempfile::TempDir,
    clock: SystemClock,
    runtime: tokio::runtime::Runtime,
    _door: HttpDoor,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (canary, clock) = (Canary::new(), runtime.block_on(async { SystemClock::new() }));
        let instances = (1..=INSTANCES).map(|n| SimInstance::plain(&format!("cdb-sim{n:05}"))).collect();
        let mut settings = Settings::quiet(3, instances);
        let account = SimAccount::example();
        let (secret_id, secret_key, token) = (canary.secret_id.clone(), canary.secret_key.clone(), Some(canary.token.clone()));
        settings.accounts = vec![SimAccount { secret_id, secret_key, token, ..account }];
        settings.faults = FAULTS.parse().unwrap();
        settings.durations = Duration::from_millis(500)..=Duration::from_secs(1);
        settings.list_lag = Duration::ZERO..=Duration::from_millis(300);
        let cloud = Cloud::new(settings, clock);
        let door = runtime.block_on(HttpDoor::open(cloud.clone(), "127.0.0.1:0".parse().unwrap())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        ["out", "keys"].iter().for_each(|name| fs::create_dir(folder.path().join(name)).unwrap());
        Self { relay: Relay::to(door.address()), canary, cloud, folder, clock, runtime, _door: door }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file that holds a secret. It lies where nothing is searched.
    pub(crate) fn key_file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path("keys").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// A policy whose one slot comes in three seconds.
    pub(crate) fn policy(&self, credentials: &str, endpoint: &str) -> PathBuf {
        let slot = self.clock.now().utc + TimeDelta::seconds(3);
        let ids: Vec<String> = (1..=INSTANCES).map(|n| format!("  - {{ id: cdb-sim{n:05} }}\n")).collect();
        let text = format!(
            "version: 1\nledger: {}\nlisten: \"off\"\naccounts:\n  main: {{ credentials: {credentials}, endpoint: \"{endpoint}\", absence_window: 2s }}\n\
             instance_defaults: {{ account: main, region: ap-guangzhou }}\ninstances:\n{}defaults:\n  time_zone: Etc/UTC\n  start_within: 8s\n  \
             complete_within: 6s\n  poll: {{ initial: 1s, max: 1s }}\n  retry: {{ initial_backoff: 1s, max_backoff: 2s }}\njobs:\n  - {{ name: nightly, \
             schedule: \"{} {} {} * * *\", targets: {{ all: true }}, method: physical }}\n",
            self.path("ledger.db").display(),
            ids.concat(),
            slot.second(),
            slot.minute(),
            slot.hour()
        );
        let path = self.path("policy.yaml");
        fs::write(&path, text).unwrap();
        path
    }

    /// The variables that hold the canary.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let Canary { secret_id, secret_key, token } = &self.canary;
        [("ID", secret_id), ("KEY", secret_key)]
            .map(|(name, value)| (format!("TENCENTCLOUD_SECRET_{name}"), value.clone()))
            .into_iter()
            .chain([("TENCENTCLOUD_TOKEN".to_owned(), token.clone())])
            .collect()
    }

    /// The binary with these arguments and variables and no others; what it says goes to files named after `name`.
    pub(crate) fn start(&self, name: &str, args: &[&str], variables: &[(String, String)]) -> Child {
        let said = |stream: &str| File::create(self.path("out").join(format!("{name}.{stream}"))).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"));
        command.args(args).env_clear().envs(variables.iter().map(|(name, value)| (name, value))).env("TMPDIR", self.path("out"));
        command.current_dir(self.path("out")).stdin(Stdio::null()).stdout(said("stdout")).stderr(said("stderr")).spawn().unwrap()
    }

    pub(crate) fn said(&self, name: &str, stream: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path("out").join(format!("{name}.{stream}"))).unwrap()).into_owned()
    }

    /// Runs a command to its end.
    pub(crate) fn ended(&self, name: &str, args: &[&str], variables: &[(String, String)]) -> Option<i32> {
        let mut child = self.start(name, args, variables);
        self.wait_for(&mut child).code()
    }

    /// Waits until something is so.
    pub(crate) fn wait_until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let end = self.clock.now().mono + DEADLINE;
        while !is_so() {
            assert!(self.clock.now().mono < end, "{what}: not in {DEADLINE:?}");
            self.runtime.block_on(self.clock.sleep(Duration::from_millis(50)));
        }
    }

    /// SIGTERM, and its end.
    pub(crate) fn stop(&self, child: &mut Child) -> ExitStatus {
        kill_process(pid(child), Signal::TERM).unwrap();
        self.wait_for(child)
    }

    fn wait_for(&self, child: &mut Child) -> ExitStatus {
        let mut status = None;
        self.wait_until("a process ends", || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Everything to look for: the keys, and each signature that was sent.
    pub(crate) fn needles(&self) -> Needles {
        let mut needles = self.canary.needles();
        self.relay.signatures().iter().for_each(|signature| needles.add("a signature", signature.as_bytes()));
        needles
    }

    /// The files that hold a part of a secret: their path, whose, and where.
    pub(crate) fn leaks(&self) -> Vec<(String, &'static str, usize)> {
        let (needles, mut files) = (self.needles(), Vec::new());
        collect(self.folder.path(), &self.path("keys"), &mut files);
        assert!(files.len() > 2, "there is something to search: {files:?}");
        let leaks = files.iter().filter_map(|path| {
            let (name, at) = needles.found_in(&fs::read(path).unwrap())?;
            Some((path.display().to_string(), name, at))
        });
        leaks.collect()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let mut files = Vec::new();
        collect(self.folder.path(), &self.path("keys"), &mut files);
        files.iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
    }
}

pub(crate) fn pid(child: &Child) -> Pid {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).unwrap()
}

fn collect(folder: &Path, except: &Path, files: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        match path.is_dir() {
            true if path != except => collect(&path, except, files),
            true => {}
            false => files.push(path),
        }
    }
}

/// Hands bytes on to the cloud, and keeps what is sent to it.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Relay {
    fn to(cloud: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, sent) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<u8>>>::default());
        let kept = sent.clone();
        std::thread::spawn(move || {
            for caller in listener.incoming().map_while(Result::ok) {
                let Ok(cloud) = TcpStream::connect(cloud) else { return };
                let (back, forth) = ((cloud.try_clone().unwrap(), caller.try_clone().unwrap()), (caller, cloud));
                let kept = kept.clone();
                std::thread::spawn(move || pass(forth.0, forth.1, |bytes| kept.lock().unwrap().extend_from_slice(bytes)));
                std::thread::spawn(move || pass(back.0, back.1, |_| {}));
            }
        });
        Self { address, sent }
    }

    /// What was sent so far.
    pub(crate) fn sent(&self) -> String {
        String::from_utf8_lossy(&self.sent.lock().unwrap()).into_owned()
    }

    /// The signature of each request so far.
    pub(crate) fn signatures(&self) -> Vec<String> {
        self.sent().split("Signature=").skip(1).map(|rest| rest.chars().take(64).collect()).collect()
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut keep: impl FnMut(&[u8])) {
    let mut bytes = [0; 16_384];
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        keep(&bytes[..n]);
        if to.write_all(&bytes[..n]).is_err() {
            break;
        }
    }
    // Where it is closed already, nobody waits.
    drop((from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)));
}
