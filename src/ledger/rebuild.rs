//! Refilling a lost ledger: rows for runs that the cloud's lists still tell of (`domain::refound`).
//!
//! Nothing here can cause a send. A row that is added is closed and never followed; it lies before the pair's cursor began, where nothing is
//! planned, or its name is proved, and then its slot has its backup. A row that exists is left as it is, but where a proved name has a good backup: a
//! closed row of that single slot turns out good, which every closed row may once, and the slot is cut out of a missed row of several. Open rows are
//! the daemon's: it looks for each of them.

use super::{
    Error, Ledger,
    install::terms_row,
    open::{read_meta, recognise},
    report::connect,
    row::{instant, ms},
    write::insert,
};
use crate::domain::{
    names::{InstanceId, JobName, RunId},
    policy::{Account, Instance, Job},
    refound::{Refound, missed_besides},
    reply::{Backup, BackupStatus},
    request::MissedRow,
    run::Outcome,
    terms::Terms,
};
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, backup::Backup as OnlineCopy, params};
use std::{path::Path, time::Duration};

/// What became of a run that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It has a row now.
    Added,
    /// Its row said otherwise, and is good now.
    TurnedGood,
    /// It has a row, which was left: it is good already or open, or stands for several slots and the name is not proved.
    Known,
}

/// Of which job and instance the finds are, and how it is reached.
#[derive(Clone, Copy, Debug)]
pub struct Finds<'a> {
    /// The job.
    pub job: &'a Job,
    /// The instance.
    pub instance: &'a Instance,
    /// Its account.
    pub account: &'a Account,
    /// The runs.
    pub runs: &'a [Refound],
}

impl Ledger {
    /// A copy in memory of what lies at `path`, or an empty ledger with the id that its lock file holds: for trying what a rebuild would do. Nothing
    /// is locked or written.
    pub fn rehearsal(path: &Path, now: DateTime<Utc>) -> Result<Self, Error> {
        let is_there = std::fs::metadata(path).is_ok_and(|file| file.len() > 0);
        let source = if is_there { Some(connect(path)?) } else { None };
        if let Some(source) = &source {
            recognise(source, path)?;
        }
        let id = match &source {
            Some(source) => read_meta(source, "ledger_id").unwrap_or_default(),
            None => super::lock::id_at(path),
        };
        let mut ledger = Self::in_memory(id.as_deref().unwrap_or_default(), now)?;
        if let Some(source) = source {
            OnlineCopy::new(&source, &mut ledger.conn)?.run_to_completion(1_000, Duration::ZERO, None)?;
        }
        Ok(ledger)
    }

    /// From when on this ledger plans the slots of a job on an instance; none when it does not.
    pub fn planned_since(&self, job: &JobName, instance: &InstanceId) -> Result<Option<DateTime<Utc>>, Error> {
        let mut since = self.conn.prepare_cached("SELECT since_ms FROM cursors WHERE job = ?1 AND instance_id = ?2")?;
        Ok(since.query_row(params![job.as_str(), instance.as_str()], |row| row.get(0)).optional()?.map(instant))
    }

    /// Writes down what was found, in one transaction, and says what became of each run, in their order.
    pub fn rebuild(&mut self, finds: &Finds<'_>, now: DateTime<Utc>) -> Result<Vec<Fate>, Error> {
        self.still_ours()?;
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (ledger_id, terms) = (self.id.clone(), Terms::of(finds.job, finds.instance, finds.account));
        let mut fates = Vec::with_capacity(finds.runs.len());
        if !finds.runs.is_empty() {
            let terms_id = terms_row(&tx, &terms)?;
            for run in finds.runs {
                fates.push(one(&tx, &ledger_id, finds, run, terms_id, now)?);
            }
        }
        tx.commit()?;
        Ok(fates)
    }
}

fn one(tx: &Transaction<'_>, ledger_id: &str, finds: &Finds<'_>, run: &Refound, terms_id: i64, now: DateTime<Utc>) -> Result<Fate, Error> {
    if is_anothers(tx, run)? {
        return Ok(Fate::Known);
    }
    let mut added = add(tx, finds, run, terms_id, now)?;
    if added.is_none() && cut_out(tx, ledger_id, finds, run, now)? {
        added = add(tx, finds, run, terms_id, now)?;
    }
    let (run_id, fate) = match added {
        Some(run_id) => (run_id, Fate::Added),
        None => match turn_good(tx, run)? {
            Some(run_id) => (run_id, Fate::TurnedGood),
            None => return Ok(Fate::Known),
        },
    };
    backup(tx, run_id, run.generation, &run.good, false, now)?;
    for (generation, other) in &run.others {
        backup(tx, run_id, *generation, other, other.status != BackupStatus::Failed, now)?;
    }
    Ok(fate)
}

/// Whether the backup belongs to a run that has a row: one by hand, say, whose name cannot be proved.
fn is_anothers(tx: &Transaction<'_>, run: &Refound) -> Result<bool, Error> {
    let mut owner = tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM backups b JOIN runs r USING (run_id) WHERE b.instance_id = ?1 AND b.backup_id = ?2 AND r.alias <> ?3)",
    )?;
    Ok(owner.query_row(params![run.key.instance.as_str(), run.good.id.0, run.alias], |row| row.get(0))?)
}

