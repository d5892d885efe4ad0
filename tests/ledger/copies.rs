//! Copies: whole, of one moment, for the same eyes as the ledger, and never in place of something.

use super::shelf::{NIGHTLY, Shelf, at, install, policy};
use cdb_backupd::{
    domain::policy::LedgerCopies,
    ledger::{
        check,
        copy::{self, CopyError},
    },
};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn ledger() -> (Shelf, cdb_backupd::ledger::Ledger) {
    let shelf = Shelf::new();
    let mut ledger = shelf.open().ledger;
    install(&mut ledger, &policy(&[("main", 2)], NIGHTLY));
    (shelf, ledger)
}

#[test]
fn a_copy_beside_a_working_daemon_is_a_ledger_of_that_moment() {
    let (shelf, mut ledger) = ledger();
    let to = shelf.folder().join("a copy?.db");
    let copied = copy::copy(&shelf.path(), &to).unwrap();
    ledger.heartbeat(at(0), 1, "ok", "").unwrap();
    let mode = fs::metadata(&to).unwrap().permissions().mode() & 0o777;
    assert_eq!((copied.path.as_path(), copied.bytes, mode & !0o640), (to.as_path(), fs::metadata(&to).unwrap().len(), 0));
    let checked = check::check(&to).unwrap();
    assert_eq!((checked.pairs, checked.findings.len()), (2, 0));
    assert!(names(shelf.folder()).iter().all(|name| !name.contains("part")), "{:?}", names(shelf.folder()));
    let conn = rusqlite::Connection::open(&to).unwrap();
    let beats: i64 = conn.query_row("SELECT count(*) FROM heartbeat", [], |row| row.get(0)).unwrap();
    assert_eq!(beats, 0, "what came later is not in it");
}

#[test]
fn nothing_that_is_there_is_replaced_whatever_it_is() {
    let (shelf, _ledger) = ledger();
    let (file, link, folder) = (shelf.folder().join("file"), shelf.folder().join("link"), shelf.folder().join("folder"));
    fs::write(&file, "theirs").unwrap();
    symlink(shelf.folder().join("nowhere"), &link).unwrap();
    fs::create_dir(&folder).unwrap();
    for to in [&file, &link, &folder, &shelf.path()] {
        assert!(matches!(copy::copy(&shelf.path(), to), Err(CopyError::Exists(_))), "{}", to.display());
    }
    assert_eq!(fs::read(&file).unwrap(), b"theirs");
    assert!(!shelf.folder().join("nowhere").exists());
    fs::write(shelf.folder().join("new.part"), "theirs").unwrap();
    assert!(matches!(copy::copy(&shelf.path(), &shelf.folder().join("new")), Err(CopyError::Exists(_))));
    assert_eq!(fs::read(shelf.folder().join("new.part")).unwrap(), b"theirs");
}

#[test]
fn a_copy_that_cannot_be_whole_is_not_there() {
    let (shelf, _ledger) = ledger();
    assert!(copy::copy(&shelf.folder().join("none.db"), &shelf.folder().join("to.db")).is_err());
    assert!(copy::copy(&shelf.path(), &shelf.folder().join("no/folder/to.db")).is_err());
    // A foreign file of the ledger's name is not copied.
    let foreign = shelf.folder().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(copy::copy(&foreign, &shelf.folder().join("to.db")).is_err());
    assert!(!shelf.folder().join("to.db").exists() && !shelf.folder().join("to.db.part").exists());
}

#[test]
fn of_the_nightly_copies_the_newest_are_kept_and_nobody_elses_file_is_touched() {
    let (shelf, _ledger) = ledger();
    let other = Shelf::new();
    let _other = cdb_backupd::ledger::Ledger::open(&other.path(), "another", at(0)).unwrap();
    let folder = shelf.folder().join("made/copies");
    let copies = LedgerCopies { folder: folder.clone(), keep: 2 };
    let night = |n: i64| at(n * 86_400);
    let mut all = Vec::new();
    for n in 1..=3 {
        all.push(copy::nightly(&shelf.path(), &copies, night(n)).unwrap());
    }
    copy::nightly(&other.path(), &copies, night(1)).unwrap();
    let ours = all[0].path.file_name().unwrap().to_str().unwrap().to_owned();
    for name in ["ledger.db", "notes.txt", "ledger-00000000-20200101T000000Z.db", &format!("{ours}.old"), &ours.replace(".db", ".sql")] {
        fs::write(folder.join(name), "theirs").unwrap();
    }
    let before = names(&folder);
    // A night that was cut short left this.
    fs::write(folder.join(format!("{ours}.part")), "half").unwrap();
    let fourth = copy::nightly(&shelf.path(), &copies, night(4)).unwrap();
    assert_eq!(
        (all[1].dropped.as_slice(), all[2].dropped.as_slice(), fourth.dropped.as_slice()),
        (&[][..], &[all[0].path.clone()][..], &[all[1].path.clone()][..])
    );
    let mut expected = before;
    expected.retain(|name| *name != all[1].path.file_name().unwrap().to_str().unwrap());
    expected.push(fourth.path.file_name().unwrap().to_str().unwrap().to_owned());
    expected.sort();
    assert_eq!(names(&folder), expected);
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o027 & !0o050, 0);
    assert!(matches!(copy::nightly(&shelf.path(), &copies, night(4)), Err(CopyError::Exists(_))), "the same night again");
}

#[test]
fn a_night_without_its_ledger_drops_no_copy() {
    let (shelf, ledger) = ledger();
    let copies = LedgerCopies { folder: shelf.folder().join("copies"), keep: 1 };
    let first = copy::nightly(&shelf.path(), &copies, at(0)).unwrap();
    drop(ledger);
    fs::remove_file(shelf.path()).unwrap();
    assert!(copy::nightly(&shelf.path(), &copies, at(86_400)).is_err());
    assert!(first.path.exists());
}
