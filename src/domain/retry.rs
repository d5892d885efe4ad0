//! How long to wait, and nothing about whether to. Jitter is a hash, so a restart gives the same answer.

use super::{
    names::RunId,
    policy::{Poll, Retry},
};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// The wait after the `failures`-th failure in a row (from 1), counted from the reply.
///
/// The ceiling doubles from `initial_backoff` to `max_backoff`; the wait lies between half the initial backoff and the ceiling.
pub fn backoff(retry: &Retry, run: RunId, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(32);
    let ceiling = retry.initial_backoff.saturating_mul(1 << doublings.min(31)).min(retry.max_backoff);
    let floor = (retry.initial_backoff / 2).min(ceiling);
    floor + (ceiling - floor).mul_f64(share(run, failures))
}

/// How far apart two looks for an alias are: `poll.initial`, doubling up to `poll.max`.
pub fn look_distance(poll: &Poll, looks: u32) -> Duration {
    poll.initial.saturating_mul(1 << looks.min(31)).min(poll.max)
}

/// How far the next poll of a backup of this age lies: an eighth of it, inside `poll`'s bounds.
pub fn poll_distance(poll: &Poll, age: Duration) -> Duration {
    (age / 8).max(poll.initial).min(poll.max)
}

/// A number in `[0, 1)` that depends on nothing but its arguments.
fn share(run: RunId, failures: u32) -> f64 {
    let digest = Sha256::digest(format!("{run}\n{failures}").as_bytes());
    let high = digest.iter().take(4).fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte));
    f64::from(high) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Retry =
        Retry { after_failed: 1, max_attempts: None, initial_backoff: Duration::from_secs(2), max_backoff: Duration::from_secs(600) };

    #[test]
    fn a_backoff_stays_between_half_the_first_and_the_longest() {
        for run in 0..50 {
            for failures in [1, 2, 5, 9, 30, 31, 32, 33, 1_000, u32::MAX] {
                let wait = backoff(&RETRY, RunId(run), failures);
                assert!(wait >= Duration::from_secs(1) && wait <= RETRY.max_backoff, "{failures}: {wait:?}");
            }
        }
    }

    #[test]
    fn a_backoff_is_the_same_after_a_restart_and_differs_between_runs() {
        assert_eq!(backoff(&RETRY, RunId(7), 6), backoff(&RETRY, RunId(7), 6));
        assert_ne!(backoff(&RETRY, RunId(7), 6), backoff(&RETRY, RunId(8), 6));
    }

    #[test]
    fn polls_follow_an_eighth_of_the_age_inside_their_bounds() {
        let poll = Poll { initial: Duration::from_secs(15), max: Duration::from_secs(300) };
        for (age_s, next_s) in [(0, 15), (120, 15), (800, 100), (2_400, 300), (90_000, 300)] {
            assert_eq!(poll_distance(&poll, Duration::from_secs(age_s)), Duration::from_secs(next_s), "{age_s}");
        }
    }
}
