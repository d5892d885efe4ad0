//! A simulated world: one cloud with a true clock, one daemon with a clock of its own, time that jumps.

use crate::reloads::{file_of, hash};
use cdb_backupd::{
    clock::{Clock, Wake},
    cloud::{Access, Caller, CdbApi, Create, List, Page, Reply},
    daemon::{self, Hooks, Loaded, Outside, Read, Source},
    domain::{
        names::{AccountName, BackupId, CredentialSource, Endpoint, InstanceId, InstanceName, JobName, Region},
        now::Now,
        policy::{Account, ByHand, CatchUp, HistoryBounds, Instance, Job, Listen, Method, Overlap, Policy, Poll, Retry},
        schedule::Schedule,
    },
    ledger::Ledger,
    sim::{
        audit::Audit,
        door::Cloud,
        settings::{Settings, SimInstance},
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    future::Future,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// True time: tokio's paused clock on top of a fixed instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrueClock {
    start: Instant,
    utc: DateTime<Utc>,
}

impl TrueClock {
    pub(crate) fn at(utc: DateTime<Utc>) -> Self {
        Self { start: Instant::now(), utc }
    }

    pub(crate) fn utc(&self) -> DateTime<Utc> {
        self.utc + TimeDelta::from_std(self.start.elapsed()).unwrap()
    }
}

impl Clock for TrueClock {
    fn now(&self) -> Now {
        Now { utc: self.utc(), mono: self.start.elapsed() }
    }

    #[expect(clippy::disallowed_methods, reason = "simulated time")]
    async fn sleep(&self, d: Duration) {
        tokio::time::sleep(d).await;
    }
}

/// The daemon's clock: true time and an offset that steps when the test says so.
#[derive(Clone, Debug)]
pub(crate) struct DaemonClock {
    truth: TrueClock,
    born: Instant,
    offset: Arc<Mutex<TimeDelta>>,
    stepped: Arc<Notify>,
}

impl DaemonClock {
    fn born_now(truth: TrueClock, offset: Arc<Mutex<TimeDelta>>, stepped: Arc<Notify>) -> Self {
        Self { truth, born: Instant::now(), offset, stepped }
    }
}

impl Clock for DaemonClock {
    fn now(&self) -> Now {
        Now { utc: self.truth.utc() + *self.offset.lock().unwrap(), mono: self.born.elapsed() }
    }

    #[expect(clippy::disallowed_methods, reason = "simulated time")]
    async fn sleep(&self, d: Duration) {
        tokio::time::sleep(d).await;
    }

    /// No slices: a step of the clock wakes the sleeper, so that a simulated day is not 86,400 wake-ups.
    async fn sleep_until(&self, wake: Wake) {
        while let Some(rest) = wake.rest(self.now()) {
            tokio::select! {
                biased;
                () = self.stepped.notified() => return,
                () = self.sleep(rest.min(Duration::from_secs(86_400))) => {}
            }
        }
    }
}

/// The cloud as the daemon's API, held loosely so that the world keeps the other handle.
pub(crate) type Api = Cloud<TrueClock>;

/// How a stretch of the daemon's life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// SIGTERM.
    Stop,
    /// SIGKILL.
    Kill,
}

pub(crate) struct World {
    pub(crate) truth: TrueClock,
    pub(crate) cloud: Api,
    pub(crate) policy: Policy,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) chores: Arc<AtomicBool>,
    /// Rung as the alarm rings each second.
    pub(crate) ring: Arc<Notify>,
    /// What the next daemon tells.
    pub(crate) hooks: RefCell<Hooks>,
    /// What the file holds when somebody asks for it again.
    pub(crate) file: Arc<Mutex<Option<Read>>>,
    pub(crate) source: Source,
    offset: Arc<Mutex<TimeDelta>>,
    stepped: Arc<Notify>,
    processes: RefCell<i64>,
}

impl World {
    pub(crate) fn new(start: &str, settings: Settings, policy: Policy) -> Self {
        let truth = TrueClock::at(start.parse().unwrap());
        let cloud = Cloud::new(settings, truth);
        // A commit costs nothing in memory; where there is no such folder the tests are only slower.
        let shm = Path::new("/dev/shm");
        let file = Arc::default();
        let folder = if shm.is_dir() { tempfile::tempdir_in(shm).unwrap() } else { tempfile::tempdir().unwrap() };
        Self {
            truth,
            cloud,
            policy,
            folder,
            chores: Arc::default(),
            ring: Arc::default(),
            hooks: RefCell::default(),
            source: file_of(&file),
            file,
            offset: Arc::default(),
            stepped: Arc::default(),
            processes: RefCell::new(100),
        }
    }

