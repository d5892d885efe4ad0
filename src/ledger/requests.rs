//! What people asked for: read by the loop, done with its answer in one transaction, so that nothing is done twice and nothing goes unanswered.
//!
//! Not decided here: what is refused, and which rows a request becomes (`domain::request`).

use super::{
    Error, Ledger,
    install::terms_row,
    row::{instant, ms},
    write::insert,
};
use crate::domain::{
    catch_up::NewRun,
    names::{InstanceId, JobName, RunId},
    request::{Answer, MissedRow, Request, RunAnswer, Taken},
};
use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};

/// So many are answered in one pass.
const AT_ONCE: i64 = 16;
/// So many runs are named in an answer.
const NAMED: usize = 1_000;

/// A request that nobody has answered yet.
#[derive(Clone, Debug)]
pub struct OpenRequest {
    /// Its number.
    pub id: i64,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// Who made it.
    pub who: String,
    /// Why, in their words; empty when they gave none.
    pub reason: String,
    /// What they asked for; none when this program cannot read it.
    pub request: Option<Request>,
}

/// What there is of a run that is to be cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancelled {
    /// Its number.
    pub run: RunId,
    /// Its job.
    pub job: String,
    /// Its instance.
    pub instance: String,
    /// Its state before.
    pub state: String,
    /// Calls begun for it.
    pub attempts: u32,
    /// Its backup.
    pub backup: Option<i64>,
    /// Whether it had ended.
    pub is_final: bool,
}

