//! The record: one SQLite file that is the whole truth of the daemon, owned by the loop and called directly.
//!
//! Decided here: how the file is opened, locked and recognised ([`open`]), how the phases of a pass read and write it ([`view`], [`write`]), how
//! rows are spelled ([`row`]), what is dropped ([`prune`]), what people read ([`report`]), and what is done for its
//! health ([`check`], [`copy`], [`rebuild`]). Not decided here: what becomes of a run (`domain::run`).
//!
//! One transaction per phase, `synchronous=FULL`: what a phase reports as written is on the disk before the next begins.

mod ask;
pub mod check;
pub mod copy;
mod install;
mod lock;
mod open;
mod pauses;
mod prune;
mod queue;
mod rebuild;
pub mod report;
pub mod requests;
mod row;
mod view;
mod write;

pub use ask::{Asker, ask};
pub use install::Install;
pub use open::Opened;
pub use pauses::Met;
pub use prune::Sweep;
pub use rebuild::{Fate, Finds};
pub use write::{Answered, Attempt, Begun};

use crate::domain::{
    names::InstanceId,
    run::{Restored, Run},
    terms::Terms,
};
use lock::LockFile;
use queue::Queue;
use rusqlite::{Connection, ErrorCode};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    path::PathBuf,
    sync::Arc,
};

/// The `application_id` of a ledger, `cdbb` in ASCII: `file` and SQLite's own tools show it.
pub const APPLICATION_ID: i32 = 0x6364_6262;

/// Why the ledger could not be opened, read or written. What the caller should do is [`Error::remedy`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another daemon holds the lock: end it first.
    #[error("another daemon works on this ledger, and {0} is locked; end it first")]
    Locked(PathBuf),
    /// The file is not ours: name another.
    #[error("{0} is not a ledger of cdb-backupd and was left alone; name another path")]
    Foreign(PathBuf),
    /// The file is of a later version: install that version, or put back the copy it left.
    #[error("{path} is of ledger version {found}, and this program knows up to {known}; install the newer version again")]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// This user may not read or write it.
    #[error("{path} cannot be opened by this user: {source}")]
    NotPermitted {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file beside the ledger, or its folder.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The path leads to another file than the one that is open.
    #[error("{0} is no longer the file that was opened")]
    Replaced(PathBuf),
    /// A row says what no row may say.
    #[error("a row of the ledger is damaged: {0}")]
    Row(String),
    /// SQLite.
    #[error("the ledger: {0}")]
    Sql(#[from] rusqlite::Error),
}

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Start nothing, say so, try again each second: the disk is full, the file is busy or read-only.
    Hold,
    /// Log what is pending, end, and never commit again on this connection.
    End,
}

impl Error {
    /// Whether it may pass by itself: another process writes, or the disk is full or can only be read, as one is that the system has found at fault.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Sql(_) => self.remedy() == Remedy::Hold,
            Self::File { source, .. } => matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::ReadOnlyFilesystem),
            _ => false,
        }
    }

    /// What to do about it (DESIGN §8).
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Sql(rusqlite::Error::SqliteFailure(failure, _)) => match failure.code {
                ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::ReadOnly => Remedy::Hold,
                _ => Remedy::End,
            },
            _ => Remedy::End,
        }
    }
}

/// An open ledger, its lock, and what this process keeps of it in memory.
#[derive(Debug)]
pub struct Ledger {
    conn: Connection,
    path: Option<PathBuf>,
    file: Option<(u64, u64)>,
    lock: LockFile,
    id: String,
    restored: Restored,
    terms: HashMap<i64, Arc<Terms>>,
    touched: BTreeSet<InstanceId>,
    accounts: BTreeSet<String>,
    queue: Queue,
    unfolded: u32,
}

/// So many commits of a run, at about ten pages each, lie in the log before it is folded into the file: the rows of the next slot and its intent still
/// fit beside them below `wal_autocheckpoint`.
const FOLDED_AT: u32 = 3;
/// So many terms are kept in memory; beyond it they are read again.
const TERMS_KEPT: usize = 20_000;

impl Ledger {
    /// The ledger's own id, part of every alias.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it was put back from a copy.
    pub fn restored(&self) -> Restored {
        self.restored
    }

    /// Runs by number, those that exist.
    pub fn runs(&mut self, ids: impl IntoIterator<Item = crate::domain::names::RunId>) -> Result<BTreeMap<crate::domain::names::RunId, Run>, Error> {
        let mut runs = BTreeMap::new();
        for id in ids {
            let found = self.select("WHERE run_id = ?1", &[&id.0])?;
            runs.extend(found.into_iter().map(|run| (run.id, run)));
        }
        Ok(runs)
    }

    /// Fails when the path leads to another file than the one that is open.
    pub fn still_ours(&self) -> Result<(), Error> {
        match (&self.path, self.file) {
            (Some(path), Some(file)) if open::identity(path) != Some(file) => Err(Error::Replaced(path.clone())),
            _ => Ok(()),
        }
    }

    /// Folds the log into the file when enough has gathered, and says whether it did. SQLite would do it between an intent and its call; and it
    /// syncs the head of the new log by itself with the first commit after it, so that one had better be the pulse than a slot.
    pub fn fold(&mut self) -> Result<bool, Error> {
        if self.unfolded < FOLDED_AT {
            return Ok(false);
        }
        self.conn.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?.query_row([], |_| Ok(()))?;
        self.unfolded = 0;
        Ok(true)
    }

    fn select(&mut self, rest: &str, params: &[&dyn rusqlite::ToSql]) -> Result<Vec<Run>, Error> {
        let sql = format!("SELECT {} FROM runs {rest}", row::RUN_COLUMNS);
        let Self { conn, terms, .. } = self;
        let mut statement = conn.prepare_cached(&sql)?;
        let mut rows = statement.query(params)?;
        let mut runs = Vec::new();
        while let Some(found) = rows.next()? {
            let terms = terms_of(conn, terms, found.get(0)?)?;
            runs.push(row::run(found, terms)?);
        }
        Ok(runs)
    }
}

fn terms_of(conn: &Connection, kept: &mut HashMap<i64, Arc<Terms>>, terms_id: i64) -> Result<Arc<Terms>, Error> {
    if let Some(terms) = kept.get(&terms_id) {
        return Ok(terms.clone());
    }
    let mut statement = conn.prepare_cached("SELECT * FROM terms WHERE terms_id = ?1")?;
    let terms = statement.query_row([terms_id], |found| Ok(row::terms(found)))??;
    if kept.len() >= TERMS_KEPT {
        kept.clear();
    }
    Ok(kept.entry(terms_id).or_insert_with(|| Arc::new(terms)).clone())
}
