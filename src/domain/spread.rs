//! How much later than its slot a job starts on an instance: a stable share, so that no herd comes at 02:00:00.

use super::names::{InstanceId, JobName};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// A share of `spread` in whole seconds, below it; the same for a job and instance in every process and version.
pub fn share_of_spread(job: &JobName, instance: &InstanceId, spread: Duration) -> Duration {
    let digest = Sha256::digest(format!("{job}\n{instance}").as_bytes());
    let high = digest.iter().take(8).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    Duration::from_secs(high.checked_rem(spread.as_secs()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(instance: u32, spread_s: u64) -> u64 {
        let id = InstanceId::parse(&format!("cdb-sim{instance:05}")).unwrap();
        share_of_spread(&JobName::parse("nightly").unwrap(), &id, Duration::from_secs(spread_s)).as_secs()
    }

    #[test]
    fn shares_lie_below_the_spread_and_fill_it_evenly() {
        let mut tenths = [0; 10];
        for instance in 0..10_000 {
            let share = share(instance, 600);
            tenths[usize::try_from(share / 60).unwrap()] += 1;
        }
        assert!(tenths.iter().all(|n| (900..1_100).contains(n)), "{tenths:?}");
    }

    #[test]
    fn no_spread_is_no_delay() {
        assert_eq!(share(1, 0), 0);
    }

    #[test]
    fn a_share_never_changes_between_versions() {
        assert_eq!([share(1, 1_200), share(2, 1_200), share(3, 86_400)], SHARES);
    }

    /// Reckoned apart, by another program.
    const SHARES: [u64; 3] = [335, 1_096, 29_503];
}
