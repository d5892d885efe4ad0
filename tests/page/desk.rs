//! A ledger of five weeks with a run of every kind, some of it hostile, and a page over it.

use cdb_backupd::{
    clock::{Clock, SystemClock},
    config::{self, Machine},
    domain::schedule::Schedule,
    ledger::Ledger,
    metrics::Gauges,
    serve::{Door, Guard, State, router},
};
use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, types::Value};
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, process::Command, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// A name that the policy takes, and that does harm where it is not escaped.
pub(crate) const HOSTILE: &str = "\"'><script>alert(1)</script><!--&amp;";
/// A message of the cloud that tries all it can.
pub(crate) const MESSAGE: &str = "</td></table><script>alert(2)</script><img src=x onerror=alert(3)>\u{202e}\u{1b}[2J${{7*7}}";
/// What one of the jobs backs up.
const TABLE: &str = "orders<svg/onload=alert(4)>";

/// Three jobs that ran, one that is held, one that no slot came for yet, and an instance that nobody covers.
pub(crate) fn policy() -> String {
    format!(
        "version: 1
accounts: {{ main: {{ credentials: env }}, pay: {{ credentials: {{ env_prefix: PAY }} }} }}
instance_defaults: {{ account: main, region: ap-guangzhou }}
instances:
  - {{ id: cdb-c1nl9rpv, name: orders, tags: {{ env: prod, tier: gold }} }}
  - {{ id: cdb-aaaa0001, name: pay, account: pay, region: ap-shanghai }}
  - {{ id: cdb-aaaa0002, name: scratch }}
  - {{ id: cdb-aaaa0003, name: {name} }}
defaults: {{ time_zone: Asia/Shanghai, method: physical, start_within: 30m, complete_within: 45m, freshness: {{ max_age: 3d }} }}
jobs:
  - {{ name: nightly-full, schedule: '30 2 * * *', targets: {{ instances: [orders, pay, cdb-aaaa0003] }} }}
  - {{ name: hourly, schedule: '15 * * * *', targets: {{ instances: [orders] }}, method: logical, tables: [{{ db: shop, tables: [{table}] }}] }}
  - {{ name: held, schedule: '0 5 * * *', suspend: true, targets: {{ instances: [orders] }} }}
  - {{ name: yearly, schedule: '0 4 1 1 *', targets: {{ instances: [pay] }} }}
",
        name = serde_json::to_string(HOSTILE).unwrap(),
        table = serde_json::to_string(TABLE).unwrap()
    )
}

/// The ledger, and the page that reads it.
pub(crate) struct Desk {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) ledger: Ledger,
    pub(crate) address: SocketAddr,
    clock: SystemClock,
    _serving: JoinSet<()>,
}

impl Desk {
    /// A page over the policy alone: nothing has happened yet.
    pub(crate) async fn empty() -> Self {
        let (clock, folder) = (SystemClock::new(), tempfile::tempdir().unwrap());
        let (file, now) = (folder.path().join("ledger.db"), clock.now().utc);
        let ledger = Ledger::open(&file, "page", now).unwrap().ledger;
        let policy = config::check_text("policy.yaml", &policy(), &Machine::pictured(&[], &[], ""), now).unwrap().policy;
        let door = Door::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = door.address();
        let state = State::new(file, Arc::new(Gauges::new(Arc::new(policy))), move || clock.now());
        let mut serving = JoinSet::new();
        serving.spawn(door.serve(router(state, Guard::of(address, None)), clock, std::future::pending()));
        Self { folder, ledger, address, clock, _serving: serving }
    }

    /// The whole scene.
    pub(crate) async fn open() -> Self {
        let desk = Self::empty().await;
        desk.conn().execute("INSERT INTO policies VALUES (1, '3f9a0c1b2d4e5f60718293a4', ?1, 0)", [policy()]).unwrap();
        desk.conn().execute_batch(&FIXED.replace("HOSTILE", &HOSTILE.replace('\'', "''")).replace("TABLE", TABLE)).unwrap();
        desk.beat();
        fill(&desk);
        desk
    }

