//! The real client against the published vectors, against raw sockets, and against the simulated cloud over loopback HTTP.

mod codes;
mod credentials;
mod door;
mod vectors;
mod wire;
