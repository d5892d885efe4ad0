//! What most traces begin with: one instance and one nightly job, a minute before its slot; and a test that stands between daemon and lists.

use crate::world::{Api, Row, World, job, policy, sim_instances};
use cdb_backupd::{
    cloud::{Access, Caller, CdbApi, Create, List, Page, Reply},
    domain::{names::BackupId, policy::Job},
    sim::settings::Settings,
};
use std::{future::Future, time::Duration};

/// When a lone world starts. Its slot comes 60 s later, at 18:30 UTC.
pub(crate) const START: &str = "2026-11-24T18:29:00Z";
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// So long.
pub(crate) fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// One instance and one nightly job, a minute before its slot.
pub(crate) fn lone(faults: &str) -> World {
    lone_as(START, faults, |_, _| {})
}

/// As `lone`, from another start, with another job or another cloud.
pub(crate) fn lone_as(start: &str, faults: &str, change: impl FnOnce(&mut Job, &mut Settings)) -> World {
    let mut policy = policy(1);
    let mut settings = Settings::quiet(11, sim_instances(1));
    settings.faults = faults.parse().unwrap();
    let mut nightly = job(&policy, "nightly", "30 2 * * *");
    change(&mut nightly, &mut settings);
    policy.jobs = vec![nightly.into()];
    World::new(start, settings, policy)
}

/// A job whose runs are over an hour and a half after their slot.
pub(crate) fn brief(job: &mut Job, _: &mut Settings) {
    job.start_within = MINUTE * 30;
    job.complete_within = HOUR;
}

impl World {
    /// The one row there is.
    pub(crate) fn only(&self) -> Row {
        let rows = self.rows();
        assert_eq!(rows.len(), 1, "{}", self.story());
        rows.into_iter().next().unwrap()
    }

    /// How many backups of ours the cloud made that did not fail.
    pub(crate) fn good(&self) -> usize {
        self.audit().backups.iter().filter(|backup| !backup.fails).count()
    }

    /// How many CreateBackup calls the cloud has seen.
    pub(crate) fn creates(&self) -> u64 {
        self.audit().creates().map(|traffic| traffic.calls).sum()
    }

    /// The slot ended with one good backup, and its row says so.
    pub(crate) fn ends_with_one(&self) {
        assert_eq!(self.good(), 1, "{}", self.story());
        assert_eq!(self.only().state, "succeeded", "{}", self.story());
    }

    /// Keeps a copy of the ledger as it stands, whoever works on it, for `put_back`.
    pub(crate) fn copy_in_mid_life(&self) {
        let copy = self.folder.path().join("copy.db");
        drop(std::fs::remove_file(&copy));
        let conn = rusqlite::Connection::open(self.ledger_path()).unwrap();
        conn.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    }
}

/// An API whose lists pass through the test's hands.
#[derive(Clone)]
pub(crate) struct Lists<F> {
    pub(crate) api: Api,
    pub(crate) list: F,
}

impl<F, R> CdbApi for Lists<F>
where
    F: Fn(Api, List) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Reply<Page>> + Send,
{
    fn create_backup(&self, create: Create) -> impl Future<Output = Reply<BackupId>> + Send {
        self.api.create_backup(create)
    }

    fn describe_backups(&self, list: List) -> impl Future<Output = Reply<Page>> + Send {
        (self.list)(self.api.clone(), list)
    }

    fn caller(&self, access: &Access) -> Option<Caller> {
        self.api.caller(access)
    }

    fn reread_credentials(&self, access: &Access) {
        self.api.reread_credentials(access);
    }
}
