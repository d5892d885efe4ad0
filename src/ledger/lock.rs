//! `<ledger>.lock`: the lock of the operating system, and what a copy of the ledger cannot know: its id, and the number of the newest call begun.
//!
//! It is never renamed and is written in place after each `begin`'s commit and before its call. A ledger behind it was put back.

use super::Error;
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// The lock of a ledger; of one in memory, only its number.
#[derive(Debug)]
pub(super) struct LockFile {
    file: Option<(PathBuf, File)>,
}

/// What the file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The ledger's id.
    pub(super) ledger_id: String,
    /// The newest create begun.
    pub(super) attempt: i64,
}

impl LockFile {
    pub(super) fn in_memory() -> Self {
        Self { file: None }
    }

    /// Takes the lock beside `ledger`, or says who has it.
    pub(super) fn take(ledger: &Path) -> Result<(Self, Option<Mark>), Error> {
        let mut name = ledger.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        let fault = |source: std::io::Error| super::open::file_error(&path, source);
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o640).open(&path).map_err(fault)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Locked(path)),
            Err(TryLockError::Error(source)) => return Err(fault(source)),
        }
        let mut text = String::new();
        // Anything but our own two short lines is no mark.
        (&mut file).take(256).read_to_string(&mut text).map_err(fault)?;
        let mark = parse(&text);
        Ok((Self { file: Some((path, file)) }, mark))
    }

    /// Writes the mark in place.
    pub(super) fn write(&mut self, mark: &Mark) -> Result<(), Error> {
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        let text = format!("ledger {}\nattempt {:020}\n", mark.ledger_id, mark.attempt);
        let written = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(text.as_bytes()));
        written.map_err(|source| super::open::file_error(path, source))
    }
}

/// The id that the lock file beside `ledger` holds, read without taking it.
pub(super) fn id_at(ledger: &Path) -> Option<String> {
    let mut name = ledger.as_os_str().to_owned();
    name.push(".lock");
    let mut text = String::new();
    File::open(PathBuf::from(name)).ok()?.take(256).read_to_string(&mut text).ok()?;
    parse(&text).map(|mark| mark.ledger_id)
}

fn parse(text: &str) -> Option<Mark> {
    let mut lines = text.lines();
    let ledger_id = lines.next()?.strip_prefix("ledger ")?.to_owned();
    let attempt = lines.next()?.strip_prefix("attempt ")?.parse().ok()?;
    Some(Mark { ledger_id, attempt })
}
