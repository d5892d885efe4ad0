//! Our own side: a loop that hangs, a bad edit, a ledger that was put back, and a disk that is full.

use crate::{
    places::told,
    stage::{HOUR, MINUTE, s, simulated},
};
use cdb_backupd::daemon::Refused;

#[test]
fn a_loop_that_hangs_is_told_everywhere_after_a_minute_and_over_with_its_next_pass() {
    simulated(1, "", async |stage| {
        stage
            .live(async |life| {
                life.until(MINUTE, |seen| seen.ready.0 == 200).await;
                // The pulse is written each 15 s: the last one may be so old when it begins to hang.
                stage.pass(MINUTE).await;
                life.hang(true);
                stage.pass(s(44)).await;
                assert!(life.look().are_well() && life.look().health == 200, "{:#?}", life.look());
                stage.pass(s(18)).await;
                let seen = life.look();
                assert!(seen.status.1 == 3 && seen.status.0.contains("its daemon hangs, cannot write, or is gone"), "{seen:#?}");
                assert!(seen.page.contains("Daemon not ok") && seen.page.contains("its daemon hangs"), "{seen:#?}");
                assert_eq!((&seen.page_json["ok"], seen.health, seen.ready.0, seen.reasons()), (&false.into(), 503, 503, vec!["stuck"]));
                assert!(seen.metric("pulse_age_seconds") > 60.0);
                stage.pass(s(1)).await;
                assert_eq!(told(&life.log(), "ERROR", "the loop hangs: no pass has finished for 6"), 1, "{:#?}", life.log());
                stage.pass(HOUR).await;
                life.hang(false);
                let (seen, _) = life.until(s(20), |seen| seen.status.1 == 0).await;
                assert!(seen.are_well() && seen.health == 200, "{seen:#?}");
                stage.pass(s(2)).await;
                let log = life.log();
                assert_eq!((told(&log, "ERROR", "the loop hangs"), told(&log, "INFO", "passes finish again")), (1, 1), "{log:#?}");
                assert!(life.pass_age().is_some_and(|age| age < s(16)), "{:?}", life.pass_age());
                stage.pass(MINUTE * 5).await;
                assert_eq!(stage.count("succeeded"), 1, "the slot in which it hung was caught up");
            })
            .await;
    });
}

#[test]
fn a_policy_that_is_refused_is_told_within_seconds_and_holds_nothing_until_a_good_one_is_read() {
    simulated(1, "", async |stage| {
        stage
            .live(async |life| {
                life.until(MINUTE, |seen| seen.ready.0 == 200).await;
                let fault = || Refused { faults: 2, place: "policy.yaml:9:5".into(), message: "unknown key `methd`".into(), hint: "write `method`".into() };
                // A good one with a change, and the old one put back, end it alike.
                for (good, says) in [(("hourly", "frequent"), "another policy is in force"), (("hourly", "hourly"), "another policy is in force")] {
                    life.reload(Err(fault()));
                    stage.pass(s(2)).await;
                    let sentence = "the policy was read again and refused, the one in force stays: the policy has 2 faults, the first at policy.yaml:9:5: \
                                    unknown key `methd`; write `method`";
                    life.look().all_say("policy_refused", sentence, (3, 200));
                    assert_eq!((life.look().ready.1["items"][0]["holds"].as_bool(), life.look().metric("policy_in_force")), (Some(false), 1.0));
                    stage.pass(HOUR).await;
                    life.look().all_say("policy_refused", sentence, (3, 200));
                    life.reload(Ok(good));
                    stage.pass(s(2)).await;
                    assert!(life.look().are_well(), "{says}: {:#?}", life.look());
                }
                let log = life.log();
                assert_eq!(told(&log, "ERROR", "the policy is not reloaded, the one in force stays: the policy has 2 faults, the first at"), 2, "{log:#?}");
                assert_eq!(told(&log, "INFO", "another policy is in force"), 2, "{log:#?}");
                assert_eq!(stage.count("succeeded"), 2, "each hour had its backup all the same");
            })
            .await;
    });
}

