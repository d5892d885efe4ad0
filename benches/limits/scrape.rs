//! `/metrics` over a ledger of a million runs: the real router behind the real door, asked over a loopback socket.

use crate::{
    figure::{Figure, Limit},
    history::million,
    machine::ms,
};
use cdb_backupd::{
    clock::{Clock, SystemClock},
    config::{self, Machine},
    metrics::Gauges,
    serve::{Door, Guard, State, router},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
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

pub(crate) fn measure() -> anyhow::Result<Vec<Figure>> {
    let (folder, clock) = (tempfile::tempdir()?, SystemClock::new());
    let file = million(&folder, &clock)?;
    let loaded = config::check_text("policy.yaml", &policy(), &Machine::pictured(&[], &[], ""), clock.now().utc)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let took = runtime.block_on(async {
        let door = Door::bind("127.0.0.1:0".parse()?).await?;
        let address = door.address();
        let state = State::new(file, Arc::new(Gauges::new(Arc::new(loaded.policy))), move || clock.now());
        let mut serving = JoinSet::new();
        serving.spawn(door.serve(router(state, Guard::of(address, None)), clock, std::future::pending()));
        let mut took = Vec::new();
        for _ in 0..ROUNDS {
            took.push(scrape(&clock, address).await?);
        }
        anyhow::Ok(took)
    })?;
    let ours = ms(took.into_iter().min().unwrap_or(Duration::MAX));
    Ok(vec![Figure { name: "`/metrics`, of 1,000,000 runs and 1,000 pairs", ours, floor: None, unit: "ms", limit: Limit::Most(50.0) }])
}

async fn scrape(clock: &SystemClock, address: SocketAddr) -> anyhow::Result<Duration> {
    let before = clock.now().mono;
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    let took = clock.now().mono - before;
    anyhow::ensure!(text.contains("cdb_backupd_pairs{job=\"nightly-3\",freshness=\"stale\"} 100.0"), "{text}");
    Ok(took)
}
