//! How long after its cron instant a lone slot's first byte arrives at the cloud: the real program on this disk, against two bare commits of it.
//!
//! Two commits are what durability asks for before a byte may leave: the slot has its row, and the call has its intent.

use crate::{
    daemon::Daemon,
    disk::Bare,
    figure::{Figure, Limit},
    machine::{ms, percentile},
    sim::{Sim, policy},
};
use cdb_backupd::{
    clock::{Clock, SystemClock},
    sim::{
        audit::Audit,
        faults::Action,
        settings::{Settings, SimInstance},
    },
};
use chrono::{NaiveDateTime, TimeDelta};
use std::time::Duration;

/// One slot each second, each on the next instance.
const INSTANCES: usize = 20;
const SLOTS: usize = 100;
const LONGEST: Duration = Duration::from_secs(160);
/// Pairs of bare commits in each second, long after its slot.
const PAIRS: usize = 8;

pub(crate) fn measure() -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let mut settings = Settings::quiet(1, (0..INSTANCES).map(|n| SimInstance::plain(&format!("cdb-sim{n:05}"))).collect());
    settings.latency = Duration::ZERO..=Duration::ZERO;
    settings.durations = Duration::from_secs(1)..=Duration::from_secs(1);
    let sim = Sim::open(settings)?;
    let jobs: String = (0..INSTANCES)
        .map(|n| {
            let seconds = (n..60).step_by(INSTANCES).map(|second| second.to_string()).collect::<Vec<_>>().join(",");
            format!("  - {{ name: job-{n}, schedule: \"{seconds} * * * * *\", targets: {{ instances: [cdb-sim{n:05}] }} }}\n")
        })
        .collect();
    let daemon = Daemon::start(folder.path(), &policy(sim.address, "off", INSTANCES, &jobs))?;
    let bare = Bare::open(folder.path())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let commits = runtime.block_on(async {
        let clock = SystemClock::new();
        let mut commits = Vec::new();
        while lateness(&sim.cloud.audit())?.len() < SLOTS && clock.now().mono < LONGEST {
            // 600 ms into the next second: between a slot and the next, beside no poll of ours.
            let into = Duration::from_nanos(u64::from(clock.now().utc.timestamp_subsec_nanos()));
            clock.sleep((Duration::from_millis(1_600) - into).min(Duration::from_millis(1_000))).await;
            for _ in 0..PAIRS {
                let before = clock.now().mono;
                bare.commit()?;
                bare.commit()?;
                commits.push(clock.now().mono - before);
            }
        }
        anyhow::Ok(commits)
    })?;
    drop(daemon);
    let late = lateness(&sim.cloud.audit())?;
    anyhow::ensure!(late.len() >= SLOTS, "{} slots were called for", late.len());
    let figure = |name, percent, limit| Figure {
        name,
        ours: ms(percentile(&late, percent)),
        floor: Some((ms(percentile(&commits, percent)), "two bare commits")),
        unit: "ms",
        limit,
    };
    Ok(vec![figure("lateness of a lone slot, p50", 50, Limit::Above(5.0)), figure("lateness of a lone slot, p99", 99, Limit::Above(5.0))])
}

/// From each slot to the arrival of its call; the slot is read out of the alias.
fn lateness(audit: &Audit) -> anyhow::Result<Vec<Duration>> {
    let calls = audit.events.iter().filter(|event| event.action == Action::Create);
    let slot = |alias: &str| NaiveDateTime::parse_from_str(alias.split('.').nth(1).unwrap_or_default(), "%Y%m%dT%H%M%SZ").map(|slot| slot.and_utc());
    calls.map(|event| Ok((event.at - slot(&event.alias)?).max(TimeDelta::zero()).to_std()?)).collect()
}
