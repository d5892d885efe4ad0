//! `/metrics` in both of its forms, read strictly.

use crate::scene::{POLICY, Scene, in_real_time};
use cdb_backupd::{domain::trouble::Trouble, serve::Guard};
use std::collections::{BTreeMap, BTreeSet};

/// A text in the older form, taken apart.
#[derive(Debug, Default)]
pub(crate) struct Text {
    /// Name to type.
    kinds: BTreeMap<String, String>,
    /// Name and labels to value.
    pub(crate) samples: BTreeMap<(String, String), f64>,
}

impl Text {
    /// Panics at whatever the form does not allow.
    pub(crate) fn read(text: &str) -> Self {
        let mut read = Self::default();
        let mut helped = BTreeSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("a help has a text");
                assert!(help.len() > 5 && helped.insert(name.to_owned()), "{line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type has a word");
                assert!(helped.contains(name) && matches!(kind, "counter" | "gauge" | "histogram"), "{line}");
                assert!(read.kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}");
            } else {
                read.sample(line);
            }
        }
        read
    }

    fn sample(&mut self, line: &str) {
        let (head, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line:?}"));
        let (name, labels) = head.split_once('{').map_or((head, ""), |(name, rest)| (name, rest.strip_suffix('}').expect("a closing brace")));
        let value: f64 = value.replace("+Inf", "inf").parse().unwrap_or_else(|_| panic!("no number: {line}"));
        assert!(name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_'), "{line}");
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).filter(|family| self.kinds.contains_key(*family));
        let kind = self.kinds.get(family.unwrap_or(name)).unwrap_or_else(|| panic!("no type before {line}"));
        assert_eq!((kind == "histogram", kind == "counter"), (family.is_some(), name.ends_with("_total")), "{line}");
        assert!(self.samples.insert((name.to_owned(), labels.to_owned()), value).is_none(), "twice: {line}");
    }
}

/// The value of a sample; -1 when there is none.
pub(crate) fn value(text: &Text, name: &str, labels: &str) -> f64 {
    text.samples.get(&(name.to_owned(), labels.to_owned())).copied().unwrap_or(-1.0)
}

/// Two jobs on three instances; the second one is held in the policy.
const JOBS: &str = "version: 1
accounts: { main: { credentials: env }, pay: { credentials: { env_prefix: PAY } } }
instance_defaults: { account: main, region: ap-guangzhou }
instances: [ { id: cdb-00000001 }, { id: cdb-00000002 }, { id: cdb-00000003, account: pay } ]
defaults: { time_zone: Etc/UTC, method: physical, freshness: { max_age: 30h } }
jobs:
  - { name: nightly, schedule: \"30 2 * * *\", targets: { all: true } }
  - { name: weekly, schedule: \"0 5 * * 1\", targets: { instances: [cdb-00000001] }, suspend: true }
";

/// Terms and cursors of [`JOBS`], and runs: `nightly` is good an hour ago on the first instance and 40 hours ago on the second; on the third it failed
/// and waits for its next slot; `weekly` waits.
fn fill(scene: &Scene, more: u32) {
    let hour_ms = 3_600_000;
    let now = cdb_backupd::clock::Clock::now(&scene.clock).utc.timestamp_millis();
    let conn = scene.ledger.connection();
    for n in 1..=3 {
        conn.execute(
            "INSERT INTO terms (terms_id, digest, instance_name, tags, account, endpoint, credentials, region, method, absence_window_ms, after_failed,
               initial_backoff_ms, max_backoff_ms, poll_initial_ms, poll_max_ms, overlap)
             VALUES (?1, ?1, 'x', '{}', 'main', 'https://x', 'env:X', 'ap-guangzhou', 'physical', 540000, 1, 2000, 600000, 15000, 300000, 'skip')",
            [n],
        )
        .expect("terms");
        cursor(scene, "nightly", n);
    }
    cursor(scene, "weekly", 1);
    let run = |job: &str, n: i64, slot: i64, state: &str| {
        let (open, good) = (state == "due", state == "succeeded");
        conn.execute(
            "INSERT INTO runs (job, instance_id, slot_ms, trigger, slot_local, slot_last_ms, slots, terms_id, account, priority, alias, not_before_ms,
               start_by_ms, complete_by_ms, restart_by_ms, state, due_at_ms, next_at_ms, backup_id, why, finished_at_ms)
             VALUES (?1, printf('cdb-%08d', ?2), ?3, 'schedule', 'x', ?3, 1, ?2, 'main', 5, 'x', ?3, ?3, ?3, ?3, ?4, ?5, ?5, ?6, ?7, ?8)",
            rusqlite::params![
                job,
                n,
                slot,
                state,
                open.then_some(slot),
                good.then_some(slot / 1_000 + n),
                (!open).then_some("x"),
                (!open).then_some(slot)
            ],
        )
        .expect("a run");
    };
    run("nightly", 1, now - hour_ms, "succeeded");
    run("nightly", 2, now - 40 * hour_ms, "succeeded");
    run("nightly", 3, now - hour_ms, "failed");
    run("nightly", 3, now, "due");
    run("weekly", 1, now, "due");
    for nth in 0..i64::from(more) {
        run("nightly", 1, now - (100 + nth) * hour_ms, "succeeded");
    }
}

