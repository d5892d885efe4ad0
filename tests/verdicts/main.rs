//! Ten troubles, and what each place says of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod cloud;
mod own;
mod places;
mod process;
mod stage;
