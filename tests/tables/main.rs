//! Pure tables: what the core decides, one row after another.


mod schedules;
