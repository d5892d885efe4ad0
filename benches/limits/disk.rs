//! The floor of every record: a bare commit of one row, as durable as ours.

use rusqlite::Connection;
use std::path::Path;

/// About what a change of a run writes.
const ROW: usize = 300;

/// A database with one table and nothing else.
pub(crate) struct Bare {
    conn: Connection,
    row: String,
}

impl Bare {
    /// Beside the ledgers of the same run, with the durability that they have.
    pub(crate) fn open(folder: &Path) -> anyhow::Result<Self> {
        let conn = Connection::open(folder.join("bare.db"))?;
        conn.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 64;
             CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT NOT NULL);",
        )?;
        Ok(Self { conn, row: "x".repeat(ROW) })
    }

    /// One row, on the disk when it returns.
    pub(crate) fn commit(&self) -> anyhow::Result<()> {
        self.conn.prepare_cached("INSERT INTO rows (text) VALUES (?1)")?.execute([&self.row])?;
        Ok(())
    }
}
