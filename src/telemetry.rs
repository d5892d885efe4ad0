//! How logs look and where they go: stderr, as text or JSON, at INFO unless `CDB_BACKUPD_LOG` says otherwise.

use std::io::IsTerminal;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Text for people, JSON for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One line of words and `key=value`.
    Text,
    /// One object a line.
    Json,
}

/// Sends logs to stderr. `levels` is a filter such as `info` or `cdb_backupd=debug`; a bad one counts as `info`.
pub fn start(format: LogFormat, levels: &str, colour: bool) {
    let filter = EnvFilter::try_new(levels).unwrap_or_else(|_| EnvFilter::new("info"));
    // Other crates may log what they send; only their warnings are let through, whatever the filter says.
    let quiet = ["hyper=warn", "reqwest=warn", "rustls=warn", "tokio_cron_scheduler=warn"];
    let filter = quiet.iter().filter_map(|directive| directive.parse().ok()).fold(filter, EnvFilter::add_directive);
    let registry = tracing_subscriber::registry().with(filter);
    // A second start (tests) is no fault.
    let started = match format {
        LogFormat::Text => {
            let ansi = colour && std::io::stderr().is_terminal();
            registry.with(fmt::layer().with_writer(std::io::stderr).with_ansi(ansi).with_target(false)).try_init()
        }
        LogFormat::Json => registry.with(fmt::layer().json().flatten_event(true).with_target(false).with_writer(std::io::stderr)).try_init(),
    };
    drop(started);
}
