//! A pass of the loop with 100,000 due rows against one with 10, in simulated time.

use crate::{
    figure::{Figure, Limit},
    machine::{thread_cpu, us},
};
use cdb_backupd::{
    clock::Clock,
    config::{self, Machine},
    daemon::{self, Loaded, Outside},
    domain::now::Now,
    ledger::Ledger,
    sim::{
        Cloud,
        settings::{Settings, SimInstance},
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::{sync::Notify, time::Instant};

const PASSES: u32 = 2_000;
/// From one pass to the next; all of them are in the start window.
const APART: Duration = Duration::from_millis(20);

/// Due rows: one for each job and instance.
#[derive(Clone, Copy)]
struct Backlog {
    jobs: usize,
    instances: usize,
}

pub(crate) fn measure() -> anyhow::Result<Vec<Figure>> {
    let few = Backlog { jobs: 1, instances: 10 }.pass()?;
    let many = Backlog { jobs: 100, instances: 1_000 }.pass()?;
    Ok(vec![Figure {
        name: "CPU of a pass with 100,000 due rows",
        ours: us(many),
        floor: Some((us(few), "with 10")),
        unit: "µs",
        limit: Limit::Times(2.0),
    }])
}

impl Backlog {
    fn pass(self) -> anyhow::Result<Duration> {
        let folder = tempfile::tempdir()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
        runtime.block_on(self.mean(folder.path()))
    }

    /// The mean of many, among them the few that begin a run.
    async fn mean(self, folder: &Path) -> anyhow::Result<Duration> {
        let clock = Simulated { start: Instant::now(), utc: "2026-11-24T18:29:00Z".parse()? };
        let mut settings = Settings::quiet(1, (0..self.instances).map(|n| SimInstance::plain(&id(n))).collect());
        settings.durations = Duration::from_secs(36_000)..=Duration::from_secs(36_000);
        let cloud = Cloud::new(settings, clock);
        let now = clock.now();
        let loaded = config::check_text("policy.yaml", &self.policy(), &Machine::pictured(&[], &[], ""), now.utc)?;
        let loaded = Loaded { policy: Arc::new(loaded.policy), hash: loaded.text_hash, text: loaded.text, at: now.mono };
        let ledger = Ledger::open(&folder.join("ledger.db"), "pass", now.utc)?.ledger;
        let ring: Arc<Notify> = Arc::default();
        let outside = Outside { ring: ring.clone(), ..Outside::new(clock, cloud, loaded.policy.clone(), 1) };
        let mut took = Duration::ZERO;
        let life = async {
            // Simulated time goes on only when the loop sleeps: by then every slot has its row.
            clock.sleep(Duration::from_secs(120)).await;
            let before = thread_cpu();
            for _ in 0..PASSES {
                ring.notify_one();
                clock.sleep(APART).await;
            }
            took = thread_cpu() - before;
        };
        daemon::run(outside, ledger, loaded, life).await?;
        let rows: u32 = rusqlite::Connection::open(folder.join("ledger.db"))?.query_row("SELECT count(*) FROM runs", [], |row| row.get(0))?;
        anyhow::ensure!(rows as usize == self.jobs * self.instances, "{rows} rows are due");
        Ok(took / PASSES)
    }

    fn policy(self) -> String {
        let mut text = String::from("version: 1\nlisten: \"off\"\naccounts:\n  main: { credentials: env, calls_per_second: 0.1 }\ninstances:\n");
        for n in 0..self.instances {
            text += &format!("  - {{ id: {}, account: main, region: ap-guangzhou }}\n", id(n));
        }
        text += "defaults: { time_zone: Asia/Shanghai, start_within: 20h, method: physical }\njobs:\n";
        for n in 0..self.jobs {
            text += &format!("  - {{ name: job-{n}, schedule: \"30 2 * * *\", targets: {{ all: true }} }}\n");
        }
        text
    }
}

fn id(n: usize) -> String {
    format!("cdb-sim{n:05}")
}

/// Tokio's paused clock on top of a fixed instant.
#[derive(Clone, Copy, Debug)]
struct Simulated {
    start: Instant,
    utc: DateTime<Utc>,
}

impl Clock for Simulated {
    fn now(&self) -> Now {
        let mono = self.start.elapsed();
        Now { utc: self.utc + TimeDelta::from_std(mono).unwrap_or_default(), mono }
    }

    #[expect(clippy::disallowed_methods, reason = "simulated time")]
    async fn sleep(&self, d: Duration) {
        tokio::time::sleep(d).await;
    }
}
