//! What people read of a ledger: `history`, `show` and `status`.
//!
//! Decided here: how a ledger is opened for reading only, which runs a filter keeps, what is told of each and of how jobs and instances stand, and
//! the keys of the JSON forms, so that commands and page say the same. Not decided here: how it looks (`cli`, `serve`), and the sentences of a run
//! (`domain::run::why`). Nothing here takes the lock or writes, so it works beside a daemon, without one, from a mount
//! that cannot be written and as another user.

mod acts;
mod at_work;
mod calendar;
mod detail;
mod facts;
mod holds;
mod line;
mod pairs;
mod pauses;
mod pulse;
mod query;
mod status;
mod whole;

pub use acts::Progress;
pub use at_work::AtWork;
pub use calendar::{Calendar, Tally};
pub use detail::{AttemptLine, BackupLine, Detail};
pub use facts::{facts, job_facts, method};
pub use holds::{Held, HeldLine, HoldLine, Holds, Says};
pub use line::{Line, NAMES, values};
pub use pairs::{Due, Ended, Pair, Sent, Survey};
pub use pauses::PauseLine;
pub use pulse::{Judged, Pulse};
pub use query::Filter;
pub use status::{Clue, EndedLine, JobLine, OpenLine, Overview, PairLine, Uncovered, uncovered};
pub use whole::Whole;

pub use super::Error;

use super::{
    open::{file_error, recognise},
    row::{self, instant},
};
use crate::domain::run::{Run, why};
use chrono::{DateTime, Utc};
use rusqlite::{Connection, ErrorCode, InterruptHandle, OpenFlags, OptionalExtension, Row};
use std::{
    ffi::OsString,
    fmt, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// So many characters of a policy's hash name it.
const POLICY_SHOWN: usize = 12;

/// A ledger that is open for reading only.
#[derive(Debug)]
pub struct Reader {
    conn: Connection,
}

/// One run as `history` tells it; the fields are those of the JSON form, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its number.
    pub run_id: i64,
    /// The job, or `by-hand`.
    pub job: String,
    /// The instance.
    pub instance_id: String,
    /// Its name when the run was planned.
    pub instance_name: String,
    /// The account it is called with.
    pub account: String,
    /// The region it is called in.
    pub region: String,
    /// `logical`, `physical` or `snapshot`.
    pub method: String,
    /// The nominal instant.
    pub slot: DateTime<Utc>,
    /// The same in the job's zone, as it was written with the row.
    pub slot_local: String,
    /// How many slots the row covers; more than one only in a missed range.
    pub slots: i64,
    /// `schedule` or `manual`.
    pub trigger: String,
    /// A word of DESIGN §4.
    pub state: String,
    /// The cloud's code or a fixed word.
    pub reason: Option<String>,
    /// The sentence; of an open run, where it stands.
    pub why: String,
    /// The backup of the last generation.
    pub backup_id: Option<i64>,
    /// Its size.
    pub bytes: Option<i64>,
    /// The alias of the first generation.
    pub alias: String,
    /// Calls of CreateBackup.
    pub attempts: i64,
    /// The last failed answer's code.
    pub last_code: Option<String>,
    /// The last RequestId that came.
    pub last_request_id: Option<String>,
    /// When the first call was begun.
    pub started_at: Option<DateTime<Utc>>,
    /// When the run ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// The first 12 characters of the hash of the policy it came from.
    pub policy: Option<String>,
    /// Whether it first ended otherwise and turned out good. No key of the JSON form.
    pub late: bool,
}

/// Ends what a reader is reading, from another thread.
pub struct Interrupt(InterruptHandle);

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interrupt")
    }
}

impl Interrupt {
    /// What is being read ends with an error; nothing happens when nothing is.
    pub fn now(&self) {
        self.0.interrupt();
    }
}

impl Reader {
    /// How to end a reading of this reader's.
    pub fn interrupt(&self) -> Interrupt {
        Interrupt(self.conn.get_interrupt_handle())
    }

