//! The one file that reads a clock or sleeps.

use crate::domain::now::Now;
use chrono::{DateTime, Utc};
use rustix::time::{ClockId, clock_gettime};
use std::{future::Future, time::Duration};
use tokio::time::Instant;

/// Where `now` comes from, and how the loop waits.
pub trait Clock: Clone + Send + Sync + 'static {
    /// One reading of both clocks.
    fn now(&self) -> Now;

    /// Waits for a monotonic distance.
    fn sleep(&self, d: Duration) -> impl Future<Output = ()> + Send;

    /// Waits until either clock has come to its mark, in slices that compare the wall clock: suspend and steps cost at most a second.
    fn sleep_until(&self, wake: Wake) -> impl Future<Output = ()> + Send {
        async move {
            while let Some(rest) = wake.rest(self.now()) {
                self.sleep(rest.min(SLICE)).await;
            }
        }
    }
}

/// The longest slice of a wait.
const SLICE: Duration = Duration::from_secs(1);

/// When to wake: by wall time, by monotonic time, or whichever comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wake {
    /// By wall time.
    pub utc: Option<DateTime<Utc>>,
    /// By monotonic time.
    pub mono: Option<Duration>,
    /// Whether the mark of wall time is a slot's own instant: the one moment that is worth being met exactly.
    pub exact: bool,
}

impl Wake {
    /// How long there is to wait; none when a mark has been reached.
    pub fn rest(&self, now: Now) -> Option<Duration> {
        let by_utc = self.utc.map(|at| (at - now.utc).to_std().unwrap_or(Duration::ZERO));
        let by_mono = self.mono.map(|at| at.saturating_sub(now.mono));
        let rest = [by_utc, by_mono].into_iter().flatten().min().unwrap_or(Duration::MAX);
        (rest > Duration::ZERO).then_some(rest)
    }

    /// Brings the monotonic mark forward.
    pub fn sooner(&mut self, mono: Duration) {
        self.mono = Some(self.mono.map_or(mono, |at| at.min(mono)));
    }
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
        // tokio makes a whole tick of nothing.
        if !d.is_zero() {
            tokio::time::sleep(d).await;
        }
    }

    /// To the microsecond where a slot comes: the last ticks are waited out awake.
    async fn sleep_until(&self, wake: Wake) {
        while let Some(rest) = wake.rest(self.now()) {
            match rest.checked_sub(TICKS).filter(|rest| !rest.is_zero()) {
                Some(rest) => self.sleep(rest.min(SLICE)).await,
                None if wake.exact => tokio::task::yield_now().await,
                None => self.sleep(rest).await,
            }
        }
    }
}

/// The machine's own monotonic time: what systemd compares messages by, and nothing else here does.
pub fn since_boot() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default()
}

/// tokio's timer rounds up to whole milliseconds, and so does the system call below it (`benches/limits/lateness.rs`).
const TICKS: Duration = Duration::from_millis(2);
