//! When a call may leave: `governor` for the rate, the last five sends for the second, and a slower pace after a throttled answer.
//!
//! Not decided here: who is next (`plan`). No clock is read: governor's clock is a cell that repeats the `now` it is told. The client has the last
//! word, after its connection is open (`cloud::client`).

use governor::{
    Quota, RateLimiter,
    clock::{Clock, Reference},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};
use std::{
    collections::VecDeque,
    ops::Add,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The vendor's limit of CreateBackup, in calls a second (`cdb-api` README §3).
pub const CREATES_PER_SECOND_MAX: f64 = 5.0;
/// DescribeBackups: below the documented 10 a second.
pub const LISTS_PER_SECOND: f64 = 8.0;
/// The slowest adaptive pace.
const FLOOR_PER_SECOND: f64 = 0.5;
/// What a calm while gains.
const GAIN_PER_SECOND: f64 = 0.5;
/// How long a while without a throttled answer is.
const CALM: Duration = Duration::from_secs(10);
/// A permit may be taken so early, to cover the commit between permit and send.
pub const EARLY: Duration = Duration::from_millis(100);
/// No five permits and a sixth inside this: a second, and a margin for the way to the cloud.
const FIVE_SPAN: Duration = Duration::from_millis(1_005);
/// Calls come this much slower than the rate says, for the same reason: 202 ms at 5 a second.
pub const MARGIN: f64 = 1.01;

/// A monotonic instant, in nanoseconds since the process started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mono(u64);

impl Add<Nanos> for Mono {
    type Output = Self;
    fn add(self, nanos: Nanos) -> Self {
        Self(self.0.saturating_add(nanos.as_u64()))
    }
}

impl Reference for Mono {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_sub(earlier.0).into()
    }
    fn saturating_sub(&self, nanos: Nanos) -> Self {
        Self(self.0.saturating_sub(nanos.as_u64()))
    }
}

/// A clock that repeats what it was told.
#[derive(Clone, Debug, Default)]
struct Told(Arc<AtomicU64>);

impl Clock for Told {
    type Instant = Mono;
    fn now(&self) -> Mono {
        Mono(self.0.load(Ordering::Relaxed))
    }
}

type Governor = RateLimiter<NotKeyed, InMemoryState, Told, NoOpMiddleware<Mono>>;

/// The pace of one action of one caller.
#[derive(Debug)]
pub struct Pace {
    told: Told,
    governor: Governor,
    permits: VecDeque<Duration>,
    per_second: f64,
    per_second_max: f64,
    calm_since: Duration,
    not_before: Duration,
}

impl Pace {
    /// A pace of at most `per_second` calls; none leaves before `not_before` of monotonic time.
    pub fn new(per_second: f64, not_before: Duration) -> Self {
        let told = Told::default();
        let governor = governor(per_second, &told);
        Self { told, governor, permits: VecDeque::new(), per_second, per_second_max: per_second, calm_since: Duration::ZERO, not_before }
    }

    /// Takes a permit for now, or says when one is free. A permit may be taken up to [`EARLY`] before its time.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        self.recover(now);
        let fifth_last = if self.permits.len() == 5 { self.permits.front().copied() } else { None };
        let free = fifth_last.map_or(Duration::ZERO, |at| at + FIVE_SPAN).max(self.not_before);
        if free > now + EARLY {
            return Err(free - EARLY);
        }
        let at = now.max(free);
        self.tell(at);
        let wait = match self.governor.check() {
            Ok(()) => Duration::ZERO,
            Err(not_until) => not_until.wait_time_from(Mono(nanos(at))),
        };
        let at = at + wait;
        if wait > Duration::ZERO {
            if at > now + EARLY {
                return Err(at - EARLY);
            }
            self.tell(at);
            if self.governor.check().is_err() {
                return Err(now + EARLY);
            }
        }
        if self.permits.len() == 5 {
            self.permits.pop_front();
        }
        self.permits.push_back(at);
        Ok(())
    }

    /// A throttled answer: the pace halves.
    pub fn throttled(&mut self, now: Duration) {
        self.calm_since = now;
        self.set((self.per_second / 2.0).max(FLOOR_PER_SECOND).min(self.per_second_max));
    }

    /// The policy says another rate.
    pub fn limit(&mut self, per_second: f64) {
        if (per_second - self.per_second_max).abs() > f64::EPSILON {
            self.per_second_max = per_second;
            self.set(per_second);
        }
    }

    /// Calls a second now.
    pub fn per_second(&self) -> f64 {
        self.per_second
    }

    fn recover(&mut self, now: Duration) {
        while self.per_second < self.per_second_max && now >= self.calm_since + CALM {
            self.calm_since += CALM;
            self.set((self.per_second + GAIN_PER_SECOND).min(self.per_second_max));
        }
    }

    fn set(&mut self, per_second: f64) {
        self.per_second = per_second;
        self.governor = governor(per_second, &self.told);
        // The new governor has to remember the last permit.
        if let Some(last) = self.permits.back().copied() {
            self.tell(last);
            if self.governor.check().is_err() {
                self.not_before = self.not_before.max(last + Duration::from_secs_f64(MARGIN / per_second));
            }
        }
    }

    fn tell(&self, at: Duration) {
        self.told.0.store(nanos(at), Ordering::Relaxed);
    }
}

