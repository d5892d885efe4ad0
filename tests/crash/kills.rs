//! (b) The real binary, killed with SIGKILL inside its calls (request read, acted, half a reply) and at seeded random times; as a test a few times,
//! as a campaign as often as it is told, several daemons at a time, each with a cloud and a ledger of its own.

use crate::{
    audit::{Found, in_force},
    night::{Night, Plan},
    stop,
};
use anyhow::{Context, ensure};
use cdb_backupd::{clock::Clock, sim::script::Faults};
use rustix::process::Signal;
use std::{
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    io::{Write, stdout},
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;

/// Daemons at the same time.
const AT_ONCE: u64 = 6;
/// How often one night's daemons are killed.
const A_NIGHT: usize = 10;
/// Until a daemon is killed that no call has killed.
const PATIENCE_MS: Range<u64> = 150..2_500;
/// How long a night may take.
const LONGEST: Duration = Duration::from_secs(150);

/// Backups are shorter than a restart and listed after it, so that a second send would find the instance free, and a look too early nothing.
const PLAN: Plan = Plan {
    seed: 0,
    instances: 5,
    slots_s: &[5, 12, 19],
    window: "6s",
    durations: Duration::from_millis(100)..=Duration::from_millis(600),
    faults: "",
    front: None,
};
/// What befalls calls while daemons are killed.
const DEADLY: &str = "kill_on_read:0.06,kill_after_act:0.1,kill_half_reply:0.06,http_error_after_act:0.05,http_error_before_act:0.05,\
    busy_after_act:0.05,gateway_502_after_act:0.03,reset_mid_body:0.04,garbage:0.02,list_throttled:0.03,backup_fails:0.1";
/// What befalls calls when the night's kills are done.
const HARMLESS: &str = "http_error_after_act:0.03,busy_after_act:0.03,list_throttled:0.03";

/// One night with so many kills at most; fewer when it is over before.
pub(crate) async fn night(seed: u64, kills: usize) -> anyhow::Result<Found> {
    let night = Night::begin(&Plan { seed, ..PLAN }).await?;
    night.start()?;
    let ledger = night.ledger();
    let killed = night.watch(LONGEST, |_| in_force(&ledger).unwrap_or(false)).await?;
    ensure!(!killed, "nobody killed the daemon before its policy was in force");
    night.cloud.set_faults(DEADLY.parse::<Faults>()?);
    let mut killed = 0;
    while killed < kills {
        let patience = night.clock.now().mono + patience(seed, killed);
        let by_call = night.watch(LONGEST, |rows| night.is_over(rows) || night.clock.now().mono >= patience).await?;
        if !by_call {
            if night.is_over(&crate::audit::rows(&ledger)?) {
                break;
            }
            night.daemon.signal(Signal::KILL);
            ensure!(night.watch(LONGEST, |_| false).await?, "it lives on");
        }
        killed += 1;
        night.start()?;
    }
    night.cloud.set_faults(HARMLESS.parse::<Faults>()?);
    // A call that met its fault before may still kill.
    while night.watch(LONGEST, |rows| night.is_over(rows)).await? || night.stop().await? {
        killed += 1;
        night.start()?;
    }
    let found = Found::of(&night, killed)?;
    ensure!(found.holds(), "{found}\n{}", night.story());
    Ok(found)
}

fn patience(seed: u64, kill: usize) -> Duration {
    // The hasher with its fixed keys: the same for the same seed.
    let drawn = BuildHasherDefault::<DefaultHasher>::default().hash_one((seed, kill));
    Duration::from_millis(PATIENCE_MS.start + drawn % (PATIENCE_MS.end - PATIENCE_MS.start))
}

/// The few kills of `cargo test`.
pub(crate) async fn a_few() -> anyhow::Result<()> {
    let found = night(1, 6).await.context("seed 1")?;
    ensure!(found.kills >= 3, "the night was over after {found}");
    Ok(())
}

/// Nights until daemons were killed so often, and one that is stopped beside them. Says what was found; an error when the promise was broken.
pub(crate) async fn campaign(kills: usize) -> anyhow::Result<()> {
    let (seeds, killed) = (Arc::new(AtomicU64::new(1)), Arc::new(AtomicUsize::new(0)));
    let mut nights = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (seeds, killed) = (seeds.clone(), killed.clone());
        nights.spawn(async move {
            let mut sum = Found::default();
            while killed.load(Ordering::SeqCst) < kills {
                let seed = seeds.fetch_add(1, Ordering::SeqCst);
                let found = night(seed, A_NIGHT).await.with_context(|| format!("seed {seed}"))?;
                killed.fetch_add(found.kills, Ordering::SeqCst);
                writeln!(stdout(), "seed {seed}: {found}")?;
                sum += found;
            }
            anyhow::Ok(sum)
        });
    }
    nights.spawn(async {
        let found = stop::longer_than_a_lease().await.context("the daemon that is stopped")?;
        writeln!(stdout(), "stopped for longer than a lease between intent and send: {found}")?;
        Ok(found)
    });
    let (mut sum, mut broken) = (Found::default(), 0);
    while let Some(ended) = nights.join_next().await {
        match ended? {
            Ok(found) => sum += found,
            Err(error) => {
                broken += 1;
                writeln!(stdout(), "BROKEN {error:#}")?;
            }
        }
    }
    writeln!(stdout(), "{sum}")?;
    ensure!(broken == 0 && sum.holds() && sum.kills >= kills, "THE PROMISE IS BROKEN");
    Ok(())
}
