//! How each job and instance stands: its newest good backup, its newest slot that ended, and what is open.

use super::{Pulse, Reader, query};
use crate::{
    domain::{
        freshness::Evidence,
        hold::{LoopHold, Waits},
        pause::Pause,
        reply::Class,
    },
    ledger::{Error, pauses::pauses_of, row::instant},
};
use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, Row, params};
use std::collections::BTreeMap;

/// What the ledger says at one moment of everything that stands on pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The daemon's last finished pass.
    pub pulse: Option<Pulse>,
    /// Every job and instance of the policy in force.
    pub pairs: Vec<Pair>,
    /// Every run that was sent and has not ended, of whatever job.
    pub sent: Vec<Sent>,
    /// Pauses that hold, oldest first.
    pub pauses: Vec<Pause>,
    /// What the loop held back by itself at its last pulse.
    pub loop_holds: Vec<LoopHold>,
}

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
    /// The run that was sent and has not ended.
    pub sent: Option<Sent>,
    /// The first run that is yet to be sent.
    pub due: Option<Due>,
}

/// A run that was sent and has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its number.
    pub run_id: i64,
    /// Its job, or `by-hand`.
    pub job: String,
    /// Its instance.
    pub instance_id: String,
    /// The account that it is called with.
    pub account: String,
    /// A word of DESIGN §4.
    pub state: String,
    /// The last failed answer's code.
    pub last_code: Option<String>,
    /// When its first call was begun; none of one that is looked for first.
    pub started_at: Option<DateTime<Utc>>,
}

/// A run that is yet to be sent, or to be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its number.
    pub run_id: i64,
    /// Its job, or `by-hand`.
    pub job: String,
    /// Its instance.
    pub instance_id: String,
    /// The account that it is called with.
    pub account: String,
    /// A word of DESIGN §4.
    pub state: String,
    /// Not before this.
    pub due_at: DateTime<Utc>,
    /// It starts by then, or ends.
    pub start_by: DateTime<Utc>,
    /// Calls of CreateBackup that were begun for it.
    pub attempts: i64,
    /// The class of the last failed answer.
    pub last_class: Option<Class>,
    /// Its code.
    pub last_code: Option<String>,
    /// Whether a person asked that it start though its job be held.
    pub even_if_held: bool,
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

impl Pair {
    /// What `domain::freshness` needs of it.
    pub fn evidence(&self) -> Evidence {
        Evidence { newest_good: self.good.as_ref().map(|good| good.slot), newest_ended: self.ended.as_ref().map(|ended| ended.slot) }
    }
}

impl Reader {
    /// All that stands on pairs, of one moment of the ledger.
    pub fn survey(&self, now: DateTime<Utc>) -> Result<Survey, Error> {
        let _moment = self.conn.unchecked_transaction()?;
        let sent = self.sent()?;
        let loop_holds = self.loop_holds()?;
        Ok(Survey { pulse: self.pulse()?, pairs: self.pairs(&sent)?, sent, pauses: pauses_of(&self.conn, now)?, loop_holds })
    }

    /// Every run that was sent and has not ended.
    fn sent(&self) -> Result<Vec<Sent>, Error> {
        let mut sent = self.conn.prepare(query::SENT)?;
        let read = |row: &Row<'_>| {
            Ok(Sent {
                run_id: row.get(0)?,
                job: row.get(1)?,
                instance_id: row.get(2)?,
                account: row.get(3)?,
                state: row.get(4)?,
                last_code: row.get(5)?,
                started_at: row.get::<_, Option<i64>>(6)?.map(instant),
            })
        };
        Ok(sent.query_map([], read)?.collect::<Result<_, _>>()?)
    }

    fn loop_holds(&self) -> Result<Vec<LoopHold>, Error> {
        let mut holds = self.conn.prepare("SELECT hold, name, since_ms, code FROM holds ORDER BY hold, name")?;
        let (mut rows, mut found) = (holds.query([])?, Vec::new());
        while let Some(row) = rows.next()? {
            let Some(waits) = Waits::from_word(&row.get::<_, String>(0)?) else { continue };
            found.push(LoopHold { waits, name: row.get(1)?, since: instant(row.get(2)?), code: row.get(3)? });
        }
        Ok(found)
    }

    /// All jobs and instances of the policy in force, by job and instance, each read by its indexes however long the history is.
    fn pairs(&self, sent: &[Sent]) -> Result<Vec<Pair>, Error> {
        let mut at_work: BTreeMap<(&str, &str), &Sent> = BTreeMap::new();
        for run in sent {
            at_work.entry((&run.job, &run.instance_id)).or_insert(run);
        }
        let mut cursors = self.conn.prepare("SELECT job, instance_id FROM cursors ORDER BY job, instance_id")?;
        let mut good = self.conn.prepare(query::NEWEST_GOOD)?;
        let mut ended = self.conn.prepare(query::NEWEST_ENDED)?;
        let mut due = self.conn.prepare(query::FIRST_DUE)?;
        let mut pairs = Vec::new();
        let mut rows = cursors.query([])?;
        while let Some(row) = rows.next()? {
            let (job, instance_id): (String, String) = (row.get(0)?, row.get(1)?);
            let key = params![job, instance_id];
            let good = good.query_row(key, read_ended).optional()?;
            let ended = ended.query_row(key, read_ended).optional()?;
            let due = due.query_row(key, read_due).optional()?;
            let sent = at_work.get(&(job.as_str(), instance_id.as_str())).map(|run| (*run).clone());
            pairs.push(Pair { job, instance_id, good, ended, sent, due });
        }
        Ok(pairs)
    }

    /// The runs of an instance that are yet to be sent, in the order in which they are, at most `most`; those of no job of the policy, too.
    pub fn due_on(&self, instance: &str, most: u32) -> Result<Vec<Due>, Error> {
        let mut due = self.conn.prepare(query::DUE_ON)?;
        Ok(due.query_map(params![instance, most], read_due)?.collect::<Result<_, _>>()?)
    }

    /// Up to where the slots of a job on an instance have rows.
    pub fn cursor(&self, job: &str, instance: &str) -> Result<Option<DateTime<Utc>>, Error> {
        let mut cursor = self.conn.prepare_cached("SELECT cursor_ms FROM cursors WHERE job = ?1 AND instance_id = ?2")?;
        Ok(cursor.query_row([job, instance], |row| row.get(0)).optional()?.map(instant))
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

fn read_due(row: &Row<'_>) -> rusqlite::Result<Due> {
    Ok(Due {
        run_id: row.get(0)?,
        job: row.get(1)?,
        instance_id: row.get(2)?,
        account: row.get(3)?,
        state: row.get(4)?,
        due_at: instant(row.get(5)?),
        start_by: instant(row.get(6)?),
        attempts: row.get(7)?,
        last_class: row.get::<_, Option<String>>(8)?.as_deref().and_then(Class::from_word),
        last_code: row.get(9)?,
        even_if_held: row.get(10)?,
    })
}

fn read_ended(row: &Row<'_>) -> rusqlite::Result<Ended> {
    Ok(Ended { run_id: row.get(0)?, slot: instant(row.get(1)?), slot_local: row.get(2)?, state: row.get(3)?, why: row.get(4)?, is_good: row.get(5)? })
}
