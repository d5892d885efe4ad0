//! What is dropped of the history, and how: closed runs beyond the policy's bounds, oldest slot first, a slice at a time.
//!
//! Never dropped: a run that is open or still followed, the newest good one of each job and instance, and a row that a cursor has yet to step over.

use super::{Error, Ledger, row::ms};
use crate::domain::{now::earlier, policy::HistoryBounds, run::Outcome};
use chrono::{DateTime, Utc};
use rusqlite::{TransactionBehavior, params};
use std::time::Duration;

/// So many runs are considered in one slice: about a tenth of a second (measured), which is how long it may keep a due run waiting.
const SLICE: i64 = 1_000;
/// A run that ended less long ago is not dropped for its count: a new process asks when the last calls were begun.
const SETTLED: Duration = Duration::from_secs(60);

/// A walk through the history, and how far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    ended_before_ms: i64,
    settled_before_ms: i64,
    excess: i64,
    after: (i64, i64),
    /// How many runs it has dropped so far.
    pub pruned: u64,
}

/// One run that the walk comes to.
struct Passed {
    run_id: i64,
    slot_ms: i64,
    finished_at_ms: Option<i64>,
    needed: bool,
}

impl Ledger {
    /// Begins a walk: what `bounds` mean at `now`. The clock has to be proved: a wrong one makes everything old.
    pub fn sweep(&self, bounds: HistoryBounds, now: DateTime<Utc>) -> Result<Sweep, Error> {
        let max_runs = i64::try_from(bounds.max_runs).unwrap_or(i64::MAX);
        // Numbers are given in order: when they span no more than the bound, there is nothing to count.
        let rows: i64 = self.conn.query_row(
            "SELECT CASE WHEN (SELECT max(run_id) FROM runs) - (SELECT min(run_id) FROM runs) < ?1 THEN 0 ELSE (SELECT count(*) FROM runs) END",
            [max_runs],
            |row| row.get::<_, Option<i64>>(0).map(Option::unwrap_or_default),
        )?;
        let (ended, settled) = (earlier(now, bounds.max_age), earlier(now, SETTLED));
        let excess = rows.saturating_sub(max_runs).max(0);
        Ok(Sweep { ended_before_ms: ms(ended), settled_before_ms: ms(settled), excess, after: (i64::MIN, i64::MIN), pruned: 0 })
    }

    /// Drops what the next slice holds too much, with its attempts and backups, in one transaction. Says whether there is more to walk through;
    /// at the end SQLite looks after its own statistics.
    pub fn prune(&mut self, sweep: &mut Sweep) -> Result<bool, Error> {
        let mut next = *sweep;
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let passed = tx
            .prepare_cached(&slice())?
            .query_map(params![sweep.after.0, sweep.after.1, sweep.until_ms(), SLICE], |row| {
                Ok(Passed { run_id: row.get(0)?, slot_ms: row.get(1)?, finished_at_ms: row.get(2)?, needed: row.get(3)? })
            })?
            .collect::<Result<Vec<_>, _>>()?;
        let mut dropped_until = None;
        for run in &passed {
            next.after = (run.slot_ms, run.run_id);
            if next.drops(run) {
                tx.prepare_cached("DELETE FROM runs WHERE run_id = ?1")?.execute([run.run_id])?;
                next.pruned += 1;
                next.excess -= 1;
                dropped_until = Some(run.slot_ms);
            }
        }
        if let Some(until) = dropped_until {
            // A slot up to here may have had a row: whoever checks the ledger does not miss it.
            tx.prepare_cached(
                "INSERT INTO meta (key, value) VALUES ('pruned_until_ms', ?1)
                 ON CONFLICT (key) DO UPDATE SET value = max(CAST(value AS INTEGER), CAST(?1 AS INTEGER))",
            )?
            .execute([until.to_string()])?;
        }
        tx.commit()?;
        *sweep = next;
        let more = passed.len() as i64 == SLICE;
        if !more {
            self.conn.execute_batch("PRAGMA optimize")?;
        }
        Ok(more)
    }
}

impl Sweep {
    /// No slot after this is of interest.
    fn until_ms(&self) -> i64 {
        if self.excess > 0 { i64::MAX } else { self.ended_before_ms }
    }

    fn drops(&self, run: &Passed) -> bool {
        let before = if self.excess > 0 { self.ended_before_ms.max(self.settled_before_ms) } else { self.ended_before_ms };
        !run.needed && run.finished_at_ms.is_some_and(|at| at < before)
    }
}

/// The next runs in order of their slots, each with whether it is followed, the newest good one of its pair, or ahead of its pair's cursor.
fn slice() -> String {
    let good = Outcome::Succeeded.word();
    format!(
        "SELECT r.run_id, r.slot_ms, r.finished_at_ms, r.follow_until_ms IS NOT NULL
           OR (r.state = '{good}' AND NOT EXISTS (SELECT 1 FROM runs g WHERE g.job = r.job AND g.instance_id = r.instance_id AND g.state = '{good}'
             AND (g.slot_ms > r.slot_ms OR (g.slot_ms = r.slot_ms AND g.run_id > r.run_id))))
           OR EXISTS (SELECT 1 FROM cursors c WHERE c.job = r.job AND c.instance_id = r.instance_id AND c.cursor_ms < r.slot_last_ms)
         FROM runs r INDEXED BY runs_by_slot WHERE (r.slot_ms, r.run_id) > (?1, ?2) AND r.slot_ms <= ?3 ORDER BY r.slot_ms, r.run_id LIMIT ?4"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_walks_along_the_index_and_sorts_nothing() {
        let ledger = Ledger::in_memory("plan", DateTime::<Utc>::UNIX_EPOCH).unwrap();
        let mut statement = ledger.conn.prepare(&format!("EXPLAIN QUERY PLAN {}", slice())).unwrap();
        let plan = statement.query_map(params![1, 1, 9, SLICE], |row| row.get::<_, String>(3)).unwrap();
        let plan = plan.collect::<Result<Vec<_>, _>>().unwrap().join("; ");
        assert!(plan.contains("SEARCH r USING INDEX runs_by_slot (slot_ms>? AND slot_ms<?)"), "{plan}");
        assert!(plan.contains("SEARCH g USING COVERING INDEX runs_good") && plan.contains("SEARCH c") && !plan.contains("B-TREE"), "{plan}");
    }
}
