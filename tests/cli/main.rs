//! The command line: policies with faults and what is drawn of them, and the binary's own manners.

#![expect(clippy::expect_used, reason = "a test says what it expects, and fails")]

mod against;
mod bad_policies;
mod binary;
mod care;
mod demo;
mod examples;
mod good_policies;
mod health;
mod meetings;
mod next;
mod noise;
mod reloads;
mod stops;
mod understood;
