//! The views that people open: what each of them shows of the same runs.

use super::shelf::{NIGHTLY, admitted, all, at, policy};
use cdb_backupd::{
    domain::{
        names::BackupId,
        run::{Closed, Outcome, Run, State},
    },
    ledger::Ledger,
};

/// The rows of a query, each as one line.
fn lines(ledger: &Ledger, columns: &str, from: &str) -> Vec<String> {
    let parts: Vec<String> = columns.split(", ").map(|column| format!("coalesce({column}, '-')")).collect();
    let mut statement = ledger.connection().prepare(&format!("SELECT {} FROM {from}", parts.join(" || ' ' || "))).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn close(run: &mut Run, outcome: Outcome, backup: Option<i64>) {
    let reason = (outcome != Outcome::Succeeded).then(|| "busy".to_owned());
    let (backup, bytes) = (backup.map(BackupId), backup.map(|_| 7));
    run.state = State::Closed(Closed { outcome, reason, why: "so it is".into(), at: at(900), backup, bytes, first_outcome: None, follow: None });
}

/// One instance for each outcome and one that is due, all of one slot.
fn shown() -> Ledger {
    let mut ledger = admitted(&policy(&[("main", 9)], NIGHTLY));
    let mut runs = all(&mut ledger);
    for (run, outcome) in runs.iter_mut().zip(Outcome::ALL) {
        close(run, outcome, (outcome == Outcome::Succeeded).then_some(501));
    }
    ledger.record(&[], &runs).unwrap();
    ledger
}

#[test]
fn history_has_a_line_for_every_run_with_the_newest_slot_first() {
    let ledger = shown();
    let columns = "run_id, job, instance_name, account, region, method, slot, slots, trigger, state, reason, why, backup_id, bytes, finished_at";
    let all = lines(&ledger, columns, "history");
    assert_eq!(all.len(), 9);
    assert_eq!(all[0], "9 nightly cdb-aaaa0009 main ap-guangzhou physical 2026-11-24T18:30:00Z 1 schedule due - - - - -");
    assert_eq!(
        all[8],
        "1 nightly cdb-aaaa0001 main ap-guangzhou physical 2026-11-24T18:30:00Z 1 schedule succeeded - so it is 501 7 2026-11-24T18:45:00Z"
    );
    ledger.connection().execute("UPDATE runs SET slot_ms = slot_ms + 1000, slot_last_ms = slot_last_ms + 1000 WHERE run_id = 4", []).unwrap();
    assert!(lines(&ledger, columns, "history")[0].starts_with("4 "));
}

#[test]
fn gaps_are_the_slots_that_did_not_end_well_and_no_others() {
    let ledger = shown();
    let gaps = lines(&ledger, "state, reason, why", "gaps ORDER BY run_id");
    let expected: Vec<String> = Outcome::ALL[1..].iter().map(|outcome| format!("{} busy so it is", outcome.word())).collect();
    assert_eq!(gaps, expected);
}

#[test]
fn latest_is_the_newest_good_backup_of_each_job_and_instance() {
    let mut ledger = admitted(&policy(&[("main", 3)], NIGHTLY));
    let copy =
        "INSERT INTO runs (job, instance_id, slot_ms, trigger, slot_local, slot_last_ms, slots, terms_id, account, priority, alias, not_before_ms,
      start_by_ms, complete_by_ms, restart_by_ms, state, due_at_ms) SELECT job, instance_id, slot_ms - ?1, trigger, slot_local, slot_last_ms, slots,
      terms_id, account, priority, alias, not_before_ms, start_by_ms, complete_by_ms, restart_by_ms, state, due_at_ms FROM runs WHERE run_id <= 3";
    for before in [3_600_000, 7_200_000] {
        ledger.connection().execute(copy, [before]).unwrap();
    }
    let mut runs = all(&mut ledger);
    // Newest slot, the hour before, the hour before that. The first instance's newest is good, the second's was, the third never had one.
    let ends = [(0, 1, 901), (3, 1, 902), (6, 1, 903), (1, 2, 0), (4, 1, 904), (7, 1, 905), (2, 3, 0), (5, 2, 0), (8, 2, 0)];
    for (run, kind, backup) in ends {
        match kind {
            1 => close(&mut runs[run], Outcome::Succeeded, Some(backup)),
            2 => close(&mut runs[run], Outcome::Failed, None),
            _ => {}
        }
    }
    ledger.record(&[], &runs).unwrap();
    let latest = lines(&ledger, "job, instance_id, slot, backup_id, bytes", "latest ORDER BY instance_id");
    assert_eq!(
        latest,
        ["nightly cdb-aaaa0001 2026-11-24T18:30:00Z 901 7", "nightly cdb-aaaa0002 2026-11-24T17:30:00Z 904 7", "nightly cdb-aaaa0003 - - -",]
    );
}
