//! The CPU of a whole run, from due to succeeded, against as many bare commits and bare POSTs as it made.

use crate::{
    calls::Bare,
    disk,
    figure::{Figure, Limit},
    machine::{thread_cpu, us},
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
use std::{fs::File, io::Read, path::Path, sync::Arc, time::Duration};

const RUNS: u32 = 60;
/// From the load to the slot.
const AHEAD: Duration = Duration::from_secs(3);
const LONGEST: Duration = Duration::from_secs(60);

/// What the runs took, and how often they wrote and called.
#[derive(Clone, Copy, Debug)]
struct Spent {
    cpu: Duration,
    commits: u32,
    creates: u32,
    lists: u32,
}

pub(crate) fn measure() -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let sim = Sim::open(settings())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let spent = runtime.block_on(runs(folder.path(), &sim))?;
    let create = Answering::open(r#"{"Response":{"BackupId":102996666,"RequestId":"c8b1e5f6-2d3f-4a8e-9d5e-0a1b2c3d4e5f"}}"#)?;
    let list = Answering::open(&listed())?;
    let floor = runtime.block_on(floor(folder.path(), spent, &create, &list))?;
    Ok(vec![Figure {
        name: "CPU of a whole run, due to succeeded",
        ours: us(spent.cpu / RUNS),
        floor: Some((us(floor / RUNS), "as many bare commits and POSTs")),
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
async fn runs(folder: &Path, sim: &Sim) -> anyhow::Result<Spent> {
    let clock = SystemClock::new();
    let now = clock.now();
    let slot = later(now.utc, AHEAD);
    let job = format!("  - {{ name: nightly, schedule: \"{} {} {} * * *\", targets: {{ all: true }} }}\n", slot.second(), slot.minute(), slot.hour());
    let text = policy(sim.address, RUNS as usize, &job);
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
    let outside = Outside { clock, api: Client::new(clock, keys, Transport::default())?, ring: Arc::default(), chores: Arc::default(), process: 1 };
    let mut from = None;
    let reader = rusqlite::Connection::open(&file)?;
    let life = async {
        clock.sleep((slot - clock.now().utc).to_std().unwrap_or_default().saturating_sub(Duration::from_millis(500))).await;
        from = Some((thread_cpu(), transactions(&file)));
        let done = || reader.query_row("SELECT count(*) FROM runs WHERE state = 'succeeded'", [], |row| row.get::<_, u32>(0));
        while done().unwrap_or_default() < RUNS && clock.now().mono < LONGEST {
            clock.sleep(Duration::from_millis(500)).await;
        }
    };
    daemon::run(outside, ledger, loaded, life).await?;
    let (cpu_before, commits_before) = from.context("the daemon lived until its slot")?;
    let (cpu, commits) = (thread_cpu() - cpu_before, transactions(&file)?.wrapping_sub(commits_before?));
    let audit = sim.cloud.audit();
    let calls = |action| audit.traffic.iter().filter(|(who, _)| who.action == action).map(|(_, traffic)| traffic.calls).sum::<u64>();
    let spent = Spent { cpu, commits, creates: u32::try_from(calls(Action::Create))?, lists: u32::try_from(calls(Action::List))? };
    anyhow::ensure!(spent.creates == RUNS, "each run calls once: {spent:?}");
    Ok(spent)
}

/// How often a ledger was written: SQLite counts it in the header of the index of its log (`walformat`, `iChange`).
fn transactions(ledger: &Path) -> anyhow::Result<u32> {
    let mut header = [0; 12];
    File::open(ledger.with_extension("db-shm"))?.read_exact(&mut header)?;
    let [.., a, b, c, d] = header;
    Ok(u32::from_ne_bytes([a, b, c, d]))
}

/// The same commits, and the same calls with the same replies.
async fn floor(folder: &Path, spent: Spent, create: &Answering, list: &Answering) -> anyhow::Result<Duration> {
    let request = |address| {
        let fields = "content-type: application/json\r\nx-tc-action: CreateBackup\r\nx-tc-version: 2017-03-20\r\nx-tc-region: ap-guangzhou";
        let (authorization, body) = ("x".repeat(240), "x".repeat(160));
        format!("POST / HTTP/1.1\r\nhost: {address}\r\n{fields}\r\nauthorization: {authorization}\r\n\r\n{body}")
    };
    let creates = Bare::like(create.address, request(create.address).as_bytes())?;
    let lists = Bare::like(list.address, request(list.address).as_bytes())?.kept()?;
    let disk = disk::Bare::open(folder)?;
    creates.post().await.context("warm up")?;
    lists.post().await.context("warm up")?;
    let before = thread_cpu();
    for _ in 0..spent.commits {
        disk.commit()?;
    }
    for _ in 0..spent.creates {
        creates.post().await?;
    }
    for _ in 0..spent.lists {
        lists.post().await?;
    }
    Ok(thread_cpu() - before)
}

/// A list of one backup, as long as the cloud's.
fn listed() -> String {
    format!("{{\"Response\":{{\"TotalCount\":1,\"Items\":[{{\"{}\":1}}],\"RequestId\":\"r\"}}}}", "x".repeat(700))
}
