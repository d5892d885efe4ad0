//! Jobs that get in each other's way: more runs in a slot than can start in time, and starts on one instance that are close together.

use crate::good_policies::{HEAD, load, load_at, warnings};
use cdb_backupd::config::Loaded;

#[test]
fn two_jobs_that_hit_one_instance_close_together_are_warned_of() {
    let two = |first: &str, second: &str, targets: &str| {
        load(&format!(
            "{HEAD}jobs:\n  - {{ name: a, schedule: \"{first}\", targets: {{ all: true }}, method: physical }}\n  \
             - {{ name: b, schedule: \"{second}\", targets: {targets}, method: logical }}\n"
        ))
    };
    let loaded = two("30 2 * * *", "35 2 1 * *", "{ instances: [scratch] }");
    assert_eq!(warnings(&loaded), ["close-jobs"]);
    let message = &loaded.warnings[0].message;
    assert!(message.contains("`scratch`") && message.contains("at 2026-12-01 02:30:00 +08:00 and at 2026-12-01 02:35:00 +08:00"), "{message}");
    assert_eq!(warnings(&two("30 2 * * *", "40 2 * * *", "{ all: true }")), [""; 0]);
    let spread = |spread: &str| two("30 2 * * *", "35 2 * * *", &format!("{{ all: true }}, spread: {spread}"));
    assert_eq!(warnings(&two("30 2 * * *", "20 2 * * *", "{ all: true }")), [""; 0]);
    assert_eq!(warnings(&two("30 2 * * *", "20 2 * * *", "{ all: true }, spread: 1m")), ["close-jobs"]);
    assert_eq!(warnings(&spread("1m")), ["close-jobs"]);
}

#[test]
fn jobs_that_meet_once_a_year_are_warned_of_whatever_the_day() {
    let beside = |first: &str, second: &str, today: &str| {
        let within = "start_within: 1m, targets: { instances: [scratch] }, method: physical";
        let text = format!(
            "{HEAD}jobs:\n  - {{ name: a, schedule: \"{first}\", {within} }}\n  - {{ name: b, schedule: \"{second}\", {within} }}\n  \
             - {{ name: c, schedule: \"0 20 * * SUN\", targets: {{ instances: [orders] }}, method: physical }}\n"
        );
        let loaded = load_at(&text, today);
        let close: Vec<String> = loaded.warnings.iter().filter(|w| w.code == "close-jobs").map(|w| w.message.clone()).collect();
        close.join("\n")
    };
    for today in ["2026-11-24T02:00:00Z", "2027-01-01T02:00:00Z", "2027-06-01T02:00:00Z", "2028-02-29T02:00:00Z"] {
        for seldom in ["0 2 31 * *", "0 2 1 1 *", "5 2 29 2 *"] {
            for often in ["0 2 * * *", "*/10 * * * *"] {
                assert!(beside(often, seldom, today).contains("close together"), "{often} beside {seldom} on {today}");
                assert_eq!(beside(often, seldom, today).lines().count(), 1);
                assert!(beside(seldom, often, today).contains("close together"), "{seldom} beside {often} on {today}");
            }
            assert_eq!(beside("*/10 3-23 * * *", seldom, today), "", "{seldom} on {today}");
        }
    }
    let message = beside("0 2 * * *", "0 2 1 1 *", "2026-11-24T02:00:00Z");
    assert!(message.ends_with("both at 2027-01-01 02:00:00 +08:00"), "{message}");
}

