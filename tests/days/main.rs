//! Simulated days: the real loop, planner and ledger against the simulated cloud, in time that jumps.

mod nights;
mod seeds;
mod world;