fn add(tx: &Transaction<'_>, finds: &Finds<'_>, run: &Refound, terms_id: i64, now: DateTime<Utc>) -> Result<Option<i64>, Error> {
    let slot = ms(run.key.slot);
    // What the cloud's times are worth depends on an offset that somebody configured: they are shown, and kept in order.
    let finished = run.good.finished.unwrap_or(run.key.slot).min(now);
    let started = run.good.started.map(|started| ms(started.min(finished)));
    let added = tx
        .prepare_cached(
            "INSERT INTO runs (job, instance_id, slot_ms, trigger, slot_local, slot_last_ms, slots, terms_id, account, priority, alias,
               not_before_ms, start_by_ms, complete_by_ms, restart_by_ms, state, generation, started_at_ms, backup_id, bytes, reason, why,
               finished_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?3, 1, ?6, ?7, ?8, ?9, ?3, ?3, ?3, ?3, ?10, ?11, ?12, ?13, ?14, 'rebuilt', ?15, ?16) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            run.key.job.as_str(),
            run.key.instance.as_str(),
            slot,
            run.key.trigger.word(),
            finds.job.schedule.local(run.key.slot),
            terms_id,
            finds.account.name.as_str(),
            finds.job.priority,
            run.alias,
            Outcome::Succeeded.word(),
            run.generation,
            started,
            run.good.id.0,
            run.good.bytes,
            format!("backup {} was found in the cloud's list when the ledger was rebuilt", run.good.id),
            ms(finished),
        ])?;
    Ok((added > 0).then(|| tx.last_insert_rowid()))
}

/// Makes room for a run in the missed row of several slots that covers its slot; whether there is room now.
fn cut_out(tx: &Transaction<'_>, ledger_id: &str, finds: &Finds<'_>, run: &Refound, now: DateTime<Utc>) -> Result<bool, Error> {
    if !run.is_proved {
        return Ok(false);
    }
    let mut covering = tx.prepare_cached(
        "SELECT run_id, slot_ms, slot_last_ms, slots, coalesce(reason, 'downtime'), coalesce(why, ''), terms_id, policy_id FROM runs
         WHERE job = ?1 AND instance_id = ?2 AND trigger = ?3 AND state = ?4 AND slots > 1 AND slot_ms <= ?5 AND slot_last_ms >= ?5",
    )?;
    let key = params![run.key.job.as_str(), run.key.instance.as_str(), run.key.trigger.word(), Outcome::Missed.word(), ms(run.key.slot)];
    let found = covering.query_row(key, |row| {
        let missed = MissedRow {
            id: RunId(row.get(0)?),
            instance: run.key.instance.clone(),
            first: instant(row.get(1)?),
            last: instant(row.get(2)?),
            slots: u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
            reason: row.get(4)?,
            why: row.get(5)?,
        };
        Ok((missed, row.get::<_, i64>(6)?, row.get::<_, Option<i64>>(7)?))
    });
    let Some((missed, terms_id, policy_id)) = found.optional()? else { return Ok(false) };
    let Some(rest) = missed_besides(finds.job, &missed, run.key.slot) else { return Ok(false) };
    tx.prepare_cached("DELETE FROM runs WHERE run_id = ?1")?.execute([missed.id.0])?;
    for row in &rest {
        insert(tx, ledger_id, row, terms_id, policy_id, now)?;
    }
    Ok(true)
}

/// A closed row of this very run may turn out good.
fn turn_good(tx: &Transaction<'_>, run: &Refound) -> Result<Option<i64>, Error> {
    if !run.is_proved {
        return Ok(None);
    }
    let mut closed = tx.prepare_cached(
        "SELECT run_id FROM runs WHERE job = ?1 AND instance_id = ?2 AND slot_ms = ?3 AND trigger = ?4 AND request = 0 AND slots = 1
           AND alias = ?5 AND finished_at_ms IS NOT NULL AND state <> ?6",
    )?;
    let good = Outcome::Succeeded.word();
    let key = params![run.key.job.as_str(), run.key.instance.as_str(), ms(run.key.slot), run.key.trigger.word(), run.alias, good];
    let Some(run_id) = closed.query_row(key, |row| row.get::<_, i64>(0)).optional()? else { return Ok(None) };
    tx.prepare_cached(
        "UPDATE runs SET first_outcome = state, state = ?2, late = 1, generation = ?3, backup_id = ?4, bytes = ?5, reason = NULL, why = why || '; ' || ?6,
           follow_until_ms = NULL, look_at_ms = NULL, look_step = NULL, look_tried = NULL, read_at_ms = NULL, next_at_ms = NULL
         WHERE run_id = ?1",
    )?
    .execute(params![
        run_id,
        good,
        run.generation,
        run.good.id.0,
        run.good.bytes,
        format!("backup {} was found in the cloud's list when the ledger was rebuilt", run.good.id),
    ])?;
    Ok(Some(run_id))
}

fn backup(tx: &Connection, run_id: i64, generation: u8, item: &Backup, duplicate: bool, now: DateTime<Utc>) -> Result<(), Error> {
    tx.prepare_cached(
        "INSERT INTO backups (instance_id, backup_id, run_id, generation, found_by, status, duplicate, bytes, first_seen_ms)
         SELECT instance_id, ?2, ?1, ?3, 'list', ?4, ?5, ?6, ?7 FROM runs WHERE run_id = ?1
         ON CONFLICT (instance_id, backup_id) DO UPDATE SET status = excluded.status, bytes = coalesce(excluded.bytes, bytes)",
    )?
    .execute(params![run_id, item.id.0, generation, item.status.word(), duplicate, item.bytes, ms(now)])?;
    Ok(())
}
