//! A stateful, seeded model of the cdb API, stricter than the real service, with two doors: in process and loopback HTTP.
//!
//! In reading order: [`settings`] (what a cloud is built from), [`faults`] (what can go wrong, by name), `pairs` (what of it can go wrong together),
//! [`script`] (when), [`dice`] (chance that repeats), `call` (a call as both doors hand it in), `exchange` (its course in time), `cloud` with `site`
//! and `backup` (what acting means), [`rate`], `verify` (signatures, by code of its own), [`door`] (in process), [`http`] with `read`, `json` and
//! `socket`, [`audit`] (what tests ask afterwards), [`time`] (its time base).
//!
//! The same seed and the same calls make the same timeline, byte for byte. It sees `domain`, `cloud`'s types and its table of codes, never the client
//! or the signer.

pub mod audit;
mod backup;
mod call;
mod cloud;
pub mod dice;
pub mod door;
mod exchange;
pub mod fault_error;
pub mod faults;
pub mod http;
#[cfg(test)]
mod http_tests;
mod json;
mod pairs;
pub mod rate;
mod read;
pub mod script;
pub mod settings;
mod site;
mod socket;
#[cfg(test)]
mod tests;
pub mod time;
mod verify;

pub use cloud::{Event, REGIONS};
pub use door::Cloud;
pub use exchange::Kill;
