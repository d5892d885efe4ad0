//! Real daemons: another one on the ledger, a port that is taken, and a ledger that can only be read. Each ends or waits by itself, and whoever starts
//! it again as systemd does (or does nothing) finds it well.

use crate::places::{Line, Places, status, told};
use cdb_backupd::{
    clock::{Clock, SystemClock},
    domain::now::Now,
    sim::{
        Cloud,
        http::HttpDoor,
        settings::{Settings, SimAccount, SimInstance},
    },
};
use chrono::TimeDelta;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Nothing here takes so long, however busy the machine is.
const LONGEST: Duration = Duration::from_secs(30);
/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(50);
/// Longer than a pulse may be old.
const MINUTE: TimeDelta = TimeDelta::seconds(61);

/// A simulated cloud behind a port, a policy for it, and no daemon yet.
struct House {
    clock: SystemClock,
    cloud: Cloud<SystemClock>,
    folder: tempfile::TempDir,
    door: HttpDoor,
}

/// A daemon's process; it does not outlive its test.
struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl House {
    async fn build() -> Self {
        let clock = SystemClock::new();
        let cloud = Cloud::new(Settings::quiet(1, vec![SimInstance::plain("cdb-sim00001")]), clock);
        let door = HttpDoor::open(cloud.clone(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
        Self { clock, cloud, folder: tempfile::tempdir().unwrap(), door }
    }

    fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    /// Starts a daemon, with a log of its own.
    fn daemon(&self, name: &str, listen: &str) -> Daemon {
        let policy = format!(
            "version: 1\nlisten: {listen}\nledger: {}\naccounts: {{ sim: {{ credentials: env, endpoint: \"http://{}\" }} }}\n\
             instance_defaults: {{ account: sim, region: ap-guangzhou }}\ninstances: [ {{ id: cdb-sim00001 }} ]\n\
             jobs: [ {{ name: yearly, schedule: \"0 4 1 1 *\", time_zone: Etc/UTC, targets: {{ all: true }}, method: physical }} ]\n",
            self.ledger().display(),
            self.door.address()
        );
        let (path, log) = (self.folder.path().join(format!("{name}.yaml")), self.folder.path().join(format!("{name}.log")));
        std::fs::write(&path, policy).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"));
        command.args(["run", "--log-format", "json", "--config"]).arg(path).env_clear();
        let account = SimAccount::example();
        command.env("TENCENTCLOUD_SECRET_ID", account.secret_id).env("TENCENTCLOUD_SECRET_KEY", account.secret_key);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
        Daemon { child, log }
    }

    async fn until<T>(&self, daemon: &mut Daemon, mut seen: impl FnMut(&mut Daemon) -> Option<T>) -> T {
        let end = self.clock.now().mono + LONGEST;
        loop {
            if let Some(seen) = seen(daemon) {
                return seen;
            }
            assert!(self.clock.now().mono < end, "it did not come:\n{:#?}", daemon.lines());
            self.clock.sleep(GLANCE).await;
        }
    }

    /// Where a daemon listens, as its log says.
    async fn address(&self, daemon: &mut Daemon) -> SocketAddr {
        self.until(daemon, |daemon| daemon.lines().iter().find_map(|line| line.text("listen").parse().ok())).await
    }

    /// Waits until all is well.
    async fn is_well(&self, daemon: &mut Daemon, address: SocketAddr) -> Places {
        assert_eq!(self.address(daemon).await, address);
        self.until(daemon, |_| Some(self.look(address)).filter(Places::are_well)).await
    }

    fn look(&self, address: SocketAddr) -> Places {
        Places::see(address, &self.ledger(), self.clock.now())
    }

    /// What `status` says when so much time has passed.
    fn status_after(&self, time: TimeDelta) -> (String, u8) {
        let now = self.clock.now();
        status(&self.ledger(), Now { utc: now.utc + time, ..now }, &[])
    }

    async fn end_of(&self, daemon: &mut Daemon) -> Option<i32> {
        self.until(daemon, |daemon| daemon.child.try_wait().unwrap()).await.code()
    }

    async fn stop(&self, mut daemon: Daemon) {
        let pid = i32::try_from(daemon.child.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        assert_eq!(self.end_of(&mut daemon).await, Some(0));
    }
}

impl Daemon {
    /// The whole lines of its log.
    fn lines(&self) -> Vec<Line> {
        let text = std::fs::read_to_string(&self.log).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok().map(Line)).collect()
    }
}

fn in_real_time<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test)
}

