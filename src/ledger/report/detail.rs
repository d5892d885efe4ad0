//! All that a ledger knows of one run.

use super::{Item, Reader, query};
use crate::{
    domain::{names::RunId, run::Run},
    ledger::{Error, row::instant},
};
use chrono::{DateTime, Utc};
use rusqlite::OptionalExtension;

/// One run, its calls and its backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// As `history` tells it.
    pub item: Item,
    /// All of it.
    pub run: Run,
    /// Its calls, oldest first.
    pub attempts: Vec<AttemptLine>,
    /// The backups that the cloud gave it, oldest first.
    pub backups: Vec<BackupLine>,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptLine {
    /// Its number.
    pub attempt_id: i64,
    /// `CreateBackup` or `DescribeBackups`.
    pub action: String,
    /// For which generation.
    pub generation: i64,
    /// When it was begun, by our clock.
    pub at: DateTime<Utc>,
    /// How long its answer took; none while there is none.
    pub elapsed_ms: Option<i64>,
    /// The class of a failure.
    pub class: Option<String>,
    /// Its code.
    pub code: Option<String>,
    /// Its message.
    pub message: Option<String>,
    /// The RequestId, when one came.
    pub request_id: Option<String>,
    /// The backup it gave.
    pub backup_id: Option<i64>,
}

/// One backup of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupLine {
    /// Its number.
    pub backup_id: i64,
    /// Of which generation.
    pub generation: i64,
    /// `reply` or `list`.
    pub found_by: String,
    /// `running`, `success`, `failed` or `vanished`.
    pub status: String,
    /// Whether another backup of the run is known that did not fail.
    pub duplicate: bool,
    /// Its size; none while it is unknown.
    pub bytes: Option<i64>,
    /// When it was first seen.
    pub first_seen: DateTime<Utc>,
}

impl Reader {
    /// The run of this number, all of it of one moment of the ledger; none when there is no such run.
    pub fn detail(&self, id: RunId) -> Result<Option<Detail>, Error> {
        let _moment = self.conn.unchecked_transaction()?;
        let (Some(item), Some(run)) = (self.item_of(id)?, self.whole(id.0)?) else { return Ok(None) };
        Ok(Some(Detail { item, run, attempts: self.attempts(id)?, backups: self.backups(id)? }))
    }

    /// The run of this number, as `history` tells it.
    pub(super) fn item_of(&self, id: RunId) -> Result<Option<Item>, Error> {
        let sql =
            format!("SELECT {} FROM runs r JOIN terms t USING (terms_id) LEFT JOIN policies p USING (policy_id) WHERE r.run_id = ?1", query::ITEM);
        self.conn.prepare_cached(&sql)?.query_row([id.0], |found| Ok(self.item(found))).optional()?.transpose()
    }

    fn attempts(&self, id: RunId) -> Result<Vec<AttemptLine>, Error> {
        let mut statement = self.conn.prepare("SELECT * FROM attempts WHERE run_id = ?1 ORDER BY attempt_id")?;
        let lines = statement.query_map([id.0], |found| {
            Ok(AttemptLine {
                attempt_id: found.get("attempt_id")?,
                action: found.get("action")?,
                generation: found.get("generation")?,
                at: instant(found.get("begun_at_ms")?),
                elapsed_ms: found.get("elapsed_ms")?,
                class: found.get("class")?,
                code: found.get("code")?,
                message: found.get("message")?,
                request_id: found.get("request_id")?,
                backup_id: found.get("backup_id")?,
            })
        })?;
        Ok(lines.collect::<Result<_, _>>()?)
    }

    fn backups(&self, id: RunId) -> Result<Vec<BackupLine>, Error> {
        let mut statement = self.conn.prepare("SELECT * FROM backups WHERE run_id = ?1 ORDER BY generation, first_seen_ms, backup_id")?;
        let lines = statement.query_map([id.0], |found| {
            let status: String = found.get("status")?;
            // The cloud lists what has not ended well with the size 0.
            let bytes = found.get::<_, Option<i64>>("bytes")?.filter(|bytes| *bytes > 0 || status == "success");
            Ok(BackupLine {
                backup_id: found.get("backup_id")?,
                generation: found.get("generation")?,
                found_by: found.get("found_by")?,
                status,
                duplicate: found.get("duplicate")?,
                bytes,
                first_seen: instant(found.get("first_seen_ms")?),
            })
        })?;
        Ok(lines.collect::<Result<_, _>>()?)
    }
}
