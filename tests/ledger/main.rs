//! The record by itself: what it keeps, what it refuses, what it shows the planner and people, and how its file is opened.

#![expect(clippy::unwrap_used, reason = "a test says what it expects, and fails")]

mod admissions;
mod checks;
mod checkups;
mod copies;
mod files;
mod heads;
mod locks;
mod remedies;
mod round_trips;
mod shelf;
mod triggers;
mod views;