#[test]
fn a_second_daemon_ends_with_75_and_its_reason_the_first_one_does_not_notice_and_the_next_takes_over() {
    in_real_time(async {
        let house = House::build().await;
        let mut first = house.daemon("first", "127.0.0.1:0");
        let address = house.address(&mut first).await;
        house.is_well(&mut first, address).await;
        let mut second = house.daemon("second", &address.to_string());
        assert_eq!(house.end_of(&mut second).await, Some(75));
        let lines = second.lines();
        assert_eq!(told(&lines, "ERROR", "another daemon works on this ledger, and "), 1, "{lines:#?}");
        let seen = house.look(address);
        assert!(seen.are_well() && seen.health == 200 && seen.page.contains("Daemon ok: last pass "), "{seen:#?}");
        house.stop(first).await;
        let (text, code) = house.status_after(MINUTE);
        assert!(code == 3 && text.contains("its daemon hangs, cannot write, or is gone"), "{text}");
        let mut third = house.daemon("third", &address.to_string());
        house.is_well(&mut third, address).await;
    });
}

#[test]
fn a_port_that_is_taken_ends_the_start_with_1_and_its_address_and_once_it_is_free_the_next_start_is_well() {
    in_real_time(async {
        let house = House::build().await;
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let mut daemon = house.daemon("late", &address.to_string());
        assert_eq!(house.end_of(&mut daemon).await, Some(1));
        assert_eq!(told(&daemon.lines(), "ERROR", &format!("cannot listen on {address}: ")), 1, "{:#?}", daemon.lines());
        let (text, code) = house.status_after(TimeDelta::zero());
        assert!(code == 3 && text.starts_with("not ok: ") && text.contains("no pass has finished in "), "{text}");
        assert_eq!(house.cloud.audit().events.len(), 0, "nothing was called");
        drop(taken);
        let mut daemon = house.daemon("again", &address.to_string());
        let seen = house.is_well(&mut daemon, address).await;
        assert!(seen.page.contains("Daemon ok: last pass "), "{seen:#?}");
    });
}

#[test]
fn a_ledger_that_can_only_be_read_is_told_at_the_open_door_and_taken_as_soon_as_it_can_be_written() {
    in_real_time(async {
        let house = House::build().await;
        let mut daemon = house.daemon("first", "127.0.0.1:0");
        let address = house.address(&mut daemon).await;
        house.is_well(&mut daemon, address).await;
        house.stop(daemon).await;
        only_read(&house.ledger(), true);
        let mut daemon = house.daemon("second", &address.to_string());
        house.until(&mut daemon, |daemon| (told(&daemon.lines(), "ERROR", "the ledger cannot be opened yet") == 1).then_some(())).await;
        let seen = house.look(address);
        let sentence = "ledger_not_writable: the ledger cannot be written, nothing starts until it can";
        assert!(seen.page_json["ok"] == false && seen.page.contains(sentence), "{seen:#?}");
        assert_eq!((seen.ready.0, seen.reasons()), (503, vec!["ledger_not_writable", "clock_unproved", "policy_not_in_force"]));
        assert_eq!((seen.health, seen.metric("ledger_writable"), seen.metric("ledger_readable")), (200, 0.0, 1.0));
        assert!(seen.troubles().contains(&"ledger_not_writable"), "{seen:#?}");
        let (text, code) = house.status_after(MINUTE);
        assert!(code == 3 && text.contains("its daemon hangs, cannot write, or is gone"), "{text}");
        only_read(&house.ledger(), false);
        house.is_well(&mut daemon, address).await;
        assert_eq!(told(&daemon.lines(), "ERROR", "the ledger cannot be opened yet"), 1, "it is told once: {:#?}", daemon.lines());
    });
}

/// SQLite only reads a file whose version of writing it does not know; this user may be one whom no mode of a file stops.
fn only_read(ledger: &std::path::Path, only_read: bool) {
    let conn = rusqlite::Connection::open(ledger).unwrap();
    if only_read {
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    }
    drop(conn);
    let mut file = File::options().read(true).write(true).open(ledger).unwrap();
    let mut version = [0];
    file.seek(SeekFrom::Start(18)).unwrap();
    file.read_exact(&mut version).unwrap();
    assert_eq!(version, if only_read { [2] } else { [3] });
    file.seek(SeekFrom::Start(18)).unwrap();
    file.write_all(if only_read { &[3] } else { &[2] }).unwrap();
}
