//! Recording a policy: its text, where each pair's cursor stands, what changed schedules still owed, and which open runs it no longer knows.

use super::{
    Error, Ledger,
    row::{self, instant, ms},
    write::insert,
};
use crate::domain::{
    catch_up::{self, Admitted, Cursor, NewRun},
    names::{InstanceId, JobName},
    pause::Asked,
    policy::{Instance, Job, Policy},
    run::{Key, Outcome, Trigger, Windows},
    schedule::Schedule,
    terms::Terms,
};
use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params, types::Value};
use std::collections::{BTreeMap, BTreeSet};

/// The policy as it is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Install<'a> {
    /// What it means.
    pub policy: &'a Policy,
    /// Its text's SHA-256, in hex.
    pub hash: &'a str,
    /// Its text.
    pub text: &'a str,
    /// When it was loaded, by the proved clock. It acts on no time before.
    pub loaded_at: DateTime<Utc>,
}

impl Ledger {
    /// Records the policy: its text, the cursors of its pairs, what changed ones still owed, and the wish to end runs that it does not know.
    ///
    /// Returns how many rows say `missed` because a schedule was changed while nobody ran.
    pub fn install(&mut self, install: &Install<'_>) -> Result<usize, Error> {
        let ledger_id = self.id.clone();
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let policy_id = policy_row(&tx, install)?;
        let known = cursors(&tx)?;
        let mut pairs = BTreeSet::new();
        let mut owed = 0;
        let accounts: BTreeMap<_, _> = install.policy.accounts.iter().map(|account| (&account.name, account)).collect();
        for job in &install.policy.jobs {
            for instance in &job.instances {
                let Some(account) = accounts.get(&instance.account) else { continue };
                let terms_id = terms_row(&tx, &Terms::of(job, instance, account))?;
                let pair = (job.name.to_string(), instance.id.to_string());
                match known.get(&pair) {
                    Some(kept) if kept.schedule == job.schedule.text() && kept.zone == job.schedule.zone() => {
                        let next = job.schedule.next_after(instant(kept.cursor_ms)).map(ms);
                        keep_cursor(&tx, &pair, terms_id, job.priority, next)?;
                    }
                    kept => {
                        if let Some(kept) = kept {
                            owed += owe(&tx, &ledger_id, &pair, kept, policy_id, install.loaded_at)?;
                        }
                        start_cursor(&tx, job, instance, terms_id, install.loaded_at)?;
                    }
                }
                pairs.insert(pair);
            }
        }
        for (pair, kept) in known.iter().filter(|(pair, _)| !pairs.contains(*pair)) {
            owed += owe(&tx, &ledger_id, pair, kept, policy_id, install.loaded_at)?;
            tx.execute("DELETE FROM cursors WHERE job = ?1 AND instance_id = ?2", params![pair.0, pair.1])?;
        }
        wish_removed(&tx, &pairs)?;
        tx.commit()?;
        let instances: Vec<_> = install.policy.instances.iter().map(|instance| instance.id.clone()).collect();
        self.touched.extend(instances);
        self.accounts.extend(install.policy.accounts.iter().map(|account| account.name.to_string()));
        self.queue.doubt();
        Ok(owed)
    }
}

struct Kept {
    schedule: String,
    zone: String,
    terms_id: i64,
    priority: u8,
    cursor_ms: i64,
}

