//! The phases of a pass that write: each is one transaction, durable when it returns.

use super::{
    Error, Ledger,
    lock::Mark,
    row::{self, instant, length_ms, ms},
};
use crate::domain::{
    alias::alias,
    catch_up::{Admitted, NewRun},
    hold::LoopHold,
    names::{BackupId, RunId},
    plan::Admission,
    reply::CallError,
    run::{Note, Proof, Reading, Restored, Run},
};
use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, ToSql, Transaction, TransactionBehavior, params};
use std::{collections::BTreeSet, sync::OnceLock, time::Duration};

/// One call, as `attempts` keeps it.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// For which run.
    pub run: RunId,
    /// For which generation.
    pub generation: u8,
    /// When it was asked for.
    pub begun_at: DateTime<Utc>,
    /// What was signed, in Unix seconds.
    pub signed_at: i64,
    /// How long it took.
    pub elapsed: Duration,
    /// Its failure; none when it was answered.
    pub failure: Option<CallError>,
    /// The vendor's number of the call.
    pub request_id: Option<String>,
}

/// A run that is begun, and what its call needs.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The run, `calling`.
    pub run: Run,
    /// The number of the attempt.
    pub attempt: i64,
    /// The timestamp to sign.
    pub signed_at: i64,
}

/// What a reply did to a run.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The run as it is now.
    pub run: Run,
    /// What there is to tell.
    pub notes: Vec<Note>,
    /// The answer to a create, by its attempt's number.
    pub create: Option<(i64, Attempt, Option<i64>)>,
    /// A list worth keeping.
    pub list: Option<Attempt>,
    /// When it was recorded, by our clock.
    pub at: DateTime<Utc>,
}

impl Ledger {
    /// Records what the planner decided: new rows with their cursors, and rows that moved. Returns the rows that are new and their numbers.
    pub fn record(&mut self, admit: &[Admission], moved: &[Run]) -> Result<Vec<RunId>, Error> {
        self.still_ours()?;
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut fresh = Vec::new();
        for admission in admit {
            let pair = (admission.job.to_string(), admission.instance.to_string());
            let terms_id: Option<i64> = tx
                .prepare_cached("SELECT terms_id FROM cursors WHERE job = ?1 AND instance_id = ?2")?
                .query_row(params![pair.0, pair.1], |row| row.get(0))
                .optional()?;
            let Some(terms_id) = terms_id else { continue };
            let policy_id: Option<i64> = tx.prepare_cached("SELECT max(policy_id) FROM policies")?.query_row([], |row| row.get(0))?;
            for new in &admission.rows {
                fresh.extend(insert(&tx, &self.id, new, terms_id, policy_id, admission.cursor)?);
            }
            tx.prepare_cached("UPDATE cursors SET cursor_ms = max(cursor_ms, ?3), next_slot_ms = ?4 WHERE job = ?1 AND instance_id = ?2")?
                .execute(params![pair.0, pair.1, ms(admission.cursor), admission.next_slot.map(ms)])?;
        }
        for run in moved {
            save(&tx, run)?;
        }
        tx.commit()?;
        self.unfolded += 1;
        self.touched.extend(admit.iter().map(|admission| admission.instance.clone()));
        self.touched.extend(moved.iter().map(|run| run.key.instance.clone()));
        Ok(fresh)
    }

    /// Makes the intent of each run durable, numbers its attempt and chooses its timestamp; then the lock file learns the number.
    ///
    /// `signed_at` gives the timestamp of a run's account. Nothing may be sent for a run that is not in the answer.
    pub fn begin(&mut self, runs: Vec<Run>, reading: &Reading, signed_at: impl Fn(&Run) -> i64) -> Result<Vec<Begun>, Error> {
        self.still_ours()?;
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut begun = Vec::with_capacity(runs.len());
        for mut run in runs {
            let signed_at = signed_at(&run);
            tx.prepare_cached("INSERT INTO attempts (run_id, action, generation, begun_at_ms, signed_at_s) VALUES (?1, 'CreateBackup', ?2, ?3, ?4)")?
                .execute(params![run.id.0, run.generation, ms(reading.now.utc), signed_at])?;
            let attempt = tx.last_insert_rowid();
            run.begin(attempt, signed_at, reading);
            save(&tx, &run)?;
            begun.push(Begun { run, attempt, signed_at });
        }
        tx.commit()?;
        self.unfolded += 1;
        self.touched.extend(begun.iter().map(|begun| begun.run.key.instance.clone()));
        if let Some(newest) = begun.iter().map(|begun| begun.attempt).max() {
            self.lock.write(&Mark { ledger_id: self.id.clone(), attempt: newest })?;
        }
        Ok(begun)
    }

