//! One call as both doors hand it in and get it back: neutral of how it came.

use super::faults::Action;
use crate::domain::{names::BackupId, policy::Table};
use chrono::{DateTime, Utc};

/// A call that got as far as naming its action and its key.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// The host it was sent to, without the port; half of whom calls are counted for.
    pub host: String,
    /// `SecretId`; the other half.
    pub secret_id: String,
    /// `X-TC-Timestamp`.
    pub signed_at: i64,
    /// What shows that the caller has the key.
    pub proof: Proof,
    /// `X-TC-Region`.
    pub region: Option<String>,
    /// Which action, even when the rest cannot be read.
    pub action: Action,
    /// What is asked for, or why that cannot be read.
    pub ask: Result<Ask, Refusal>,
    /// Whether its connection carried a call before.
    pub reused: bool,
}

/// What shows that the caller has the key.
#[derive(Clone, Debug)]
pub(super) enum Proof {
    /// In process: the key was taken from the settings, this long after the cloud's start.
    ReadAt(std::time::Duration),
    /// Over HTTP: a signature over these bytes, and the token beside it.
    Signed(Box<super::verify::Evidence>),
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// `CreateBackup`.
    Create(CreateAsk),
    /// `DescribeBackups`.
    List {
        /// `InstanceId`.
        instance: String,
        /// `Offset`.
        offset: usize,
        /// `Limit`.
        limit: usize,
    },
    /// `DeleteBackup`.
    Delete {
        /// `InstanceId`.
        instance: String,
        /// `BackupId`.
        id: BackupId,
    },
}

/// The parameters of `CreateBackup`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct CreateAsk {
    /// `InstanceId`.
    pub instance: String,
    /// `BackupMethod`.
    pub method: String,
    /// `BackupDBTableList`; empty: the whole instance.
    pub tables: Vec<Table>,
    /// `EncryptionFlag`.
    pub encrypted: Option<bool>,
    /// `ManualBackupName`; empty when left away.
    pub alias: String,
}

impl Ask {
    /// The instance asked about.
    pub(super) fn instance(&self) -> &str {
        match self {
            Self::Create(create) => &create.instance,
            Self::List { instance, .. } | Self::Delete { instance, .. } => instance,
        }
    }

    /// The alias of a create; else empty.
    pub(super) fn alias(&self) -> &str {
        match self {
            Self::Create(create) => &create.alias,
            _ => "",
        }
    }
}

/// `Response.Error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// `Code`.
    pub code: &'static str,
    /// `Message`.
    pub message: String,
}

impl Refusal {
    /// A refusal with its text.
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// What comes of a call, as its door has to show it.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// A whole reply.
    Said(Said),
    /// Half of it, then the connection breaks; the caller is killed in between where that is asked for.
    Half {
        /// What would have been said.
        said: Said,
        /// Whether the caller dies between the halves.
        kill: bool,
    },
    /// Status 200 and a body that is not JSON.
    Garbage(Option<DateTime<Utc>>),
    /// Status 502 and a page.
    Gateway(Option<DateTime<Utc>>),
    /// Status 307 to the same place.
    Redirect(Option<DateTime<Utc>>),
    /// The connection breaks without a byte.
    Reset,
    /// Nothing, ever.
    Silence,
    /// No connection.
    Unreachable,
}

impl Outcome {
    /// `ok`, a code, or what became of the connection.
    pub(super) fn word(&self) -> String {
        match self {
            Self::Said(Said { result: Ok(_), .. }) => "ok".into(),
            Self::Said(Said { result: Err(refusal), .. }) => refusal.code.into(),
            Self::Half { .. } => "half a reply".into(),
            Self::Garbage(_) => "not JSON".into(),
            Self::Gateway(_) => "502".into(),
            Self::Redirect(_) => "307".into(),
            Self::Reset => "reset".into(),
            Self::Silence => "no reply".into(),
            Self::Unreachable => "no connection".into(),
        }
    }
}

/// A whole reply.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// What was answered.
    pub result: Result<Answer, Refusal>,
    /// The cloud's clock at that moment, unless a fault hides it.
    pub date: Option<DateTime<Utc>>,
    /// `RequestId`.
    pub request_id: String,
}

/// A good answer.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// `CreateBackup`.
    Created(BackupId),
    /// `DescribeBackups`.
    Listed {
        /// `TotalCount`.
        total: u64,
        /// This page.
        rows: Vec<Row>,
    },
    /// `DeleteBackup`.
    Deleted,
}

/// One item of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// `BackupId`.
    pub id: BackupId,
    /// `InstanceId`.
    pub instance: String,
    /// `Region`.
    pub region: String,
    /// `Status`.
    pub status: &'static str,
    /// `Way`.
    pub manual: bool,
    /// `Type`.
    pub kind: String,
    /// `Method`: `partial` when tables were named.
    pub partial: bool,
    /// `ManualBackupName`.
    pub alias: String,
    /// `StartTime`.
    pub started: DateTime<Utc>,
    /// `FinishTime`; absent while it runs.
    pub finished: Option<DateTime<Utc>>,
    /// `Size`.
    pub bytes: i64,
    /// `EncryptionFlag`.
    pub encrypted: bool,
}