fn cursors(tx: &Transaction<'_>) -> Result<BTreeMap<(String, String), Kept>, Error> {
    let mut all = tx.prepare("SELECT job, instance_id, schedule, time_zone, terms_id, priority, cursor_ms FROM cursors")?;
    let rows = all.query_map([], |row| {
        let kept = Kept { schedule: row.get(2)?, zone: row.get(3)?, terms_id: row.get(4)?, priority: row.get(5)?, cursor_ms: row.get(6)? };
        Ok(((row.get(0)?, row.get(1)?), kept))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn policy_row(tx: &Transaction<'_>, install: &Install<'_>) -> Result<i64, Error> {
    let newest = tx
        .query_row("SELECT policy_id, hash FROM policies ORDER BY policy_id DESC LIMIT 1", [], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    if let Some((id, hash)) = newest
        && hash == install.hash
    {
        return Ok(id);
    }
    tx.execute("INSERT INTO policies (hash, text, loaded_at_ms) VALUES (?1, ?2, ?3)", params![install.hash, install.text, ms(install.loaded_at)])?;
    Ok(tx.last_insert_rowid())
}

pub(super) fn terms_row(tx: &Transaction<'_>, terms: &Terms) -> Result<i64, Error> {
    let columns = row::terms_columns(terms)?;
    let digest = columns.first().map(|(_, value)| value.clone()).unwrap_or(Value::Null);
    let (insertion, values) = row::insertion(&columns);
    tx.prepare_cached(&format!("INSERT INTO terms {insertion} ON CONFLICT (digest) DO NOTHING"))?.execute(values.as_slice())?;
    Ok(tx.prepare_cached("SELECT terms_id FROM terms WHERE digest = ?1")?.query_row([digest], |row| row.get(0))?)
}

fn keep_cursor(tx: &Transaction<'_>, pair: &(String, String), terms_id: i64, priority: u8, next: Option<i64>) -> Result<(), Error> {
    tx.prepare_cached(
        "UPDATE cursors SET terms_id = ?3, priority = ?4, next_slot_ms = ?5 WHERE job = ?1 AND instance_id = ?2
           AND (terms_id <> ?3 OR priority <> ?4 OR next_slot_ms IS NOT ?5)",
    )?
    .execute(params![pair.0, pair.1, terms_id, priority, next])?;
    Ok(())
}

fn start_cursor(tx: &Transaction<'_>, job: &Job, instance: &Instance, terms_id: i64, at: DateTime<Utc>) -> Result<(), Error> {
    tx.prepare_cached(
        "INSERT INTO cursors (job, instance_id, schedule, time_zone, terms_id, priority, cursor_ms, next_slot_ms, since_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?7)
         ON CONFLICT (job, instance_id) DO UPDATE SET schedule = ?3, time_zone = ?4, terms_id = ?5, priority = ?6, cursor_ms = ?7, next_slot_ms = ?8,
           since_ms = ?7",
    )?
    .execute(params![
        job.name.as_str(),
        instance.id.as_str(),
        job.schedule.text(),
        job.schedule.zone(),
        terms_id,
        job.priority,
        ms(at),
        job.schedule.next_after(at).map(ms)
    ])?;
    Ok(())
}

/// What a changed or removed schedule still owed up to `until` becomes one missed row, or one for each piece between rows that exist.
fn owe(tx: &Transaction<'_>, ledger_id: &str, pair: &(String, String), kept: &Kept, policy_id: i64, until: DateTime<Utc>) -> Result<usize, Error> {
    let (Ok(schedule), Ok(job), Ok(instance)) = (Schedule::parse(&kept.schedule, &kept.zone), JobName::from_row(&pair.0), InstanceId::parse(&pair.1))
    else {
        return Ok(0);
    };
    let mut taken = tx.prepare_cached(
        "SELECT slot_ms, slot_last_ms FROM runs WHERE job = ?1 AND instance_id = ?2 AND trigger = 'schedule' AND slot_ms > ?3 ORDER BY slot_ms",
    )?;
    let taken = taken.query_map(params![pair.0, pair.1, kept.cursor_ms], |row| Ok((instant(row.get(0)?), instant(row.get(1)?))))?;
    let cursor = Cursor { job: job.clone(), instance: instance.clone(), at: instant(kept.cursor_ms), taken: taken.collect::<Result<_, _>>()? };
    let mut rows = 0;
    for (slot, slot_last, slots) in catch_up::missed(&schedule, &cursor, until) {
        let key = Key { job: job.clone(), instance: instance.clone(), slot, trigger: Trigger::Schedule, request: 0 };
        let windows = Windows { not_before: slot, start_by: until, complete_by: until, restart_by: until };
        let why = "the policy was changed before anybody ran it".to_owned();
        let admitted = Admitted::Closed { outcome: Outcome::Missed, reason: "policy_changed".into(), why };
        let (slot_local, asked) = (schedule.local(slot), Asked::default());
        let new = NewRun { key, slot_last, slots, slot_local, windows, priority: kept.priority, asked, admitted };
        rows += usize::from(insert(tx, ledger_id, &new, kept.terms_id, Some(policy_id), until)?.is_some());
    }
    Ok(rows)
}

/// Open runs of the schedule whose pair is gone are wished away; those whose pair came back are not.
fn wish_removed(tx: &Transaction<'_>, pairs: &BTreeSet<(String, String)>) -> Result<(), Error> {
    let mut open = tx.prepare(
        "SELECT run_id, job, instance_id, wish FROM (SELECT * FROM runs WHERE state = 'due'
           UNION ALL SELECT * FROM runs WHERE finished_at_ms IS NULL AND state <> 'due')
         WHERE trigger = 'schedule' AND (wish IS NULL OR wish = 'removed')",
    )?;
    let rows = open.query_map([], |row| Ok((row.get::<_, i64>(0)?, (row.get(1)?, row.get(2)?), row.get::<_, Option<String>>(3)?)))?;
    let rows = rows.collect::<Result<Vec<(i64, (String, String), Option<String>)>, _>>()?;
    let mut set = tx
        .prepare("UPDATE runs SET wish = ?2, next_at_ms = CASE WHEN state = 'due' AND ?2 IS NOT NULL THEN 0 ELSE next_at_ms END WHERE run_id = ?1")?;
    for (run, pair, wish) in rows {
        let wanted = if pairs.contains(&pair) { None } else { Some("removed") };
        if wish.as_deref() != wanted {
            set.execute(params![run, wanted])?;
        }
    }
    Ok(())
}
