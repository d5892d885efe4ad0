//! The head of each instance's line, in memory: of its due runs the one that is first in start order and that no hold keeps.
//!
//! One run per instance is in flight at a time, so only the head can start. Temporary tables hold the heads; they are made anew at each start,
//! never durable, and cost no write to the disk. With them a pass costs the same with 10 and with 100,000 due rows (`benches`).

use super::{Error, Ledger, row::ms};
use crate::domain::names::{InstanceId, JobName};
use chrono::{DateTime, Utc};
use rusqlite::Connection;
use std::collections::BTreeSet;

pub(super) fn make(conn: &Connection) -> Result<(), Error> {
    conn.execute_batch(
        "CREATE TEMP TABLE queue (instance_id TEXT PRIMARY KEY, account TEXT NOT NULL, priority INTEGER NOT NULL, slot_ms INTEGER NOT NULL,
           start_by_ms INTEGER NOT NULL, run_id INTEGER NOT NULL) WITHOUT ROWID;
         CREATE INDEX temp.queue_order ON queue (account, priority, slot_ms, start_by_ms, run_id);
         CREATE TEMP TABLE held_jobs (job TEXT PRIMARY KEY) WITHOUT ROWID;
         CREATE TEMP TABLE held_instances (instance_id TEXT PRIMARY KEY) WITHOUT ROWID;",
    )?;
    Ok(())
}

const HEAD: &str = "INSERT INTO temp.queue
  SELECT r.instance_id, r.account, r.priority, r.slot_ms, r.start_by_ms, r.run_id FROM runs r
  WHERE r.instance_id = ?1 AND r.state = 'due' AND r.due_at_ms <= ?2
    AND NOT EXISTS (SELECT 1 FROM temp.held_jobs h WHERE h.job = r.job)
    AND NOT EXISTS (SELECT 1 FROM temp.held_instances h WHERE h.instance_id = r.instance_id)
    AND NOT EXISTS (SELECT 1 FROM runs f WHERE f.instance_id = ?1 AND f.state IN ('calling', 'uncertain', 'running'))
    AND NOT (r.generation = 1 AND r.attempts = 0 AND r.trigger = 'schedule' AND EXISTS (SELECT 1 FROM runs p WHERE p.instance_id = ?1
      AND p.state = 'due' AND p.job = r.job AND p.trigger = 'schedule' AND p.slot_ms < r.slot_ms))
  ORDER BY r.priority, r.slot_ms, r.start_by_ms, r.run_id LIMIT 1";

impl Ledger {
    /// Says which jobs are held, and which instances could not be looked at; their runs leave the queue, and come back when the hold is gone.
    pub fn hold(&mut self, jobs: &BTreeSet<JobName>, instances: &BTreeSet<InstanceId>) -> Result<(), Error> {
        let held_jobs: BTreeSet<String> = self.names("SELECT job FROM temp.held_jobs")?;
        let held_instances: BTreeSet<String> = self.names("SELECT instance_id FROM temp.held_instances")?;
        let jobs: BTreeSet<String> = jobs.iter().map(ToString::to_string).collect();
        let instances: BTreeSet<String> = instances.iter().map(ToString::to_string).collect();
        for instance in held_instances.symmetric_difference(&instances) {
            let sql = if instances.contains(instance) {
                "INSERT INTO temp.held_instances VALUES (?1)"
            } else {
                "DELETE FROM temp.held_instances WHERE instance_id = ?1"
            };
            self.conn.execute(sql, [instance])?;
            self.touched.extend(InstanceId::parse(instance).ok());
        }
        if held_jobs != jobs {
            self.conn.execute("DELETE FROM temp.held_jobs", [])?;
            for job in &jobs {
                self.conn.execute("INSERT INTO temp.held_jobs VALUES (?1)", [job])?;
            }
            self.ripe_until = None;
        }
        Ok(())
    }

    /// Brings the heads up to date: instances whose rows changed, and rows whose time has come since.
    pub(super) fn ripen(&mut self, now: DateTime<Utc>) -> Result<(), Error> {
        let now_ms = ms(now);
        let from = match self.ripe_until {
            Some(until) if until <= now_ms => until,
            _ => {
                // The first pass, another hold, or a clock that went back: every head may be wrong.
                self.conn.execute("DELETE FROM temp.queue", [])?;
                i64::MIN
            }
        };
        let mut ripe =
            self.conn.prepare_cached("SELECT DISTINCT instance_id FROM runs WHERE state = 'due' AND due_at_ms > ?1 AND due_at_ms <= ?2")?;
        let mut heads = ripe.query_map([from, now_ms], |row| row.get::<_, String>(0))?.collect::<Result<BTreeSet<_>, _>>()?;
        heads.extend(self.touched.iter().map(ToString::to_string));
        let mut clear = self.conn.prepare_cached("DELETE FROM temp.queue WHERE instance_id = ?1")?;
        let mut fill = self.conn.prepare_cached(HEAD)?;
        for instance in &heads {
            clear.execute([instance])?;
            fill.execute(rusqlite::params![instance, now_ms])?;
        }
        self.ripe_until = Some(now_ms);
        Ok(())
    }

    fn names(&self, sql: &str) -> Result<BTreeSet<String>, Error> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let names = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(names)
    }
}
