//! A pass of the loop with 100,000 due rows against one with 10, and one that is looked at against one that is not; in simulated time.

use crate::{
    figure::{Figure, Limit},
    machine::{median, thread_cpu, us, wall},
    scrape::Served,
};
use cdb_backupd::{
    clock::{Clock, SystemClock},
    config::{self, Machine},
    daemon::{self, Loaded, Outside},
    domain::{now::Now, policy::Policy},
    ledger::Ledger,
    sim::{
        Cloud,
        settings::{Settings, SimInstance},
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

const PASSES: u32 = 2_000;
const ROUNDS: usize = 5;
/// A hundred and fifty times as often as a Prometheus does.
const ASKED_EACH: Duration = Duration::from_millis(100);
/// From one pass to the next; all of them are in the start window.
const APART: Duration = Duration::from_millis(20);

/// Due rows: one for each job and instance.
#[derive(Clone, Copy)]
struct Backlog {
    jobs: usize,
    instances: usize,
}

pub(crate) fn measure() -> anyhow::Result<Vec<Figure>> {
    let few = Backlog { jobs: 1, instances: 10 }.pass(false)?.cpu;
    let many = Backlog { jobs: 100, instances: 1_000 }.pass(false)?.cpu;
    let some = Backlog { jobs: 10, instances: 100 };
    let (mut unseen, mut seen) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        unseen.push(some.pass(false)?.wall);
        seen.push(some.pass(true)?.wall);
    }
    Ok(vec![
        Figure {
            name: "CPU of a pass with 100,000 due rows",
            ours: us(many),
            floor: Some((us(few), "with 10")),
            unit: "µs",
            limit: Limit::Times(2.0),
        },
        Figure {
            name: "a pass while `/` and `/metrics` are asked ten times a second",
            ours: us(median(&seen)),
            floor: Some((us(median(&unseen)), "unasked")),
            unit: "µs",
            limit: Limit::Times(1.25),
        },
    ])
}

/// What one pass took, in the mean.
#[derive(Clone, Copy)]
struct Cost {
    cpu: Duration,
    wall: Duration,
}

/// Somebody who asks on and on, from a thread of their own, until told to end.
struct Onlooker {
    stop: mpsc::Sender<()>,
    asks: JoinHandle<anyhow::Result<()>>,
}

impl Onlooker {
    fn of(ledger: PathBuf, policy: Policy) -> Self {
        let (stop, stopped) = mpsc::channel();
        let asks = std::thread::spawn(move || {
            let served = Served::open(ledger, policy, SystemClock::new())?;
            while stopped.recv_timeout(ASKED_EACH).is_err_and(|why| why == RecvTimeoutError::Timeout) {
                served.ask("/", "job-9")?;
                served.ask("/metrics", "cdb_backupd_pairs")?;
            }
            Ok(())
        });
        Self { stop, asks }
    }

    /// Whether each was answered.
    fn end(self) -> anyhow::Result<()> {
        drop(self.stop);
        self.asks.join().map_err(|_| anyhow::anyhow!("the onlooker panicked"))?
    }
}

impl Backlog {
    fn pass(self, seen: bool) -> anyhow::Result<Cost> {
        let folder = tempfile::tempdir()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
        runtime.block_on(self.mean(folder.path(), seen))
    }

    /// The mean of many, among them the few that begin a run.
    async fn mean(self, folder: &Path, seen: bool) -> anyhow::Result<Cost> {
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
        let mut took = Cost { cpu: Duration::ZERO, wall: Duration::ZERO };
        let onlooker = seen.then(|| Onlooker::of(folder.join("ledger.db"), (*loaded.policy).clone()));
        let life = async {
            // Simulated time goes on only when the loop sleeps: by then every slot has its row.
            clock.sleep(Duration::from_secs(120)).await;
            let (cpu, from) = (thread_cpu(), wall());
            for _ in 0..PASSES {
                ring.notify_one();
                clock.sleep(APART).await;
            }
            took = Cost { cpu: (thread_cpu() - cpu) / PASSES, wall: (wall() - from) / PASSES };
        };
        daemon::run(outside, ledger, loaded, life).await?;
        let rows: u32 = rusqlite::Connection::open(folder.join("ledger.db"))?.query_row("SELECT count(*) FROM runs", [], |row| row.get(0))?;
        anyhow::ensure!(rows as usize == self.jobs * self.instances, "{rows} rows are due");
        onlooker.map_or(Ok(()), Onlooker::end)?;
        Ok(took)
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
