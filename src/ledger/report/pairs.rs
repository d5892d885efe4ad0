//! How each job and instance stands: its newest good backup, its newest slot that ended, and what is open.

use super::{Reader, query};
use crate::{
    domain::freshness::Evidence,
    ledger::{Error, row::instant},
};
use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, Row, params};

/// One job and instance that the recorded policy has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The job.
    pub job: String,
    /// The instance.
    pub instance_id: String,
    /// The newest good backup.
    pub good: Option<Ended>,
    /// The newest slot that has ended, well or not.
    pub ended: Option<Ended>,
    /// The run that is open, if one is: the one furthest on.
    pub open: Option<Open>,
}

/// A run that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its number.
    pub run_id: i64,
    /// Its slot; of a range of missed slots the last.
    pub slot: DateTime<Utc>,
    /// The same in the job's zone, as it was written; of a range the first.
    pub slot_local: String,
    /// A word of DESIGN §4.
    pub state: String,
    /// The sentence.
    pub why: String,
    /// Whether it has a good backup.
    pub is_good: bool,
}

/// A run that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Its number.
    pub run_id: i64,
    /// A word of DESIGN §4.
    pub state: String,
    /// The last failed answer's code.
    pub last_code: Option<String>,
    /// Whether it is yet to be sent.
    pub waits: bool,
}

impl Pair {
    /// What `domain::freshness` needs of it.
    pub fn evidence(&self) -> Evidence {
        Evidence { newest_good: self.good.as_ref().map(|good| good.slot), newest_ended: self.ended.as_ref().map(|ended| ended.slot) }
    }
}

impl Reader {
    /// All jobs and instances of the policy in force, by job and instance, each read by its indexes however long the history is.
    pub fn pairs(&self) -> Result<Vec<Pair>, Error> {
        let moment = self.conn.unchecked_transaction()?;
        let mut cursors = moment.prepare("SELECT job, instance_id FROM cursors ORDER BY job, instance_id")?;
        let mut good = moment.prepare(query::NEWEST_GOOD)?;
        let mut ended = moment.prepare(query::NEWEST_ENDED)?;
        let mut open = moment.prepare(query::OPEN)?;
        let mut pairs = Vec::new();
        let mut rows = cursors.query([])?;
        while let Some(row) = rows.next()? {
            let (job, instance_id): (String, String) = (row.get(0)?, row.get(1)?);
            let key = params![job, instance_id];
            let good = good.query_row(key, read_ended).optional()?;
            let ended = ended.query_row(key, read_ended).optional()?;
            let open = open
                .query_row(key, |row| Ok(Open { run_id: row.get(0)?, state: row.get(1)?, last_code: row.get(2)?, waits: row.get(3)? }))
                .optional()?;
            pairs.push(Pair { job, instance_id, good, ended, open });
        }
        Ok(pairs)
    }

    /// Whether a policy was ever in force.
    pub fn has_policy(&self) -> Result<bool, Error> {
        Ok(self.conn.query_row("SELECT EXISTS (SELECT 1 FROM policies)", [], |row| row.get(0))?)
    }

    /// The text of the policy that was recorded last; none when no policy was ever in force.
    pub fn policy_in_force(&self) -> Result<Option<String>, Error> {
        Ok(self.conn.query_row("SELECT text FROM policies ORDER BY policy_id DESC LIMIT 1", [], |row| row.get(0)).optional()?)
    }
}

fn read_ended(row: &Row<'_>) -> rusqlite::Result<Ended> {
    Ok(Ended { run_id: row.get(0)?, slot: instant(row.get(1)?), slot_local: row.get(2)?, state: row.get(3)?, why: row.get(4)?, is_good: row.get(5)? })
}
