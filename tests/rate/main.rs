//! How fast runs start: the real client, loop and ledger against the simulated cloud over loopback HTTP, in real time, as the cloud counts.
//!
//! That nothing leaves too fast holds on any machine. That it leaves fast enough needs one that lets a thread run when its sleep is over: a test
//! that misses its rate is repeated only when a thread beside it, which does nothing but sleep, was late itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod night;
mod stalls;

use cdb_backupd::sim::{audit::Audit, rate::Traffic};
use night::Night;
use stalls::Stalls;
use std::time::Duration;

/// A permit may be taken 100 ms early (`domain::pace`); a machine that wakes nobody for half of that is too busy to be measured.
const STALLED: Duration = Duration::from_millis(50);
/// How often a rate is measured at most.
const TRIES: usize = 3;

/// Creates a second, from the first to the last.
fn per_second(traffic: &Traffic) -> f64 {
    (traffic.calls - 1) as f64 / (traffic.last - traffic.first).as_secs_f64()
}

/// What holds on any machine: each instance is called for once, nobody ever calls six times in a second, nobody is throttled.
fn assert_polite(audit: &Audit, night: Night) {
    let calls: Vec<u64> = audit.creates().map(|traffic| traffic.calls).collect();
    assert_eq!(calls, vec![night.instances as u64; night.accounts], "each instance is called for once");
    assert_eq!(audit.creates_refused_by_rate(), 0, "throttled");
    assert!(audit.peak_creates() <= 5, "{} creates in one second", audit.peak_creates());
    assert_eq!(audit.backups.len(), night.instances * night.accounts);
}

/// The slowest account's rate has to reach `wanted`.
fn assert_fast(night: Night, wanted: f64) {
    let mut seen = Vec::new();
    for _ in 0..TRIES {
        let stalls = Stalls::watch();
        let audit = night.pass();
        let stalled = stalls.worst();
        assert_polite(&audit, night);
        let slowest = audit.creates().map(per_second).fold(f64::INFINITY, f64::min);
        seen.push(format!("{slowest:.3} a second while a sleeper was up to {stalled:?} late"));
        if slowest >= wanted {
            return;
        }
        if stalled < STALLED {
            break;
        }
    }
    panic!("{wanted} a second is the least: {}", seen.join("; "));
}

#[test]
fn sixty_instances_due_at_one_second_start_at_4_9_a_second_and_never_six_in_one() {
    assert_fast(Night { accounts: 1, instances: 60 }, 4.9);
}

#[test]
fn twenty_accounts_of_a_hundred_instances_start_at_4_75_a_second_each() {
    assert_fast(Night { accounts: 20, instances: 100 }, 4.75);
}
