//! True time for a simulated cloud: a wall clock that never steps, driven by monotonic time, which tests can pause.

use crate::{
    clock::{Clock, SystemClock},
    domain::now::{Now, later},
};
use chrono::{DateTime, Utc};
use std::time::Duration;

/// A clock that showed a given time when it was made and has run true since.
#[derive(Clone, Copy, Debug)]
pub struct TrueTime {
    start: DateTime<Utc>,
    ticks: SystemClock,
}

impl TrueTime {
    /// A clock that shows `start` now.
    pub fn starting_at(start: DateTime<Utc>) -> Self {
        Self { start, ticks: SystemClock::new() }
    }
}

impl Clock for TrueTime {
    fn now(&self) -> Now {
        let mono = self.ticks.now().mono;
        Now { utc: later(self.start, mono), mono }
    }

    async fn sleep(&self, d: Duration) {
        self.ticks.sleep(d).await;
    }
}
