//! Opening: the lock first, then recognition, migration, and the question whether the file was put back from a copy.

use super::{APPLICATION_ID, Error, Ledger, lock::LockFile, lock::Mark, queue::Queue};
use crate::domain::run::Restored;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, config::DbConfig};
use std::{
    collections::{BTreeSet, HashMap},
    fs::{DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

/// Entry N brings version N to N + 1. Never changed once released.
const MIGRATIONS: &[&str] = &[include_str!("v1.sql")];

/// How long a pass waits for another process's write; then it holds, and hears signals.
const PATIENCE: Duration = Duration::from_millis(500);

/// An opened ledger, and what was found on the way.
#[derive(Debug)]
pub struct Opened {
    /// The ledger.
    pub ledger: Ledger,
    /// Whether this start found that it had been put back from a copy.
    pub put_back: bool,
}

impl Ledger {
    /// Opens the ledger at `path`, making it when there is none. `fresh_id` names a ledger that is made anew.
    pub fn open(path: &Path, fresh_id: &str, now: DateTime<Utc>) -> Result<Opened, Error> {
        make_folder(path)?;
        let (mut lock, mark) = LockFile::take(path)?;
        let existed = std::fs::metadata(path).is_ok_and(|file| file.len() > 0);
        let made = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o640).open(path);
        drop(made.map_err(|source| file_error(path, source))?);
        let mut conn = Connection::open(path)?;
        recognise(&conn, path)?;
        prepare(&conn)?;
        migrate(&mut conn, path, now)?;
        let id = match (read_meta(&conn, "ledger_id")?, &mark) {
            (Some(id), _) => id,
            (None, Some(mark)) => mark.ledger_id.clone(),
            (None, None) => fresh_id.to_owned(),
        };
        let newest = newest_attempt(&conn)?;
        let put_back = match &mark {
            Some(mark) => mark.attempt > newest || mark.ledger_id != id,
            None => existed && newest > 0,
        };
        let number = newest.max(mark.filter(|mark| mark.ledger_id == id).map_or(0, |mark| mark.attempt));
        let restored = settle(&mut conn, &id, put_back, number)?;
        lock.write(&Mark { ledger_id: id.clone(), attempt: number })?;
        let ledger = Self::assemble(conn, Some(path.to_owned()), lock, id, restored)?;
        Ok(Opened { ledger, put_back })
    }

    /// A ledger in memory: the same tables, nothing on a disk.
    pub fn in_memory(id: &str, now: DateTime<Utc>) -> Result<Self, Error> {
        let mut conn = Connection::open_in_memory()?;
        prepare(&conn)?;
        migrate(&mut conn, Path::new(":memory:"), now)?;
        let restored = settle(&mut conn, id, false, 0)?;
        Self::assemble(conn, None, LockFile::in_memory(), id.to_owned(), restored)
    }

    /// The connection, for tests that look at rows.
    pub fn connection(&self) -> &Connection {
        &self.conn
    }

    /// The connection, for tests that end the process at a commit.
    pub fn connection_mut(&mut self) -> &mut Connection {
        &mut self.conn
    }

    fn assemble(conn: Connection, path: Option<PathBuf>, lock: LockFile, id: String, restored: Restored) -> Result<Self, Error> {
        let file = path.as_deref().and_then(identity);
        let mut statement = conn.prepare("SELECT DISTINCT account FROM runs WHERE next_at_ms IS NOT NULL OR state = 'calling'")?;
        let accounts = statement.query_map([], |row| row.get(0))?.collect::<Result<BTreeSet<String>, _>>()?;
        drop(statement);
        conn.set_prepared_statement_cache_capacity(64);
        conn.busy_timeout(PATIENCE)?;
        let (terms, touched) = (HashMap::new(), BTreeSet::new());
        Ok(Self { conn, path, file, lock, id, restored, terms, touched, accounts, queue: Queue::default(), unfolded: 0 })
    }
}

/// The device and number of the file that a path leads to.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

pub(super) fn file_error(path: &Path, source: io::Error) -> Error {
    let path = path.to_owned();
    if source.kind() == io::ErrorKind::PermissionDenied { Error::NotPermitted { path, source } } else { Error::File { path, source } }
}

fn make_folder(path: &Path) -> Result<(), Error> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.exists() => {
            DirBuilder::new().recursive(true).mode(0o750).create(folder).map_err(|source| file_error(folder, source))
        }
        _ => Ok(()),
    }
}

