//! What the cloud said, in our words. Which code of the cloud has which class is `cloud::codes`' business.

use super::names::{BackupId, InstanceId};
use chrono::{DateTime, Utc};

/// What a failed call means for the run that made it (DESIGN §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Nothing was started, and no limit was hit: try again after a backoff. Counts as a send when there was no connection.
    Refused,
    /// Nothing was started because of the rate: try again after a backoff, and slow down. Never counts.
    Throttled,
    /// The instance does something else, perhaps our own earlier request: look before the next try. Never counts.
    Busy,
    /// It may have been started: look, never resend blindly.
    Ambiguous,
    /// The account's keys or address were not accepted: hold the account.
    Account,
    /// It will never be accepted: give up and say so.
    Rejected,
}

impl Class {
    /// The word that ledger, logs and metrics share.
    pub fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::Busy => "busy",
            Self::Ambiguous => "ambiguous",
            Self::Account => "account",
            Self::Rejected => "rejected",
        }
    }
}

/// Why a call failed: the class to branch on, the rest to report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct CallError {
    /// What it means for the run.
    pub class: Class,
    /// The cloud's code, or one of ours in lower case for what never reached it: `timeout`, `connect`, `reset`, `http_502`, `garbage`,
    /// `deadline_passed`, `no_credentials`.
    pub code: String,
    /// The cloud's text or ours, at most 512 characters, without secrets. For people; never branched on.
    pub message: String,
}

/// One backup of the cloud's list. Download addresses are never read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Its number.
    pub id: BackupId,
    /// As the cloud has it now.
    pub status: BackupStatus,
    /// `Way`: whether a person or a program asked for it, rather than the instance's own schedule.
    pub manual: bool,
    /// `Type`: `logical`, `physical` or `snapshot`.
    pub kind: String,
    /// `ManualBackupName`; empty for automatic ones.
    pub alias: String,
    /// `InstanceId`; absent where the list leaves it out.
    pub instance: Option<InstanceId>,
    /// `Size` in bytes.
    pub bytes: Option<i64>,
    /// `StartTime`, read at the account's offset. For people only.
    pub started: Option<DateTime<Utc>>,
    /// `FinishTime`, read at the account's offset. For people only.
    pub finished: Option<DateTime<Utc>>,
}

/// How a backup stands. A word that nobody knows counts as `Running` (`cdb-api` README §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupStatus {
    /// Not ended.
    Running,
    /// It exists and is good.
    Success,
    /// It ended without one.
    Failed,
}

impl Class {
    /// What it means for the run, in one clause.
    pub fn means(self) -> &'static str {
        match self {
            Self::Refused => "nothing was started, and it is tried again after a while",
            Self::Throttled => "too many calls were made with these keys; nothing was started, and it is tried again, more slowly",
            Self::Busy => "the instance does something else; its backups are listed before it is tried again",
            Self::Ambiguous => "it may have been started; the cloud's list has to tell before anything is sent again",
            Self::Account => "the cloud does not accept the keys of the account, which waits until it does",
            Self::Rejected => "the cloud will not take it as it is, and it is not sent again",
        }
    }

    /// What a person can do about it, in one clause.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Refused => "if it goes on, mend the way to the endpoint",
            Self::Throttled => "find out who else uses these keys, or give this daemon keys of its own",
            Self::Busy => "see in the console what the instance does at this time, and move the schedule away from it",
            Self::Ambiguous => "there is nothing to do; if it goes on, mend the way to the endpoint",
            Self::Account => "put the right keys where the account's `credentials` point; they are read again by themselves",
            Self::Rejected => "mend the policy or the rights that the message speaks of, then run it again with `backup --run`",
        }
    }

    /// Takes a class back from its word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Refused, Self::Throttled, Self::Busy, Self::Ambiguous, Self::Account, Self::Rejected].into_iter().find(|class| class.word() == word)
    }
}

impl BackupStatus {
    /// The word that the ledger keeps.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
        }
    }
}