fn cursor(scene: &Scene, job: &str, n: i64) {
    let sql = "INSERT INTO cursors (job, instance_id, schedule, time_zone, terms_id, priority, cursor_ms, next_slot_ms, since_ms)
               VALUES (?1, printf('cdb-%08d', ?2), 'x', 'Etc/UTC', ?2, 5, 0, NULL, 0)";
    scene.ledger.connection().execute(sql, rusqlite::params![job, n]).expect("a cursor");
}

pub(crate) async fn filled(more: u32) -> Scene {
    let scene = Scene::behind(JOBS, Guard::of("127.0.0.1:7306".parse().expect("an address"), None)).await;
    fill(&scene, more);
    let now = cdb_backupd::clock::Clock::now(&scene.clock).mono;
    scene.gauges.passed(now, Vec::new());
    scene
}

#[test]
fn every_line_is_of_a_metric_with_a_help_a_type_and_a_unit_in_its_name() {
    in_real_time(async {
        let scene = filled(0).await;
        let answer = scene.get("/metrics").await;
        assert_eq!((answer.status(), answer.header("content-type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
        let text = Text::read(answer.body());
        for name in text.kinds.keys() {
            assert!(name.starts_with("cdb_backupd_"), "{name}");
            let timed = ["age", "duration", "lateness"].iter().any(|word| name.contains(word));
            assert_eq!(timed, name.ends_with("_seconds"), "{name}");
        }
        let named: BTreeSet<&str> = text.samples.keys().map(|(name, _)| name.as_str()).collect();
        for name in text.kinds.keys() {
            assert!(named.contains(name.as_str()) || named.contains(format!("{name}_count").as_str()), "{name} has no line");
        }
        assert_eq!(value(&text, "cdb_backupd_build_info", &format!("version=\"{}\"", env!("CARGO_PKG_VERSION"))), 1.0);
    });
}

#[test]
fn freshness_is_told_of_each_job_and_holds_by_reason() {
    in_real_time(async {
        let scene = filled(0).await;
        let text = Text::read(scene.get("/metrics").await.body());
        let pairs = |job: &str, word: &str| value(&text, "cdb_backupd_pairs", &format!("job=\"{job}\",freshness=\"{word}\""));
        assert_eq!(["fresh", "late", "stale", "never", "paused"].map(|word| pairs("nightly", word)), [1.0, 0.0, 1.0, 1.0, 0.0]);
        assert_eq!((pairs("weekly", "paused"), pairs("weekly", "never")), (1.0, 0.0));
        let of = |name: &str| value(&text, name, "job=\"nightly\"");
        assert_eq!((of("cdb_backupd_pairs_wrong"), of("cdb_backupd_pairs_in_flight")), (2.0, 0.0));
        assert_eq!(of("cdb_backupd_backup_max_age_seconds"), 30.0 * 3_600.0);
        assert!((40.0 * 3_600.0..41.0 * 3_600.0).contains(&of("cdb_backupd_oldest_backup_age_seconds")));
        assert_eq!(value(&text, "cdb_backupd_oldest_backup_age_seconds", "job=\"weekly\""), -1.0, "there is none to be old");
        let held = |reason: &str| value(&text, "cdb_backupd_pairs_held", &format!("reason=\"{reason}\""));
        assert_eq!((held("suspended"), held("rate_limit"), held("clock_unproved")), (1.0, 1.0, 0.0));
        let pay = cdb_backupd::domain::names::AccountName::parse("pay").expect("a name");
        let now = cdb_backupd::clock::Clock::now(&scene.clock).mono;
        scene.gauges.passed(now, vec![Trouble::Keys(vec![pay])]);
        let text = Text::read(scene.get("/metrics").await.body());
        assert_eq!(["main", "pay"].map(|name| value(&text, "cdb_backupd_account_held", &format!("account=\"{name}\""))), [0.0, 1.0]);
    });
}

#[test]
fn a_pair_that_waits_is_counted_once_under_what_weighs_most() {
    in_real_time(async {
        let scene = filled(0).await;
        let held = async || {
            let text = Text::read(scene.get("/metrics").await.body());
            let reasons = text.samples.iter().filter(|((name, _), value)| name == "cdb_backupd_pairs_held" && **value > 0.0);
            reasons.map(|((_, labels), value)| format!("{labels} {value}")).collect::<Vec<_>>()
        };
        let sql = |sql: &str| scene.ledger.connection().execute_batch(sql).expect("sql");
        assert_eq!(held().await, ["reason=\"rate_limit\" 1", "reason=\"suspended\" 1"]);
        sql("UPDATE runs SET due_at_ms = due_at_ms + 600000 WHERE state = 'due' AND job = 'nightly'");
        assert_eq!(held().await, ["reason=\"spread\" 1", "reason=\"suspended\" 1"]);
        sql("UPDATE runs SET attempts = 1, last_class = 'throttled', last_code = 'RequestLimitExceeded' WHERE state = 'due' AND job = 'nightly'");
        assert_eq!(held().await, ["reason=\"retry\" 1", "reason=\"suspended\" 1"]);
        sql("INSERT INTO holds VALUES ('cannot_look', 'cdb-00000003', 1, 'InvalidParameter.InstanceNotFound')");
        assert_eq!(held().await, ["reason=\"cannot_look\" 1", "reason=\"suspended\" 1"]);
        sql("INSERT INTO holds VALUES ('account_held', 'main', 1, 'AuthFailure')");
        assert_eq!(held().await, ["reason=\"account_held\" 1", "reason=\"suspended\" 1"]);
        sql("INSERT INTO requests (request_id, at_ms, who, uid, what, arguments) VALUES (1, 1, 'alice', 7, 'pause', '{}');
             INSERT INTO pauses VALUES (1, '{}', 1, NULL, 'alice', 'storage migration', NULL)");
        assert_eq!(held().await, ["reason=\"paused\" 2"], "both, the suspended one too: `resume` alone starts nothing of it");
        let passed = |troubles| scene.gauges.passed(cdb_backupd::clock::Clock::now(&scene.clock).mono, troubles);
        passed(vec![Trouble::Clock]);
        assert_eq!(held().await, ["reason=\"clock_unproved\" 2"]);
        passed(vec![Trouble::Ledger, Trouble::Clock]);
        assert_eq!(held().await, ["reason=\"ledger_not_writable\" 2"]);
        scene.ahead_ms.store(61_000, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(held().await, ["reason=\"not_running\" 2"], "what a loop that hangs said last says nothing of now");
    });
}

#[test]
fn there_are_as_many_lines_after_years_as_on_the_first_day() {
    in_real_time(async {
        let lines =
            |text: &str| text.lines().map(|line| line.rsplit_once(' ').map_or(String::new(), |(head, _)| head.to_owned())).collect::<BTreeSet<_>>();
        let few = lines(filled(0).await.get("/metrics").await.body());
        assert_eq!(few, lines(filled(2_000).await.get("/metrics").await.body()));
    });
}

#[test]
fn whoever_understands_open_metrics_gets_it_with_units_and_its_end() {
    in_real_time(async {
        let scene = filled(0).await;
        let accept = "Accept: application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3\r\n";
        let answer = scene.say(format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{accept}\r\n").as_bytes()).await;
        assert_eq!(answer.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
        let text = answer.body();
        assert!(text.ends_with("\n# EOF\n") && text.matches("# EOF").count() == 1);
        assert!(
            text.contains("# TYPE cdb_backupd_calls counter\n") && text.contains("cdb_backupd_calls_total{action=\"CreateBackup\",class=\"ok\"} 0\n")
        );
        assert!(text.contains("# UNIT cdb_backupd_run_duration_seconds seconds\n"));
    });
}

#[test]
fn without_a_ledger_what_is_in_memory_is_told_all_the_same() {
    in_real_time(async {
        let scene = Scene::behind(POLICY, Guard::of("127.0.0.1:7306".parse().expect("an address"), None)).await;
        let ledger = scene.folder.path().join("ledger.db");
        std::fs::remove_file(&ledger).expect("it was there");
        std::fs::create_dir(&ledger).expect("a folder in its place");
        let answer = scene.get("/metrics").await;
        let text = Text::read(answer.body());
        assert_eq!((answer.status(), value(&text, "cdb_backupd_ledger_readable", "")), (200, 0.0));
        assert!(value(&text, "cdb_backupd_pulse_age_seconds", "").is_infinite() && value(&text, "cdb_backupd_pairs_wrong", "job=\"nightly\"") < 0.0);
    });
}

#[test]
fn the_readme_lists_every_metric_and_no_other() {
    in_real_time(async {
        let text = Text::read(filled(0).await.get("/metrics").await.body());
        let readme = include_str!("../../README.md").replace('\n', " ");
        let (_, list) = readme.split_once("Metrics, each with `cdb_backupd_` before it.").expect("the README lists the metrics");
        let (list, _) = list.split_once(" A pair is ").expect("the list ends");
        let labels = ["action", "class", "outcome", "method", "account", "job", "freshness", "reason"];
        let listed: BTreeSet<String> = list.split('`').skip(1).step_by(2).filter(|word| !labels.contains(word)).map(str::to_owned).collect();
        let told: BTreeSet<String> = text.kinds.keys().map(|name| name.trim_start_matches("cdb_backupd_").to_owned()).collect();
        assert_eq!(listed, told);
    });
}