fn nanos(at: Duration) -> u64 {
    u64::try_from(at.as_nanos()).unwrap_or(u64::MAX)
}

fn governor(per_second: f64, told: &Told) -> Governor {
    let period = Duration::from_secs_f64(MARGIN / per_second.clamp(0.05, 1_000.0));
    let quota = Quota::with_period(period).unwrap_or_else(|| Quota::per_second(std::num::NonZeroU32::MIN));
    RateLimiter::direct_with_clock(quota, told.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drive(pace: &mut Pace, mut now: Duration, n: usize, mut stall: impl FnMut(usize) -> Duration) -> Vec<Duration> {
        let mut taken = Vec::new();
        while taken.len() < n {
            match pace.take(now) {
                Ok(()) => {
                    taken.push(*pace.permits.back().unwrap());
                    now += stall(taken.len());
                }
                Err(free) => {
                    assert!(free > now, "a refused permit is free later");
                    now = free;
                }
            }
        }
        taken
    }

    fn peak(sent: &[Duration]) -> usize {
        (0..sent.len()).map(|i| sent[i..].iter().take_while(|t| **t < sent[i] + Duration::from_secs(1)).count()).max().unwrap()
    }

    #[test]
    fn a_saturated_pace_gives_4_9_a_second_and_never_six_in_one() {
        let sent = drive(&mut Pace::new(5.0, Duration::ZERO), Duration::from_secs(1), 10_000, |_| Duration::ZERO);
        let rate = (sent.len() - 1) as f64 / (sent[sent.len() - 1] - sent[0]).as_secs_f64();
        assert!(rate >= 4.9 && peak(&sent) <= 5, "{rate} a second, {} in one", peak(&sent));
    }

    #[test]
    fn a_stalled_loop_never_makes_six_in_a_second() {
        let sent = drive(&mut Pace::new(5.0, Duration::ZERO), Duration::from_secs(1), 5_000, |n| Duration::from_millis((n as u64 * 7919) % 801));
        assert!(peak(&sent) <= 5, "{}", peak(&sent));
    }

    #[test]
    fn throttled_answers_halve_the_pace_to_its_floor_and_calm_brings_it_back() {
        let mut pace = Pace::new(5.0, Duration::ZERO);
        let mut rates = Vec::new();
        for _ in 0..5 {
            pace.throttled(Duration::from_secs(100));
            rates.push(pace.per_second());
        }
        assert_eq!(rates, [2.5, 1.25, 0.625, 0.5, 0.5]);
        assert!(pace.take(Duration::from_secs(109)).is_ok());
        assert_eq!(pace.per_second(), 0.5);
        assert!(pace.take(Duration::from_secs(131)).is_ok());
        assert_eq!(pace.per_second(), 2.0);
        assert!(pace.take(Duration::from_secs(1_000)).is_ok());
        assert_eq!(pace.per_second(), 5.0);
    }

    #[test]
    fn a_slower_pace_remembers_the_last_permit() {
        let mut pace = Pace::new(5.0, Duration::ZERO);
        pace.take(Duration::from_secs(1)).unwrap();
        pace.throttled(Duration::from_secs(1));
        let free = pace.take(Duration::from_millis(1_001)).unwrap_err();
        assert!(free >= Duration::from_millis(1_300), "{free:?}");
    }

    #[test]
    fn nothing_leaves_before_the_first_moment() {
        let mut pace = Pace::new(5.0, Duration::from_millis(1_100));
        assert_eq!(pace.take(Duration::from_millis(300)), Err(Duration::from_millis(1_000)));
        pace.take(Duration::from_millis(1_000)).unwrap();
    }
}
