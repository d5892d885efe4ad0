//! The real client against the published vectors, against raw sockets, and against the simulated cloud over loopback HTTP.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod codes;
mod credentials;
mod door;
mod signing;
mod transport;
mod vectors;
mod wire;
mod wires;
