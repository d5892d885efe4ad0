//! A simulated world with a daemon in it, and the five places at which a person looks: `status`, the page, `/readyz`, `/metrics` and the log.
//!
//! The daemon lives in time that jumps. Its HTTP door is the real one, on a runtime of its own: while somebody looks, simulated time stands still.

use crate::places::{Line, Places};
use cdb_backupd::{
    clock::{Clock, Wake},
    config::{self, Machine},
    daemon::{self, Fresh, Loaded, Outside, Read, Source, vigil},
    domain::{now::Now, policy::Policy},
    ledger::Ledger,
    metrics::Gauges,
    serve::{self, Door, Guard},
    sim::{
        door::Cloud,
        settings::{Settings, SimInstance},
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
    },
    task::Poll,
    time::Duration,
};
use tokio::{runtime::Runtime, sync::Notify, time::Instant};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
/// Half an hour after the slot of 02:30 in Shanghai, and half an hour before the one of 03:30.
pub(crate) const START: &str = "2026-11-24T19:00:00Z";

pub(crate) fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The true time, and how far the daemon's wall clock is off it.
#[derive(Clone, Debug)]
pub(crate) struct SimClock {
    start: Instant,
    utc: DateTime<Utc>,
    offset_ms: Arc<AtomicI64>,
    stepped: Arc<Notify>,
}

impl Clock for SimClock {
    fn now(&self) -> Now {
        let mono = self.start.elapsed();
        Now { utc: self.utc + TimeDelta::from_std(mono).unwrap() + TimeDelta::milliseconds(self.offset_ms.load(Relaxed)), mono }
    }

    #[expect(clippy::disallowed_methods, reason = "simulated time")]
    async fn sleep(&self, d: Duration) {
        tokio::time::sleep(d).await;
    }

    async fn sleep_until(&self, wake: Wake) {
        while let Some(rest) = wake.rest(self.now()) {
            tokio::select! {
                biased;
                () = self.stepped.notified() => return,
                () = self.sleep(rest.min(HOUR)) => {}
            }
        }
    }
}

pub(crate) struct Stage {
    pub(crate) clock: SimClock,
    pub(crate) cloud: Cloud<SimClock>,
    pub(crate) folder: tempfile::TempDir,
    yaml: String,
    file: Arc<Mutex<Option<Read>>>,
    log: Log,
    doors: Option<Runtime>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        // One that is dropped would wait, which no runtime allows inside another.
        self.doors.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

/// A daemon that lives, and the door to it.
pub(crate) struct Life<'a> {
    stage: &'a Stage,
    gauges: Arc<Gauges>,
    address: SocketAddr,
    shown: Arc<Mutex<Now>>,
    ring: Arc<Notify>,
    source: Source,
    hangs: Arc<AtomicBool>,
}

