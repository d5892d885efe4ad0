//! Scheduled backups for TencentDB for MySQL.

pub mod cli;
pub mod clock;
pub mod cloud;
pub mod daemon;
pub mod domain;
pub mod ledger;
