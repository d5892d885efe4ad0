//! The floor of a whole run: what any daemon that keeps this ledger has to write and send for it, by SQLite and the HTTP library alone. Nothing is
//! read, nothing is decided.

use crate::calls::Bare;
use cdb_backupd::clock::{Clock, SystemClock};
use rusqlite::{Connection, params};
use std::{path::Path, time::Duration};

const BACKUP: i64 = 900_000_000;
const REQUEST: &str = "c8b1e5f6-2d3f-4a8e-9d5e-0a1b2c3d4e5f";

/// A ledger whose runs are due, open without the daemon.
pub(crate) struct Replay {
    conn: Connection,
    runs: Vec<(i64, String)>,
}

impl Replay {
    /// Takes a ledger that a daemon has left, and makes each of its runs due once more, an hour later.
    pub(crate) fn of(ledger: &Path) -> anyhow::Result<Self> {
        let conn = Connection::open(ledger)?;
        conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 64; PRAGMA cache_size = -4096")?;
        conn.execute_batch(
            "INSERT INTO runs (job, instance_id, slot_ms, trigger, slot_local, slot_last_ms, slots, terms_id, account, policy_id, priority, alias,
               not_before_ms, start_by_ms, complete_by_ms, restart_by_ms, state, due_at_ms, next_at_ms)
             SELECT job, instance_id, slot_ms + 3600000, trigger, slot_local, slot_last_ms + 3600000, slots, terms_id, account, policy_id, priority,
               alias, not_before_ms, start_by_ms, complete_by_ms, restart_by_ms, 'due', not_before_ms, start_by_ms FROM runs",
        )?;
        let due = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let runs = conn.prepare("SELECT run_id, instance_id FROM runs WHERE state = 'due'")?.query_map([], due)?.collect::<Result<_, _>>()?;
        Ok(Self { conn, runs })
    }

    /// Each run at its time: intent, create, answer, and later a list and the end. `apart` lies before each half, as it does for a daemon.
    pub(crate) async fn play(&self, create: &Bare, list: &Bare, apart: Duration) -> anyhow::Result<()> {
        let clock = SystemClock::new();
        for (run, instance) in &self.runs {
            clock.sleep(apart).await;
            let at = clock.now().utc.timestamp_millis();
            let attempt = self.intent(*run, at)?;
            create.post().await?;
            self.accepted(*run, instance, attempt, at)?;
            clock.sleep(apart).await;
            list.post().await?;
            self.succeeded(*run, instance, at)?;
        }
        Ok(())
    }

    fn intent(&self, run: i64, at: i64) -> anyhow::Result<i64> {
        self.statement("BEGIN IMMEDIATE", &[])?;
        self.statement(
            "INSERT INTO attempts (run_id, action, generation, begun_at_ms, signed_at_s) VALUES (?1, 'CreateBackup', 1, ?2, ?2 / 1000)",
            params![run, at],
        )?;
        let attempt = self.conn.last_insert_rowid();
        self.statement(
            "UPDATE runs SET state = 'calling', attempts = 1, started_at_ms = ?2, due_at_ms = NULL, next_at_ms = NULL, attempt_id = ?3,
               signed_at_s = ?2 / 1000, process = 1, lease_ms = ?2 WHERE run_id = ?1",
            params![run, at, attempt],
        )?;
        self.statement("COMMIT", &[])?;
        Ok(attempt)
    }

    fn accepted(&self, run: i64, instance: &str, attempt: i64, at: i64) -> anyhow::Result<()> {
        self.statement("BEGIN IMMEDIATE", &[])?;
        self.statement(
            "UPDATE attempts SET elapsed_ms = 5, class = 'accepted', request_id = ?2, backup_id = ?3 WHERE attempt_id = ?1",
            params![attempt, REQUEST, BACKUP + run],
        )?;
        self.statement(
            "UPDATE runs SET state = 'running', sends = 1, attempt_id = NULL, signed_at_s = NULL, process = NULL, lease_ms = NULL, backup_id = ?3,
               listed = 0, since_ms = ?2, look_at_ms = ?2, look_step = 0, next_at_ms = ?2, last_request_id = ?4 WHERE run_id = ?1",
            params![run, at, BACKUP + run, REQUEST],
        )?;
        self.statement(
            "INSERT INTO backups (instance_id, backup_id, run_id, generation, found_by, status, first_seen_ms) VALUES (?1, ?2, ?3, 1, 'reply', 'running', ?4)",
            params![instance, BACKUP + run, run, at],
        )?;
        self.statement("COMMIT", &[])
    }

    fn succeeded(&self, run: i64, instance: &str, at: i64) -> anyhow::Result<()> {
        self.statement("BEGIN IMMEDIATE", &[])?;
        self.statement(
            "INSERT INTO attempts (run_id, action, generation, begun_at_ms, signed_at_s, elapsed_ms, class, request_id)
             VALUES (?1, 'DescribeBackups', 1, ?2, ?2 / 1000, 5, 'answered', ?3)",
            params![run, at, REQUEST],
        )?;
        self.statement(
            "UPDATE runs SET state = 'succeeded', listed = NULL, since_ms = NULL, look_at_ms = NULL, look_step = NULL, next_at_ms = NULL,
               why = 'the backup is listed as good', finished_at_ms = ?2, bytes = 1048576 WHERE run_id = ?1",
            params![run, at],
        )?;
        self.statement(
            "UPDATE backups SET status = 'success', bytes = 1048576 WHERE instance_id = ?1 AND backup_id = ?2",
            params![instance, BACKUP + run],
        )?;
        self.statement("COMMIT", &[])
    }

    fn statement(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> anyhow::Result<()> {
        self.conn.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}
