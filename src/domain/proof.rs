//! Whether our clock is right: proved by the `Date` of a reply, lost when wall and monotonic time part.
//!
//! While it is unproved nothing is admitted, nothing begins, no cursor moves and no time closes a row. A machine that boots in 2036 so stops no
//! backup for ten years, and leaves nothing behind.

use super::{now::Now, run::Proof};
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// How far our clock may be from the cloud's and still count as right.
const TOLERANCE: TimeDelta = TimeDelta::seconds(60);
/// A reply that took longer proves nothing: its `Date` may be from anywhere inside.
const PROMPT: Duration = Duration::from_secs(30);
/// The first distance between two asks, and the longest.
const ASK: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));

/// What is known of our clock.
#[derive(Clone, Copy, Debug)]
pub struct ClockProof {
    anchor: Option<Anchor>,
    ask_at: Duration,
    asks: u32,
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    at: Now,
    proof: Proof,
}

/// What a reply's `Date` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing new.
    Nothing,
    /// The clock is proved now.
    Proved,
    /// It is wrong by so much; positive when the cloud's is ahead.
    Off(TimeDelta),
}

impl Default for ClockProof {
    fn default() -> Self {
        Self { anchor: None, ask_at: Duration::ZERO, asks: 0 }
    }
}

impl ClockProof {
    /// The proof, while there is one.
    pub fn proof(&self) -> Option<Proof> {
        self.anchor.map(|anchor| anchor.proof)
    }

    /// Compares wall and monotonic time; says whether the proof was lost just now.
    pub fn observe(&mut self, now: Now) -> bool {
        let Some(anchor) = self.anchor else { return false };
        let parted = (now.utc - anchor.at.utc_at(now.mono)).abs() > TOLERANCE;
        if parted {
            *self = Self { anchor: None, ask_at: now.mono, asks: 0 };
        }
        parted
    }

    /// Hears the `Date` of a reply to a call that was sent at `sent` and answered at `received`.
    pub fn heard(&mut self, sent: Now, received: Now, date: DateTime<Utc>) -> Heard {
        let took = received.mono.saturating_sub(sent.mono);
        let stepped = (received.utc - sent.utc_at(received.mono)).abs() > TimeDelta::seconds(5);
        if took > PROMPT || stepped {
            return Heard::Nothing;
        }
        let ahead = date - received.utc;
        if ahead.abs() > TOLERANCE {
            return if self.anchor.is_none() { Heard::Off(ahead) } else { Heard::Nothing };
        }
        match &mut self.anchor {
            Some(anchor) => {
                anchor.at = received;
                anchor.proof.ahead = ahead;
                Heard::Nothing
            }
            None => {
                let started = received.utc_at(Duration::ZERO);
                self.anchor = Some(Anchor { at: received, proof: Proof { date, started, ahead } });
                Heard::Proved
            }
        }
    }

    /// Whether to ask now; asks then count, at first every 2 s and up to every 10 s.
    pub fn ask(&mut self, now: Duration) -> bool {
        if self.anchor.is_some() || now < self.ask_at {
            return false;
        }
        self.ask_at = now + (ASK.0 * 2_u32.pow(self.asks.min(3))).min(ASK.1);
        self.asks = self.asks.saturating_add(1);
        true
    }

    /// When it asks next; none while the clock is proved.
    pub fn asks_at(&self) -> Option<Duration> {
        self.anchor.is_none().then_some(self.ask_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(utc_s: i64, mono_s: u64) -> Now {
        Now { utc: DateTime::from_timestamp(1_800_000_000 + utc_s, 0).unwrap(), mono: Duration::from_secs(mono_s) }
    }

    #[test]
    fn a_date_within_a_minute_proves_the_clock_and_the_start() {
        let mut clock = ClockProof::default();
        assert_eq!(clock.heard(now(100, 10), now(101, 11), now(161, 0).utc), Heard::Proved);
        assert_eq!(clock.proof().unwrap().started, now(90, 0).utc);
    }

    #[test]
    fn a_date_further_off_proves_nothing() {
        let mut clock = ClockProof::default();
        assert_eq!(clock.heard(now(100, 10), now(101, 11), now(162, 0).utc), Heard::Off(TimeDelta::seconds(61)));
        assert_eq!(clock.proof(), None);
    }

    #[test]
    fn a_reply_that_took_long_or_saw_a_step_proves_nothing() {
        let mut clock = ClockProof::default();
        assert_eq!(clock.heard(now(100, 10), now(131, 41), now(131, 0).utc), Heard::Nothing);
        assert_eq!(clock.heard(now(0, 10), now(100, 11), now(100, 0).utc), Heard::Nothing);
    }

    #[test]
    fn the_proof_is_lost_when_the_clocks_part_and_not_by_slow_drift() {
        let mut clock = ClockProof::default();
        clock.heard(now(100, 10), now(100, 10), now(100, 0).utc);
        for hour in 1..100 {
            // Half a minute of drift an hour, and a reply every hour.
            let at = now(100 + hour * 3630, 10 + 3600 * hour as u64);
            assert!(!clock.observe(at), "hour {hour}");
            clock.heard(at, at, at.utc);
        }
        let last = now(100 + 99 * 3630, 10 + 3600 * 99);
        assert!(clock.observe(Now { utc: last.utc + TimeDelta::seconds(61), ..last }));
        assert_eq!(clock.proof(), None);
    }

    #[test]
    fn it_asks_at_once_and_then_ever_more_slowly_up_to_ten_seconds() {
        let mut clock = ClockProof::default();
        let asked: Vec<u64> = (0..60).filter(|s| clock.ask(Duration::from_secs(*s))).collect();
        assert_eq!(asked, [0, 2, 6, 14, 24, 34, 44, 54]);
    }
}
