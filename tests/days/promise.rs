//! The promise, checked from outside: the ledger's rows against the slots, and the ledger against the cloud.

use crate::world::{Row, World};
use cdb_backupd::ledger;
use chrono::{DateTime, TimeDelta, Utc};

impl World {
    /// The promise, checked from outside: rows against slots, and the ledger against the cloud. `from` is when the policy came into force.
    pub(crate) fn check(&self, from: DateTime<Utc>) {
        self.covers(from);
        self.knows();
        let checked = ledger::check::check(&self.ledger_path()).unwrap();
        assert_eq!(checked.findings, [], "the ledger says what no ledger may say, {}", self.story());
    }

    /// Every slot is covered by one row that ends, and no two backups that did not fail are of one run.
    pub(crate) fn covers(&self, from: DateTime<Utc>) {
        let rows = self.rows();
        let now = self.truth.utc();
        for job in &self.policy.jobs {
            for instance in &job.instances {
                let mine: Vec<&Row> = rows
                    .iter()
                    .filter(|row| row.job == job.name.as_str() && row.instance == instance.id.as_str() && row.trigger == "schedule")
                    .collect();
                for slot in job.schedule.slots_between(from + TimeDelta::minutes(2), now - TimeDelta::minutes(2)) {
                    let over: Vec<_> = mine.iter().filter(|row| row.slot <= slot && slot <= row.slot_last).collect();
                    assert_eq!(over.len(), 1, "slot {slot} of {} on {} is covered by {over:#?}", job.name, instance.id);
                    let row = over[0];
                    let window = job.spread + job.start_within + job.complete_within;
                    let closes_by = slot + TimeDelta::from_std(window).unwrap() + TimeDelta::hours(1);
                    assert!(row.is_final() || now < closes_by, "an old slot is still open: {row:#?}");
                }
            }
        }
        let audit = self.audit();
        assert_eq!(audit.doubled, [], "two backups that did not fail, {}", self.story());
        assert!(audit.peak_creates() <= 5, "{} creates in one second", audit.peak_creates());
    }

    /// Every backup of ours is in the ledger, and every success is in the cloud.
    fn knows(&self) {
        let (rows, audit) = (self.rows(), self.audit());
        let known = self.known_backups();
        for backup in audit.backups.iter().filter(|backup| !backup.alias.is_empty()) {
            let row = rows.iter().find(|row| backup.alias == row.alias || backup.alias.starts_with(&format!("{}.", row.alias)));
            let row = row.unwrap_or_else(|| panic!("a backup of ours has no row: {backup:#?}"));
            let known = known.contains(&(backup.instance.clone(), backup.id.0));
            assert!(
                known || !row.is_final() || row.state == "unknown" || backup.deleted,
                "a backup that the ledger does not know: {backup:#?} {row:#?}"
            );
        }
        for row in rows.iter().filter(|row| row.state == "succeeded") {
            let good = audit.backups.iter().any(|backup| backup.id.0 == row.backup && !backup.fails && backup.instance == row.instance);
            assert!(good, "a run succeeded without a good backup: {row:#?}");
        }
    }

    fn known_backups(&self) -> std::collections::BTreeSet<(String, i64)> {
        let conn = rusqlite::Connection::open(self.ledger_path()).unwrap();
        let mut all = conn.prepare("SELECT instance_id, backup_id FROM backups").unwrap();
        all.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap()
    }
}