impl Ledger {
    /// The oldest requests without an answer, a bounded number.
    pub fn open_requests(&self) -> Result<Vec<OpenRequest>, Error> {
        let mut open = self.conn.prepare_cached(
            "SELECT request_id, at_ms, who, reason, arguments FROM requests WHERE answered_at_ms IS NULL ORDER BY request_id LIMIT ?1",
        )?;
        let rows = open.query_map([AT_ONCE], |row| {
            Ok(OpenRequest {
                id: row.get(0)?,
                at: instant(row.get(1)?),
                who: row.get(2)?,
                reason: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
                request: serde_json::from_str(&row.get::<_, String>(4)?).ok(),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Answers a request that changes nothing.
    pub fn answer(&mut self, request: i64, answer: &Answer, now: DateTime<Utc>) -> Result<(), Error> {
        self.in_one(|tx| answered(tx, request, answer, now))
    }

    /// Takes backups on; where a run of the same job and instance is open, that one stands for it. `answer` is told the runs and how many stand before them.
    pub fn take_on(
        &mut self,
        request: i64,
        taken: &[Taken],
        now: DateTime<Utc>,
        answer: impl FnOnce(Vec<RunAnswer>, u64) -> Answer,
    ) -> Result<Answer, Error> {
        let ledger_id = self.id.clone();
        let answer = self.in_one(|tx| {
            let policy_id: Option<i64> = tx.prepare_cached("SELECT max(policy_id) FROM policies")?.query_row([], |row| row.get(0))?;
            let mut runs = Vec::with_capacity(taken.len());
            for Taken { row, terms } in taken {
                let terms_id = terms_row(tx, terms)?;
                let found = open_run(tx, &row.key.job, &row.key.instance, terms_id)?;
                let (run_id, says) = match found {
                    Some((run_id, state)) => (Some(run_id), format!("it is {state} already")),
                    None => (insert(tx, &ledger_id, row, terms_id, policy_id, now)?.map(|run| run.0), String::new()),
                };
                let (job, instance_id) = (row.key.job.to_string(), row.key.instance.to_string());
                runs.extend(run_id.map(|run_id| RunAnswer { run_id, job, instance_id, says }));
            }
            let ahead =
                runs.iter().filter(|run| run.says.is_empty()).map(|run| ahead_of(tx, run.run_id, now)).min_by_key(|n| *n.as_ref().unwrap_or(&0));
            let answer = answer(runs, ahead.transpose()?.unwrap_or(0));
            answered(tx, request, &answer, now)?;
            Ok(answer)
        })?;
        self.touched.extend(taken.iter().map(|taken| taken.row.key.instance.clone()));
        self.accounts.extend(taken.iter().map(|taken| taken.terms.account.to_string()));
        Ok(answer)
    }

    /// The missed rows of a job that reach into `[since, until)`, newest first; at most `most`.
    pub fn missed_rows(&self, job: &JobName, since: DateTime<Utc>, until: DateTime<Utc>, most: usize) -> Result<Vec<MissedRow>, Error> {
        let mut rows = self.conn.prepare_cached(
            "SELECT run_id, instance_id, slot_ms, slot_last_ms, slots, coalesce(reason, 'downtime'), coalesce(why, '') FROM runs
             WHERE job = ?1 AND state = 'missed' AND trigger = 'schedule' AND slot_ms < ?3 AND slot_last_ms >= ?2
             ORDER BY slot_last_ms DESC, instance_id LIMIT ?4",
        )?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let found = rows.query_map(params![job.as_str(), ms(since), ms(until), most], |row| {
            let instance: String = row.get(1)?;
            let times = (instant(row.get(2)?), instant(row.get(3)?));
            Ok((RunId(row.get(0)?), instance, times, row.get::<_, i64>(4)?, row.get(5)?, row.get(6)?))
        })?;
        let row = |found: rusqlite::Result<_>| {
            let (id, instance, (first, last), slots, reason, why): (_, String, _, _, _, _) = found?;
            let instance = InstanceId::parse(&instance).map_err(|error| Error::Row(format!("instance {instance}: {error}")))?;
            Ok(MissedRow { id, instance, first, last, slots: u64::try_from(slots).unwrap_or(0), reason, why })
        };
        found.map(row).collect()
    }

    /// Puts rows in the place of missed ones.
    pub fn backfill(
        &mut self,
        request: i64,
        job: &JobName,
        cuts: &[(RunId, Vec<NewRun>)],
        now: DateTime<Utc>,
        answer: impl FnOnce(Vec<RunAnswer>, u64) -> Answer,
    ) -> Result<Answer, Error> {
        let ledger_id = self.id.clone();
        let answer = self.in_one(|tx| {
            let policy_id: Option<i64> = tx.prepare_cached("SELECT max(policy_id) FROM policies")?.query_row([], |row| row.get(0))?;
            let mut terms = tx.prepare_cached("SELECT terms_id FROM cursors WHERE job = ?1 AND instance_id = ?2")?;
            let mut runs = Vec::new();
            for (gone, rows) in cuts {
                let Some(first) = rows.first() else { continue };
                let Some(terms_id) = terms.query_row(params![job.as_str(), first.key.instance.as_str()], |row| row.get(0)).optional()? else {
                    continue;
                };
                tx.prepare_cached("DELETE FROM runs WHERE run_id = ?1 AND state = 'missed'")?.execute([gone.0])?;
                for row in rows {
                    let run = insert(tx, &ledger_id, row, terms_id, policy_id, now)?;
                    let (job, instance_id) = (row.key.job.to_string(), row.key.instance.to_string());
                    let is_due = row.asked.is_by_person();
                    runs.extend(run.filter(|_| is_due).map(|run| RunAnswer { run_id: run.0, job, instance_id, says: row.slot_local.clone() }));
                }
            }
            drop(terms);
            let ahead = runs.first().map_or(Ok(0), |run| ahead_of(tx, run.run_id, now))?;
            let answer = answer(runs, ahead);
            answered(tx, request, &answer, now)?;
            Ok(answer)
        })?;
        self.touched.extend(cuts.iter().flat_map(|(_, rows)| rows).map(|row| row.key.instance.clone()));
        Ok(answer)
    }

    /// Writes the wish to end runs; what waits ends in the next plan.
    pub fn cancel(
        &mut self,
        request: i64,
        runs: &[i64],
        now: DateTime<Utc>,
        answer: impl FnOnce(&[i64], Vec<Cancelled>) -> Answer,
    ) -> Result<Answer, Error> {
        let mut touched = Vec::new();
        let answer = self.in_one(|tx| {
            let mut find = tx.prepare_cached(
                "SELECT run_id, job, instance_id, state, attempts, backup_id, finished_at_ms IS NOT NULL FROM runs WHERE run_id = ?1",
            )?;
            let mut wish = tx.prepare_cached(
                "UPDATE runs SET wish = 'cancel', next_at_ms = CASE state WHEN 'due' THEN 0 ELSE next_at_ms END
                 WHERE run_id = ?1 AND finished_at_ms IS NULL AND wish IS NULL",
            )?;
            let mut found = Vec::new();
            for run in runs {
                let row = find.query_row([run], |row| {
                    Ok(Cancelled {
                        run: RunId(row.get(0)?),
                        job: row.get(1)?,
                        instance: row.get(2)?,
                        state: row.get(3)?,
                        attempts: row.get(4)?,
                        backup: row.get(5)?,
                        is_final: row.get(6)?,
                    })
                });
                let Some(row) = row.optional()? else { continue };
                wish.execute([run])?;
                touched.extend(InstanceId::parse(&row.instance));
                found.push(row);
            }
            let known: Vec<i64> = found.iter().map(|row| row.run.0).collect();
            let strangers: Vec<i64> = runs.iter().copied().filter(|run| !known.contains(run)).collect();
            let answer = answer(&strangers, found);
            answered(tx, request, &answer, now)?;
            Ok(answer)
        })?;
        self.touched.extend(touched);
        Ok(answer)
    }

    pub(super) fn in_one<T>(&mut self, act: impl FnOnce(&Transaction<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.still_ours()?;
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = act(&tx)?;
        tx.commit()?;
        self.unfolded += 1;
        Ok(done)
    }
}

pub(super) fn answered(tx: &Transaction<'_>, request: i64, answer: &Answer, now: DateTime<Utc>) -> Result<(), Error> {
    let mut kept = answer.clone();
    kept.runs.truncate(NAMED);
    let text = serde_json::to_string(&kept).map_err(|error| Error::Row(format!("an answer: {error}")))?;
    tx.prepare_cached("UPDATE requests SET answer = ?2, answered_at_ms = ?3 WHERE request_id = ?1 AND answered_at_ms IS NULL")?.execute(params![
        request,
        text,
        ms(now)
    ])?;
    Ok(())
}

/// The run of this job and instance that is open; without a job, only one with the same terms stands for another.
fn open_run(tx: &Transaction<'_>, job: &JobName, instance: &InstanceId, terms_id: i64) -> Result<Option<(i64, String)>, Error> {
    let mut open = tx.prepare_cached(
        "SELECT run_id, state, terms_id FROM runs WHERE instance_id = ?2 AND job = ?1 AND finished_at_ms IS NULL AND state <> 'due'
         UNION ALL SELECT run_id, state, terms_id FROM runs WHERE instance_id = ?2 AND job = ?1 AND state = 'due'",
    )?;
    let mut rows = open.query(params![job.as_str(), instance.as_str()])?;
    while let Some(row) = rows.next()? {
        if job.as_str() != JobName::BY_HAND || row.get::<_, i64>(2)? == terms_id {
            return Ok(Some((row.get(0)?, row.get(1)?)));
        }
    }
    Ok(None)
}

/// How many due runs of its account stand before a run.
fn ahead_of(tx: &Transaction<'_>, run: i64, now: DateTime<Utc>) -> Result<u64, Error> {
    let mut before = tx.prepare_cached(
        "SELECT count(*) FROM runs r, runs mine WHERE mine.run_id = ?1 AND r.account = mine.account AND r.state = 'due' AND r.next_at_ms IS NOT NULL
           AND r.due_at_ms <= ?2 AND (r.priority, r.behind_ms, r.slot_ms, r.start_by_ms, r.run_id)
             < (mine.priority, mine.behind_ms, mine.slot_ms, mine.start_by_ms, mine.run_id)",
    )?;
    let ahead: i64 = before.query_row(params![run, ms(now)], |row| row.get(0))?;
    Ok(u64::try_from(ahead).unwrap_or(0))
}
