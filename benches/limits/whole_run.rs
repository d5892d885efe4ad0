//! The CPU of a whole run, from due to succeeded, against the same commits and POSTs bare, at the same rhythm: after a fifth of a second of sleep
//! code and data are no longer in the processor's caches, and that is no fault of either side.

use crate::{
    calls::Bare,
    figure::{Figure, Limit},
    machine::{median, thread_cpu, us},
    replay::Replay,
    sim::{Answering, Sim, policy},
};
use anyhow::Context;
use cdb_backupd::{
    clock::{Clock, SystemClock},
    cloud::{
        client::{Client, Transport},
        credentials::KeyRing,
    },
    config::{self, Machine},
    daemon::{self, Loaded, Outside},
    domain::now::later,
    ledger::Ledger,
    sim::{
        faults::Action,
        settings::{Settings, SimAccount, SimInstance},
    },
};
use chrono::Timelike;
use std::{path::Path, sync::Arc, time::Duration};

const RUNS: u32 = 20;
/// Ours and the floor in turn, so that what else the machine does meets both; the middle one counts.
const ROUNDS: usize = 5;
/// From the load to the slot.
const AHEAD: Duration = Duration::from_secs(3);
const LONGEST: Duration = Duration::from_secs(60);

/// From half a run to the next: creates go out at five a second.
const APART: Duration = Duration::from_millis(100);

pub(crate) fn measure() -> anyhow::Result<Vec<Figure>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    let create = Answering::open(r#"{"Response":{"BackupId":102996666,"RequestId":"c8b1e5f6-2d3f-4a8e-9d5e-0a1b2c3d4e5f"}}"#)?;
    let list = Answering::open(&listed())?;
    for _ in 0..ROUNDS {
        let folder = tempfile::tempdir()?;
        let sim = Sim::open(settings())?;
        ours.push(runtime.block_on(runs(folder.path(), &sim))?);
        floors.push(runtime.block_on(floor(folder.path(), &create, &list))?);
    }
    Ok(vec![Figure {
        name: "CPU of a whole run, due to succeeded",
        ours: us(median(&ours) / RUNS),
        floor: Some((us(median(&floors) / RUNS), "the same commits and POSTs, bare")),
        unit: "µs",
        limit: Limit::Times(2.0),
    }])
}

fn settings() -> Settings {
    let mut settings = Settings::quiet(1, (0..RUNS).map(|n| SimInstance::plain(&format!("cdb-sim{n:05}"))).collect());
    settings.durations = Duration::from_millis(1_500)..=Duration::from_millis(1_500);
    settings.latency = Duration::from_millis(5)..=Duration::from_millis(5);
    settings.list_lag = Duration::ZERO..=Duration::ZERO;
    settings
}

/// The loop on this thread, the cloud on others.
async fn runs(folder: &Path, sim: &Sim) -> anyhow::Result<Duration> {
    let clock = SystemClock::new();
    let now = clock.now();
    let slot = later(now.utc, AHEAD);
    let job = format!("  - {{ name: nightly, schedule: \"{} {} {} * * *\", targets: {{ all: true }} }}\n", slot.second(), slot.minute(), slot.hour());
    let text = policy(sim.address, "off", RUNS as usize, &job);
    let loaded = config::check_text("policy.yaml", &text, &Machine::pictured(&[], &[], ""), now.utc)?;
    let loaded = Loaded { policy: Arc::new(loaded.policy), hash: loaded.text_hash, text: loaded.text, at: now.mono };
    let account = SimAccount::example();
    let keys = KeyRing::new(Arc::new(move |name| match name {
        "TENCENTCLOUD_SECRET_ID" => Some(account.secret_id.clone()),
        "TENCENTCLOUD_SECRET_KEY" => Some(account.secret_key.clone()),
        _ => None,
    }));
    let file = folder.join("ledger.db");
    let ledger = Ledger::open(&file, "run", now.utc)?.ledger;
    let outside = Outside::new(clock, Client::new(clock, keys, Transport::default())?, loaded.policy.clone(), 1);
    let mut from = None;
    let reader = rusqlite::Connection::open(&file)?;
    let life = async {
        clock.sleep((slot - clock.now().utc).to_std().unwrap_or_default().saturating_sub(Duration::from_millis(500))).await;
        from = Some(thread_cpu());
        // Not asked before they can be done: asking is not the daemon's.
        clock.sleep(2 * APART * RUNS).await;
        let done = || reader.query_row("SELECT count(*) FROM runs WHERE state = 'succeeded'", [], |row| row.get::<_, u32>(0));
        while done().unwrap_or_default() < RUNS && clock.now().mono < LONGEST {
            clock.sleep(Duration::from_millis(500)).await;
        }
    };
    daemon::run(outside, ledger, loaded, life).await?;
    let spent = thread_cpu() - from.context("the daemon lived until its slot")?;
    let audit = sim.cloud.audit();
    let creates: u64 = audit.traffic.iter().filter(|(who, _)| who.action == Action::Create).map(|(_, traffic)| traffic.calls).sum();
    anyhow::ensure!(creates == u64::from(RUNS), "each run calls once: {creates} calls");
    Ok(spent)
}

/// The same commits to the same ledger, and the same calls with the same replies.
async fn floor(folder: &Path, create: &Answering, list: &Answering) -> anyhow::Result<Duration> {
    let request = |address| {
        let fields = "content-type: application/json\r\nx-tc-action: CreateBackup\r\nx-tc-version: 2017-03-20\r\nx-tc-region: ap-guangzhou";
        let (authorization, body) = ("x".repeat(240), "x".repeat(160));
        format!("POST / HTTP/1.1\r\nhost: {address}\r\n{fields}\r\nauthorization: {authorization}\r\n\r\n{body}")
    };
    let creates = Bare::like(create.address, request(create.address).as_bytes())?;
    let lists = Bare::like(list.address, request(list.address).as_bytes())?.kept()?;
    creates.post().await.context("warm up")?;
    lists.post().await.context("warm up")?;
    let replay = Replay::of(&folder.join("ledger.db"))?;
    let before = thread_cpu();
    replay.play(&creates, &lists, APART).await?;
    Ok(thread_cpu() - before)
}

/// A list of one backup, as long as the cloud's.
fn listed() -> String {
    format!("{{\"Response\":{{\"TotalCount\":1,\"Items\":[{{\"{}\":1}}],\"RequestId\":\"r\"}}}}", "x".repeat(700))
}
