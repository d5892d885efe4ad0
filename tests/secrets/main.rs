//! No secret is ever written: keys that nobody has go through every command, log level and error, and all that is left behind is searched for them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod canary;
mod commands;
mod cores;
mod nights;
mod refusals;
mod scene;
