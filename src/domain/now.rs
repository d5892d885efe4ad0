//! One reading of both clocks. Always handed in; only `clock.rs` makes one from the machine's clocks.

use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// Wall time for schedules and rows, monotonic time for pace and leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Wall time. It may step, and is not trusted until proved.
    pub utc: DateTime<Utc>,
    /// Time since the process started; never steps back.
    pub mono: Duration,
}

impl Now {
    /// The wall time that this clock would have shown when the monotonic one stood at `mono`.
    pub fn utc_at(&self, mono: Duration) -> DateTime<Utc> {
        if mono >= self.mono { later(self.utc, mono - self.mono) } else { earlier(self.utc, self.mono - mono) }
    }
}

/// `t + d`, held at the end of time instead of overflowing.
pub fn later(t: DateTime<Utc>, d: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(d).ok().and_then(|d| t.checked_add_signed(d)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// `t - d`, held at the beginning of time instead of overflowing.
pub fn earlier(t: DateTime<Utc>, d: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(d).ok().and_then(|d| t.checked_sub_signed(d)).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// How long `t` lies after `since`; zero when it lies before.
pub fn elapsed(since: DateTime<Utc>, t: DateTime<Utc>) -> Duration {
    (t - since).to_std().unwrap_or(Duration::ZERO)
}