    pub(crate) fn ledger_path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    /// Steps the daemon's wall clock.
    pub(crate) fn step_clock(&self, by: TimeDelta) {
        *self.offset.lock().unwrap() += by;
        self.stepped.notify_waiters();
        self.stepped.notify_one();
    }

    /// Opens the ledger as a daemon does.
    pub(crate) fn open(&self) -> Ledger {
        let now = self.truth.utc() + *self.offset.lock().unwrap();
        let ledger = Ledger::open(&self.ledger_path(), "world", now).unwrap().ledger;
        // Nobody waits for a lock in real time.
        ledger.connection().busy_timeout(Duration::ZERO).unwrap();
        ledger
    }

    /// Lets the daemon live while `life` goes on, then ends it.
    pub(crate) async fn live(&self, life: impl Future<Output = ()>, end: End) {
        self.live_with(self.cloud.clone(), life, end).await;
    }

    /// As `live`, through another API.
    pub(crate) async fn live_with<A: CdbApi>(&self, api: A, life: impl Future<Output = ()>, end: End) {
        let process = self.processes.replace_with(|process| *process + 1) + 1;
        let clock = DaemonClock::born_now(self.truth, self.offset.clone(), self.stepped.clone());
        let loaded = Loaded { policy: Arc::new(self.policy.clone()), hash: hash(&self.policy), text: String::new(), at: Duration::ZERO };
        let (ring, chores, hooks, source) = (self.ring.clone(), self.chores.clone(), self.hooks.take(), self.source.clone());
        let outside = Outside { ring, chores, hooks, source, ..Outside::new(clock, api, loaded.policy.clone(), process) };
        let ledger = self.open();
        match end {
            End::Stop => daemon::run(outside, ledger, loaded, life).await.unwrap(),
            End::Kill => {
                tokio::select! {
                    biased;
                    () = life => {}
                    ended = daemon::run(outside, ledger, loaded, std::future::pending()) => ended.unwrap(),
                }
            }
        }
    }

    /// Sleeps true time.
    pub(crate) async fn pass(&self, d: Duration) {
        self.truth.sleep(d).await;
    }

    /// Lives for so long, then ends so.
    pub(crate) async fn live_for(&self, d: Duration, end: End) {
        self.live(self.pass(d), end).await;
    }

    /// Every row of the ledger, oldest slot first.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let conn = rusqlite::Connection::open(self.ledger_path()).unwrap();
        let mut all = conn
            .prepare(
                "SELECT run_id, job, instance_id, slot_ms, slot_last_ms, slots, state, generation, attempts, coalesce(reason, ''), coalesce(why, ''),
                   coalesce(backup_id, 0), late, alias, trigger, coalesce(first_outcome, '') FROM runs ORDER BY slot_ms, job, instance_id",
            )
            .unwrap();
        let rows = all.query_map([], |row| {
            Ok(Row {
                run: row.get(0)?,
                job: row.get(1)?,
                instance: row.get(2)?,
                slot: DateTime::from_timestamp_millis(row.get(3)?).unwrap(),
                slot_last: DateTime::from_timestamp_millis(row.get(4)?).unwrap(),
                slots: row.get(5)?,
                state: row.get(6)?,
                generation: row.get(7)?,
                attempts: row.get(8)?,
                reason: row.get(9)?,
                why: row.get(10)?,
                backup: row.get(11)?,
                late: row.get(12)?,
                alias: row.get(13)?,
                trigger: row.get(14)?,
                first_outcome: row.get(15)?,
            })
        });
        rows.unwrap().collect::<Result<_, _>>().unwrap()
    }

    pub(crate) fn audit(&self) -> Audit {
        self.cloud.audit()
    }

    /// Keeps a copy of the ledger; nobody may have it open.
    pub(crate) fn keep_copy(&self) {
        self.wipe_leftovers();
        std::fs::copy(self.ledger_path(), self.folder.path().join("copy.db")).unwrap();
    }

    /// Puts the kept copy back, as a person does; the lock file stays what it is.
    pub(crate) fn put_back(&self) {
        self.wipe_leftovers();
        std::fs::copy(self.folder.path().join("copy.db"), self.ledger_path()).unwrap();
    }

    /// Folds the log into the file, and leaves nothing beside it.
    fn wipe_leftovers(&self) {
        let conn = rusqlite::Connection::open(self.ledger_path()).unwrap();
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        drop(conn);
        for leftover in ["ledger.db-wal", "ledger.db-shm"] {
            drop(std::fs::remove_file(self.folder.path().join(leftover)));
        }
    }

    /// Everything that happened, for a failing assertion.
    pub(crate) fn story(&self) -> String {
        let rows: Vec<String> = self.rows().iter().map(|row| format!("{row:?}")).collect();
        format!("rows:\n{}\ncloud:\n{}", rows.join("\n"), self.audit().timeline())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) run: i64,
    pub(crate) job: String,
    pub(crate) instance: String,
    pub(crate) slot: DateTime<Utc>,
    pub(crate) slot_last: DateTime<Utc>,
    pub(crate) slots: i64,
    pub(crate) state: String,
    pub(crate) generation: i64,
    pub(crate) attempts: i64,
    pub(crate) reason: String,
    pub(crate) why: String,
    pub(crate) backup: i64,
    pub(crate) late: i64,
    pub(crate) alias: String,
    pub(crate) trigger: String,
    pub(crate) first_outcome: String,
}

