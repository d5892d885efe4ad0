//! The HTTP door as its guests see it: the real router behind the real door on a loopback socket, over a ledger file.

mod opening;
mod scene;
