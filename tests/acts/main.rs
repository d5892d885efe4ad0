//! What people do by hand, at the edge they see: the real commands beside a real daemon, and without one, against the simulator over HTTP.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod alone;
mod beside;
mod stage;
mod three_in_the_night;
