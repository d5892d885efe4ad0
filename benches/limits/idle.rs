//! What a daemon with 1,000 jobs costs while nothing is due, alone and while it is looked at: the real program, as `/proc` sees it.

use crate::{
    daemon::Daemon,
    figure::{Figure, Limit},
    machine::{process_cpu, process_rss},
    scrape::get,
    sim::{Sim, policy},
};
use cdb_backupd::{
    clock::{Clock, SystemClock},
    sim::settings::{Settings, SimInstance},
};
use chrono::{TimeDelta, Timelike};
use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

const JOBS: usize = 1_000;
const WATCHED: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(60);
/// So many looks come first, so that memory has grown as far as it does.
const LOOKS_BEFORE: usize = 40;
/// A Prometheus asks this often, mostly.
const SCRAPED_EACH: Duration = Duration::from_secs(15);

/// What a daemon took.
struct Cost {
    mib: f64,
    percent: f64,
}

pub(crate) fn measure() -> anyhow::Result<Vec<Figure>> {
    let alone = idle(None)?;
    // Free a moment ago; another process would have to want this very one.
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let seen = idle(Some(free))?;
    let figure = |name, ours, unit, most| Figure { name, ours, floor: None, unit, limit: Limit::Most(most) };
    Ok(vec![
        figure("1,000 jobs idle, memory", alone.mib, "MiB", 25.0),
        figure("1,000 jobs idle, share of a core", alone.percent, "%", 0.3),
        figure("the same with its pages open, scraped every 15 s, memory", seen.mib, "MiB", 30.0),
        figure("the same with its pages open, scraped every 15 s, share of a core", seen.percent, "%", 0.5),
    ])
}

fn idle(listen: Option<SocketAddr>) -> anyhow::Result<Cost> {
    let folder = tempfile::tempdir()?;
    let sim = Sim::open(Settings::quiet(1, (0..JOBS).map(|n| SimInstance::plain(&format!("cdb-sim{n:05}"))).collect()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let clock = SystemClock::new();
        // Half a day away, so that none comes due while it is watched.
        let hour = (clock.now().utc + TimeDelta::hours(12)).hour();
        let jobs: String = (0..JOBS)
            .map(|n| format!("  - {{ name: job-{n}, schedule: \"{} {hour} * * *\", targets: {{ instances: [cdb-sim{n:05}] }} }}\n", n % 60))
            .collect();
        let listens = listen.map_or_else(|| "off".to_owned(), |address| address.to_string());
        let daemon = Daemon::start(folder.path(), &policy(sim.address, &listens, JOBS, &jobs))?;
        while !daemon.is_ready() && clock.now().mono < LONGEST {
            clock.sleep(Duration::from_millis(200)).await;
        }
        anyhow::ensure!(daemon.is_ready(), "the daemon has recorded its policy");
        clock.sleep(Duration::from_secs(2)).await;
        if let Some(address) = listen {
            for _ in 0..LOOKS_BEFORE {
                look(address).await?;
            }
        }
        let (cpu, from) = (process_cpu(daemon.pid())?, clock.now().mono);
        match listen {
            Some(address) => scrape(&clock, address).await?,
            None => clock.sleep(WATCHED).await,
        }
        let (cpu, wall) = (process_cpu(daemon.pid())? - cpu, clock.now().mono - from);
        let mib = process_rss(daemon.pid())? as f64 / 1_048_576.0;
        Ok(Cost { mib, percent: cpu.as_secs_f64() / wall.as_secs_f64() * 100.0 })
    })
}

/// Somebody opens the pages, and they are as they should be.
async fn look(address: SocketAddr) -> anyhow::Result<()> {
    for path in ["/", "/style.css", "/jobs/job-7", "/instances", "/runs", "/metrics"] {
        let text = get(address, path).await?;
        anyhow::ensure!(text.starts_with("HTTP/1.1 200"), "{path}: {text}");
    }
    Ok(())
}

/// A Prometheus asks in its rhythm, and the pages are opened as often.
async fn scrape(clock: &SystemClock, address: SocketAddr) -> anyhow::Result<()> {
    for _ in 0..WATCHED.as_secs() / SCRAPED_EACH.as_secs() {
        look(address).await?;
        clock.sleep(SCRAPED_EACH).await;
    }
    Ok(())
}