#[test]
fn two_jobs_in_two_zones_are_told_in_one() {
    let jobs = "jobs:\n  - { name: a, schedule: \"0 2 * * *\", targets: { all: true }, method: physical }\n  \
                - { name: b, schedule: \"0 18 * * *\", time_zone: UTC, targets: { all: true }, method: logical }\n";
    let loaded = load(&format!("{HEAD}{jobs}"));
    assert_eq!(warnings(&loaded), ["close-jobs"]);
    assert!(loaded.warnings[0].message.ends_with("close together: both at 2026-11-25 02:00:00 +08:00"), "{}", loaded.warnings[0].message);
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
        loaded.warnings[0].message.contains("400 runs") && loaded.warnings[0].message.contains("and 298 can start within 10m"),
        "{}",
        loaded.warnings[0].message
    );
    assert_eq!(loaded.warnings[0].hint.as_deref(), Some("write `start_within: 13m 26s` or more, or spread the instances over several jobs"));
    assert_eq!(warnings(&load(&text("805s"))), ["crowded-slot"]);
    assert_eq!(warnings(&load(&text("806s"))), [""; 0]);
}

/// Two accounts, `keys` those of the second, and these jobs over 15 instances of each.
fn crowded(keys: &str, jobs: &[&str]) -> Loaded {
    let instances: String =
        (0..30).map(|i| format!("  - {{ id: cdb-{i:08}, account: {}, tags: {{ half: h{} }} }}\n", ["a", "b"][i % 2], i / 15)).collect();
    let jobs: String = jobs.iter().map(|job| format!("  - {{ {job}, time_zone: UTC, method: physical }}\n")).collect();
    load(&format!(
        "version: 1\naccounts:\n  a: {{ calls_per_second: 0.1 }}\n  b: {{ calls_per_second: 0.1, credentials: {keys} }}\n\
         instance_defaults: {{ region: ap-guangzhou }}\ninstances:\n{instances}jobs:\n{jobs}"
    ))
}

fn told(loaded: &Loaded) -> Vec<&str> {
    loaded.warnings.iter().filter(|w| w.code == "crowded-slot").map(|w| w.message.as_str()).collect()
}

#[test]
fn at_least_one_run_can_start_at_once() {
    let loaded = crowded("env", &["name: n, schedule: \"0 2 * * *\", targets: { all: true }, start_within: 1s"]);
    let shared = "each slot has 30 runs of accounts `a` and `b`, which share keys, and 1 can start within 1s at 0.1 calls a second";
    assert_eq!(told(&loaded), [shared]);
}

#[test]
fn accounts_that_share_keys_and_jobs_that_share_a_slot_are_reckoned_together() {
    // Fifteen runs end after 141.4 s, thirty after 292.9 s.
    let all = ["name: n, schedule: \"0 2 * * *\", targets: { all: true }, start_within: 200s"];
    assert_eq!(told(&crowded("{ env_prefix: OTHER }", &all)), [""; 0]);
    assert_eq!(told(&crowded("env", &all)).len(), 1);
    let halves = |second: &str, rest: &str| {
        let first = "name: first, schedule: \"0 2 * * *\", targets: { tags: { half: h0 } }, start_within: 200s".to_owned();
        let second = format!("name: second, schedule: \"{second}\", targets: {{ tags: {{ half: h1 }} }}, start_within: 200s{rest}");
        crowded("env", &[&first, &second])
    };
    let loaded = halves("0 2 1 1 *", "");
    let message = "at 2027-01-01 02:00:00 +00:00 `first` and `second` have 30 runs together of accounts `a` and `b`, which share keys, \
                   and 20 can start in time at 0.1 calls a second";
    assert_eq!(told(&loaded), [message]);
    let warning = loaded.warnings.iter().find(|w| w.code == "crowded-slot").expect("it is warned of");
    assert_eq!(warning.hint.as_deref(), Some("write `start_within: 4m 53s` or more, or move a job to another time"));
    assert_eq!(told(&halves("0 2 * * *", ", priority: 1")).len(), 1);
    assert_eq!(told(&halves("0 3 * * *", "")), [""; 0]);
    assert_eq!(told(&halves("0 2 * * *", ", suspend: true")), [""; 0]);
    let dark = ", blackouts: [{ schedule: \"0 1 * * *\", lasts: 2h }]";
    assert_eq!(told(&halves("0 2 * * *", dark)), [""; 0]);
}