    pub(crate) fn conn(&self) -> &Connection {
        self.ledger.connection()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now().utc
    }

    /// A pass of the daemon has just finished.
    pub(crate) fn beat(&self) {
        let at = self.now().timestamp_millis();
        self.conn().execute("INSERT OR REPLACE INTO heartbeat VALUES (1, ?1, 1, 7, 'ok', '')", [at]).unwrap();
    }

    /// What comes back for a path.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let asking = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await.unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            text
        };
        let text = tokio::time::timeout(Duration::from_secs(30), asking).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Answer { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head: head.to_owned(), body: body.to_owned() }
    }

    pub(crate) async fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(&self.get(path).await.body).unwrap()
    }

    /// What a command prints of this ledger as JSON.
    pub(crate) fn command(&self, words: &[&str]) -> serde_json::Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"));
        let output = command.args(words).args(["-o", "json", "--ledger"]).arg(self.path()).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{words:?}: {error}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// The number of a run in this state.
    pub(crate) fn run_in(&self, state: &str) -> i64 {
        self.conn().query_row("SELECT run_id FROM runs WHERE state = ?1 ORDER BY run_id LIMIT 1", [state], |row| row.get(0)).unwrap()
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) fn in_real_time<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test)
}

const FIXED: &str = "
INSERT INTO terms VALUES
  (1, 'a', 'orders', '{\"env\":\"prod\",\"tier\":\"gold\"}', 'main', 'cdb.tencentcloudapi.com', 'env:TENCENTCLOUD', 'ap-guangzhou', 'physical', NULL, 1,
   540000, 1, NULL, 2000, 600000, 15000, 300000, 'skip'),
  (2, 'b', 'pay', '{}', 'pay', 'cdb.tencentcloudapi.com', 'env:PAY', 'ap-shanghai', 'physical', NULL, NULL, 540000, 1, NULL, 2000, 600000, 15000,
   300000, 'skip'),
  (3, 'c', 'HOSTILE', '{}', 'main', 'cdb.tencentcloudapi.com', 'env:TENCENTCLOUD', 'ap-guangzhou', 'physical', NULL, NULL, 540000, 1, NULL, 2000, 600000,
   15000, 300000, 'skip'),
  (4, 'd', 'orders', '{}', 'main', 'cdb.tencentcloudapi.com', 'env:TENCENTCLOUD', 'ap-guangzhou', 'logical', '[[\"shop\",\"TABLE\"]]', NULL, 540000, 1,
   NULL, 2000, 600000, 15000, 300000, 'skip');
INSERT INTO cursors VALUES ('nightly-full', 'cdb-c1nl9rpv', '', '', 1, 5, 0, NULL, 0), ('nightly-full', 'cdb-aaaa0001', '', '', 2, 5, 0, NULL, 0),
  ('nightly-full', 'cdb-aaaa0003', '', '', 3, 5, 0, NULL, 0), ('hourly', 'cdb-c1nl9rpv', '', '', 4, 5, 0, NULL, 0),
  ('held', 'cdb-c1nl9rpv', '', '', 1, 5, 0, NULL, 0), ('yearly', 'cdb-aaaa0001', '', '', 2, 5, 0, NULL, 0);
";

/// Whose run it is.
#[derive(Clone, Copy)]
pub(crate) struct Whose(&'static str, &'static str, i64);
pub(crate) const ORDERS: Whose = Whose("nightly-full", "cdb-c1nl9rpv", 1);
pub(crate) const PAY: Whose = Whose("nightly-full", "cdb-aaaa0001", 2);
pub(crate) const ODD: Whose = Whose("nightly-full", "cdb-aaaa0003", 3);
pub(crate) const HOURLY: Whose = Whose("hourly", "cdb-c1nl9rpv", 4);
const HELD: Whose = Whose("held", "cdb-c1nl9rpv", 1);