    /// Records what replies did.
    pub fn answered(&mut self, answers: &[Answered]) -> Result<(), Error> {
        self.still_ours()?;
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for answered in answers {
            save(&tx, &answered.run)?;
            if let Some((attempt, answer, id)) = &answered.create {
                create_answer(&tx, *attempt, answer, *id, &answered.run)?;
            }
            if let Some(list) = &answered.list {
                list_row(&tx, list)?;
            }
            for note in &answered.notes {
                backup_row(&tx, &answered.run, note, answered.at)?;
            }
        }
        tx.commit()?;
        self.unfolded += 1;
        self.touched.extend(answers.iter().map(|answered| answered.run.key.instance.clone()));
        Ok(())
    }

    /// Of these numbers, those that belong to other runs than `run`.
    pub fn taken(&self, run: &Run) -> Result<BTreeSet<BackupId>, Error> {
        let mut others = self.conn.prepare_cached("SELECT backup_id FROM backups WHERE instance_id = ?1 AND run_id <> ?2")?;
        let ids = others.query_map(params![run.key.instance.as_str(), run.id.0], |row| Ok(BackupId(row.get(0)?)))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// Dates the mark of a ledger that was put back: the `Date` of the clock's proof and the longest window of any account.
    pub fn date_restored(&mut self, proof: &Proof, window: Duration) -> Result<(), Error> {
        if self.restored == Restored::Undated {
            let until = crate::domain::now::later(proof.date, window);
            self.conn.execute("UPDATE meta SET value = ?1 WHERE key = 'restored'", [ms(until).to_string()])?;
            self.restored = Restored::Until(instant(ms(until)));
        }
        Ok(())
    }

    /// Brings back looks and tries that a clock which ran ahead has put further off than they may lie; its proof has just come back.
    pub fn clock_proved(&mut self, now: DateTime<Utc>) -> Result<(), Error> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute(
            "UPDATE runs SET next_at_ms = ?1
             WHERE next_at_ms > ?1 AND look_at_ms > ?1 + (SELECT poll_max_ms FROM terms t WHERE t.terms_id = runs.terms_id)",
            [ms(now)],
        )?;
        tx.execute(
            "UPDATE runs SET due_at_ms = ?1
             WHERE state IN ('due', 'uncertain') AND attempts > 0
               AND due_at_ms > ?1 + (SELECT max_backoff_ms FROM terms t WHERE t.terms_id = runs.terms_id)",
            [ms(now)],
        )?;
        tx.commit()?;
        self.queue.doubt();
        Ok(())
    }

    /// Writes what the loop holds back as a whole, in the place of what it held before.
    pub fn show_holds(&mut self, holds: &[LoopHold]) -> Result<(), Error> {
        self.still_ours()?;
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute("DELETE FROM holds", [])?;
        for LoopHold { waits, name, since, code } in holds {
            tx.prepare_cached("INSERT INTO holds VALUES (?1, ?2, ?3, ?4)")?.execute(params![waits.word(), name, ms(*since), code])?;
        }
        tx.commit()?;
        Ok(())
    }

    /// Writes that a pass has finished, and what is wrong: a word, and in sentences.
    pub fn heartbeat(&mut self, now: DateTime<Utc>, process: i64, verdict: &str, says: &str) -> Result<(), Error> {
        self.still_ours()?;
        let mut pulse = self.conn.prepare_cached(
            "INSERT INTO heartbeat (one, at_ms, process, pid, verdict, says) VALUES (1, ?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (one) DO UPDATE SET at_ms = ?1, process = ?2, pid = ?3, verdict = ?4, says = ?5",
        )?;
        pulse.execute(params![ms(now), process, std::process::id(), verdict, says])?;
        Ok(())
    }

    /// Whether a call was begun less than 2 s before `now`, or after it: then the last second's sends are not known.
    pub fn begun_lately(&self, now: DateTime<Utc>) -> Result<bool, Error> {
        let newest: Option<i64> =
            self.conn.query_row("SELECT max(begun_at_ms) FROM (SELECT begun_at_ms FROM attempts ORDER BY attempt_id DESC LIMIT 8)", [], |row| {
                row.get(0)
            })?;
        Ok(newest.is_some_and(|at| at > ms(now) - 2_000))
    }
}

