//! Scheduled backups for TencentDB for MySQL.

pub mod alarm;
pub mod cli;
pub mod clock;
pub mod cloud;
pub mod config;
pub mod daemon;
pub mod domain;
pub mod ledger;
pub mod sim;
pub mod telemetry;
