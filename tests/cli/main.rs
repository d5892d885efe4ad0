//! The command line: policies with faults and what is drawn of them, and the binary's own manners.

#![expect(clippy::expect_used, reason = "a test says what it expects, and fails")]

mod bad_policies;
mod binary;
mod care;
mod demo;
mod good_policies;
mod health;
mod meetings;
mod next;
mod noise;
mod stops;
mod understood;
