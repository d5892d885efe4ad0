//! A ledger with a run of every kind, written with the daemon's own schema and its checks.

use cdb_backupd::{
    cli::{
        history::{self, Output},
        moment::Shown,
        show,
    },
    domain::names::RunId,
    ledger::{Ledger, report::Filter},
};
use chrono::{DateTime, Utc};
use rusqlite::{Connection, types::Value};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A folder with a ledger, which a daemon may have open.
pub(crate) struct Books {
    pub(crate) folder: TempDir,
    pub(crate) daemon: Option<Ledger>,
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn ms(text: &str) -> Value {
    at(text).timestamp_millis().into()
}

impl Books {
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let daemon = Ledger::open(&folder.path().join("ledger.db"), "books", at("2026-11-24T00:00:00Z")).unwrap().ledger;
        let books = Self { folder, daemon: Some(daemon) };
        terms(books.conn());
        books
    }

    pub(crate) fn full() -> Self {
        let books = Self::empty();
        fill(books.conn());
        books
    }

    pub(crate) fn conn(&self) -> &Connection {
        self.daemon.as_ref().unwrap().connection()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    pub(crate) fn history(&self, filter: Filter, output: Output) -> String {
        history_of(&self.path(), filter, output).unwrap()
    }

    pub(crate) fn show(&self, run: i64, output: Output) -> String {
        let mut out = Vec::new();
        show::run(&self.path(), RunId(run), output, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }
}

pub(crate) const TEXT: Output = Output::Text { colour: false, shown: Shown::AS_THEY_ARE };

/// Text in a zone of its own.
pub(crate) fn text_in(zone: &str) -> Output {
    Output::Text { colour: false, shown: Shown::of(Some(zone)).unwrap() }
}

pub(crate) fn history_of(path: &Path, filter: Filter, output: Output) -> anyhow::Result<String> {
    let mut out = Vec::new();
    history::run(path, filter, output, &mut out)?;
    Ok(String::from_utf8(out)?)
}

fn terms(conn: &Connection) {
    conn.execute_batch(
        r#"INSERT INTO policies VALUES (1, '3f9a0c1b2d4e5f60718293a4b5c6d7e8', 'version: 1', 1763942400000);
        INSERT INTO terms VALUES
          (1, 'a', 'orders', '{"env":"prod","tier":"gold"}', 'main', 'cdb.tencentcloudapi.com', 'env:TENCENTCLOUD', 'ap-guangzhou', 'physical', NULL, 1,
           540000, 1, NULL, 2000, 600000, 15000, 300000, 'skip'),
          (2, 'b', 'pay', '{"env":"test"}', 'pay', 'cdb.tencentcloudapi.com', 'env:PAY', 'ap-shanghai', 'logical', '[["shop","orders"],["billing",null]]',
           NULL, 540000, 1, NULL, 2000, 600000, 15000, 300000, 'queue');"#,
    )
    .unwrap();
}

/// One run at the hour of this number; what is not said is as in a run that waits.
pub(crate) fn put(conn: &Connection, hour: i64, columns: &[(&'static str, Value)]) {
    let slot = at("2026-11-23T18:30:00Z") + chrono::TimeDelta::hours(hour);
    let local = slot.with_timezone(&chrono::FixedOffset::east_opt(8 * 3600).unwrap());
    let slot_ms = slot.timestamp_millis();
    let mut all: BTreeMap<&str, Value> = BTreeMap::from([
        ("run_id", (hour + 1).into()),
        ("job", "nightly-full".to_owned().into()),
        ("instance_id", "cdb-c1nl9rpv".to_owned().into()),
        ("slot_ms", slot_ms.into()),
        ("trigger", "schedule".to_owned().into()),
        ("slot_local", local.format("%Y-%m-%d %H:%M:%S %:z").to_string().into()),
        ("slot_last_ms", slot_ms.into()),
        ("slots", 1.into()),
        ("terms_id", 1.into()),
        ("account", "main".to_owned().into()),
        ("policy_id", 1.into()),
        ("priority", 5.into()),
        ("alias", format!("nightly-full.{}.abcdefgh", slot.format("%Y%m%dT%H%M%SZ")).into()),
        ("not_before_ms", slot_ms.into()),
        ("start_by_ms", (slot_ms + 7_200_000).into()),
        ("restart_by_ms", (slot_ms + 7_200_000).into()),
        ("complete_by_ms", (slot_ms + 50_400_000).into()),
        ("state", "due".to_owned().into()),
        ("due_at_ms", slot_ms.into()),
    ]);
    all.extend(columns.iter().cloned());
    let names: Vec<_> = all.keys().copied().collect();
    let marks: Vec<_> = (1..=names.len()).map(|i| format!("?{i}")).collect();
    let sql = format!("INSERT INTO runs ({}) VALUES ({})", names.join(", "), marks.join(", "));
    conn.execute(&sql, rusqlite::params_from_iter(all.values())).unwrap();
}

fn word(text: &str) -> Value {
    text.to_owned().into()
}

/// The columns of a run that ended.
pub(crate) fn ended(state: &str, reason: Option<&str>, why: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("state", word(state)),
        ("due_at_ms", Value::Null),
        ("reason", reason.map(str::to_owned).into()),
        ("why", word(why)),
        ("finished_at_ms", ms("2026-11-24T12:00:00Z")),
    ]
}

fn fill(conn: &Connection) {
    let with = |mut columns: Vec<(&'static str, Value)>, more: &[(&'static str, Value)]| {
        columns.extend(more.iter().cloned());
        columns
    };
    let called = [("attempts", 3.into()), ("started_at_ms", ms("2026-11-23T18:30:01Z")), ("last_code", word("RequestLimitExceeded"))];
    let pay = [("terms_id", 2.into()), ("account", word("pay")), ("instance_id", word("cdb-aaaa0001")), ("job", word("pay-hourly"))];
    let good = with(ended("succeeded", None, "the backup is good, after 3 calls"), &called);
    let good =
        with(good, &[("backup_id", 4_294_967_301_i64.into()), ("bytes", 5_368_709_120_i64.into()), ("last_request_id", word("6ef60bec-0242"))]);
    put(conn, 0, &with(good.clone(), &[("last_class", word("throttled"))]));
    put(conn, 1, &with(good, &[("late", 1.into()), ("first_outcome", word("timed_out"))]));
    let failed = with(ended("failed", Some("InvalidParameter"), "the cloud rejected it with InvalidParameter; it is not sent again"), &pay);
    put(conn, 2, &with(failed, &[("attempts", 1.into()), ("last_class", word("rejected")), ("last_code", word("InvalidParameter"))]));
    let busy = "busy 14 times: the instance did something else until the start window closed";
    put(conn, 3, &with(ended("expired", Some("busy"), busy), &[("attempts", 14.into()), ("busy", 14.into())]));
    put(
        conn,
        4,
        &with(ended("missed", Some("downtime"), "nobody was there to run it"), &[("slots", 3.into()), ("slot_last_ms", ms("2026-11-24T00:30:00Z"))]),
    );
    put(conn, 7, &ended("skipped", Some("overlap"), "the previous run of this job and instance was still open"));
    let unknown = "no list told whether the cloud made it, the last with timeout; look in the console; it is watched for 48 h";
    let watched = [("look_at_ms", ms("2026-11-24T12:05:00Z")), ("look_step", 0.into()), ("follow_until_ms", ms("2026-11-26T12:00:00Z"))];
    put(conn, 8, &with(ended("unknown", None, unknown), &watched));
    put(conn, 9, &with(ended("timed_out", None, "the cloud was still at it when the completion window closed; it is watched for 48 h"), &watched));
    put(conn, 10, &ended("cancelled", Some("removed"), "the policy has no such job and instance any more"));
    let look = [("look_at_ms", ms("2026-11-24T05:40:00Z")), ("look_step", 2.into())];
    let running = [("state", word("running")), ("due_at_ms", Value::Null), ("backup_id", 4_294_967_302_i64.into()), ("listed", 1.into())];
    let running = with(running.to_vec(), &look);
    put(conn, 11, &with(with(running, &called), &[("since_ms", ms("2026-11-24T05:30:02Z")), ("last_class", word("throttled"))]));
    let uncertain =
        [("state", word("uncertain")), ("attempt_id", 9.into()), ("doubt", word("ambiguous")), ("clear_after_ms", ms("2026-11-24T06:40:00Z"))];
    let uncertain = with(with(uncertain.to_vec(), &look), &pay);
    put(conn, 12, &with(uncertain, &[("attempts", 1.into()), ("last_class", word("ambiguous")), ("last_code", word("timeout"))]));
    put(conn, 13, &[]);
    let manual = [
        ("trigger", word("manual")),
        ("request", 1.into()),
        ("asked", 1.into()),
        ("job", word("by-hand")),
        ("policy_id", Value::Null),
        ("attempt_id", 10.into()),
    ];
    let calling = [("state", word("calling")), ("due_at_ms", Value::Null), ("signed_at_s", 1_763_000_000.into()), ("process", 7.into())];
    put(conn, 14, &with(with(manual.to_vec(), &calling), &[("lease_ms", 20_000.into()), ("attempts", 1.into())]));
    conn.execute_batch(
        "INSERT INTO attempts (run_id, action, generation, begun_at_ms, signed_at_s, elapsed_ms, class, code, message, request_id, backup_id) VALUES
          (1, 'CreateBackup', 1, 1763922601005, 1763922601, 12, 'throttled', 'RequestLimitExceeded', 'Your current request times equals to `6` in a second',
           'aaaa-1', NULL),
          (1, 'CreateBackup', 1, 1763922604010, 1763922604, NULL, NULL, NULL, NULL, NULL, NULL),
          (1, 'CreateBackup', 1, 1763922704010, 1763922704, 143, 'accepted', NULL, NULL, '6ef60bec-0242', 4294967301),
          (1, 'DescribeBackups', 1, 1763923604010, 1763923604, 80, 'refused', 'http_502', 'bad' || char(27) || '[2J gateway', NULL, NULL);
        INSERT INTO backups VALUES ('cdb-c1nl9rpv', 4294967300, 1, 1, 'list', 'failed', 1, NULL, 1763922605000),
          ('cdb-c1nl9rpv', 4294967301, 1, 1, 'reply', 'success', 0, 5368709120, 1763922704200);",
    )
    .unwrap();
}
