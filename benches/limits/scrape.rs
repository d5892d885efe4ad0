//! What a browser and a Prometheus ask, over a ledger of a million runs: the real router behind the real door, on a loopback socket.

use crate::{
    figure::{Figure, Limit},
    history::million,
    machine::ms,
};
use cdb_backupd::{
    clock::{Clock, SystemClock},
    config::{self, Machine},
    domain::policy::Policy,
    metrics::Gauges,
    serve::{Door, Guard, State, router},
};
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::{Builder, Runtime},
};

const ROUNDS: usize = 15;

/// The policy of `million`: ten jobs with a hundred instances each.
fn policy() -> String {
    let mut text = String::from(
        "version: 1\naccounts: { main: { credentials: env } }\ninstance_defaults: { account: main, region: ap-guangzhou }\n\
         defaults: { time_zone: Asia/Shanghai, method: physical }\ninstances:\n",
    );
    for n in 1..=1_000 {
        text.push_str(&format!("  - {{ id: cdb-{n:08}, tags: {{ job: \"{}\" }} }}\n", n % 10));
    }
    text.push_str("jobs:\n");
    for n in 0..10 {
        text.push_str(&format!("  - {{ name: nightly-{n}, schedule: \"30 2 * * *\", targets: {{ tags: {{ job: \"{n}\" }} }} }}\n"));
    }
    text
}

/// What is asked, and a word that its answer must have.
const ASKED: [(&str, &str, &str); 6] = [
    ("`/metrics`, of 1,000,000 runs and 1,000 pairs", "/metrics", "cdb_backupd_pairs{job=\"nightly-3\",freshness=\"fresh\"} 100.0"),
    ("the page `/` of them", "/", "nightly-9"),
    ("the page of a job, with its calendar", "/jobs/nightly-3", "nightly-3"),
    ("the page of an instance", "/instances/cdb-00000007", "cdb-00000007"),
    ("the page `/runs`", "/runs", "nightly-"),
    ("the page `/runs?not-ok=true`, which matches none", "/runs?not-ok=true", "No run"),
];

pub(crate) fn measure() -> anyhow::Result<Vec<Figure>> {
    let (folder, clock) = (tempfile::tempdir()?, SystemClock::new());
    let file = million(&folder, &clock)?;
    let loaded = config::check_text("policy.yaml", &policy(), &Machine::pictured(&[], &[], ""), clock.now().utc)?;
    let served = Served::open(file, loaded.policy, clock)?;
    let figure = |(name, path, word)| {
        let took = (0..ROUNDS).map(|_| served.ask(path, word)).collect::<anyhow::Result<Vec<_>>>()?;
        let ours = ms(took.into_iter().min().unwrap_or(Duration::MAX));
        Ok(Figure { name, ours, floor: None, unit: "ms", limit: Limit::Most(50.0) })
    };
    ASKED.into_iter().map(figure).collect()
}

/// An open door over a ledger, on threads of its own. It closes with this.
pub(crate) struct Served {
    address: SocketAddr,
    clock: SystemClock,
    threads: Runtime,
}

impl Served {
    pub(crate) fn open(ledger: PathBuf, policy: Policy, clock: SystemClock) -> anyhow::Result<Self> {
        let threads = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let door = threads.block_on(Door::bind("127.0.0.1:0".parse()?))?;
        let address = door.address();
        let state = State::new(ledger, Arc::new(Gauges::new(Arc::new(policy))), move || clock.now());
        threads.spawn(door.serve(router(state, Guard::of(address, None)), clock, std::future::pending()));
        Ok(Self { address, clock, threads })
    }

    /// From the connection to the last byte.
    pub(crate) fn ask(&self, path: &str, word: &str) -> anyhow::Result<Duration> {
        let before = self.clock.now().mono;
        let text = self.threads.block_on(get(self.address, path))?;
        let took = self.clock.now().mono - before;
        anyhow::ensure!(text.starts_with("HTTP/1.1 200") && text.contains(word), "{path}: {text}");
        Ok(took)
    }
}

/// The whole answer, head and all.
pub(crate) async fn get(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}
