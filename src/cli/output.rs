//! Printing: data on stdout, everything else on stderr. A reader that has gone away is no error.

use crate::config::{self, Fault};
use anyhow::Context;
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
    let object = serde_json::to_string(&Items { schema_version: 1, items }).context("the answer cannot be written as JSON")?;
    print(&format!("{object}\n"))
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