pub(super) fn recognise(conn: &Connection, path: &Path) -> Result<(), Error> {
    let foreign = || Error::Foreign(path.to_owned());
    let number = |pragma: &str| conn.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let application = match number("PRAGMA application_id") {
        Err(rusqlite::Error::SqliteFailure(failure, _)) if failure.code == rusqlite::ErrorCode::NotADatabase => return Err(foreign()),
        other => other?,
    };
    let tables = number("SELECT count(*) FROM sqlite_master")?;
    let version = number("PRAGMA user_version")?;
    let known = MIGRATIONS.len() as i64;
    if application != i64::from(APPLICATION_ID) && (application != 0 || tables > 0) {
        return Err(foreign());
    }
    if version > known {
        return Err(Error::Newer { path: path.to_owned(), found: version, known });
    }
    Ok(())
}

fn prepare(conn: &Connection) -> Result<(), Error> {
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    // Without it a statement that compares a parameter with a partial index's column is prepared anew at each call.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;
         PRAGMA wal_autocheckpoint = 64; PRAGMA journal_size_limit = 1048576; PRAGMA cache_size = -4096;",
    )?;
    Ok(())
}

fn migrate(conn: &mut Connection, path: &Path, now: DateTime<Utc>) -> Result<(), Error> {
    let version: u32 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let version = version as usize;
    if version == MIGRATIONS.len() {
        return Ok(());
    }
    if version > 0 {
        let copy = format!("{}.v{version}.{}", path.display(), now.format("%Y%m%dT%H%M%SZ"));
        conn.execute("VACUUM INTO ?1", [copy])?;
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    for step in MIGRATIONS.iter().skip(version) {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    tx.commit()?;
    Ok(())
}

fn newest_attempt(conn: &Connection) -> Result<i64, Error> {
    let newest = conn.query_row("SELECT seq FROM sqlite_sequence WHERE name = 'attempts'", [], |row| row.get(0)).optional()?;
    Ok(newest.unwrap_or(0))
}

pub(super) fn read_meta(conn: &Connection, key: &str) -> Result<Option<String>, Error> {
    Ok(conn.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()?)
}

/// The first transaction of the process: the id, the number that calls go on from, and the mark of a ledger that was put back.
fn settle(conn: &mut Connection, id: &str, put_back: bool, number: i64) -> Result<Restored, Error> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute("INSERT INTO meta (key, value) VALUES ('ledger_id', ?1) ON CONFLICT (key) DO NOTHING", [id])?;
    if put_back {
        tx.execute("INSERT INTO meta (key, value) VALUES ('restored', 'undated') ON CONFLICT (key) DO UPDATE SET value = 'undated'", [])?;
    }
    let known: i64 = tx.query_row("SELECT count(*) FROM sqlite_sequence WHERE name = 'attempts'", [], |row| row.get(0))?;
    if known == 0 {
        tx.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('attempts', ?1)", [number])?;
    } else {
        tx.execute("UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'attempts' AND seq < ?1", [number])?;
    }
    tx.commit()?;
    Ok(match read_meta(conn, "restored")?.as_deref() {
        None => Restored::Never,
        Some("undated") => Restored::Undated,
        Some(ms) => ms.parse().ok().map_or(Restored::Undated, |ms| Restored::Until(super::row::instant(ms))),
    })
}
