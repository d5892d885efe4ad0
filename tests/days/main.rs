//! Simulated days: the real loop, planner and ledger against the simulated cloud, in time that jumps.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod absences;
mod clocks;
mod holds;
mod housekeeping;
mod nights;
mod seeds;
mod world;
