//! What becomes of the daemon when SQLite refuses.

use cdb_backupd::ledger::{Error, Remedy};

#[test]
fn only_a_ledger_that_may_be_writable_again_is_tried_again() {
    let of = |code| Error::Sql(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)).remedy();
    use rusqlite::ffi::{SQLITE_BUSY, SQLITE_CORRUPT, SQLITE_FULL, SQLITE_IOERR, SQLITE_IOERR_FSYNC, SQLITE_LOCKED, SQLITE_NOTADB, SQLITE_READONLY};
    for code in [SQLITE_BUSY, SQLITE_LOCKED, SQLITE_FULL, SQLITE_READONLY] {
        assert_eq!(of(code), Remedy::Hold, "{code}");
    }
    // After a failed sync nobody knows what is on the disk.
    for code in [SQLITE_IOERR, SQLITE_IOERR_FSYNC, SQLITE_CORRUPT, SQLITE_NOTADB] {
        assert_eq!(of(code), Remedy::End, "{code}");
    }
}
