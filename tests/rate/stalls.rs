//! How late this machine wakes a thread that does nothing but sleep.

use cdb_backupd::clock::{Clock, SystemClock};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

const NAP: Duration = Duration::from_millis(5);

/// A thread that sleeps, again and again.
pub(crate) struct Stalls {
    over: Arc<AtomicBool>,
    sleeper: JoinHandle<Duration>,
}

impl Stalls {
    /// Begins to sleep.
    pub(crate) fn watch() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ends = over.clone();
        let sleeper = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async {
                let clock = SystemClock::new();
                let mut worst = Duration::ZERO;
                while !ends.load(Ordering::Relaxed) {
                    let before = clock.now().mono;
                    clock.sleep(NAP).await;
                    worst = worst.max(clock.now().mono - before - NAP);
                }
                worst
            })
        });
        Self { over, sleeper }
    }

    /// The latest awakening since.
    pub(crate) fn worst(self) -> Duration {
        self.over.store(true, Ordering::Relaxed);
        self.sleeper.join().unwrap()
    }
}
