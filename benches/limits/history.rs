//! Reading a ledger of a million runs: the real command, from its start to its end, and the view of the newest good backups.

use crate::{
    figure::{Figure, Limit},
    machine::ms,
};
use anyhow::Context;
use cdb_backupd::{
    clock::{Clock, SystemClock},
    ledger::Ledger,
};
use chrono::TimeDelta;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

const ROUNDS: usize = 15;
/// A thousand pairs, each good a thousand times, from `FIRST` on.
const BUILD: &str = "
  WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
    INSERT INTO terms (terms_id, digest, instance_name, tags, account, endpoint, credentials, region, method, absence_window_ms, after_failed,
      initial_backoff_ms, max_backoff_ms, poll_initial_ms, poll_max_ms, overlap)
    SELECT i + 1, 'digest-' || i, 'orders-' || i, '{\"env\":\"prod\"}', 'main', 'https://cdb.tencentcloudapi.com', 'env:TENCENTCLOUD',
      'ap-guangzhou', 'physical', 540000, 1, 2000, 600000, 15000, 300000, 'skip' FROM n;
  INSERT INTO policies (policy_id, hash, text, loaded_at_ms) VALUES (1, 'abcdef0123456789', '', 1700000000000);
  INSERT INTO cursors (job, instance_id, schedule, time_zone, terms_id, priority, cursor_ms, next_slot_ms, since_ms)
    SELECT 'nightly-' || (terms_id % 10), 'cdb-' || printf('%08d', terms_id), '30 2 * * *', 'Asia/Shanghai', terms_id, 5, 1800000000000, 1800086400000, 1800000000000
    FROM terms;
  WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
    INSERT INTO runs (job, instance_id, slot_ms, trigger, slot_local, slot_last_ms, slots, terms_id, account, policy_id, priority, alias,
      not_before_ms, start_by_ms, complete_by_ms, restart_by_ms, state, attempts, started_at_ms, backup_id, why, finished_at_ms, bytes)
    SELECT c.job, c.instance_id, FIRST + i * 86400000, 'schedule', '2026-11-24T02:30:00+08:00', FIRST + i * 86400000, 1, c.terms_id,
      'main', 1, 5, 'nightly.20261124T183000Z.' || printf('%08d', c.terms_id), FIRST + i * 86400000, FIRST + 7200000 + i * 86400000,
      FIRST + 50400000 + i * 86400000, FIRST + 50400000 + i * 86400000, 'succeeded', 1, FIRST + 100 + i * 86400000, 100000000 + i * 1000 + c.terms_id,
      'a good backup', FIRST + 900000 + i * 86400000, 123456789 FROM n CROSS JOIN cursors c;";

/// A ledger of a million runs.
pub(crate) fn million(folder: &tempfile::TempDir, clock: &SystemClock) -> anyhow::Result<PathBuf> {
    let file = folder.path().join("ledger.db");
    drop(Ledger::open(&file, "history", clock.now().utc)?);
    let conn = rusqlite::Connection::open(&file)?;
    // The last of them is the latest 02:30 in Shanghai.
    let days = (clock.now().utc - TimeDelta::minutes(18 * 60 + 45)).timestamp() / 86_400 - 999;
    let build = BUILD.replace("FIRST", &((days * 86_400 + 66_600) * 1_000).to_string());
    conn.execute_batch(&format!("PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000; BEGIN; {build} COMMIT;"))?;
    let runs: u32 = conn.query_row("SELECT count(*) FROM runs", [], |row| row.get(0))?;
    anyhow::ensure!(runs == 1_000_000, "{runs} runs were made");
    Ok(file)
}

pub(crate) fn measure() -> anyhow::Result<Vec<Figure>> {
    let (folder, clock) = (tempfile::tempdir()?, SystemClock::new());
    let file = million(&folder, &clock)?;
    let limit = Limit::Most(20.0);
    let mut figures = Vec::new();
    for (name, options) in [
        ("`history`, of 1,000,000 runs", &[][..]),
        ("the same with `--not-ok`, which matches none", &["--not-ok"]),
        ("the same with `--state unknown`, which matches none", &["--state", "unknown"]),
    ] {
        let took = (0..ROUNDS).map(|_| command(&clock, &file, options)).collect::<anyhow::Result<Vec<_>>>()?;
        figures.push(Figure { name, ours: ms(fastest(took)), floor: None, unit: "ms", limit });
    }
    let took = (0..ROUNDS).map(|_| latest(&clock, &file)).collect::<anyhow::Result<Vec<_>>>()?;
    figures.push(Figure { name: "view `latest`, of 1,000,000 runs and 1,000 pairs", ours: ms(fastest(took)), floor: None, unit: "ms", limit });
    Ok(figures)
}

/// What else the machine does only adds to a reading's time.
fn fastest(took: Vec<Duration>) -> Duration {
    took.into_iter().min().unwrap_or(Duration::MAX)
}

/// `history --limit 50` with these options.
fn command(clock: &SystemClock, file: &Path, options: &[&str]) -> anyhow::Result<Duration> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"));
    command.args(["history", "--limit", "50", "--ledger"]).arg(file).args(options).stdout(Stdio::null()).stderr(Stdio::null());
    let before = clock.now().mono;
    let status = command.status().context("run `history`")?;
    anyhow::ensure!(status.success(), "`history` ends well");
    Ok(clock.now().mono - before)
}

/// As `sqlite3` shows it to people, with a connection of its own.
fn latest(clock: &SystemClock, file: &Path) -> anyhow::Result<Duration> {
    let before = clock.now().mono;
    let conn = rusqlite::Connection::open(file)?;
    let mut rows = conn.prepare("SELECT * FROM latest")?;
    let pairs = rows.query_map([], |row| row.get::<_, Option<i64>>("run_id"))?.collect::<rusqlite::Result<Vec<_>>>()?;
    anyhow::ensure!(pairs.iter().flatten().count() == 1_000, "each pair has a good backup");
    Ok(clock.now().mono - before)
}