impl Row {
    pub(crate) fn is_final(&self) -> bool {
        !matches!(self.state.as_str(), "due" | "calling" | "uncertain" | "running")
    }
}

/// Instances `cdb-sim00001` and on.
pub(crate) fn ids(n: usize) -> Vec<String> {
    (1..=n).map(|i| format!("cdb-sim{i:05}")).collect()
}

pub(crate) fn sim_instances(n: usize) -> Vec<SimInstance> {
    ids(n).iter().map(|id| SimInstance::plain(id)).collect()
}

/// A policy of one account, `n` instances and no job.
pub(crate) fn policy(n: usize) -> Policy {
    let account = Account {
        name: AccountName::parse("main").unwrap(),
        endpoint: Endpoint::parse(Endpoint::DEFAULT).unwrap(),
        credentials: CredentialSource::Env { prefix: "TENCENTCLOUD".into() },
        calls_per_second: 5.0,
        max_running: None,
        absence_window: Duration::from_secs(540),
        list_offset_s: 8 * 3600,
    };
    let instance = |id: &String| {
        let id = InstanceId::parse(id).unwrap();
        Arc::new(Instance {
            name: InstanceName::from(&id),
            id,
            account: account.name.clone(),
            region: Region::parse("ap-guangzhou").unwrap(),
            tags: BTreeMap::new(),
        })
    };
    Policy {
        ledger: None,
        listen: Listen::Off,
        listen_token: None,
        history: HistoryBounds { max_age: Duration::from_secs(400 * 86_400), max_runs: 10_000_000 },
        ledger_copies: None,
        instances: ids(n).iter().map(instance).collect(),
        accounts: vec![Arc::new(account)],
        jobs: Vec::new(),
        blackouts: Vec::new(),
        by_hand: ByHand {
            start_within: Duration::from_secs(2 * 3600),
            complete_within: Duration::from_secs(12 * 3600),
            priority: 5,
            retry: Retry { after_failed: 1, max_attempts: None, initial_backoff: Duration::from_secs(2), max_backoff: Duration::from_secs(600) },
            poll: Poll { initial: Duration::from_secs(15), max: Duration::from_secs(300) },
        },
    }
}

/// A physical job on every instance, with the defaults of the design.
pub(crate) fn job(policy: &Policy, name: &str, schedule: &str) -> Job {
    Job {
        name: JobName::parse(name).unwrap(),
        schedule: Schedule::parse(schedule, "Asia/Shanghai").unwrap(),
        spread: Duration::ZERO,
        instances: policy.instances.clone(),
        method: Method::Physical { encrypted: None },
        start_within: Duration::from_secs(2 * 3600),
        complete_within: Duration::from_secs(12 * 3600),
        catch_up: CatchUp::Latest { within: Duration::from_secs(2 * 3600) },
        overlap: Overlap::Skip,
        priority: 5,
        retry: Retry { after_failed: 1, max_attempts: None, initial_backoff: Duration::from_secs(2), max_backoff: Duration::from_secs(600) },
        poll: Poll { initial: Duration::from_secs(15), max: Duration::from_secs(300) },
        max_age: None,
        suspend: false,
        blackouts: Vec::new(),
    }
}

/// Runs a test in simulated time.
pub(crate) fn simulated<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(future)
}

/// An API that hands everything on; for tests that stand between daemon and cloud.
#[derive(Clone)]
pub(crate) struct Between<F> {
    pub(crate) api: Api,
    pub(crate) create: F,
}

impl<F, R> CdbApi for Between<F>
where
    F: Fn(Api, Create) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Reply<BackupId>> + Send,
{
    fn create_backup(&self, create: Create) -> impl Future<Output = Reply<BackupId>> + Send {
        (self.create)(self.api.clone(), create)
    }

    fn describe_backups(&self, list: List) -> impl Future<Output = Reply<Page>> + Send {
        self.api.describe_backups(list)
    }

    fn caller(&self, access: &Access) -> Option<Caller> {
        self.api.caller(access)
    }

    fn reread_credentials(&self, access: &Access) {
        self.api.reread_credentials(access);
    }
}