    /// Opens the ledger at `path` for reading; none when there is none yet, or one without tables.
    ///
    /// # Errors
    /// [`Error::NotPermitted`] with the reason, [`Error::Foreign`] and [`Error::Newer`], else what SQLite or the disk says.
    pub fn open(path: &Path) -> Result<Option<Self>, Error> {
        match std::fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(file_error(path, error)),
            Ok(file) if !file.is_file() => return Err(Error::Foreign(path.to_owned())),
            Ok(_) => drop(std::fs::File::open(path).map_err(|error| file_error(path, error))?),
        }
        let conn = connect(path)?;
        recognise(&conn, path)?;
        let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
        Ok((tables > 0).then_some(Self { conn }))
    }

    /// Hands the runs that `filter` keeps to `each`, newest slot first, and tells whether its limit left some out.
    ///
    /// All of them are of one moment of the ledger. `each` ends the reading early by an error.
    pub fn history<E: From<Error>>(&self, filter: &Filter, mut each: impl FnMut(Item) -> Result<(), E>) -> Result<bool, E> {
        let moment = self.conn.unchecked_transaction().map_err(Error::from)?;
        let (sql, values) = query::history(filter);
        let mut statement = moment.prepare(&sql).map_err(Error::from)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values)).map_err(Error::from)?;
        let mut left = filter.limit.clamp(1, Filter::MOST);
        while let Some(found) = rows.next().map_err(Error::from)? {
            if left == 0 {
                return Ok(true);
            }
            left -= 1;
            each(self.item(found)?)?;
        }
        Ok(false)
    }

    fn item(&self, found: &Row<'_>) -> Result<Item, Error> {
        let at = |name: &str| found.get::<_, Option<i64>>(name).map(|ms| ms.map(instant));
        let run_id = found.get("run_id")?;
        let why = match found.get("why")? {
            Some(why) => why,
            None => self.whole(run_id)?.map(|run| why::standing(&run)).unwrap_or_default(),
        };
        Ok(Item {
            run_id,
            job: found.get("job")?,
            instance_id: found.get("instance_id")?,
            instance_name: found.get("instance_name")?,
            account: found.get("account")?,
            region: found.get("region")?,
            method: found.get("method")?,
            slot: instant(found.get("slot_ms")?),
            slot_local: found.get("slot_local")?,
            slots: found.get("slots")?,
            trigger: found.get("trigger")?,
            state: found.get("state")?,
            reason: found.get("reason")?,
            why,
            backup_id: found.get("backup_id")?,
            bytes: found.get("bytes")?,
            alias: found.get("alias")?,
            attempts: found.get("attempts")?,
            last_code: found.get("last_code")?,
            last_request_id: found.get("last_request_id")?,
            started_at: at("started_at_ms")?,
            finished_at: at("finished_at_ms")?,
            policy: found.get::<_, Option<String>>("policy")?.map(|hash| hash.chars().take(POLICY_SHOWN).collect()),
            late: found.get("late")?,
        })
    }

    fn whole(&self, run_id: i64) -> Result<Option<Run>, Error> {
        let sql = format!("SELECT {} FROM runs WHERE run_id = ?1", row::RUN_COLUMNS);
        let mut runs = self.conn.prepare_cached(&sql)?;
        let mut terms = self.conn.prepare_cached("SELECT * FROM terms WHERE terms_id = ?1")?;
        let run = runs.query_row([run_id], |found| {
            let terms = terms.query_row([found.get::<_, i64>(0)?], |found| Ok(row::terms(found)))?;
            Ok(terms.and_then(|terms| row::run(found, Arc::new(terms))))
        });
        run.optional()?.transpose()
    }
}

/// `mode=ro`; `immutable=1` only when that fails and no log lies beside the file, for beside one it would show an old state of it.
pub(in crate::ledger) fn connect(path: &Path) -> Result<Connection, Error> {
    let failed = match try_connect(path, "mode=ro") {
        Err(Error::Sql(error)) if cannot_lock(&error) => error,
        other => return other,
    };
    let log = beside(path, "-wal");
    if std::fs::metadata(&log).map_or_else(|error| error.kind() != io::ErrorKind::NotFound, |log| log.len() > 0) {
        let why = format!("{} has to be read with it and cannot be ({failed}); copy both into one folder of your own", log.display());
        return Err(Error::NotPermitted { path: path.to_owned(), source: io::Error::new(io::ErrorKind::PermissionDenied, why) });
    }
    try_connect(path, "mode=ro&immutable=1")
}

fn try_connect(path: &Path, how: &str) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(uri(path, how), flags)?;
    conn.busy_timeout(Duration::from_secs(5))?;
    // The first question is what opens the file: it fails here or not at all. That it is no database is the next one's to say.
    match conn.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0)) {
        Err(error) if error.sqlite_error_code() != Some(ErrorCode::NotADatabase) => Err(error.into()),
        _ => Ok(conn),
    }
}

fn cannot_lock(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::SystemIoFailure
                | ErrorCode::FileLockingProtocolFailed
        )
    )
}

pub(in crate::ledger) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// A URI leads to the path byte for byte: everything but plain characters is percent-encoded.
fn uri(path: &Path, how: &str) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push('?');
    uri.push_str(how);
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_question_mark_leads_to_itself() {
        assert_eq!(uri(Path::new("/a b/c?d#é%.db"), "mode=ro"), "file:/a%20b/c%3Fd%23%C3%A9%25.db?mode=ro");
    }
}
