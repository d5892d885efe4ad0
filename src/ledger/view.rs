//! What the planner sees of the ledger. Bounded, whatever the ledger holds.

use super::{
    Error, Ledger,
    row::{instant, ms},
};
use crate::domain::{
    catch_up::Cursor,
    names::{AccountName, InstanceId, JobName},
    plan::{View, Waiting},
    run::{Reading, Run, State, due::Previous},
};
use chrono::{DateTime, Utc};
use rusqlite::params;
use std::collections::{BTreeMap, BTreeSet};

/// So many pairs are admitted in one pass.
const CURSORS: i64 = 1_024;
/// So many due runs of an account are shown; a pass begins one or two.
const HEADS: usize = 4;
/// So many rows of an account and state are shown whose time has come.
const TIMED: i64 = 32;
/// So many calls are shown whose lease is over; with the lanes of an account a view has at most 256 such rows.
const STRAYS: i64 = 128;
/// The rows that time, a list or a poll can move; each kind has its own share of a view.
const LANES: [&str; 4] = [
    "WHERE account = ?1 AND state = 'uncertain' AND next_at_ms <= ?2 ORDER BY next_at_ms LIMIT ?3",
    "WHERE account = ?1 AND state = 'running' AND next_at_ms <= ?2 ORDER BY next_at_ms LIMIT ?3",
    DUE_LANE,
    "WHERE account = ?1 AND follow_until_ms IS NOT NULL AND next_at_ms <= ?2 ORDER BY next_at_ms LIMIT ?3",
];
/// What time alone closes: looks that are overdue do not stand before it.
const OVER_LANE: &str =
    "WHERE account = ?1 AND state IN ('uncertain', 'running') AND next_at_ms <= ?2 AND complete_by_ms <= ?2 ORDER BY complete_by_ms LIMIT ?3";
const DUE_LANE: &str = "WHERE account = ?1 AND state = 'due' AND next_at_ms <= ?2 ORDER BY next_at_ms LIMIT ?3";

impl Ledger {
    /// What is due at this reading, without the runs of `held` accounts; all of it out of one snapshot.
    pub fn view(&mut self, held: &BTreeSet<AccountName>, reading: &Reading) -> Result<View, Error> {
        self.conn.prepare_cached("BEGIN")?.execute([])?;
        let touched = self.touched.clone();
        match self.due(held, reading) {
            Ok(view) => {
                self.conn.prepare_cached("COMMIT")?.execute([])?;
                Ok(view)
            }
            Err(error) => {
                // Heads may have been read that were not shown.
                self.queue.doubt();
                self.touched = touched;
                // A full disk has ended the transaction by itself, and is what is to be told.
                if !self.conn.is_autocommit() {
                    self.conn.prepare_cached("ROLLBACK")?.execute([])?;
                }
                Err(error)
            }
        }
    }

    fn due(&mut self, held: &BTreeSet<AccountName>, reading: &Reading) -> Result<View, Error> {
        let now = reading.now.utc;
        self.queue.ripen(&self.conn, &self.touched, now)?;
        let mut view = View { cursors: if reading.proof.is_some() { self.cursors(now)? } else { Vec::new() }, ..View::default() };
        view.next_slot = self.soonest("SELECT min(next_slot_ms) FROM cursors WHERE next_slot_ms > ?1", now)?;
        view.soonest = earliest(view.next_slot, self.soonest("SELECT min(due_at_ms) FROM runs WHERE state = 'due' AND due_at_ms > ?1", now)?);
        let accounts: Vec<String> = self.accounts.iter().cloned().collect();
        for account in accounts {
            view.soonest = earliest(view.soonest, self.soonest_of(&account, now)?);
            if held.iter().any(|name| name.as_str() == account) {
                continue;
            }
            for head in self.queue.heads(&account, HEADS) {
                view.queue.extend(self.select("WHERE run_id = ?1", &[&head])?.into_iter().map(alone));
            }
            let lanes: &[&str] = if self.any_timed(&account, now)? { &LANES } else { &[] };
            for lane in lanes {
                view.timed.extend(self.select(lane, &[&account, &ms(now), &TIMED])?.into_iter().map(alone));
            }
        }
        // A held account's windows close all the same.
        for account in held {
            for lane in [DUE_LANE, OVER_LANE] {
                view.timed.extend(self.select(lane, &[&account.as_str(), &ms(now), &TIMED])?.into_iter().map(alone));
            }
        }
        let lease = super::row::length_ms(reading.now.mono);
        let stray = "WHERE state = 'calling' AND (process <> ?1 OR lease_ms <= ?2) LIMIT ?3";
        view.timed.extend(self.select(stray, &[&reading.process, &lease, &STRAYS])?.into_iter().map(alone));
        view.timed.extend(self.overlapped(now)?);
        view.in_use = self.in_use(&view.timed)?;
        if !view.queue.is_empty() {
            view.in_flight = self.in_flight()?;
        }
        Ok(view)
    }

