//! Policies that are good: what they mean, and what they are warned of.

use cdb_backupd::{
    config::{Loaded, Machine, check_text},
    domain::policy::{CatchUp, Method},
};
use std::time::Duration;

const HEAD: &str = "version: 1
accounts: { main: { credentials: env } }
instance_defaults: { account: main, region: ap-guangzhou, tags: { env: prod } }
instances: [{ id: cdb-c1nl9rpv, name: orders }, { id: cdb-aaaa0001, name: scratch, region: ap-shanghai, tags: { env: test } }]
defaults: { time_zone: Asia/Shanghai }
";

fn load(text: &str) -> Loaded {
    let machine = Machine::pictured(&[("TENCENTCLOUD_SECRET_ID", "x"), ("TENCENTCLOUD_SECRET_KEY_FILE", "/x")], &[], "");
    load_on(text, &machine)
}

fn load_on(text: &str, machine: &Machine) -> Loaded {
    match check_text("/etc/cdb-backupd/policy.yaml", text, machine, "2026-11-24T02:00:00Z".parse().expect("a moment")) {
        Ok(loaded) => loaded,
        Err(error) => panic!("{}", error.faults().iter().map(|f| f.draw(false)).collect::<Vec<_>>().join("\n")),
    }
}

fn warnings(loaded: &Loaded) -> Vec<&'static str> {
    loaded.warnings.iter().map(|w| w.code).collect()
}

fn job(rest: &str) -> String {
    format!("{HEAD}jobs:\n  - {{ name: nightly, schedule: \"30 2 * * *\", {rest} }}\n")
}

#[test]
fn the_example_holds_every_default() {
    let loaded = load(include_str!("../../config/policy.yaml"));
    let bare = load(&job("targets: { all: true }, method: physical"));
    let (given, left_out) = (&loaded.policy.jobs[1], &bare.policy.jobs[0]);
    assert_eq!(format!("{:?}", given.retry), format!("{:?}", left_out.retry));
    assert_eq!((given.poll, given.overlap, given.priority), (left_out.poll, left_out.overlap, left_out.priority));
    assert_eq!((given.start_within, given.complete_within), (left_out.start_within, left_out.complete_within));
    assert_eq!(
        (given.spread, given.catch_up, given.max_age, given.suspend),
        (left_out.spread, left_out.catch_up, left_out.max_age, left_out.suspend)
    );
    assert_eq!(loaded.policy.accounts[0], bare.policy.accounts[0]);
    assert_eq!(loaded.policy.history, bare.policy.history);
    assert_eq!((loaded.ledger, loaded.listen), (bare.ledger, bare.listen));
}

