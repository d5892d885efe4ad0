//! Bounds: each list ends, says where it goes on, and goes on there without a gap.

use crate::desk::{Desk, ORDERS, good, in_real_time, put};
use chrono::TimeDelta;
use std::collections::BTreeSet;

fn next(page: &str, says: &str) -> Option<String> {
    let (before, _) = page.split_once(&format!("\">{says}</a>"))?;
    Some(before.rsplit_once("href=\"")?.1.replace("&amp;", "&"))
}

#[test]
fn runs_are_turned_page_by_page_without_gap_or_repetition_though_they_share_a_slot() {
    in_real_time(async {
        let desk = Desk::open().await;
        let count: i64 = desk.conn().query_row("SELECT count(*) FROM runs WHERE job = 'nightly-full'", [], |row| row.get(0)).unwrap();
        let count = usize::try_from(count).unwrap();
        let (mut seen, mut path, mut pages) = (BTreeSet::new(), "/runs?job=nightly-full&limit=7".to_owned(), 0);
        loop {
            let page = desk.get(&path).await.body;
            let runs: Vec<&str> = page.split("data-label=\"Run\"><a href=\"/runs/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
            assert!(!runs.is_empty() && runs.len() <= 7, "{path}");
            assert!(runs.iter().all(|run| seen.insert((*run).to_owned())), "{path} repeats a run");
            pages += 1;
            match next(&page, "Older runs") {
                Some(older) => path = older,
                None => break,
            }
        }
        assert_eq!((seen.len(), pages), (count, count.div_ceil(7)));
    });
}

#[test]
fn for_programs_what_is_left_out_stands_under_next() {
    in_real_time(async {
        let desk = Desk::open().await;
        let (mut seen, mut path) = (Vec::new(), "/runs?format=json&limit=60&job=nightly-full".to_owned());
        loop {
            let told = desk.json(&path).await;
            seen.extend(told["items"].as_array().unwrap().iter().map(|item| item["run_id"].as_i64().unwrap()));
            match told["next"].as_str() {
                Some(next) => path = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(seen.len(), seen.iter().collect::<BTreeSet<_>>().len());
        let first = desk.json("/instances?format=json&limit=4").await;
        assert_eq!((first["items"].as_array().unwrap().len(), first["next"].as_str()), (4, Some("/instances?format=json&limit=4&skip=4")));
        let rest = desk.json("/instances?format=json&limit=4&skip=4").await;
        assert_eq!((rest["items"].as_array().unwrap().len(), rest.get("next")), (2, None));
    });
}

#[test]
fn what_runs_and_what_waits_is_told_in_part_with_a_way_to_the_rest() {
    in_real_time(async {
        let desk = Desk::open().await;
        desk.conn().execute_batch("BEGIN").unwrap();
        for minute in 30..90 {
            put(&desk, ORDERS, desk.now() - TimeDelta::minutes(minute), &[]);
        }
        desk.conn().execute_batch("COMMIT").unwrap();
        let page = desk.get("/").await.body;
        assert!(page.contains("Held or waiting (61)") && page.contains("<a href=\"/runs?state=due\">All 61 that wait</a>"), "{page}");
        let (_, waiting) = page.split_once("id=\"waiting\"").unwrap();
        assert_eq!(waiting.matches("data-label=\"Run\"").count(), 20);
    });
}

#[test]
fn a_calendar_of_more_runs_than_are_counted_tells_fewer_days_and_says_so() {
    in_real_time(async {
        let desk = Desk::open().await;
        // A hundred instances, hourly: thirty days of them are 72,000.
        let sql = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99)
            INSERT INTO runs (job, instance_id, slot_ms, trigger, slot_local, slot_last_ms, slots, terms_id, account, policy_id, priority, alias,
              not_before_ms, start_by_ms, complete_by_ms, restart_by_ms, state, backup_id, why, finished_at_ms)
            SELECT job, 'cdb-b' || printf('%07d', i), slot_ms, trigger, slot_local, slot_last_ms, 1, terms_id, account, policy_id, priority, alias,
              not_before_ms, start_by_ms, complete_by_ms, restart_by_ms, state, backup_id, why, finished_at_ms
            FROM n, (SELECT * FROM runs WHERE job = 'hourly' AND state = 'succeeded' ORDER BY slot_ms DESC LIMIT 30)";
        desk.conn().execute(sql, []).unwrap();
        good(&desk, ORDERS, desk.now());
        let page = desk.get("/jobs/hourly").await.body;
        assert!(page.contains("a job with so many runs shows fewer days"), "{page}");
        let calendar = desk.json("/jobs/hourly?format=json").await["calendar"].clone();
        let most = calendar.as_array().unwrap().iter().filter_map(|slot| slot["states"]["succeeded"].as_i64()).max();
        assert_eq!(most, Some(101), "all of a slot's runs are counted");
        assert!(!desk.get("/jobs/nightly-full").await.body.contains("shows fewer days"));
    });
}
