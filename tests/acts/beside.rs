//! Beside a daemon.

use super::stage::Stage;
use cdb_backupd::{
    clock::{Clock, SystemClock},
    ledger::report::Reader,
};

#[test]
fn a_backup_by_hand_is_waited_for_and_ends_as_its_run_does() {
    let stage = Stage::with("create#2:backup_fails,create#3:backup_fails");
    let _daemon = stage.daemon();
    let said = stage.says(&["backup", "--job", "nightly", "--instance", "orders", "--reason", "before the migration", "--wait"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.starts_with("1 run queued; nothing stands before it\n  run 1: nightly on orders\n"), "{said:?}");
    assert!(said.err.contains("run 1, nightly on orders: succeeded: the backup is good (backup "), "{said:?}");
    let bad = stage.says(&["backup", "--instance", "pay", "--method", "snapshot", "--wait=90s"]);
    assert_eq!(bad.code, Some(3), "{bad:?}");
    let again = stage.says(&["backup", "--run", "2", "--dry-run", "-o", "json"]).json();
    assert_eq!((again["dry_run"].as_bool(), again["runs"][0]["job"].as_str()), (Some(true), Some("by-hand")), "{again}");
    assert_eq!(stage.cloud.audit().doubled.len(), 0);
}

#[test]
fn who_asked_when_and_why_stands_in_the_ledger_with_the_answer() {
    let stage = Stage::with("");
    let _daemon = stage.daemon();
    stage.says(&["pause", "--instance", "orders", "--until", "2h", "--reason", "storage migration"]);
    let conn = rusqlite::Connection::open(stage.ledger()).unwrap();
    let row: (String, i64, String, String, i64) = conn
        .query_row("SELECT what, uid, reason, answer, answered_at_ms - at_ms FROM requests", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })
        .unwrap();
    assert_eq!((row.0.as_str(), row.2.as_str()), ("pause", "storage migration"));
    assert!(row.3.contains("nothing new starts from ") && (0..5_000).contains(&row.4), "{row:?}");
}

#[test]
fn a_pause_refuses_what_it_holds_until_somebody_resumes_it() {
    let stage = Stage::with("");
    let _daemon = stage.daemon();
    let paused = stage.says(&["pause", "--all", "--until", "never", "--reason", "costs are looked into"]);
    assert!(paused.code == Some(0) && paused.out.contains("until somebody resumes it") && paused.err.contains("longer than a day"), "{paused:?}");
    let refused = stage.says(&["backup", "--job", "nightly", "--instance", "orders"]);
    assert!(refused.code == Some(1) && refused.out.contains("is held (paused); write `--even-if-held`"), "{refused:?}");
    let forced = stage.says(&["backup", "--job", "nightly", "--instance", "orders", "--even-if-held", "--wait"]);
    assert_eq!(forced.code, Some(0), "{forced:?}");
    let resumed = stage.says(&["resume", "--all"]);
    assert!(resumed.code == Some(0) && resumed.out == "pause 1 ended; what waited may start now\n", "{resumed:?}");
    assert_eq!(stage.says(&["backup", "--job", "nightly", "--instance", "orders", "--wait"]).code, Some(0));
}

#[test]
fn a_dry_run_is_refused_as_the_backup_would_be() {
    let stage = Stage::with("");
    let _daemon = stage.daemon();
    let dry = |more: &[&str]| stage.says(&[&["backup", "--job", "nightly", "--instance", "orders", "--dry-run"], more].concat());
    assert_eq!(dry(&[]).code, Some(0));
    stage.says(&["pause", "--instance", "orders", "--until", "2h", "--reason", "storage migration"]);
    let refused = dry(&[]);
    assert!(
        refused.code == Some(1) && refused.out.starts_with("would be refused: nightly on orders is held (paused); write `--even-if-held`"),
        "{refused:?}"
    );
    assert_eq!(dry(&["--even-if-held"]).code, Some(0));
    assert_eq!(stage.cloud.audit().backups.len(), 0);
}

