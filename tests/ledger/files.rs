//! The ledger as a file: what is refused and left alone, who may read it, and what to do when it cannot be written.

use super::shelf::{Shelf, at};
use cdb_backupd::ledger::{APPLICATION_ID, Error, Ledger, Remedy, report::Reader};
use rusqlite::{Connection, ffi};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The permissions that this process's mask leaves of `mode`.
fn masked(folder: &Path, mode: u32) -> u32 {
    let probe = folder.join("probe");
    fs::create_dir(&probe).unwrap();
    let left = fs::metadata(&probe).unwrap().permissions().mode() & mode;
    fs::remove_dir(&probe).unwrap();
    left
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn every_file_of_a_ledger_is_for_its_owner_and_read_by_its_group() {
    let shelf = Shelf::new();
    let path = shelf.folder().join("made/for/it/ledger.db");
    let opened = Ledger::open(&path, "fresh", at(0)).unwrap();
    opened.ledger.connection().execute("INSERT INTO meta VALUES ('x', 'y')", []).unwrap();
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let file = PathBuf::from(format!("{}{suffix}", path.display()));
        assert_eq!(mode(&file), masked(shelf.folder(), 0o640), "{}", file.display());
    }
    assert_eq!(mode(path.parent().unwrap()), masked(shelf.folder(), 0o750));
}

/// Opens what lies there, which has to fail, and shows that nothing of it was touched.
fn refused(shelf: &Shelf) -> Error {
    let before = fs::read(shelf.path()).unwrap();
    let error = shelf.try_open().unwrap_err();
    assert_eq!(error.remedy(), Remedy::End);
    assert_eq!(fs::read(shelf.path()).unwrap(), before, "{error}");
    assert!(!shelf.folder().join("ledger.db-wal").exists());
    error
}

#[test]
fn a_file_that_is_no_ledger_is_refused_and_left_alone() {
    let fill: [&dyn Fn(&Path); 4] = [
        &|path| fs::write(path, "this is no database ".repeat(100)).unwrap(),
        &|path| Connection::open(path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap(),
        &|path| Connection::open(path).unwrap().execute_batch("PRAGMA application_id = 1; CREATE TABLE theirs (x)").unwrap(),
        &|path| Connection::open(path).unwrap().execute_batch("PRAGMA application_id = 1").unwrap(),
    ];
    for fill in fill {
        let shelf = Shelf::new();
        fill(&shelf.path());
        let error = refused(&shelf);
        assert!(matches!(error, Error::Foreign(_)), "{error}");
        assert_eq!(error.to_string(), format!("{} is not a ledger of cdb-backupd and was left alone; name another path", shelf.path().display()));
    }
}

#[test]
fn a_ledger_of_a_later_version_is_refused_with_what_to_do() {
    let shelf = Shelf::new();
    drop(shelf.open());
    Connection::open(shelf.path()).unwrap().execute_batch("PRAGMA journal_mode = DELETE; PRAGMA user_version = 2").unwrap();
    let error = refused(&shelf);
    assert!(matches!(error, Error::Newer { found: 2, known: 1, .. }), "{error}");
    assert!(error.to_string().ends_with("is of ledger version 2, and this program knows up to 1; install the newer version again"), "{error}");
}

#[test]
fn an_empty_file_becomes_a_ledger_that_bears_our_mark() {
    let shelf = Shelf::new();
    fs::write(shelf.path(), "").unwrap();
    let opened = shelf.open();
    let pragma = |name: &str| opened.ledger.connection().query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((pragma("application_id"), pragma("user_version")), (i64::from(APPLICATION_ID), 1));
    assert_eq!((pragma("foreign_keys"), pragma("synchronous"), pragma("wal_autocheckpoint")), (1, 2, 64));
    assert!(!opened.put_back);
}

#[test]
fn a_ledger_whose_path_leads_elsewhere_is_not_written_any_more() {
    let shelf = Shelf::new();
    let mut ledger = shelf.open().ledger;
    ledger.record(&[], &[]).unwrap();
    fs::rename(shelf.path(), shelf.folder().join("moved.db")).unwrap();
    assert!(matches!(ledger.record(&[], &[]), Err(Error::Replaced(_))), "it is gone");
    assert!(matches!(ledger.answered(&[]), Err(Error::Replaced(_))) && matches!(ledger.heartbeat(at(0), 1, "ok", ""), Err(Error::Replaced(_))));
    fs::copy(shelf.folder().join("moved.db"), shelf.path()).unwrap();
    let error = ledger.still_ours().unwrap_err();
    assert_eq!((error.remedy(), error.to_string()), (Remedy::End, format!("{} is no longer the file that was opened", shelf.path().display())));
}

#[test]
fn readers_need_no_lock_change_nothing_and_see_what_is_committed() {
    let shelf = Shelf::new();
    let ledger = shelf.open().ledger;
    let reader = Reader::open(&shelf.path()).unwrap();
    assert!(reader.is_some() && shelf.try_open().is_err(), "beside a daemon");
    drop(ledger);
    let before = (shelf.copy(), fs::read(shelf.lock()).unwrap());
    fs::set_permissions(shelf.path(), fs::Permissions::from_mode(0o440)).unwrap();
    assert!(Reader::open(&shelf.path()).unwrap().is_some(), "after its end");
    drop(reader);
    assert_eq!((shelf.copy(), fs::read(shelf.lock()).unwrap()), before);
    assert!(Reader::open(&shelf.folder().join("none.db")).unwrap().is_none());
    assert!(!shelf.folder().join("none.db").exists());
}

#[test]
fn what_may_pass_by_itself_is_waited_for_and_what_may_not_ends_the_daemon() {
    let failed = |code: i32| Error::Sql(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
    for code in [ffi::SQLITE_FULL, ffi::SQLITE_BUSY, ffi::SQLITE_LOCKED, ffi::SQLITE_READONLY] {
        assert_eq!(failed(code).remedy(), Remedy::Hold, "{}", failed(code));
    }
    for code in [ffi::SQLITE_IOERR, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB, ffi::SQLITE_CANTOPEN, ffi::SQLITE_CONSTRAINT] {
        assert_eq!(failed(code).remedy(), Remedy::End, "{}", failed(code));
    }
    let locked = Error::Locked(PathBuf::new());
    assert_eq!(locked.remedy(), Remedy::End);
}
