//! The API, as the daemon sees it: two calls, each of which is one attempt.
//!
//! Decided here: what a call takes and what a reply says. Not here: when to call, and what a reply means for a run (`domain::run`); which code
//! has which class ([`codes`]).

pub mod client;
pub mod codes;
pub mod credentials;
pub mod sign;
pub mod wire;

pub use crate::domain::reply::{Backup, BackupStatus, CallError, Class};

use crate::domain::{
    names::{BackupId, CredentialSource, Endpoint, InstanceId, Region},
    policy::Method,
};
use chrono::{DateTime, Utc};
use std::{future::Future, time::Duration};

/// How a call reaches an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Access {
    /// Where it goes.
    pub endpoint: Endpoint,
    /// Whose keys sign it.
    pub credentials: CredentialSource,
}

/// Whom the cloud counts calls for: a digest of (endpoint host, SecretId), the same for two accounts that share both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Caller(pub u64);

/// What both calls carry.
#[derive(Clone, Debug)]
pub struct Call {
    /// How to reach the account.
    pub access: Access,
    /// `X-TC-Region`, always sent (`cdb-api` README §2.1).
    pub region: Region,
    /// The instance asked about.
    pub instance: InstanceId,
    /// The timestamp that is signed, in Unix seconds. For a create it was made durable in `begin`, and no other is ever used.
    pub signed_at: i64,
    /// Monotonic: past it the request is not written any more. It saves a call and fences nothing.
    pub deadline: Duration,
}

/// What `CreateBackup` is asked for.
#[derive(Clone, Debug)]
pub struct Create {
    /// Who, where and when.
    pub call: Call,
    /// `BackupMethod`, `BackupDBTableList`, `EncryptionFlag`.
    pub method: Method,
    /// `ManualBackupName`, at most 60 ASCII characters.
    pub alias: String,
}

/// One page of `DescribeBackups`.
#[derive(Clone, Debug)]
pub struct List {
    /// Who, where and when.
    pub call: Call,
    /// `Offset`.
    pub offset: u32,
    /// `Limit`, 1 to 1000.
    pub limit: u32,
}

/// What came of one call.
#[derive(Clone, Debug)]
pub struct Reply<T> {
    /// The answer, or what kind of failure it was.
    pub answer: Result<T, CallError>,
    /// The `Date` of the reply: the cloud's clock, in whole seconds. Absent when nothing answered.
    pub date: Option<DateTime<Utc>>,
    /// To be quoted to the vendor.
    pub request_id: Option<String>,
    /// From the first byte of work to the reply's last.
    pub elapsed: Duration,
}

/// One page of an instance's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// `TotalCount`.
    pub total: u64,
    /// At most the `Limit` that was asked for.
    pub items: Vec<Backup>,
}

/// The cloud. `Client` calls the real one, `sim::Cloud` is a model of it.
pub trait CdbApi: Clone + Send + Sync + 'static {
    /// Asks for one backup. One call is one attempt: no retry, no redirect, no resend.
    fn create_backup(&self, create: Create) -> impl Future<Output = Reply<BackupId>> + Send;

    /// Reads one page of an instance's backups.
    fn describe_backups(&self, list: List) -> impl Future<Output = Reply<Page>> + Send;

    /// Whom the cloud will count this account's calls for, as the keys are now; absent while they cannot be read.
    fn caller(&self, access: &Access) -> Option<Caller>;

    /// Forgets cached keys, so that the next call reads them afresh.
    fn reread_credentials(&self, access: &Access);
}
