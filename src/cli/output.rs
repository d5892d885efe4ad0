//! Printing: data on stdout, everything else on stderr. A reader that has gone away is no error.

use crate::{
    clock::{Clock, SystemClock},
    config::{self, Fault, Level},
};
use anyhow::Context;
use chrono::SecondsFormat;
use clap::ValueEnum;
use serde::Serialize;
use std::io::{self, ErrorKind, IsTerminal, Write};

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: one object.
    Json,
    /// For spreadsheets: rows.
    Csv,
}

/// The one top-level object of every JSON answer.
#[derive(Serialize)]
struct Items<'a, T> {
    schema_version: u32,
    items: &'a [T],
}

/// Prints data, as it is.
pub fn print(data: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(data.as_bytes()).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(e).context("stdout cannot be written"),
        _ => Ok(()),
    }
}

/// Prints `{"schema_version":1,"items":[…]}`.
pub fn print_items<T: Serialize>(items: &[T]) -> anyhow::Result<()> {
    print(&self::items(items)?)
}

/// `{"schema_version":1,"items":[…]}`, and the end of its line.
pub fn items<T: Serialize>(items: &[T]) -> anyhow::Result<String> {
    let object = serde_json::to_string(&Items { schema_version: 1, items }).context("the answer cannot be written as JSON")?;
    Ok(object + "\n")
}

/// One line of the log as JSON, under the keys that `tracing` gives its own.
#[derive(Serialize)]
struct Logged<'a> {
    timestamp: String,
    level: &'static str,
    message: &'a str,
    #[serde(flatten)]
    fault: Option<Place<'a>>,
}

/// What a fault says beside its message.
#[derive(Serialize)]
struct Place<'a> {
    code: &'a str,
    file: &'a str,
    line: Option<usize>,
    column: Option<usize>,
    path: &'a str,
    hint: Option<&'a str>,
}

/// Tells a line on stderr, or a fault, as one JSON object.
pub fn log(level: Level, message: &str, fault: Option<&Fault>) {
    let level = match level {
        Level::Error => "ERROR",
        Level::Warning => "WARN",
    };
    let fault = fault.map(|fault| Place {
        code: fault.code,
        file: &fault.file,
        line: fault.line,
        column: fault.column,
        path: &fault.path,
        hint: fault.hint.as_deref(),
    });
    let timestamp = SystemClock::new().now().utc.to_rfc3339_opts(SecondsFormat::Micros, true);
    if let Ok(line) = serde_json::to_string(&Logged { timestamp, level, message, fault }) {
        // Nobody is left to be told when this cannot be written.
        drop(writeln!(io::stderr().lock(), "{line}"));
    }
}

/// Tells a line on stderr.
pub fn tell(line: &str) {
    // Nobody is left to be told when this cannot be written.
    drop(writeln!(io::stderr().lock(), "cdb-backupd: {line}"));
}

/// Draws faults or warnings on stderr.
pub fn tell_faults(faults: &[Fault]) {
    let color = colored(&io::stderr());
    for fault in faults {
        drop(writeln!(io::stderr().lock(), "{}\n", fault.draw(color)));
    }
}

/// Whether colour is wanted where this goes.
pub fn colored(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && !config::no_color()
}
