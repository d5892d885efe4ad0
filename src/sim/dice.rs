//! Chance that repeats: every draw is a function of a seed and of what it is drawn for.
//!
//! Streams are keyed (action, instance, number of the call), so what happens to one instance does not depend on how calls of others interleave.

use std::{ops::RangeInclusive, time::Duration};

/// A seed, from which streams are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dice {
    seed: u64,
}

/// A stream of draws for one thing.
#[derive(Clone, Debug)]
pub struct Stream {
    state: u64,
}

impl Dice {
    /// Dice that show the same for the same seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The stream for one thing: `what` it is, of `whom`, and its number.
    pub fn stream(self, what: &str, whom: &str, number: u64) -> Stream {
        let mut state = mix(self.seed ^ 0x6364_622d_7369_6d21);
        for byte in what.bytes().chain([0]).chain(whom.bytes()) {
            state = mix(state ^ u64::from(byte));
        }
        Stream { state: mix(state ^ number) }
    }
}

impl Stream {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        finish(self.state)
    }

    /// Whether something of this probability (0 to 1) happens.
    pub fn hits(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A number from 0 up to, and without, 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A duration in the range, to the millisecond; the lower end when the range is empty.
    pub fn within(&mut self, range: &RangeInclusive<Duration>) -> Duration {
        let width = range.end().saturating_sub(*range.start()).as_millis().min(u128::from(u64::MAX - 1)) as u64;
        *range.start() + Duration::from_millis(self.bits() % (width + 1))
    }
}

/// One step of splitmix64 (Steele, Lea, Flood 2014).
fn mix(x: u64) -> u64 {
    finish(x.wrapping_add(0x9e37_79b9_7f4a_7c15))
}

fn finish(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_key_draw_the_same_and_another_key_draws_other_bits() {
        let draw = |seed, whom, n| Dice::new(seed).stream("create", whom, n).bits();
        assert_eq!(draw(7, "cdb-aaaa0001", 3), draw(7, "cdb-aaaa0001", 3));
        let others = [draw(8, "cdb-aaaa0001", 3), draw(7, "cdb-aaaa0002", 3), draw(7, "cdb-aaaa0001", 4)];
        assert!(others.iter().all(|o| *o != draw(7, "cdb-aaaa0001", 3)));
    }

    #[test]
    fn a_probability_is_met_to_within_two_percent_and_its_ends_are_certain() {
        let mut stream = Dice::new(1).stream("p", "", 0);
        let hits = (0..10_000).filter(|_| stream.hits(0.3)).count();
        assert!((2_800..=3_200).contains(&hits), "{hits}");
        assert!((0..1_000).all(|_| stream.hits(1.0) && !stream.hits(0.0)));
    }

    #[test]
    fn a_duration_stays_in_its_range_and_an_empty_range_is_its_lower_end() {
        let mut stream = Dice::new(1).stream("d", "", 0);
        let range = Duration::from_millis(20)..=Duration::from_millis(200);
        assert!((0..1_000).all(|_| range.contains(&stream.within(&range))));
        assert_eq!(stream.within(&(Duration::from_secs(5)..=Duration::from_secs(1))), Duration::from_secs(5));
    }
}
