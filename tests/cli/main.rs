//! The command line: policies with faults and what is drawn of them, and the binary's own manners.

#![expect(clippy::expect_used, reason = "a test says what it expects, and fails")]

mod against;
mod bad_policies;
mod bars;
mod binary;
mod care;
mod demo;
mod good_policies;
mod health;
mod help;
mod meant;
mod meetings;
mod next;
mod noise;
mod papers;
mod reloads;
mod schema;
mod stops;
mod understood;
