//! The head of each instance's line, in memory: of its due runs the one that is first in start order and that no hold keeps.
//!
//! One run per instance is in flight at a time, so only the head can start. Heads are read anew at each start, and after it where something changed:
//! a pass costs the same with 10 and with 100,000 due rows (`benches`).

use super::{Error, Ledger, row::ms};
use crate::domain::{
    names::{InstanceId, JobName},
    pause::Keeps,
};
use chrono::{DateTime, Utc};
use rusqlite::{Connection, params};
use std::collections::{BTreeMap, BTreeSet};

/// What waits for its start, in order.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heads: BTreeMap<InstanceId, Place>,
    order: BTreeSet<Place>,
    keeps: Keeps,
    held_instances: BTreeSet<InstanceId>,
    /// The request whose runs alone may start; none: all may.
    only: Option<i64>,
    /// Rows whose time came up to here have been considered; none while any head may be wrong.
    ripe_until: Option<i64>,
}

/// Where a head stands: by account, then in start order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    account: String,
    priority: i64,
    behind: i64,
    slot: i64,
    start_by: i64,
    run: i64,
}

const HEAD: &str = "SELECT r.job, r.even_if_held, r.asked, r.account, r.priority, r.behind_ms, r.slot_ms, r.start_by_ms, r.run_id FROM runs r
  WHERE r.instance_id = ?1 AND r.state = 'due' AND r.due_at_ms <= ?2
    AND NOT EXISTS (SELECT 1 FROM runs f WHERE f.instance_id = ?1 AND f.finished_at_ms IS NULL AND f.state <> 'due')
    AND NOT (r.generation = 1 AND r.attempts = 0 AND r.asked = 0 AND EXISTS (SELECT 1 FROM runs p WHERE p.instance_id = ?1
      AND p.state = 'due' AND p.job = r.job AND p.asked = 0 AND p.slot_ms < r.slot_ms))
  ORDER BY r.priority, r.behind_ms, r.slot_ms, r.start_by_ms, r.run_id";

impl Queue {
    /// Every head may be wrong: they are read anew.
    pub(super) fn doubt(&mut self) {
        self.ripe_until = None;
    }

    /// The first runs of an account, in order.
    pub(super) fn heads(&self, account: &str, most: usize) -> Vec<i64> {
        let least = i64::MIN;
        let start = Place { account: account.to_owned(), priority: least, behind: least, slot: least, start_by: least, run: least };
        self.order.range(start..).take_while(|place| place.account == account).take(most).map(|place| place.run).collect()
    }

    /// Brings the heads up to date: of instances whose rows changed, and of rows whose time has come since.
    pub(super) fn ripen(&mut self, conn: &Connection, touched: &BTreeSet<InstanceId>, now: DateTime<Utc>) -> Result<(), Error> {
        let now_ms = ms(now);
        // The first pass, another hold, or a clock that went back.
        let from = match self.ripe_until.take().filter(|until| *until <= now_ms) {
            Some(until) => until,
            None => {
                self.heads.clear();
                self.order.clear();
                i64::MIN
            }
        };
        // Distinct here, and not by SQLite, which would build a table for it in every pass.
        let mut ripe = conn.prepare_cached("SELECT instance_id FROM runs WHERE state = 'due' AND due_at_ms > ?1 AND due_at_ms <= ?2")?;
        let ripe = ripe.query_map([from, now_ms], |row| row.get::<_, String>(0))?.collect::<Result<BTreeSet<_>, _>>()?;
        let ripe = ripe.iter().map(|id| InstanceId::parse(id).map_err(|error| Error::Row(format!("instance {id}: {error}"))));
        let mut changed = ripe.collect::<Result<BTreeSet<_>, _>>()?;
        changed.extend(touched.iter().cloned());
        for instance in changed {
            let head = self.head(conn, &instance, now_ms)?;
            if let Some(place) = self.heads.remove(&instance) {
                self.order.remove(&place);
            }
            if let Some(place) = head {
                self.order.insert(place.clone());
                self.heads.insert(instance, place);
            }
        }
        self.ripe_until = Some(now_ms);
        Ok(())
    }

    fn head(&self, conn: &Connection, instance: &InstanceId, now_ms: i64) -> Result<Option<Place>, Error> {
        if self.held_instances.contains(instance) {
            return Ok(None);
        }
        let mut line = conn.prepare_cached(HEAD)?;
        let mut line = line.query(params![instance.as_str(), now_ms])?;
        while let Some(row) = line.next()? {
            let (job, even_if_held): (String, bool) = (row.get(0)?, row.get(1)?);
            let job = JobName::from_row(&job).map_err(|error| Error::Row(format!("job {job}: {error}")))?;
            if !even_if_held && self.keeps.of_pair(&job, instance).is_some() {
                continue;
            }
            let place = Place {
                account: row.get(3)?,
                priority: row.get(4)?,
                behind: row.get(5)?,
                slot: row.get(6)?,
                start_by: row.get(7)?,
                run: row.get(8)?,
            };
            if self.only.is_none_or(|only| row.get(2).is_ok_and(|asked: i64| asked == only)) {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

impl Ledger {
    /// Says what is kept from starting, and which instances could not be looked at; their runs leave the queue, and come back when the hold is gone.
    pub fn hold(&mut self, keeps: &Keeps, instances: &BTreeSet<InstanceId>) {
        let queue = &mut self.queue;
        if queue.keeps != *keeps {
            queue.keeps = keeps.clone();
            queue.doubt();
        }
        if queue.held_instances != *instances {
            self.touched.extend(queue.held_instances.symmetric_difference(instances).cloned());
            queue.held_instances.clone_from(instances);
        }
    }

    /// From now on only the runs of this request start.
    pub fn only(&mut self, request: i64) {
        self.queue.only = Some(request);
        self.queue.doubt();
    }
}
