//! `format=json` is what the commands print, under the same keys; and the HTML says the commands' sentences.

use crate::desk::{Desk, in_real_time};
use serde_json::Value;

/// Without what depends on the second in which it was asked.
fn timeless(mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => {
            map.retain(|key, _| !key.ends_with("_age_s"));
            map.values_mut().for_each(|it| *it = timeless(it.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|it| *it = timeless(it.take())),
        _ => {}
    }
    value
}

#[test]
fn the_first_page_is_status_and_those_of_jobs_and_instances_are_its_selectors() {
    in_real_time(async {
        let desk = Desk::open().await;
        for (path, words) in [
            ("/?format=json", &["status"][..]),
            ("/?format=json&account=pay", &["status", "--account", "pay"]),
            ("/?format=json&tag=env%3Dprod&tag=tier%3Dgold", &["status", "--tag", "env=prod", "--tag", "tier=gold"]),
            ("/instances?format=json&region=ap-shanghai&job=yearly", &["status", "--region", "ap-shanghai", "--job", "yearly"]),
            ("/instances/cdb-c1nl9rpv?format=json", &["status", "--instance", "orders"]),
            ("/jobs/hourly?format=json", &["status", "--job", "hourly"]),
            ("/uncovered?format=json", &["status", "--uncovered"]),
        ] {
            let (mut told, printed) = (desk.json(path).await, desk.command(words));
            told.as_object_mut().unwrap().remove("calendar");
            assert_eq!(timeless(told), timeless(printed), "{path}");
        }
    });
}

#[test]
fn runs_are_history_and_a_run_is_show() {
    in_real_time(async {
        let desk = Desk::open().await;
        let failed = desk.run_in("failed").to_string();
        for (path, words) in [
            ("/runs?format=json&job=nightly-full&limit=1000", &["history", "--job", "nightly-full", "--limit", "1000"][..]),
            ("/runs?format=json&not-ok=true&account=main&limit=1000", &["history", "--not-ok", "--account", "main", "--limit", "1000"]),
            ("/runs?format=json&state=running&state=due", &["history", "--state", "running", "--state", "due"]),
            (
                "/runs?format=json&region=ap-shanghai&instance=pay&limit=7",
                &["history", "--region", "ap-shanghai", "--instance", "pay", "--limit", "7"],
            ),
        ] {
            let (mut told, printed) = (desk.json(path).await, desk.command(words));
            told.as_object_mut().unwrap().remove("next");
            assert_eq!(told, printed, "{path}");
            assert!(!told["items"].as_array().unwrap().is_empty(), "{path}");
        }
        assert_eq!(desk.json(&format!("/runs/{failed}?format=json")).await, desk.command(&["show", &failed]));
    });
}

#[test]
fn the_first_page_says_the_sentences_of_status() {
    in_real_time(async {
        let desk = Desk::open().await;
        let page = desk.get("/").await.body;
        assert!(page.contains("not ok: 2 of 6 pairs of job and instance lack a fresh backup"), "{page}");
        for said in [
            "last pass ",
            "</span> late</span>",
            ">its newest good backup is of ",
            " ago.",
            ">it has no good backup yet.",
            "the cloud rejected it with InvalidParameter",
            ">1 held: in line for the pace of account main<",
        ] {
            assert!(page.contains(said), "{said} is not in {page}");
        }
        desk.conn().execute("UPDATE heartbeat SET at_ms = at_ms - 3600000", []).unwrap();
        let page = desk.get("/").await.body;
        assert!(page.contains("Daemon not ok: last pass 1h ago; its daemon hangs"), "{page}");
    });
}

#[test]
fn before_anything_has_happened_each_page_says_so() {
    in_real_time(async {
        let desk = Desk::empty().await;
        let page = desk.get("/").await;
        assert_eq!(page.status, 200);
        for said in ["no policy was ever in force here", "no pass has finished", "Nothing runs now.", "Nothing waits now."] {
            assert!(page.body.contains(said), "{said} is not in {}", page.body);
        }
        for path in ["/instances", "/runs", "/uncovered", "/jobs/hourly", "/instances/cdb-c1nl9rpv"] {
            assert_eq!(desk.get(path).await.status, 200, "{path}");
        }
    });
}

#[test]
fn a_calendar_tells_each_slot_with_its_outcome_as_text() {
    in_real_time(async {
        let desk = Desk::open().await;
        let page = desk.get("/jobs/nightly-full").await.body;
        // Three instances, of which one always failed; the night on which another did, too.
        assert!(page.contains(">: 1 failed, 2 succeeded<") && page.contains(">: 2 failed, 1 succeeded<"), "{page}");
        assert!(page.contains(">: 1 failed, 1 skipped, 1 succeeded<") && page.contains("<span class=\"at\">02:30</span>"), "{page}");
        let calendar = desk.json("/jobs/hourly?format=json").await["calendar"].clone();
        let slots = calendar.as_array().unwrap();
        let missed: Vec<_> = slots.iter().filter(|slot| slot["states"].get("missed").is_some()).collect();
        assert_eq!(missed.len(), 5, "a range counts for each of its slots: {missed:?}");
        assert!(slots.len() > 700, "{} slots in thirty days", slots.len());
        let page = desk.get("/jobs/hourly").await.body;
        assert!(page.contains(">24 slots</span>") && page.contains(">: 24 succeeded<") && page.contains("The slots of the last 30 days"), "{page}");
    });
}
