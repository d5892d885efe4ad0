//! x
use super::names::*;
use std::time::Duration;
/// x
pub fn share_of_spread(_: &JobName, _: &InstanceId, _: Duration) -> Duration {
    Duration::ZERO
}
