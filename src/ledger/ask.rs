//! The command's side of `requests`: a row beside the daemon that works on the ledger.

use super::{
    Error, Ledger,
    open::{file_error, recognise},
    row::ms,
};
use crate::domain::request::Request;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OpenFlags, params};
use std::{path::Path, time::Duration};

/// Writes a request beside the daemon that works on the ledger, and returns its number; the answer comes from there.
///
/// # Errors
/// [`Error::NotPermitted`] when this user may not write the file; [`Error::Foreign`] and [`Error::Newer`] as for reading.
pub fn ask(ledger: &Path, request: &Request, from: &Asker, now: DateTime<Utc>) -> Result<i64, Error> {
    let file = std::fs::OpenOptions::new().read(true).write(true).open(ledger);
    drop(file.map_err(|error| file_error(ledger, error))?);
    let conn = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(ASK_PATIENCE)?;
    conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 0")?;
    recognise(&conn, ledger)?;
    asked(&conn, request, from, now)
}

/// How long a command waits for its turn to write.
const ASK_PATIENCE: Duration = Duration::from_secs(5);

/// Who asks, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// By name.
    pub who: String,
    /// By number.
    pub uid: u32,
    /// Their reason.
    pub reason: Option<String>,
}

fn asked(conn: &Connection, request: &Request, from: &Asker, now: DateTime<Utc>) -> Result<i64, Error> {
    let arguments = serde_json::to_string(request).map_err(|error| Error::Row(format!("a request: {error}")))?;
    conn.execute(
        "INSERT INTO requests (at_ms, who, uid, what, arguments, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![ms(now), from.who, from.uid, request.word(), arguments, from.reason],
    )?;
    Ok(conn.last_insert_rowid())
}

impl Ledger {
    /// Writes a request of this process's own, and returns its number.
    pub fn ask(&mut self, request: &Request, from: &Asker, now: DateTime<Utc>) -> Result<i64, Error> {
        asked(&self.conn, request, from, now)
    }
}
