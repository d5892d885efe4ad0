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

/// Whether the night's housekeeping is still to be done.
#[derive(Clone, Debug, Default)]
pub struct Chores(Arc<AtomicBool>);

impl Chores {
    /// Takes the chore, if there is one.
    pub fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// Starts ringing, until the scheduler is shut down.
pub async fn start(ring: Arc<Notify>, chores: Chores) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    let bell = ring.clone();
    let each_second = Job::new_async(EACH_SECOND, move |_, _| {
        bell.notify_one();
        Box::pin(async {})
    })?;
    let each_night = Job::new_async(EACH_NIGHT, move |_, _| {
        chores.0.store(true, Ordering::Relaxed);
        ring.notify_one();
        Box::pin(async {})
    })?;
    // One after another: concurrent adds hang it (measured).
    scheduler.add(each_second).await?;
    scheduler.add(each_night).await?;
    scheduler.start().await?;
    Ok(scheduler)
}