type Columns<'a> = &'a [(&'static str, Value)];

fn text(text: &str) -> Value {
    text.to_owned().into()
}

/// One run; what is not said is as in one that waits.
pub(crate) fn put(desk: &Desk, whose: Whose, slot: DateTime<Utc>, columns: Columns<'_>) {
    let Whose(job, instance, terms) = whose;
    let slot_ms = slot.timestamp_millis();
    let shanghai = Schedule::parse("@daily", "Asia/Shanghai").unwrap();
    let mut all: BTreeMap<&str, Value> = BTreeMap::from([
        ("job", text(job)),
        ("instance_id", text(instance)),
        ("slot_ms", slot_ms.into()),
        ("trigger", text("schedule")),
        ("slot_local", text(&shanghai.local(slot))),
        ("slot_last_ms", slot_ms.into()),
        ("slots", 1.into()),
        ("terms_id", terms.into()),
        ("account", text(if terms == 2 { "pay" } else { "main" })),
        ("policy_id", 1.into()),
        ("priority", 5.into()),
        ("alias", text(&format!("{job}.{}.abcdefgh", slot.format("%Y%m%dT%H%M%SZ")))),
        ("not_before_ms", slot_ms.into()),
        ("start_by_ms", (slot_ms + 1_800_000).into()),
        ("restart_by_ms", (slot_ms + 1_800_000).into()),
        ("complete_by_ms", (slot_ms + 4_500_000).into()),
        ("state", text("due")),
        ("due_at_ms", slot_ms.into()),
    ]);
    all.extend(columns.iter().cloned());
    let marks: Vec<String> = (1..=all.len()).map(|i| format!("?{i}")).collect();
    let sql = format!("INSERT INTO runs ({}) VALUES ({})", all.keys().copied().collect::<Vec<_>>().join(", "), marks.join(", "));
    desk.conn().execute(&sql, rusqlite::params_from_iter(all.values())).unwrap();
}

/// The columns of a run that ended.
pub(crate) fn ended(state: &str, reason: Option<&str>, why: &str, slot: DateTime<Utc>) -> Vec<(&'static str, Value)> {
    vec![
        ("state", text(state)),
        ("due_at_ms", Value::Null),
        ("reason", reason.map(str::to_owned).into()),
        ("why", text(why)),
        ("started_at_ms", (slot.timestamp_millis() + 900).into()),
        ("finished_at_ms", (slot.timestamp_millis() + 1_260_000).into()),
    ]
}

pub(crate) fn good(desk: &Desk, whose: Whose, slot: DateTime<Utc>) {
    let made = [("backup_id", Value::Integer(slot.timestamp() + whose.2)), ("bytes", 5_368_709_120_i64.into()), ("attempts", 1.into())];
    put(desk, whose, slot, &[ended("succeeded", None, "the backup is good", slot), made.to_vec()].concat());
}

/// Five weeks of it.
fn fill(desk: &Desk) {
    let now = desk.now();
    desk.conn().execute_batch("BEGIN").unwrap();
    let nightly = Schedule::parse("30 2 * * *", "Asia/Shanghai").unwrap();
    let slots: Vec<DateTime<Utc>> = nightly.slots_between(now - TimeDelta::days(35), now - TimeDelta::hours(3)).collect();
    for (back, slot) in slots.iter().rev().enumerate() {
        nights(desk, *slot, back);
    }
    let hourly = Schedule::parse("15 * * * *", "Asia/Shanghai").unwrap();
    let slots: Vec<DateTime<Utc>> = hourly.slots_between(now - TimeDelta::days(33), now - TimeDelta::minutes(50)).collect();
    for (back, slot) in slots.iter().rev().enumerate() {
        match back {
            30..34 => {}
            34 => {
                let last = slots.iter().rev().nth(30).unwrap().timestamp_millis();
                let range = [("slots", Value::Integer(5)), ("slot_last_ms", last.into()), ("started_at_ms", Value::Null)];
                put(desk, HOURLY, *slot, &[ended("missed", Some("downtime"), "nobody was there to run it", *slot), range.to_vec()].concat());
            }
            _ => good(desk, HOURLY, *slot),
        }
    }
    put(desk, HELD, now - TimeDelta::hours(30), &ended("skipped", Some("suspended"), "the policy suspends the job", now - TimeDelta::hours(30)));
    open_runs(desk, now);
    desk.conn().execute_batch("COMMIT").unwrap();
    calls(desk);
}

/// A night of the three instances, so many nights back.
fn nights(desk: &Desk, slot: DateTime<Utc>, back: usize) {
    good(desk, ORDERS, slot);
    let (state, reason, why) = match back {
        0 => ("failed", Some("InvalidParameter"), "the cloud rejected it with InvalidParameter; it is not sent again"),
        6 => ("expired", Some("busy"), "busy 14 times: the instance did something else until the start window closed"),
        9 => ("skipped", Some("overlap"), "the previous run of this job and instance was still open"),
        13 => ("timed_out", None, "the cloud was still at it when the completion window closed; it is watched for 48 h"),
        14 => ("cancelled", Some("removed"), "the policy has no such job and instance any more"),
        _ => {
            good(desk, PAY, slot);
            ("unknown", None, "no list told whether the cloud made it, the last with timeout; look in the console; it is watched for 48 h")
        }
    };
    let watched =
        [("look_at_ms", Value::Integer(slot.timestamp_millis())), ("look_step", 0.into()), ("follow_until_ms", slot.timestamp_millis().into())];
    if matches!(back, 0 | 6 | 9 | 13 | 14) {
        let more = if back == 13 { watched.to_vec() } else { Vec::new() };
        put(desk, PAY, slot, &[ended(state, reason, why, slot), more].concat());
    }
    if back == 20 {
        put(desk, ODD, slot, &[ended(state, reason, why, slot), watched.to_vec()].concat());
    } else {
        let why = format!("all 3 of its attempts failed, the last with {MESSAGE}");
        put(desk, ODD, slot, &ended("failed", Some(MESSAGE), &why, slot));
    }
}

fn open_runs(desk: &Desk, now: DateTime<Utc>) {
    let slot = now - TimeDelta::minutes(20);
    let look = [("look_at_ms", Value::Integer(now.timestamp_millis())), ("look_step", 2.into()), ("due_at_ms", Value::Null)];
    let begun = [("attempts", Value::Integer(1)), ("started_at_ms", (slot.timestamp_millis() + 500).into())];
    let running = [("state", text("running")), ("backup_id", 77.into()), ("listed", 1.into()), ("since_ms", slot.timestamp_millis().into())];
    put(desk, HOURLY, slot, &[&look[..], &begun, &running].concat());
    let uncertain = [("state", text("uncertain")), ("attempt_id", 9.into()), ("doubt", text("ambiguous")), ("last_class", text("ambiguous"))];
    let code = [("last_code", text("timeout")), ("clear_after_ms", now.timestamp_millis().into()), ("due_at_ms", now.timestamp_millis().into())];
    put(desk, PAY, slot, &[&look[..], &begun, &uncertain, &code].concat());
    put(desk, ODD, slot, &[]);
    let calling = [("state", text("calling")), ("due_at_ms", Value::Null), ("signed_at_s", 1.into()), ("process", 7.into()), ("lease_ms", 1.into())];
    let manual = [("trigger", text("manual")), ("request", 1.into()), ("asked", 1.into()), ("job", text("by-hand")), ("attempt_id", 10.into())];
    put(desk, ORDERS, slot, &[&calling[..], &manual, &begun].concat());
}

/// What the cloud said of a run that failed.
fn calls(desk: &Desk) {
    let run = desk.run_in("failed");
    let sql = "INSERT INTO attempts (run_id, action, generation, begun_at_ms, signed_at_s, elapsed_ms, class, code, message, request_id, backup_id)
        VALUES (?1, 'CreateBackup', 1, 1763922601005, 1763922601, 12, 'rejected', 'InvalidParameter', ?2, ?2, NULL),
               (?1, 'CreateBackup', 1, 1763922604010, 1763922604, NULL, NULL, NULL, NULL, NULL, NULL)";
    desk.conn().execute(sql, rusqlite::params![run, MESSAGE]).unwrap();
    let sql = "INSERT INTO backups VALUES ('cdb-aaaa0001', 5, ?1, 1, 'list', 'failed', 1, NULL, 1763922605000)";
    desk.conn().execute(sql, [run]).unwrap();
}
