//! What a simulated cloud is built from: who may call, what there is to back up, and how fast and how badly it works.

use super::script::Faults;
use crate::domain::{names::CredentialSource, policy::Table};
use chrono::TimeDelta;
use std::{ops::RangeInclusive, time::Duration};

/// Everything that is fixed when a simulated cloud starts. Times without a zone count from its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The same seed and the same calls make the same timeline.
    pub seed: u64,
    /// Who may call.
    pub accounts: Vec<SimAccount>,
    /// What there is to back up.
    pub instances: Vec<SimInstance>,
    /// How long a call takes when nothing delays it; it acts in the middle.
    pub latency: RangeInclusive<Duration>,
    /// How long a backup runs.
    pub durations: RangeInclusive<Duration>,
    /// How long after it acted a backup shows in lists (assumption A3: at most 180 s).
    pub list_lag: RangeInclusive<Duration>,
    /// How far its clock, and with it every `Date`, is ahead of its time base.
    pub skew: TimeDelta,
    /// How far a `Date` is ahead of its clock (assumption A4: at most 30 s either way).
    pub date_skew: TimeDelta,
    /// CreateBackup calls that one caller may make in a clock second (README §2.1).
    pub creates_per_second: u32,
    /// DescribeBackups calls that one caller may make in a clock second (README §3).
    pub lists_per_second: u32,
    /// Items on a page whatever `Limit` asks for. The real service has 1000; a smaller one makes short lists have pages.
    pub page_cap: u32,
    /// Whether lists begin with the oldest backup; nobody documents their order (README §4.1).
    pub oldest_first: bool,
    /// The number of the first backup. Numbers go up by one.
    pub first_backup_id: i64,
    /// How long a caller of the in-process door waits (DESIGN §7); the HTTP door's callers have time-outs of their own.
    pub call_timeout: Duration,
    /// What goes wrong.
    pub faults: Faults,
}

impl Settings {
    /// A quiet cloud: one account, these instances, nothing goes wrong.
    pub fn quiet(seed: u64, instances: Vec<SimInstance>) -> Self {
        let seconds = Duration::from_secs;
        Self {
            seed,
            accounts: vec![SimAccount::example()],
            instances,
            latency: Duration::from_millis(20)..=Duration::from_millis(200),
            durations: seconds(60)..=seconds(1_800),
            list_lag: Duration::ZERO..=seconds(5),
            skew: TimeDelta::zero(),
            date_skew: TimeDelta::zero(),
            creates_per_second: 5,
            lists_per_second: 10,
            page_cap: 1_000,
            oldest_first: false,
            first_backup_id: 102_996_666,
            call_timeout: seconds(20),
            faults: Faults::default(),
        }
    }
}

/// One identity that may call.
#[derive(Clone)]
pub struct SimAccount {
    /// Which credentials of the policy are this one's, for the in-process door; absent: any that no other account claims.
    pub source: Option<CredentialSource>,
    /// `SecretId`.
    pub secret_id: String,
    /// `SecretKey`.
    pub secret_key: String,
    /// Present when the key is temporary: what `X-TC-Token` must be.
    pub token: Option<String>,
    /// Whether CAM lets it create.
    pub may_create: bool,
    /// Whether CAM lets it list.
    pub may_list: bool,
    /// Times in which its key is not known, half open.
    pub revoked: Vec<Span>,
}

/// From the first instant up to, and without, the second; both since the cloud's start.
pub type Span = std::ops::Range<Duration>;

impl SimAccount {
    /// The account of examples and of `cdb-backupd sim`. Its key opens nothing but a simulator.
    pub fn example() -> Self {
        Self {
            source: None,
            secret_id: "AKIDsimulatorEXAMPLE".into(),
            secret_key: "simulator-secret-key-EXAMPLE".into(),
            token: None,
            may_create: true,
            may_list: true,
            revoked: Vec::new(),
        }
    }

    /// The token that is good once the fault `token_expired` has struck [`SimAccount::token`]; over HTTP only.
    pub fn renewed_token(&self) -> Option<String> {
        self.token.as_ref().map(|token| format!("{token}-renewed"))
    }
}

impl std::fmt::Debug for SimAccount {
    /// Without the key and the token: whoever prints settings prints no secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimAccount").field("source", &self.source).field("revoked", &self.revoked).finish_non_exhaustive()
    }
}

/// One instance.
#[derive(Clone, Debug)]
pub struct SimInstance {
    /// `cdb-…`, or `cdbro-…` for one that cannot be backed up.
    pub id: String,
    /// Where it is.
    pub region: String,
    /// Whose it is: the place of its account in [`Settings::accounts`].
    pub account: usize,
    /// What it can be backed up with.
    pub edition: Edition,
    /// The tables that exist; absent: every table exists.
    pub tables: Option<Vec<Table>>,
    /// Its own backups.
    pub automatic: Option<Automatic>,
    /// Automatic backups that are there from the start.
    pub old_backups: u32,
    /// Whether it runs (`Status` 1).
    pub running: bool,
    /// How many manual backups it may have; absent: no limit.
    pub quota: Option<u32>,
}

impl SimInstance {
    /// A running two-node instance without automatic backups, in Guangzhou.
    pub fn plain(id: &str) -> Self {
        Self {
            id: id.into(),
            region: "ap-guangzhou".into(),
            account: 0,
            edition: Edition::LocalDisk,
            tables: None,
            automatic: None,
            old_backups: 0,
            running: true,
            quota: None,
        }
    }
}

/// What an instance's edition allows (README §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    /// Two or more nodes on local disks: physical and logical.
    LocalDisk,
    /// On cloud disks: snapshots only.
    CloudDisk,
    /// Read-only: no backups.
    ReadOnly,
}

impl Edition {
    /// Whether it can be backed up this way by hand.
    pub fn allows(self, method: &str) -> bool {
        match self {
            Self::LocalDisk => matches!(method, "physical" | "logical"),
            Self::CloudDisk => method == "snapshot",
            Self::ReadOnly => false,
        }
    }

    /// How its automatic backups are made.
    pub fn automatic(self) -> &'static str {
        if self == Self::CloudDisk { "snapshot" } else { "physical" }
    }
}

/// When an instance backs itself up. One that finds the instance busy begins when it is free.
#[derive(Clone, Copy, Debug)]
pub struct Automatic {
    /// The first, since the cloud's start.
    pub first: Duration,
    /// From one to the next; at least a minute.
    pub every: Duration,
    /// How long each takes.
    pub lasts: Duration,
}
