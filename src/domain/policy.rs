//! What the policy file means, once every fault is out of it.
//!
//! A value of these types is valid and complete: defaults are filled in and targets are resolved. How the file is spelled is `config`'s business.

use super::{
    names::{AccountName, CredentialSource, Endpoint, InstanceId, InstanceName, JobName, Region},
    schedule::Schedule,
};
use chrono::{DateTime, Utc};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

/// The whole policy file.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Where the ledger lies; absent when the file does not say.
    pub ledger: Option<PathBuf>,
    /// Where the page listens.
    pub listen: Listen,
    /// Where the token is read from that whoever reads there has to know; absent: none is asked for.
    pub listen_token: Option<TokenSource>,
    /// How much history is kept.
    pub history: HistoryBounds,
    /// Where the ledger is copied to each night; absent: nowhere.
    pub ledger_copies: Option<LedgerCopies>,
    /// In the order of the file.
    pub accounts: Vec<Arc<Account>>,
    /// In the order of the file.
    pub instances: Vec<Arc<Instance>>,
    /// In the order of the file.
    pub jobs: Vec<Arc<Job>>,
    /// Those that hold for every job.
    pub blackouts: Vec<Blackout>,
    /// For backups that no job describes.
    pub by_hand: ByHand,
}

/// How a backup is run that somebody asks for and no job describes: as `defaults` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByHand {
    /// How long after the request it may first be sent.
    pub start_within: Duration,
    /// How long after the start window it may stay open.
    pub complete_within: Duration,
    /// 0 first, 9 last.
    pub priority: u8,
    /// How often, and how far apart, it is tried.
    pub retry: Retry,
    /// How often a backup in progress is looked at.
    pub poll: Poll,
}

/// Where the page, the metrics and the health checks listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// The file says nothing: `$CDB_BACKUPD_LISTEN`, else [`Listen::DEFAULT`].
    Unsaid,
    /// Nowhere.
    Off,
    /// On this address.
    On(SocketAddr),
}

impl Listen {
    /// Where it listens when nothing says otherwise.
    pub const DEFAULT: &str = "127.0.0.1:7306";
}

/// Where a token is read from. Never the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// A variable of the environment.
    Env {
        /// Its name.
        name: String,
    },
    /// A file that holds nothing else.
    File {
        /// As resolved when the policy was loaded.
        path: PathBuf,
    },
}

/// Whether an address can be reached from this machine only.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Bounds of the history; the newest success of each job and instance outlives both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryBounds {
    /// Closed runs older than this are dropped.
    pub max_age: Duration,
    /// So many runs are kept at most.
    pub max_runs: u64,
}

/// Copies of the ledger, one each night.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerCopies {
    /// Where they lie.
    pub folder: PathBuf,
    /// So many are kept, 1 to 1000; the oldest go first.
    pub keep: u32,
}

/// Credentials, an endpoint, and how hard both may be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// Unique in the policy.
    pub name: AccountName,
    /// Where its calls go.
    pub endpoint: Endpoint,
    /// Where its keys are read from.
    pub credentials: CredentialSource,
    /// CreateBackup calls a second, 0.1 to 5.
    pub calls_per_second: f64,
    /// Our backups in progress at once; absent: no limit.
    pub max_running: Option<u32>,
    /// How long after `signed_at` a complete list without the alias proves that nothing was made (`protocol.md` §2).
    pub absence_window: Duration,
    /// The offset in which the cloud writes its zone-less times, in seconds east of Greenwich. Nothing depends on it but what is shown.
    pub list_offset_s: i32,
}

/// One cdb instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Unique in the policy; all that is "per instance" is keyed by it alone.
    pub id: InstanceId,
    /// Unique in the policy.
    pub name: InstanceName,
    /// The account that reaches it.
    pub account: AccountName,
    /// Where it is.
    pub region: Region,
    /// For targets and for filters.
    pub tags: BTreeMap<String, String>,
}

/// Targets, a method and a schedule.
#[derive(Clone, Debug)]
pub struct Job {
    /// Unique in the policy.
    pub name: JobName,
    /// Cron text and zone.
    pub schedule: Schedule,
    /// Each instance's start is delayed by a stable share of this.
    pub spread: Duration,
    /// What its targets match, in the order of the file.
    pub instances: Vec<Arc<Instance>>,
    /// How the backup is made, and of what.
    pub method: Method,
    /// How long after `not_before` a run may first be sent.
    pub start_within: Duration,
    /// How long after the start window a run may stay open.
    pub complete_within: Duration,
    /// What becomes of the newest slot missed in downtime.
    pub catch_up: CatchUp,
    /// What becomes of a run while the previous one is open.
    pub overlap: Overlap,
    /// 0 first, 9 last.
    pub priority: u8,
    /// How often, and how far apart, a run is tried.
    pub retry: Retry,
    /// How often a backup in progress is looked at.
    pub poll: Poll,
    /// When the newest good backup is too old; absent: derived from the schedule.
    pub max_age: Option<Duration>,
    /// Held in the file until somebody takes the key out.
    pub suspend: bool,
    /// Those of this job alone; the policy's stand beside them.
    pub blackouts: Vec<Blackout>,
}

/// How a backup is made, with what only that method knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// A dump. No tables: the whole instance.
    Logical {
        /// Databases and tables, each once, in the order of the file.
        tables: Vec<Table>,
    },
    /// A copy of the files.
    Physical {
        /// Absent: as the instance is set.
        encrypted: Option<bool>,
    },
    /// A snapshot of the disk.
    Snapshot,
}

impl Method {
    /// The word that policy, wire and ledger share.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Logical { .. } => "logical",
            Self::Physical { .. } => "physical",
            Self::Snapshot => "snapshot",
        }
    }
}

/// A table, or a whole database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Table {
    /// The database.
    pub db: String,
    /// Absent: all of the database.
    pub table: Option<String>,
}

/// What becomes of the newest slot missed in downtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatchUp {
    /// It is missed like those before it.
    Off,
    /// It is run when its `not_before` is not older than this.
    Latest {
        /// `catch_up_within`.
        within: Duration,
    },
}

/// What becomes of a run while the previous one of its job and instance is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// It closes `skipped`.
    Skip,
    /// It waits inside its start window.
    Queue,
}

/// How often, and how far apart, a run is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// New generations after a task that ended FAILED: 0 to 8.
    pub after_failed: u8,
    /// Sends that count: refused before a connection, or ambiguous and proved absent. Absent: until the start window closes.
    pub max_attempts: Option<u32>,
    /// The first wait.
    pub initial_backoff: Duration,
    /// The longest.
    pub max_backoff: Duration,
}

/// How often a backup in progress is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poll {
    /// The shortest distance.
    pub initial: Duration,
    /// The longest.
    pub max: Duration,
}

/// A time in which no slot runs.
#[derive(Clone, Debug)]
pub struct Blackout {
    /// When.
    pub span: BlackoutSpan,
    /// For the sentence in the row; empty when the file gives none.
    pub reason: String,
}

/// When a blackout is.
#[derive(Clone, Debug)]
pub enum BlackoutSpan {
    /// Once, half open: from the first instant up to the second.
    Once {
        /// The first instant in it.
        from: DateTime<Utc>,
        /// The first instant after it.
        to: DateTime<Utc>,
    },
    /// Again and again.
    Recurring {
        /// When each begins.
        schedule: Schedule,
        /// How long each lasts.
        lasts: Duration,
    },
}