impl Stage {
    /// `n` instances, each with a backup in every hour.
    pub(crate) fn set(n: usize, faults: &str, log: Log) -> Self {
        let ids: Vec<String> = (1..=n).map(|i| format!("cdb-sim{i:05}")).collect();
        let listed: Vec<String> = ids.iter().map(|id| format!("{{ id: {id} }}")).collect();
        let yaml = format!(
            "version: 1\naccounts: {{ main: {{ credentials: env }} }}\ninstance_defaults: {{ account: main, region: ap-guangzhou }}\n\
             instances: [ {} ]\njobs:\n  - {{ name: hourly, schedule: \"30 * * * *\", time_zone: Asia/Shanghai, targets: {{ all: true }}, method: physical }}\n",
            listed.join(", ")
        );
        let clock = SimClock { start: Instant::now(), utc: START.parse().unwrap(), offset_ms: Arc::default(), stepped: Arc::default() };
        let mut settings = Settings::quiet(7, ids.iter().map(|id| SimInstance::plain(id)).collect());
        settings.durations = MINUTE..=MINUTE * 2;
        settings.faults = faults.parse().unwrap();
        // The cloud's time is the true one: only the daemon's clock can be wrong.
        let cloud = Cloud::new(settings, SimClock { offset_ms: Arc::default(), ..clock.clone() });
        let shm = Path::new("/dev/shm");
        let folder = if shm.is_dir() { tempfile::tempdir_in(shm).unwrap() } else { tempfile::tempdir().unwrap() };
        let doors = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { clock, cloud, folder, yaml, file: Arc::default(), log, doors: Some(doors) }
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    pub(crate) fn open(&self) -> Ledger {
        let opened = Ledger::open(&self.ledger(), "verdicts", self.clock.now().utc).unwrap();
        // Nobody waits for a lock in real time.
        opened.ledger.connection().busy_timeout(Duration::ZERO).unwrap();
        opened.ledger
    }

    /// How many runs are in this state.
    pub(crate) fn count(&self, state: &str) -> i64 {
        let conn = rusqlite::Connection::open(self.ledger()).unwrap();
        conn.query_row("SELECT count(*) FROM runs WHERE state = ?1", [state], |row| row.get(0)).unwrap()
    }

    pub(crate) fn step_clock(&self, by: TimeDelta) {
        self.clock.offset_ms.fetch_add(by.num_milliseconds(), Relaxed);
        self.clock.stepped.notify_waiters();
        self.clock.stepped.notify_one();
    }

    /// Keeps a copy of the ledger; nobody may have it open.
    pub(crate) fn keep_copy(&self) {
        self.fold();
        std::fs::copy(self.ledger(), self.folder.path().join("copy.db")).unwrap();
    }

    /// Puts the copy back as a person does; the lock file stays what it is.
    pub(crate) fn put_back(&self) {
        self.fold();
        std::fs::copy(self.folder.path().join("copy.db"), self.ledger()).unwrap();
    }

    fn fold(&self) {
        let conn = rusqlite::Connection::open(self.ledger()).unwrap();
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        drop(conn);
        for beside in ["ledger.db-wal", "ledger.db-shm"] {
            drop(std::fs::remove_file(self.folder.path().join(beside)));
        }
    }

    pub(crate) async fn pass(&self, d: Duration) {
        self.clock.sleep(d).await;
    }

    fn policy(&self) -> Policy {
        config::check_text("policy.yaml", &self.yaml, &Machine::pictured(&[], &[], ""), self.clock.now().utc).unwrap().policy
    }

    /// A daemon lives while `life` goes on, and is killed with its end.
    pub(crate) async fn live(&self, life: impl AsyncFnOnce(&Life<'_>)) {
        self.live_on(self.open(), life).await;
    }

    /// As `live`, on a ledger that was opened before.
    pub(crate) async fn live_on(&self, ledger: Ledger, life: impl AsyncFnOnce(&Life<'_>)) {
        let policy = Arc::new(self.policy());
        let (file, gauges) = (self.file.clone(), Arc::new(Gauges::new(policy.clone())));
        let source = Source::of(move || {
            let read = file.lock().unwrap().clone().unwrap();
            Box::pin(async move { read })
        });
        let loaded = Loaded { policy: policy.clone(), hash: "first".into(), text: self.yaml.clone(), at: self.clock.now().mono };
        let shown = Arc::new(Mutex::new(self.clock.now()));
        let now = shown.clone();
        let state = serve::State::new(self.ledger(), gauges.clone(), move || *now.lock().unwrap());
        let address = self.open_door(state);
        let outside = Outside { gauges: gauges.clone(), source: source.clone(), ..Outside::new(self.clock.clone(), self.cloud.clone(), policy, 7) };
        let here = Life { stage: self, gauges: gauges.clone(), address, shown, ring: outside.ring.clone(), source, hangs: Arc::default() };
        let mut turning = pin!(daemon::run(outside, ledger, loaded, std::future::pending()));
        let hangs = here.hangs.clone();
        tokio::select! {
            biased;
            () = life(&here) => {}
            // A loop that hangs is one that nobody turns, whatever it waits for.
            ended = poll_fn(|context| if hangs.load(Relaxed) { Poll::Pending } else { turning.as_mut().poll(context) }) => ended.unwrap(),
            () = vigil::watch(self.clock.clone(), gauges) => {}
            () = self.ring_each_second(&here.ring) => {}
        }
    }

    /// As the alarm does.
    async fn ring_each_second(&self, ring: &Notify) {
        loop {
            self.pass(s(1)).await;
            ring.notify_one();
        }
    }

    fn open_door(&self, state: serve::State) -> SocketAddr {
        let (tell, told) = std::sync::mpsc::channel();
        self.doors.as_ref().unwrap().spawn(async move {
            let door = Door::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
            let address = door.address();
            tell.send(address).unwrap();
            let router = serve::router(state, Guard::of(address, None));
            door.serve(router, cdb_backupd::clock::SystemClock::new(), std::future::pending()).await;
        });
        told.recv().unwrap()
    }
}

impl Life<'_> {
    /// Looks at every place but the log, at this moment.
    pub(crate) fn look(&self) -> Places {
        let now = self.stage.clock.now();
        *self.shown.lock().unwrap() = now;
        Places::see(self.address, &self.stage.ledger(), now)
    }

    /// Passes so much time in slices until the places are as wanted; says how long that took.
    pub(crate) async fn until(&self, longest: Duration, wanted: impl Fn(&Places) -> bool) -> (Places, Duration) {
        let began = self.stage.clock.now().mono;
        loop {
            let (seen, took) = (self.look(), self.stage.clock.now().mono - began);
            if wanted(&seen) {
                return (seen, took);
            }
            assert!(took < longest, "not within {longest:?}: {seen:#?}\n{:#?}", self.log());
            self.stage.pass((longest / 20).max(s(1))).await;
        }
    }

    /// Makes the file say this, and sends SIGHUP.
    pub(crate) fn reload(&self, read: Result<(&str, &str), daemon::Refused>) {
        let read = read.map(|(from, to)| {
            let text = self.stage.yaml.replace(from, to);
            let policy = config::check_text("policy.yaml", &text, &Machine::pictured(&[], &[], ""), self.stage.clock.now().utc).unwrap().policy;
            Fresh { policy: Arc::new(policy), hash: if from == to { "first" } else { "second" }.into(), text, at_next_start: Vec::new() }
        });
        *self.stage.file.lock().unwrap() = Some(read);
        self.source.ask();
        self.ring.notify_one();
    }

    /// The loop hangs from now on, or goes on.
    pub(crate) fn hang(&self, hangs: bool) {
        self.hangs.store(hangs, Relaxed);
        self.ring.notify_one();
    }

    /// How long the stage has been.
    pub(crate) fn age(&self) -> Duration {
        self.stage.clock.now().mono
    }

    /// What the log says up to now.
    pub(crate) fn log(&self) -> Vec<Line> {
        self.stage.log.lines()
    }

    pub(crate) fn pass_age(&self) -> Option<Duration> {
        self.gauges.pass_age(self.stage.clock.now().mono)
    }
}

/// What is logged by this thread.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(crate) fn lines(&self) -> Vec<Line> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| Line(serde_json::from_str(line).unwrap())).collect()
    }
}

/// Plays in simulated time, on a stage of `n` instances.
pub(crate) fn simulated(n: usize, faults: &str, play: impl AsyncFnOnce(&Stage)) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_target(false).with_writer(move || writer.clone()).finish();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    tracing::subscriber::with_default(subscriber, || {
        runtime.block_on(async {
            let stage = Stage::set(n, faults, log);
            play(&stage).await;
        });
    });
}
