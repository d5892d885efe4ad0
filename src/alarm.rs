//! What is cron in the daemon itself, run by tokio-cron-scheduler: a ring of the loop each second, and the nightly housekeeping.
//!
//! No promise needs it. What is due is arithmetic over cursors (`domain::catch_up`), so a lost or doubled ring is harmless; and it is never given a
//! user's cron text, nor a job for each schedule: measured, it loses, doubles and shifts them (tests/tables/schedules.rs holds our own rule).

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// Every second; requests of other processes are seen within it.
const EACH_SECOND: &str = "* * * * * *";
/// Once a night, UTC; an odd minute, so that it meets nobody's slot.
const EACH_NIGHT: &str = "0 17 20 * * *";

/// Starts ringing, until the scheduler is shut down. Once a night `chores` is set as well, for whoever is rung to take back.
pub async fn start(ring: Arc<Notify>, chores: Arc<AtomicBool>) -> Result<JobScheduler, JobSchedulerError> {
    ringing(ring, chores, EACH_NIGHT).await
}

async fn ringing(ring: Arc<Notify>, chores: Arc<AtomicBool>, night: &str) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    let bell = ring.clone();
    let each_second = Job::new_async(EACH_SECOND, move |_, _| {
        bell.notify_one();
        Box::pin(async {})
    })?;
    let each_night = Job::new_async(night, move |_, _| {
        chores.store(true, Ordering::Relaxed);
        ring.notify_one();
        Box::pin(async {})
    })?;
    // One after another: concurrent adds hang it (measured).
    scheduler.add(each_second).await?;
    scheduler.add(each_night).await?;
    scheduler.start().await?;
    Ok(scheduler)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Far longer than two rings take, on a machine that is busy.
    const SOON: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn it_rings_again_and_again_and_sets_no_chore_by_day() {
        let (ring, chores) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let mut scheduler = ringing(ring.clone(), chores.clone(), "0 0 0 1 1 *").await.unwrap();
        for _ in 0..2 {
            tokio::time::timeout(SOON, ring.notified()).await.expect("a ring each second");
        }
        assert!(!chores.load(Ordering::Relaxed));
        scheduler.shutdown().await.unwrap();
    }

    #[tokio::test]
    async fn the_night_sets_the_chore_and_sets_it_again_once_it_was_taken() {
        let (ring, chores) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let mut scheduler = ringing(ring.clone(), chores.clone(), EACH_SECOND).await.unwrap();
        for _ in 0..2 {
            let taken = async {
                while !chores.swap(false, Ordering::Relaxed) {
                    ring.notified().await;
                }
            };
            tokio::time::timeout(SOON, taken).await.expect("the chore is set, and the ring comes after it");
        }
        scheduler.shutdown().await.unwrap();
    }

    #[tokio::test]
    async fn the_night_comes_at_20_17_utc() {
        let mut scheduler = JobScheduler::new().await.unwrap();
        let night = scheduler.add(Job::new(EACH_NIGHT, |_, _| {}).unwrap()).await.unwrap();
        let next = scheduler.next_tick_for_job(night).await.unwrap().expect("there is a next night");
        assert_eq!(next.format("%H:%M:%S").to_string(), "20:17:00");
        start(Arc::default(), Arc::default()).await.expect("both patterns are understood").shutdown().await.unwrap();
    }
}
