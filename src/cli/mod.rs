//! What people type, and what they read.

pub mod history;
pub mod moment;
pub mod show;
pub mod table;
