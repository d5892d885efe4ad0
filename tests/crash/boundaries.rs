//! (a) Every durable boundary of a short night, by number: the daemon ends before, or right after, its n-th commit, for every n there is, and so
//! does the daemon after it. The next one brings the night to its end, and every slot has its good backup, once.

use crate::{
    audit::Found,
    life::{Cut, Side},
    night::{Night, Plan},
};
use anyhow::{Context, ensure};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;

/// Nights at the same time; each waits most of its time.
const AT_ONCE: u32 = 40;
/// No night has so many commits.
const MOST: u32 = 300;
/// A night has at least so many: one in force, one admitted, and two for each of five creates.
const LEAST: u32 = 12;
/// The first commits put the policy in force; a night whose daemons die there waits longer for its slot.
const EARLY: u32 = 4;
/// How long a night may take.
const LONGEST: Duration = Duration::from_secs(60);

/// Backups are short and listed late, so that a second send would find the instance free, and a look too early nothing.
const PLAN: Plan = Plan {
    seed: 9,
    instances: 4,
    slots_s: &[6],
    window: "6s",
    durations: Duration::from_millis(100)..=Duration::from_millis(400),
    faults: "create#1@cdb-sim00001:lists_late=1900ms,create#1@cdb-sim00002:http_error_after_act+lists_late=1900ms,\
        create#1@cdb-sim00003:http_error_before_act,create#1@cdb-sim00004:backup_fails",
    front: None,
};

/// Runs a night for every commit on this side of it.
pub(crate) async fn every(side: Side) -> anyhow::Result<()> {
    let next = Arc::new(AtomicU32::new(1));
    let beyond = Arc::new(AtomicU32::new(MOST));
    let mut nights = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (next, beyond) = (next.clone(), beyond.clone());
        nights.spawn(async move {
            loop {
                let cut = Cut { side, nth: next.fetch_add(1, Ordering::SeqCst) };
                if cut.nth > beyond.load(Ordering::SeqCst) {
                    return anyhow::Ok(());
                }
                if !night(cut).await.with_context(|| format!("the daemon ended {cut}"))? {
                    beyond.fetch_min(cut.nth, Ordering::SeqCst);
                }
            }
        });
    }
    while let Some(ended) = nights.join_next().await {
        ended??;
    }
    let commits = beyond.load(Ordering::SeqCst) - 1;
    ensure!((LEAST..MOST - 1).contains(&commits), "a night has {commits} commits");
    Ok(())
}

/// One night, whose first two daemons end at the cut; false when the first came to the night's end before it.
async fn night(cut: Cut) -> anyhow::Result<bool> {
    let slots_s = if cut.nth <= EARLY { &[14] } else { PLAN.slots_s };
    let night = Night::begin(&Plan { slots_s, ..PLAN }).await?;
    let mut kills = 0;
    while kills < 2 {
        night.start_until(cut)?;
        // The commit that ends the night may be the one that ends the daemon.
        if !night.watch(LONGEST, |rows| night.is_over(rows)).await? && !night.stop().await? {
            break;
        }
        kills += 1;
    }
    if kills == 2 {
        night.start()?;
        let killed = night.watch(LONGEST, |rows| night.is_over(rows)).await? || night.stop().await?;
        ensure!(!killed, "nobody killed the third daemon\n{}", night.story());
    }
    let found = Found::of(&night, kills)?;
    ensure!(found.holds() && found.good == found.slots, "{found}\n{}", night.story());
    Ok(kills > 0)
}
