//! Pure tables: what the core decides, one row after another.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod schedules;