#[test]
fn a_policy_in_json_is_a_policy() {
    let text = "{\n\t\"version\": 1,\n\t\"accounts\": {\"main\": {\"credentials\": {\"env_prefix\": \"TENCENTCLOUD\"}}},\n\t\"instances\": \
                [{\"id\": \"cdb-c1nl9rpv\", \"account\": \"main\", \"region\": \"ap-guangzhou\", \"name\": \"orders\\/1\"}],\n\t\"jobs\": []\n}\n";
    assert_eq!(load(text).policy.instances[0].name.as_str(), "orders/1");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_no_fault() {
    load(&format!("\u{feff}{}", job("targets: { all: true }, method: physical")).replace('\n', "\r\n"));
}

#[test]
fn maps_are_merged_key_by_key() {
    let text = job("targets: { all: true }, method: physical, retry: { after_failed: 3 }").replace(
        "defaults: { time_zone: Asia/Shanghai }",
        "defaults: { time_zone: Asia/Shanghai, retry: { max_backoff: 5m, after_failed: 2 }, start_within: 3h }",
    );
    let policy = load(&text).policy;
    assert_eq!((policy.jobs[0].retry.after_failed, policy.jobs[0].retry.max_backoff), (3, Duration::from_secs(300)));
    assert_eq!(policy.jobs[0].catch_up, CatchUp::Latest { within: Duration::from_secs(3 * 3_600) });
}

#[test]
fn defaults_of_one_method_do_not_disturb_another() {
    let text = job("targets: { all: true }, method: snapshot")
        .replace("time_zone: Asia/Shanghai }", "time_zone: Asia/Shanghai, encrypted: true, tables: [{ db: shop }] }");
    assert_eq!(load(&text).policy.jobs[0].method, Method::Snapshot);
    let text = text.replace("method: snapshot", "method: physical");
    assert_eq!(load(&text).policy.jobs[0].method, Method::Physical { encrypted: Some(true) });
}

#[test]
fn targets_are_resolved_in_the_order_of_the_file() {
    let names = |targets: &str| {
        let policy = load(&job(&format!("targets: {targets}, method: physical, may_be_empty: true"))).policy;
        policy.jobs[0].instances.iter().map(|i| i.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names("{ instances: [scratch, cdb-c1nl9rpv] }"), ["orders", "scratch"]);
    assert_eq!(names("{ all: true, except: [orders] }"), ["scratch"]);
    assert_eq!(names("{ tags: { env: prod } }"), ["orders"]);
    assert_eq!(names("{ tags: { env: [prod, test] }, regions: [ap-shanghai] }"), ["scratch"]);
    assert_eq!(names("{ tags: { env: [prod], tier: gold } }"), [""; 0]);
    assert_eq!(names("{ all: true, accounts: [main] }"), ["orders", "scratch"]);
}

#[test]
fn a_short_absence_window_is_for_loopback() {
    let text = "version: 1\naccounts: { main: { endpoint: \"http://127.0.0.1:80\", absence_window: 1s } }\n";
    assert_eq!(load(text).policy.accounts[0].absence_window, Duration::from_secs(1));
}

#[test]
fn the_machine_says_what_the_file_does_not() {
    let machine = |variables: &[(&str, &str)]| Machine::pictured(variables, &[], "");
    let text = "version: 1\n";
    assert_eq!(load_on(text, &machine(&[])).ledger.to_str(), Some("/var/lib/cdb-backupd/ledger.db"));
    assert_eq!(load_on(text, &machine(&[("STATE_DIRECTORY", "/s")])).ledger.to_str(), Some("/s/ledger.db"));
    let both = machine(&[("STATE_DIRECTORY", "/s"), ("CDB_BACKUPD_LEDGER", "/l.db"), ("CDB_BACKUPD_LISTEN", "127.0.0.1:1")]);
    assert_eq!(load_on(text, &both).ledger.to_str(), Some("/l.db"));
    assert_eq!(load_on(text, &both).listen.map(|a| a.port()), Some(1));
    assert_eq!(load_on("version: 1\nledger: sub/l.db\nlisten: off\n", &both).ledger.to_str(), Some("/etc/cdb-backupd/sub/l.db"));
    assert_eq!(load_on("version: 1\nlisten: off\n", &both).listen, None);
    let wrong = check_text("p", text, &machine(&[("CDB_BACKUPD_LISTEN", "here")]), "2026-11-24T02:00:00Z".parse().expect("a moment"));
    assert_eq!(wrong.expect_err("no address").faults()[0].code, "bad-listen");
}

#[test]
fn a_clean_policy_has_no_warning() {
    let loaded = load(&job("targets: { all: true }, method: physical"));
    assert_eq!(warnings(&loaded), [""; 0]);
    assert_eq!(loaded.text_hash.len(), 64);
}

#[test]
fn a_policy_without_jobs_is_warned_of() {
    assert_eq!(warnings(&load("version: 1\n")), ["no-job"]);
}

#[test]
fn an_instance_that_no_job_matches_is_warned_of() {
    let loaded = load(&job("targets: { instances: [orders] }, method: physical"));
    assert_eq!(warnings(&loaded), ["idle-instance"]);
    assert!(loaded.warnings[0].message.contains("`scratch`"));
}

#[test]
fn absent_credentials_are_warned_of() {
    let text = job("targets: { all: true }, method: physical");
    let loaded = load_on(&text, &Machine::pictured(&[("TENCENTCLOUD_SECRET_ID", "x")], &[], ""));
    assert_eq!(warnings(&loaded), ["absent-credentials"]);
    assert!(loaded.warnings[0].message.ends_with("TENCENTCLOUD_SECRET_KEY is not set"));
    let text = text.replace("credentials: env", "credentials: { file: pay.ini }");
    let beside = Machine::pictured(&[], &["/etc/cdb-backupd/pay.ini"], "");
    assert_eq!(warnings(&load_on(&text, &beside)), [""; 0]);
    let given = Machine::pictured(&[("CREDENTIALS_DIRECTORY", "/run/c")], &["/etc/cdb-backupd/pay.ini"], "");
    assert_eq!(warnings(&load_on(&text, &given)), ["absent-credentials"]);
}

#[test]
fn a_ledger_on_an_unfit_file_system_is_warned_of() {
    let mounts =
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:40 / /var/lib rw,nosuid shared:3 - nfs4 host:/x rw\n31 22 0:41 / /tmp rw - tmpfs tmpfs rw\n";
    let on = |ledger: &str| {
        let machine = Machine::pictured(&[("TENCENTCLOUD_SECRET_ID", "x"), ("TENCENTCLOUD_SECRET_KEY", "x")], &[], mounts);
        warnings(&load_on(&format!("{}ledger: {ledger}\n", job("targets: { all: true }, method: physical")), &machine))
    };
    assert_eq!(on("/var/lib/cdb-backupd/ledger.db"), ["ledger-file-system"]);
    assert_eq!(on("/tmp/ledger.db"), ["ledger-file-system"]);
    assert_eq!(on("/var/library/ledger.db"), [""; 0]);
}

#[test]
fn more_runs_than_a_slot_can_start_are_warned_of() {
    let instances: String = (0..400).map(|i| format!("  - {{ id: cdb-{i:08} }}\n")).collect();
    let text = |within: &str| {
        format!(
            "version: 1\naccounts: {{ main: {{ calls_per_second: 0.5 }} }}\ninstance_defaults: {{ account: main, region: ap-guangzhou }}\ninstances:\n{instances}\
             jobs:\n  - {{ name: a, schedule: \"30 2 * * *\", time_zone: Asia/Shanghai, targets: {{ all: true }}, method: physical, start_within: {within} }}\n"
        )
    };
    let loaded = load(&text("10m"));
    assert_eq!(warnings(&loaded), ["crowded-slot"]);
    assert!(
        loaded.warnings[0].message.contains("400 runs") && loaded.warnings[0].message.contains("300 can start"),
        "{}",
        loaded.warnings[0].message
    );
    assert_eq!(warnings(&load(&text("800s"))), [""; 0]);
}
