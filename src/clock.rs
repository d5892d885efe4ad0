//! The one file that reads a clock or sleeps.

use crate::domain::now::Now;
use std::{future::Future, time::Duration};
use tokio::time::Instant;

/// Where `now` comes from, and how the loop waits.
pub trait Clock: Clone + Send + Sync + 'static {
    /// One reading of both clocks.
    fn now(&self) -> Now;

    /// Waits for a monotonic distance.
    fn sleep(&self, d: Duration) -> impl Future<Output = ()> + Send;
}

/// The machine's clocks. Monotonic time is tokio's, so that it can be paused.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    #[expect(clippy::new_without_default, reason = "a default would hide that the moment matters")]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one reading of the wall clock")]
    fn now(&self) -> Now {
        Now { utc: chrono::Utc::now(), mono: self.started.elapsed() }
    }

    #[expect(clippy::disallowed_methods, reason = "the one sleep")]
    async fn sleep(&self, d: Duration) {
        tokio::time::sleep(d).await;
    }
}
