//! A place for ledgers, small policies, and passes without a daemon. Times are seconds from one slot.

use cdb_backupd::{
    config::{Machine, check_text},
    domain::{
        names::{InstanceId, JobName, RunId},
        now::Now,
        pause::Keeps,
        plan::{Held, Plan, plan},
        policy::Policy,
        run::{Proof, Reading, Run, due::Kept},
    },
    ledger::{Begun, Error, Install, Ledger, Opened},
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

/// The process that every reading is of, unless it says otherwise.
pub(crate) const PROCESS: i64 = 7;
const BORN: i64 = -600;

pub(crate) fn at(s: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_545_000 + s, 0).unwrap()
}

/// What is known so many seconds after the slot.
pub(crate) fn reading(ledger: &Ledger, s: i64) -> Reading {
    let proof = Proof { date: at(BORN), started: at(BORN), ahead: TimeDelta::zero() };
    let mono = Duration::from_secs((s - BORN).unsigned_abs());
    Reading { now: Now { utc: at(s), mono }, process: PROCESS, proof: Some(proof), restored: ledger.restored() }
}

/// So many instances of each account, numbered through, and these jobs, each at half past every hour.
pub(crate) fn policy(accounts: &[(&str, u32)], jobs: &str) -> Policy {
    let mut number = 0;
    let mut instances = String::new();
    for (account, count) in accounts {
        for _ in 0..*count {
            number += 1;
            instances.push_str(&format!("  - {{ id: {}, account: {account} }}\n", id(number)));
        }
    }
    let named: String = accounts.iter().map(|(account, _)| format!("  {account}: {{ credentials: env }}\n")).collect();
    let head = format!("version: 1\naccounts:\n{named}instance_defaults: {{ region: ap-guangzhou }}\ndefaults: {{ time_zone: UTC }}\n");
    checked(&format!("{head}instances:\n{instances}jobs:\n{jobs}"))
}

fn checked(text: &str) -> Policy {
    let machine = Machine::pictured(&[("TENCENTCLOUD_SECRET_ID", "x"), ("TENCENTCLOUD_SECRET_KEY", "x")], &[], "");
    match check_text("policy.yaml", text, &machine, at(0)) {
        Ok(loaded) => loaded.policy,
        Err(error) => panic!("{text}\n{:?}", error.faults()),
    }
}

/// One job on every instance.
pub(crate) const NIGHTLY: &str = "  - { name: nightly, schedule: \"30 * * * *\", targets: { all: true }, method: physical }\n";

pub(crate) fn id(number: u32) -> InstanceId {
    InstanceId::parse(&format!("cdb-aaaa{number:04}")).unwrap()
}

pub(crate) fn install(ledger: &mut Ledger, policy: &Policy) {
    install_at(ledger, policy, "hash", BORN);
}

pub(crate) fn install_at(ledger: &mut Ledger, policy: &Policy, hash: &str, s: i64) -> usize {
    ledger.install(&Install { policy, hash, text: "version: 1", loaded_at: at(s) }).unwrap()
}

/// A ledger in memory that knows this policy and has admitted its slot.
pub(crate) fn admitted(policy: &Policy) -> Ledger {
    let mut ledger = Ledger::in_memory("shelf", at(BORN)).unwrap();
    install(&mut ledger, policy);
    // A pass admits a bounded number of pairs.
    for _ in 0..4 {
        pass(&mut ledger, policy, &Held::default(), &BTreeMap::new(), 0);
    }
    ledger
}

/// A ledger in memory with one due run.
pub(crate) fn one_run() -> (Ledger, Run) {
    let mut ledger = admitted(&policy(&[("main", 1)], NIGHTLY));
    let run = all(&mut ledger).pop().unwrap();
    (ledger, run)
}

/// Looks, plans and records, as a pass of the daemon does; what it would begin is in the answer.
pub(crate) fn pass(ledger: &mut Ledger, policy: &Policy, held: &Held, kept: &BTreeMap<JobName, Kept>, s: i64) -> Plan {
    let reading = reading(ledger, s);
    let keeps = Keeps { jobs: kept.clone(), ..Keeps::default() };
    ledger.hold(&keeps, &held.unseen);
    let view = ledger.view(&held.accounts, &reading).unwrap();
    let plan = plan(policy, view, held, &keeps, &reading);
    ledger.record(&plan.admit, &plan.moved).unwrap();
    plan
}

/// Every run, by number.
pub(crate) fn all(ledger: &mut Ledger) -> Vec<Run> {
    let most: i64 = ledger.connection().query_row("SELECT coalesce(max(run_id), 0) FROM runs", [], |row| row.get(0)).unwrap();
    ledger.runs((1..=most).map(RunId)).unwrap().into_values().collect()
}

pub(crate) fn begin(ledger: &mut Ledger, run: Run, s: i64) -> Begun {
    let reading = reading(ledger, s);
    ledger.begin(vec![run], &reading, |_| at(s).timestamp()).unwrap().pop().unwrap()
}

/// A folder in which a ledger may lie.
pub(crate) struct Shelf(TempDir);

impl Shelf {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder().join("ledger.db")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.folder().join("ledger.db.lock")
    }

    pub(crate) fn try_open(&self) -> Result<Opened, Error> {
        Ledger::open(&self.path(), "fresh", at(BORN))
    }

    pub(crate) fn open(&self) -> Opened {
        self.try_open().unwrap()
    }

    /// The ledger as it lies there now, for later. Nobody may have it open.
    pub(crate) fn copy(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }

    /// A copy is put back over what is there.
    pub(crate) fn put_back(&self, copy: &[u8]) {
        for suffix in ["-wal", "-shm"] {
            drop(fs::remove_file(self.folder().join(format!("ledger.db{suffix}"))));
        }
        fs::write(self.path(), copy).unwrap();
    }
}