#[test]
fn a_ledger_that_was_put_back_is_told_from_the_first_pass_until_its_calls_can_be_known() {
    simulated(1, "", async |stage| {
        stage.live(async |_| stage.pass(MINUTE).await).await;
        stage.keep_copy();
        stage.live(async |_| stage.pass(MINUTE * 40).await).await;
        assert_eq!(stage.count("succeeded"), 1);
        stage.put_back();
        stage
            .live(async |life| {
                let (seen, _) = life.until(s(20), |seen| seen.ready.0 == 200).await;
                seen.all_say("ledger_put_back", "the ledger was put back from a copy, until 2026-11-24T", (0, 200));
                let (seen, took) = life.until(HOUR, |seen| seen.are_well()).await;
                assert!(took > MINUTE * 9, "{took:?} {seen:#?}");
                let log = life.log();
                assert_eq!(told(&log, "WARN", "the ledger was put back from a copy, until 2026-11-24T"), 1, "{log:#?}");
                assert_eq!(told(&log, "INFO", "the time of the ledger that was put back is over"), 1, "{log:#?}");
                stage.pass(HOUR).await;
                assert!(life.look().are_well());
                assert_eq!(stage.cloud.audit().doubled, []);
            })
            .await;
    });
}

#[test]
fn a_disk_that_is_full_is_told_within_seconds_and_over_within_some_when_there_is_room() {
    simulated(40, "", async |stage| {
        let ledger = stage.open();
        let conn = ledger.connection();
        // What somebody else keeps on the disk; then the file may not grow any more.
        conn.execute_batch("CREATE TABLE ballast (bytes BLOB); INSERT INTO ballast VALUES (zeroblob(1000000))").unwrap();
        let pages: i64 = conn.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        conn.query_row(&format!("PRAGMA max_page_count = {}", pages + 2), [], |_| Ok(())).unwrap();
        let life = stage.live_on(ledger, async |life| {
            life.until(MINUTE, |seen| seen.ready.0 == 200).await;
            stage.pass(s(1_800) - life.age()).await;
            let (seen, _) = life.until(s(10), |seen| seen.ready.0 == 503).await;
            assert_eq!((seen.reasons(), seen.troubles()), (vec!["ledger_not_writable"], vec!["ledger_not_writable"]));
            assert!(seen.page.contains("ledger_not_writable: the ledger cannot be written, nothing starts until it can"), "{seen:#?}");
            assert_eq!((&seen.page_json["ok"], seen.health, seen.metric("ledger_writable")), (&false.into(), 200, 0.0));
            assert_eq!(told(&life.log(), "ERROR", "the ledger cannot be written"), 1, "{:#?}", life.log());
            // What cannot be written is not in the ledger: `status` sees that nothing is.
            let (seen, _) = life.until(s(62), |seen| seen.status.1 == 3).await;
            assert!(seen.status.0.contains("its daemon hangs, cannot write, or is gone"), "{seen:#?}");
            stage.pass(MINUTE * 30).await;
            assert_eq!((life.look().health, life.look().ready.0, stage.count("due")), (200, 503, 0));
            rusqlite::Connection::open(stage.ledger()).unwrap().execute_batch("DROP TABLE ballast").unwrap();
            let (seen, _) = life.until(s(4), |seen| seen.ready.0 == 200).await;
            assert!(seen.are_well(), "{seen:#?}");
            let log = life.log();
            assert_eq!(told(&log, "ERROR", "the ledger cannot be written"), 1, "{log:#?}");
            assert_eq!(told(&log, "INFO", "the ledger can be written again; going on"), 1, "{log:#?}");
            stage.pass(MINUTE * 10).await;
            assert_eq!(stage.count("succeeded"), 40, "every run was made inside its window");
        });
        life.await;
    });
}
