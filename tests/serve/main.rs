//! The HTTP door as its guests see it: the real router behind the real door on a loopback socket, over a ledger file; and the real daemon.

mod access;
mod bounds;
mod health;
mod living;
mod opening;
mod scene;
mod scrapes;
mod stage;
