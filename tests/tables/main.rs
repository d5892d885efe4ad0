//! Pure tables: what the core decides, one row after another.

#![expect(clippy::expect_used, reason = "a test says what it expects, and fails")]

mod fences;
mod forecasts;
mod schedules;
