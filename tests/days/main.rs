//! Simulated days: the real loop, planner and ledger against the simulated cloud, in time that jumps.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod absence;
mod absences;
mod accounts;
mod busy;
mod clocks;
mod closings;
mod cursors;
mod generations;
mod holds;
mod housekeeping;
mod locked;
mod logs;
mod lone;
mod nights;
mod pace;
mod pauses;
mod promise;
mod rebuilt;
mod reloads;
mod requests;
mod restored;
mod seeds;
mod shown;
mod stamps;
mod world;
