//! The HTTP door as its guests see it: the real router behind the real door on a loopback socket, over a ledger file; and the real daemon.

#![expect(clippy::expect_used, reason = "a test that cannot go on panics")]

mod access;
mod bounds;
mod health;
mod living;
mod noise;
mod opening;
mod scene;
mod scrapes;
mod stage;
