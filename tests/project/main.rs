//! The project around the code: its shape, and that its papers agree with it.

#![expect(clippy::unwrap_used, reason = "what cannot be read fails its test")]

mod alerts;
mod containers;
mod deploy;
mod layers;
mod readme;
mod relied;
mod sources;
mod tidy;
