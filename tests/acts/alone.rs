//! Without a daemon.

use super::stage::Stage;
use cdb_backupd::ledger::report::Reader;

#[test]
fn a_backup_without_a_daemon_is_carried_to_its_end_by_the_command() {
    let stage = Stage::with("");
    let said = stage.says(&["backup", "--job", "nightly", "--instance", "orders", "--wait"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("no daemon works on this ledger") && said.err.contains("succeeded: the backup is good"), "{said:?}");
    assert_eq!(stage.cloud.audit().backups.len(), 1);
    let reader = Reader::open(&stage.ledger()).unwrap().unwrap();
    assert_eq!(reader.pulse().unwrap(), None, "a command is no daemon");
    let _daemon = stage.daemon();
    assert_eq!(stage.says(&["backup", "--job", "nightly", "--instance", "pay", "--wait"]).code, Some(0));
}

#[test]
fn a_pause_made_without_a_daemon_holds_when_one_comes() {
    let stage = Stage::with("");
    let said = stage.says(&["pause", "--instance", "orders", "--until", "2h", "--reason", "storage migration"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let _daemon = stage.daemon();
    let refused = stage.says(&["backup", "--job", "nightly", "--instance", "orders"]);
    assert!(refused.code == Some(1) && refused.out.contains("is held (paused)"), "{refused:?}");
    assert_eq!(stage.says(&["backup", "--job", "nightly", "--instance", "pay", "--wait"]).code, Some(0));
}

#[test]
fn a_dry_run_does_nothing() {
    let stage = Stage::with("");
    let said = stage.says(&["backup", "--job", "nightly", "--instance", "orders", "--dry-run"]);
    assert!(said.code == Some(0) && said.out.contains("would ask for 1 run; nothing was done"), "{said:?}");
    assert!(!stage.ledger().exists(), "nothing was done");
}
