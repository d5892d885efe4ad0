//! Pure tables: what the core decides, one row after another.

#![expect(clippy::expect_used, reason = "a test says what it expects, and fails")]

mod answers;
mod catch_ups;
mod due_runs;
mod forecasts;
mod freshness;
mod looks;
mod paces;
mod plans;
mod policies;
mod polls;
mod scene;
mod schedules;