#[test]
fn no_start_is_promised_to_a_run_that_waits_for_room_in_its_account() {
    let stage = Stage::with("create#1:backup_takes=60s");
    stage.rewrite("absence_window: 5s", "absence_window: 5s, max_running: 1");
    let _daemon = stage.daemon();
    assert!(stage.says(&["backup", "--job", "nightly", "--instance", "orders"]).out.starts_with("1 run queued; nothing stands before it\n"));
    let reader = || Reader::open(&stage.ledger()).unwrap().unwrap();
    stage.until("a backup in progress", || (!reader().survey(SystemClock::new().now().utc).unwrap().sent.is_empty()).then_some(()));
    let said = stage.says(&["backup", "--job", "nightly", "--instance", "pay"]);
    let full = "1 run queued; account sim has 1 of 1 backups in progress, its max_running: it starts when enough of them have ended\n";
    assert!(said.code == Some(0) && said.out.starts_with(full), "{said:?}");
    let told = stage.says(&["explain", "pay"]);
    assert!(told.out.contains("\n  max_running: account sim has as many backups in progress as its max_running of 1"), "{told:?}");
}

#[test]
fn what_makes_no_sense_is_refused_before_anybody_is_asked() {
    let stage = Stage::with("");
    let _daemon = stage.daemon();
    for (words, code, says) in [
        (vec!["backup"], 2, "name what to back up"),
        (vec!["backup", "--job", "nightli"], 1, "knows no job nightli"),
        (vec!["backup", "--instance", "orders", "--method", "physical", "--table", "shop.orders"], 1, "`--method logical` only"),
        (vec!["backup", "--run", "99"], 1, "there is no run 99"),
        (vec!["pause", "--all", "--until", "2h"], 2, "say why with `--reason TEXT`"),
        (vec!["pause", "--until", "2h", "--reason", "x"], 2, "say what to pause"),
        (vec!["pause", "--all", "--job", "nightly", "--until", "2h", "--reason", "x"], 2, "and not both"),
        (vec!["pause", "--instance", "nobody", "--until", "2h", "--reason", "x"], 1, "knows no instance nobody"),
        (vec!["resume"], 2, "say what to resume"),
        (vec!["cancel", "99"], 1, "no run 99 in the ledger"),
        (vec!["backfill", "--job", "nightly", "--since", "yesterday"], 1, "no slot of this time is missed"),
        (vec!["backfill", "--since", "yesterday"], 2, "name one job"),
        (vec!["backfill", "--job", "nightly", "--since", "2h", "--until", "3h"], 2, "no time lies between"),
    ] {
        let said = stage.says(&words);
        assert!(said.code == Some(code) && (said.out.contains(says) || said.err.contains(says)), "{words:?}: {said:?}");
    }
    assert_eq!(stage.cloud.audit().backups.len(), 0);
}

#[test]
fn a_policy_is_read_again_when_asked_and_one_at_fault_is_refused_with_its_place() {
    let stage = Stage::with("");
    let _daemon = stage.daemon();
    stage.rewrite("name: nightly,", "name: nightly-full,");
    let told = stage.says(&["reload"]);
    assert!(told.code == Some(0) && told.out.contains("nightly-full"), "{told:?}");
    assert_eq!(stage.says(&["backup", "--job", "nightly-full", "--instance", "pay", "--wait"]).code, Some(0));
    stage.rewrite("method: physical", "method: phisical");
    let drawn = stage.says(&["reload"]);
    assert!(drawn.code == Some(78) && drawn.err.contains("did you mean `physical`?"), "{drawn:?}");
    let ledger = stage.ledger().display().to_string();
    let refused = stage.says(&["reload", "--ledger", &ledger]);
    assert!(refused.code == Some(78) && refused.out.contains("policy.yaml") && refused.out.contains("stays as it is"), "{refused:?}");
    let backup = stage.says(&["backup", "--job", "nightly-full", "--instance", "pay", "--wait", "--ledger", &ledger]);
    assert_eq!(backup.code, Some(0), "the old one is in force: {backup:?}");
}
