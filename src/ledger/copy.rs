//! Copies of the ledger: whole, of one moment, beside a working daemon or without one.
//!
//! Decided here: how a copy comes to be (it is complete or not there, and replaces nothing), and which of the nightly ones go. The source is opened
//! for reading only. A copy that is put back is recognised by what is not beside it: [`super::open`].

use super::{
    Error,
    open::{file_error, read_meta, recognise},
    report::{beside, connect},
};
use crate::domain::policy::LedgerCopies;
use chrono::{DateTime, Utc};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// What a copy is called while it is not whole.
const PART: &str = ".part";
/// How the moment of a nightly copy stands in its name.
const STAMP: &str = "%Y%m%dT%H%M%SZ";
const STAMP_LENGTH: usize = 16;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Something is there already: name another.
    #[error("{0} is there already, and a copy replaces nothing; name a new file")]
    Exists(PathBuf),
    /// There is no ledger to copy: name the right one.
    #[error("there is no ledger at {0}")]
    NoLedger(PathBuf),
    /// A path that SQLite cannot be told: name one in UTF-8.
    #[error("{0} is not UTF-8; name another path")]
    Name(PathBuf),
    /// The copy does not pass SQLite's own check: see what `ledger check` says.
    #[error("the copy is damaged ({0}) and was not kept; see what `ledger check` says of the ledger")]
    Damaged(String),
    /// The ledger cannot be read, or the copy not written.
    #[error(transparent)]
    Ledger(#[from] Error),
}

impl From<rusqlite::Error> for CopyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Ledger(error.into())
    }
}

/// A copy that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Where it lies.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Nightly copies that were dropped for it, oldest first.
    pub dropped: Vec<PathBuf>,
}

/// Copies the ledger at `from` into the new file `to`. Takes as long as the file is large, and keeps nobody from writing the ledger meanwhile.
pub fn copy(from: &Path, to: &Path) -> Result<Copied, CopyError> {
    copy_of(&source(from)?, to)
}

/// Makes the copy of this night in `copies.folder`, and drops the oldest ones of the same ledger beyond `copies.keep`.
pub fn nightly(ledger: &Path, copies: &LedgerCopies, now: DateTime<Utc>) -> Result<Copied, CopyError> {
    let source = source(ledger)?;
    let folder = &copies.folder;
    if !folder.is_dir() {
        DirBuilder::new().recursive(true).mode(0o750).create(folder).map_err(|error| file_error(folder, error))?;
    }
    let names = Names::of(ledger, read_meta(&source, "ledger_id")?.as_deref().unwrap_or_default());
    for left in names.among(folder, &format!(".db{PART}"))? {
        // What a night left behind that was cut short.
        fs::remove_file(&left).map_err(|error| file_error(&left, error))?;
    }
    let mut copied = copy_of(&source, &folder.join(format!("{}{}.db", names.begin, now.format(STAMP))))?;
    let mut all = names.among(folder, ".db")?;
    let keep = usize::try_from(copies.keep).unwrap_or(usize::MAX).max(1);
    all.truncate(all.len().saturating_sub(keep));
    for old in &all {
        fs::remove_file(old).map_err(|error| file_error(old, error))?;
    }
    copied.dropped = all;
    Ok(copied)
}

pub(super) fn source(path: &Path) -> Result<Connection, CopyError> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(CopyError::NoLedger(path.to_owned())),
        Err(error) => return Err(file_error(path, error).into()),
        Ok(file) if !file.is_file() => return Err(Error::Foreign(path.to_owned()).into()),
        Ok(file) if file.len() == 0 => return Err(CopyError::NoLedger(path.to_owned())),
        Ok(_) => {}
    }
    drop(File::open(path).map_err(|error| file_error(path, error))?);
    let conn = connect(path)?;
    recognise(&conn, path)?;
    Ok(conn)
}

fn copy_of(source: &Connection, to: &Path) -> Result<Copied, CopyError> {
    // Relative to where the process is now, and not a name that SQLite takes for a URI.
    let to = std::path::absolute(to).map_err(|error| file_error(to, error))?;
    if to.symlink_metadata().is_ok() {
        return Err(CopyError::Exists(to));
    }
    let part = beside(&to, PART);
    let made = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&part);
    drop(made.map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists { CopyError::Exists(part.clone()) } else { file_error(&part, error).into() }
    })?);
    let copied = fill(source, &part).and_then(|bytes| Ok((bytes, publish(&part, &to)?)));
    if copied.is_err() {
        // It is ours, and nobody's yet.
        drop(fs::remove_file(&part));
    }
    let (bytes, ()) = copied?;
    Ok(Copied { path: to, bytes, dropped: Vec::new() })
}

/// Writes the copy and brings it to the disk: `VACUUM INTO` is of one moment, however many pages the daemon writes meanwhile.
fn fill(source: &Connection, part: &Path) -> Result<u64, CopyError> {
    let name = part.to_str().ok_or_else(|| CopyError::Name(part.to_owned()))?;
    source.execute("VACUUM INTO ?1", [name])?;
    let copy = connect(part)?;
    recognise(&copy, part)?;
    let said: String = copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    drop(copy);
    if said != "ok" {
        return Err(CopyError::Damaged(said));
    }
    let fault = |error| file_error(part, error);
    let file = File::open(part).map_err(fault)?;
    file.sync_all().map_err(fault)?;
    Ok(file.metadata().map_err(fault)?.len())
}

/// Gives the whole copy its name, unless somebody has taken it meanwhile.
fn publish(part: &Path, to: &Path) -> Result<(), CopyError> {
    let fault =
        |error: io::Error| if error.kind() == io::ErrorKind::AlreadyExists { CopyError::Exists(to.to_owned()) } else { file_error(to, error).into() };
    match fs::hard_link(part, to) {
        Ok(()) => fs::remove_file(part).map_err(fault)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(fault(error)),
        // A file system without a second name for a file: the name is taken first, and then filled.
        Err(_) => {
            drop(OpenOptions::new().write(true).create_new(true).open(to).map_err(fault)?);
            fs::rename(part, to).map_err(fault)?;
        }
    }
    if let Some(folder) = to.parent() {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| file_error(folder, error))?;
    }
    Ok(())
}

/// How the nightly copies of one ledger are called: two ledgers may share a folder.
struct Names {
    begin: String,
}

impl Names {
    fn of(ledger: &Path, id: &str) -> Self {
        let stem = ledger.file_stem().map_or_else(|| "ledger".into(), |stem| stem.to_string_lossy());
        let mark: String = hex::encode(Sha256::digest(id.as_bytes())).chars().take(8).collect();
        Self { begin: format!("{stem}-{mark}-") }
    }

    /// Those of a folder, oldest first. Nothing that a copy would not be called is among them.
    fn among(&self, folder: &Path, end: &str) -> Result<Vec<PathBuf>, Error> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| file_error(folder, error))? {
            let entry = entry.map_err(|error| file_error(folder, error))?;
            let name = entry.file_name();
            let stamp = name.to_str().and_then(|name| name.strip_prefix(&self.begin)?.strip_suffix(end));
            if stamp.is_some_and(|stamp| stamp.len() == STAMP_LENGTH && chrono::NaiveDateTime::parse_from_str(stamp, STAMP).is_ok()) {
                found.push(entry.path());
            }
        }
        found.sort();
        Ok(found)
    }
}
