//! Scheduled backups for TencentDB for MySQL.

pub mod cli;
pub mod clock;
pub mod cloud;
pub mod config;
pub mod domain;