    fn cursors(&mut self, now: DateTime<Utc>) -> Result<Vec<Cursor>, Error> {
        let mut due = self.conn.prepare_cached(
            "SELECT job, instance_id, cursor_ms FROM cursors WHERE next_slot_ms <= ?1 ORDER BY priority, next_slot_ms, job, instance_id LIMIT ?2",
        )?;
        let found = due.query_map(params![ms(now), CURSORS], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let found = found.collect::<Result<Vec<(String, String, i64)>, _>>()?;
        let mut taken = self.conn.prepare_cached(
            "SELECT slot_ms, slot_last_ms FROM runs WHERE job = ?1 AND instance_id = ?2 AND trigger = 'schedule' AND slot_ms > ?3
             UNION SELECT slot_ms, slot_last_ms FROM (SELECT slot_ms, slot_last_ms FROM runs WHERE job = ?1 AND instance_id = ?2
               AND trigger = 'schedule' AND slot_ms <= ?3 ORDER BY slot_ms DESC LIMIT 1) WHERE slot_last_ms > ?3
             ORDER BY 1 LIMIT 10000",
        )?;
        let mut cursors = Vec::with_capacity(found.len());
        for (job, instance, at) in found {
            let rows = taken.query_map(params![job, instance, at], |row| Ok((instant(row.get(0)?), instant(row.get(1)?))))?;
            cursors.push(Cursor {
                taken: rows.collect::<Result<_, _>>()?,
                job: JobName::parse(&job).map_err(|error| Error::Row(format!("job {job}: {error}")))?,
                instance: InstanceId::parse(&instance).map_err(|error| Error::Row(format!("instance {instance}: {error}")))?,
                at: instant(at),
            });
        }
        Ok(cursors)
    }

    /// Due runs whose previous one is open by a reading later than their `not_before`, of the instances whose rows changed.
    fn overlapped(&mut self, now: DateTime<Utc>) -> Result<Vec<Waiting>, Error> {
        let mut waiting = Vec::new();
        for instance in std::mem::take(&mut self.touched) {
            let runs = self.select(
                "AS r WHERE r.instance_id = ?1 AND r.state = 'due' AND r.generation = 1 AND r.attempts = 0 AND r.asked = 0
                   AND r.due_at_ms <= ?2 AND EXISTS (SELECT 1 FROM runs p WHERE p.instance_id = r.instance_id AND p.job = r.job AND p.asked = 0
                     AND p.finished_at_ms IS NULL AND p.state <> 'due' AND p.slot_ms < r.slot_ms AND p.read_at_ms > r.not_before_ms) LIMIT 64",
                &[&instance.as_str(), &ms(now)],
            )?;
            waiting.extend(runs.into_iter().map(|run| Waiting { run, previous: Some(Previous { read_at: Some(now) }) }));
        }
        Ok(waiting)
    }

    /// The instances of due runs on which another run is at work.
    fn in_use(&self, timed: &[Waiting]) -> Result<BTreeSet<InstanceId>, Error> {
        let mut at_work =
            self.conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM runs WHERE instance_id = ?1 AND finished_at_ms IS NULL AND state <> 'due')")?;
        let mut in_use = BTreeSet::new();
        for run in timed.iter().map(|waiting| &waiting.run).filter(|run| matches!(run.state, State::Due { .. })) {
            if at_work.query_row([run.key.instance.as_str()], |row| row.get(0))? {
                in_use.insert(run.key.instance.clone());
            }
        }
        Ok(in_use)
    }

    /// How many runs of each account were sent and have not ended.
    pub fn in_flight(&self) -> Result<BTreeMap<AccountName, u32>, Error> {
        let mut accounts = self.conn.prepare_cached("SELECT account FROM runs WHERE finished_at_ms IS NULL AND state <> 'due'")?;
        let mut rows = accounts.query([])?;
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            *counts.entry(row.get(0)?).or_default() += 1;
        }
        Ok(counts.into_iter().filter_map(|(account, count)| Some((AccountName::parse(&account).ok()?, count))).collect())
    }

    /// How many runs were sent and have not ended.
    pub fn at_work(&self) -> Result<u64, Error> {
        let mut count = self.conn.prepare_cached("SELECT count(*) FROM runs WHERE finished_at_ms IS NULL AND state <> 'due'")?;
        Ok(count.query_row([], |row| row.get::<_, u32>(0))?.into())
    }

    /// Whether any lane of an account has a row whose time has come; most passes have none.
    fn any_timed(&self, account: &str, now: DateTime<Utc>) -> Result<bool, Error> {
        let mut any = self.conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM runs WHERE account = ?1 AND next_at_ms <= ?2)")?;
        Ok(any.query_row(params![account, ms(now)], |row| row.get(0))?)
    }

    fn soonest_of(&self, account: &str, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Error> {
        let mut next = self.conn.prepare_cached("SELECT min(next_at_ms) FROM runs WHERE account = ?1 AND next_at_ms > ?2")?;
        let at: Option<i64> = next.query_row(params![account, ms(now)], |row| row.get(0))?;
        Ok(at.map(instant))
    }

    fn soonest(&self, sql: &str, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Error> {
        let at: Option<i64> = self.conn.prepare_cached(sql)?.query_row([ms(now)], |row| row.get(0))?;
        Ok(at.map(instant))
    }
}

fn alone(run: Run) -> Waiting {
    Waiting { run, previous: None }
}

fn earliest(a: Option<DateTime<Utc>>, b: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    [a, b].into_iter().flatten().min()
}
