//! Small policies for the tables that need one.

use super::scene::{secs, terms};
use cdb_backupd::domain::{
    names::{AccountName, InstanceId, JobName},
    policy::{Account, ByHand, CatchUp, HistoryBounds, Instance, Job, Listen, Policy},
    schedule::Schedule,
};
use std::sync::Arc;

pub(crate) fn account(name: &str, max_running: Option<u32>) -> Arc<Account> {
    let terms = terms();
    Arc::new(Account {
        name: AccountName::parse(name).expect("a name"),
        endpoint: terms.endpoint,
        credentials: terms.credentials,
        calls_per_second: 5.0,
        max_running,
        absence_window: terms.absence_window,
        list_offset_s: 28_800,
    })
}

pub(crate) fn instance(number: u32) -> Arc<Instance> {
    let id = InstanceId::parse(&format!("cdb-aaaa{number:04}")).expect("an id");
    let terms = terms();
    Arc::new(Instance { name: (&id).into(), id, account: terms.account, region: terms.region, tags: [].into() })
}

/// A job at half past every hour, UTC, on the first instance.
pub(crate) fn job(name: &str) -> Job {
    let terms = terms();
    Job {
        name: JobName::parse(name).expect("a name"),
        schedule: Schedule::parse("30 * * * *", "UTC").expect("a schedule"),
        spread: secs(0),
        instances: vec![instance(1)],
        method: terms.method,
        start_within: secs(7_200),
        complete_within: secs(7_200),
        catch_up: CatchUp::Latest { within: secs(7_200) },
        overlap: terms.overlap,
        priority: 5,
        retry: terms.retry,
        poll: terms.poll,
        max_age: None,
        suspend: false,
        blackouts: Vec::new(),
    }
}

pub(crate) fn policy(jobs: Vec<Job>) -> Policy {
    Policy {
        ledger: None,
        listen: Listen::Off,
        listen_token: None,
        history: HistoryBounds { max_age: secs(0), max_runs: 0 },
        ledger_copies: None,
        accounts: vec![account("main", None), account("pay", None)],
        instances: vec![instance(1)],
        jobs: jobs.into_iter().map(Arc::new).collect(),
        blackouts: Vec::new(),
        by_hand: ByHand { start_within: secs(100), complete_within: secs(1_000), priority: 5, retry: terms().retry, poll: terms().poll },
    }
}
