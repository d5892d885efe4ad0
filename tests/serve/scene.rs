//! A door that is open, and a guest at it who says exactly what a test wants.

use cdb_backupd::{
    clock::{Clock, SystemClock},
    config::{self, Machine},
    domain::now::Now,
    ledger::Ledger,
    metrics::Gauges,
    serve::{Door, Guard, State, router},
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// Nothing here takes so long.
pub(crate) const LONGEST: Duration = Duration::from_secs(30);

/// A policy of one job on one instance.
pub(crate) const POLICY: &str = "version: 1
accounts: { main: { credentials: env } }
instance_defaults: { account: main, region: ap-guangzhou }
instances: [ { id: cdb-c1nl9rpv, name: orders } ]
jobs: [ { name: nightly, schedule: \"30 2 * * *\", time_zone: Asia/Shanghai, targets: { all: true }, method: physical } ]
";

/// A door on a free port, and all that stands behind it.
pub(crate) struct Scene {
    pub(crate) clock: SystemClock,
    pub(crate) gauges: Arc<Gauges>,
    pub(crate) state: State,
    pub(crate) address: SocketAddr,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) ledger: Ledger,
    /// How far the door's clock is ahead of this one.
    pub(crate) ahead_ms: Arc<AtomicU64>,
    _serving: JoinSet<()>,
}

impl Scene {
    pub(crate) async fn open() -> Self {
        Self::behind(POLICY, Guard::of("127.0.0.1:7306".parse().expect("an address"), None)).await
    }

    /// The socket is loopback's whatever the guard is told.
    pub(crate) async fn behind(policy: &str, guard: Guard) -> Self {
        let clock = SystemClock::new();
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ledger.db");
        let ledger = Ledger::open(&file, "serve", clock.now().utc).expect("a ledger").ledger;
        let loaded = config::check_text("policy.yaml", policy, &Machine::pictured(&[], &[], ""), clock.now().utc).expect("a policy");
        let gauges = Arc::new(Gauges::new(Arc::new(loaded.policy)));
        let door = Door::bind("127.0.0.1:0".parse().expect("an address")).await.expect("a free port");
        let address = door.address();
        let ahead_ms = Arc::new(AtomicU64::new(0));
        let ahead = ahead_ms.clone();
        let now = move || Now { mono: clock.now().mono + Duration::from_millis(ahead.load(Relaxed)), ..clock.now() };
        let state = State::new(file, gauges.clone(), now);
        let router = router(state.clone(), guard);
        let mut serving = JoinSet::new();
        serving.spawn(door.serve(router, clock, std::future::pending()));
        Self { clock, gauges, state, address, folder, ledger, ahead_ms, _serving: serving }
    }

    /// What comes back for these bytes, to the end of the connection.
    pub(crate) async fn say(&self, bytes: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.expect("somebody listens");
        // Whoever is refused in the middle of what he says is told so all the same.
        drop(stream.write_all(bytes).await);
        self.hear(&mut stream).await
    }

    /// What comes back on a connection, to its end.
    pub(crate) async fn hear(&self, stream: &mut TcpStream) -> Answer {
        let mut text = Vec::new();
        tokio::select! {
            read = stream.read_to_end(&mut text) => drop(read),
            () = self.clock.sleep(LONGEST) => panic!("no end after {LONGEST:?}"),
        }
        Answer(String::from_utf8_lossy(&text).into_owned())
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.say(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await
    }
}

/// An answer as it came over the wire.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) String);

impl Answer {
    /// The status; 0 when none came.
    pub(crate) fn status(&self) -> u16 {
        self.0.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let head = self.0.split("\r\n\r\n").next()?;
        head.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }
}

pub(crate) fn in_real_time<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime").block_on(test)
}
