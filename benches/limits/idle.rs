//! What a daemon with 1,000 jobs costs while nothing is due: the real program, as `/proc` sees it.

use crate::{
    daemon::Daemon,
    figure::{Figure, Limit},
    machine::{process_cpu, process_rss},
    sim::{Sim, policy},
};
use cdb_backupd::{
    clock::{Clock, SystemClock},
    sim::settings::{Settings, SimInstance},
};
use chrono::{TimeDelta, Timelike};
use std::time::Duration;

const JOBS: usize = 1_000;
const WATCHED: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(60);

pub(crate) fn measure() -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let sim = Sim::open(Settings::quiet(1, (0..JOBS).map(|n| SimInstance::plain(&format!("cdb-sim{n:05}"))).collect()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let (bytes, share) = runtime.block_on(async {
        let clock = SystemClock::new();
        // Half a day away, so that none comes due while it is watched.
        let hour = (clock.now().utc + TimeDelta::hours(12)).hour();
        let jobs: String = (0..JOBS)
            .map(|n| format!("  - {{ name: job-{n}, schedule: \"{} {hour} * * *\", targets: {{ instances: [cdb-sim{n:05}] }} }}\n", n % 60))
            .collect();
        let daemon = Daemon::start(folder.path(), &policy(sim.address, JOBS, &jobs))?;
        while !daemon.is_ready() && clock.now().mono < LONGEST {
            clock.sleep(Duration::from_millis(200)).await;
        }
        anyhow::ensure!(daemon.is_ready(), "the daemon has recorded its policy");
        clock.sleep(Duration::from_secs(2)).await;
        let (cpu, from) = (process_cpu(daemon.pid())?, clock.now().mono);
        clock.sleep(WATCHED).await;
        let (cpu, wall) = (process_cpu(daemon.pid())? - cpu, clock.now().mono - from);
        anyhow::Ok((process_rss(daemon.pid())?, cpu.as_secs_f64() / wall.as_secs_f64()))
    })?;
    Ok(vec![
        Figure { name: "1,000 jobs idle, memory", ours: bytes as f64 / 1_048_576.0, floor: None, unit: "MiB", limit: Limit::Most(25.0) },
        Figure { name: "1,000 jobs idle, share of a core", ours: share * 100.0, floor: None, unit: "%", limit: Limit::Most(0.3) },
    ])
}