pub(super) fn insert(
    tx: &Transaction<'_>,
    ledger_id: &str,
    new: &NewRun,
    terms_id: i64,
    policy_id: Option<i64>,
    now: DateTime<Utc>,
) -> Result<Option<RunId>, Error> {
    let windows = &new.windows;
    let account: String = tx.prepare_cached("SELECT account FROM terms WHERE terms_id = ?1")?.query_row([terms_id], |row| row.get(0))?;
    let (state, due_at, ended) = match &new.admitted {
        Admitted::Due => ("due", Some(ms(windows.not_before)), None),
        Admitted::Closed { outcome, reason, why } => (outcome.word(), None, Some((reason.as_ref(), why.as_str()))),
    };
    let inserted = tx
        .prepare_cached(
            "INSERT INTO runs (job, instance_id, slot_ms, trigger, request, slot_local, slot_last_ms, slots, terms_id, account, policy_id, priority,
               alias, not_before_ms, start_by_ms, complete_by_ms, restart_by_ms, state, due_at_ms, next_at_ms, reason, why, finished_at_ms,
               asked, even_if_held, behind_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            new.key.job.as_str(),
            new.key.instance.as_str(),
            ms(new.key.slot),
            new.key.trigger.word(),
            new.key.request,
            new.slot_local,
            ms(new.slot_last),
            i64::try_from(new.slots).unwrap_or(i64::MAX),
            terms_id,
            account,
            policy_id,
            new.priority,
            alias(ledger_id, &new.key),
            ms(windows.not_before),
            ms(windows.start_by),
            ms(windows.complete_by),
            ms(windows.restart_by),
            state,
            due_at,
            due_at.map(|_| ms(windows.start_by)),
            ended.map(|(reason, _)| reason),
            ended.map(|(_, why)| why),
            ended.map(|_| ms(now)),
            new.asked.request,
            new.asked.even_if_held,
            new.asked.behind_ms,
        ])?;
    Ok((inserted > 0).then(|| RunId(tx.last_insert_rowid())))
}

fn save(tx: &Transaction<'_>, run: &Run) -> Result<(), Error> {
    static SQL: OnceLock<String> = OnceLock::new();
    let columns = row::changing(run);
    // A run of any state has the same columns.
    let sql = SQL.get_or_init(|| format!("UPDATE runs SET {} WHERE run_id = ?{}", row::assignments(&columns), columns.len() + 1));
    let values = columns.iter().map(|(_, value)| value as &dyn ToSql).chain([&run.id.0 as &dyn ToSql]).collect::<Vec<_>>();
    tx.prepare_cached(sql)?.execute(values.as_slice())?;
    Ok(())
}

fn create_answer(tx: &Transaction<'_>, attempt: i64, answer: &Attempt, id: Option<i64>, run: &Run) -> Result<(), Error> {
    let failure = answer.failure.as_ref();
    tx.prepare_cached(
        "UPDATE attempts SET elapsed_ms = ?2, class = ?3, code = ?4, message = ?5, request_id = ?6, backup_id = ?7 WHERE attempt_id = ?1",
    )?
    .execute(params![
        attempt,
        length_ms(answer.elapsed),
        failure.map_or("accepted", |failure| failure.class.word()),
        failure.map(|failure| &failure.code),
        failure.map(|failure| &failure.message),
        answer.request_id,
        id,
    ])?;
    tx.prepare_cached("UPDATE runs SET last_request_id = coalesce(?2, last_request_id) WHERE run_id = ?1")?
        .execute(params![run.id.0, answer.request_id])?;
    Ok(())
}

fn list_row(tx: &Transaction<'_>, list: &Attempt) -> Result<(), Error> {
    let failure = list.failure.as_ref();
    tx.prepare_cached(
        "INSERT INTO attempts (run_id, action, generation, begun_at_ms, signed_at_s, elapsed_ms, class, code, message, request_id)
         SELECT ?1, 'DescribeBackups', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
         WHERE (SELECT count(*) FROM attempts WHERE run_id = ?1 AND action = 'DescribeBackups') < 64",
    )?
    .execute(params![
        list.run.0,
        list.generation,
        ms(list.begun_at),
        list.signed_at,
        length_ms(list.elapsed),
        failure.map_or("answered", |failure| failure.class.word()),
        failure.map(|failure| &failure.code),
        failure.map(|failure| &failure.message),
        list.request_id,
    ])?;
    Ok(())
}

fn backup_row(tx: &Transaction<'_>, run: &Run, note: &Note, at: DateTime<Utc>) -> Result<(), Error> {
    match note {
        Note::Backup { id, generation, status, found_by_list, duplicate, bytes } => {
            tx.prepare_cached(
                "INSERT INTO backups (instance_id, backup_id, run_id, generation, found_by, status, duplicate, bytes, first_seen_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (instance_id, backup_id) DO UPDATE SET status = CASE WHEN ?5 = 'list' THEN ?6 ELSE status END,
                   duplicate = max(duplicate, ?7), bytes = coalesce(?8, bytes)",
            )?
            .execute(params![
                run.key.instance.as_str(),
                id.0,
                run.id.0,
                generation,
                if *found_by_list { "list" } else { "reply" },
                status.word(),
                duplicate,
                bytes,
                ms(at)
            ])?;
        }
        Note::Vanished { id } => {
            tx.prepare_cached("UPDATE backups SET status = 'vanished' WHERE instance_id = ?1 AND backup_id = ?2")?
                .execute(params![run.key.instance.as_str(), id.0])?;
        }
        Note::Impostor { .. } => {}
    }
    Ok(())
}
