//! One run, and the only state machine of the program (`protocol.md` §1).
//!
//! Decided here: what a reply, a list or the time does to a run. Four files, one for each thing that can happen: [`due`] (it may start, or its
//! window closes), [`sent`] (CreateBackup was answered, or was not), [`seen`] (a list was read), [`why`] (the sentence people read).
//! Not decided here: who is next (`plan`), when a call may leave (`pace`), how a row is spelled (`ledger`).

pub mod due;
mod grade;
mod reading;
pub mod seen;
pub mod sent;
pub mod why;

use super::{
    names::{BackupId, InstanceId, JobName, RunId},
    now::{Now, later},
    pause::Asked,
    reply::{BackupStatus, Class},
    terms::Terms,
};
use chrono::{DateTime, Utc};
pub use grade::{Grade, SENT, STATES, WAITING};
pub use reading::{Proof, Reading, Restored};
use std::{sync::Arc, time::Duration};

/// What makes a run this run and no other; its alias is made from it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The job, or `by-hand`.
    pub job: JobName,
    /// The instance.
    pub instance: InstanceId,
    /// The nominal instant, before any spread.
    pub slot: DateTime<Utc>,
    /// Who asked.
    pub trigger: Trigger,
    /// The request's number; 0 for the schedule.
    pub request: i64,
}

/// Who asked for a run. Catching up is a reason, not a trigger: one slot has one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trigger {
    /// A slot of the schedule.
    Schedule,
    /// A person.
    Manual,
}

impl Trigger {
    /// The word that ledger and alias share.
    pub fn word(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Manual => "manual",
        }
    }
}

/// The four times, fixed when the row is written. No reload, restart or generation moves them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// The slot and its share of the spread.
    pub not_before: DateTime<Utc>,
    /// The last moment for the first generation's send.
    pub start_by: DateTime<Utc>,
    /// The last moment at which the run can be open.
    pub complete_by: DateTime<Utc>,
    /// The last moment for a later generation's send.
    pub restart_by: DateTime<Utc>,
}

/// What is counted of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// CreateBackup calls begun.
    pub attempts: u32,
    /// Those that `max_attempts` counts: refused before a connection, or ambiguous and proved absent.
    pub sends: u32,
    /// Replies that said busy.
    pub busy: u32,
    /// Failures since the last success of any kind; what the backoff doubles by.
    pub failures: u32,
}

/// A wish to end a run; honoured only where no attempt is unresolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A person asked.
    Cancel,
    /// The policy has no such job and instance any more.
    Removed,
    /// Its backup was seen and is gone.
    Vanished,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// A good backup exists.
    Succeeded,
    /// None, and none will come.
    Failed,
    /// It was still going at `complete_by`.
    TimedOut,
    /// Whether one was made could not be found out by `complete_by`.
    Unknown,
    /// The start window closed.
    Expired,
    /// Nobody was there to run it.
    Missed,
    /// The policy or a person kept it from running.
    Skipped,
    /// A person, or a policy without the job, ended it.
    Cancelled,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Succeeded, Self::Failed, Self::TimedOut, Self::Unknown, Self::Expired, Self::Missed, Self::Skipped, Self::Cancelled];

    /// The word that ledger, commands and metrics share.
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Missed => "missed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}

/// When a list is next read for a run, and what reading has been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// When it is due, by our clock.
    pub at: DateTime<Utc>,
    /// How many since the row is in this state; what the distance doubles by.
    pub step: u32,
    /// The process that last tried one in this state; one that failed counts.
    pub tried: Option<i64>,
    /// When the last list that came was asked for.
    pub read_at: Option<DateTime<Utc>>,
}

impl Look {
    /// A first look, due at this instant.
    pub fn first(at: DateTime<Utc>) -> Self {
        Self { at, step: 0, tried: None, read_at: None }
    }
}

/// Why a row is uncertain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// An answer is missing, or says nothing.
    Ambiguous,
    /// The instance does something, perhaps for us.
    Busy,
    /// The slot is older than this process.
    Old,
}

impl Doubt {
    /// The word that the ledger keeps.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ambiguous => "ambiguous",
            Self::Busy => "busy",
            Self::Old => "old",
        }
    }
}

/// How a closed run's backup is still watched: slowly, and only until `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follow {
    /// When and how often.
    pub look: Look,
    /// Past it nobody looks any more.
    pub until: DateTime<Utc>,
}

/// How long a run given up on is watched: 48 h (`protocol.md` §1).
pub const FOLLOWED_FOR: Duration = Duration::from_secs(48 * 3600);

/// Where a run stands. The data of each state is what that state needs, and no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// No attempt is unresolved; it may start, wait or end.
    Due {
        /// Not before this.
        due_at: DateTime<Utc>,
    },
    /// A call is in flight, or was when its process died.
    Calling {
        /// The attempt's number.
        attempt: i64,
        /// The timestamp that is signed, in Unix seconds.
        signed_at: i64,
        /// The process that began it.
        process: i64,
        /// Monotonic time of that process at which the lease is over.
        lease: Duration,
    },
    /// A backup may exist that nobody knows the number of.
    Uncertain {
        /// The unresolved attempt; 0 when only the slot's age asks for the look.
        attempt: i64,
        /// Why.
        doubt: Doubt,
        /// The cloud's clock: only a list later than this proves absence.
        clear_after: DateTime<Utc>,
        /// When it is due again once absence is proved.
        then_due_at: DateTime<Utc>,
        /// The next look.
        look: Look,
    },
    /// The cloud works on it.
    Running {
        /// The backup of this generation.
        backup: BackupId,
        /// Whether a list ever showed it.
        listed: bool,
        /// Since when, by our clock.
        since: DateTime<Utc>,
        /// The cloud's time of the first complete list that lacked it, after one that had it.
        absent_since: Option<DateTime<Utc>>,
        /// The next poll.
        look: Look,
    },
    /// Final.
    Closed(Closed),
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// How.
    pub outcome: Outcome,
    /// The cloud's code or a fixed word; never a sentence.
    pub reason: Option<String>,
    /// The sentence.
    pub why: String,
    /// When, by our clock.
    pub at: DateTime<Utc>,
    /// The backup of the last generation, where one is known.
    pub backup: Option<BackupId>,
    /// Its size.
    pub bytes: Option<i64>,
    /// How it first ended, when it turned out good later.
    pub first_outcome: Option<Outcome>,
    /// Whether it is still watched.
    pub follow: Option<Follow>,
}

/// The last failed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastFailure {
    /// Its class.
    pub class: Class,
    /// Its code.
    pub code: String,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// Its key.
    pub key: Key,
    /// How it is called and followed.
    pub terms: Arc<Terms>,
    /// Its four times.
    pub windows: Windows,
    /// 0 first, 9 last.
    pub priority: u8,
    /// Who asked for it.
    pub asked: Asked,
    /// The alias of its first generation.
    pub alias: String,
    /// Which backup of the run this is, from 1.
    pub generation: u8,
    /// What was counted.
    pub tally: Tally,
    /// A wish not yet honoured.
    pub wish: Option<Wish>,
    /// The (process, generation) that a complete look has cleared.
    pub looked_for: Option<(i64, u8)>,
    /// When its first call was begun.
    pub started_at: Option<DateTime<Utc>>,
    /// Its last failed answer.
    pub last: Option<LastFailure>,
    /// Where it stands.
    pub state: State,
}

/// What a transition has to tell beside the run's new state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A number that the cloud gave us for this run.
    Backup {
        /// The number.
        id: BackupId,
        /// Of which generation.
        generation: u8,
        /// As far as known.
        status: BackupStatus,
        /// Whether a list, not a reply, gave it.
        found_by_list: bool,
        /// Whether another backup of the run is known that did not fail: somebody has to look.
        duplicate: bool,
        /// Its size.
        bytes: Option<i64>,
    },
    /// Something bears our alias that cannot be ours. It is no absence, and somebody has to look.
    Impostor {
        /// What bears it.
        id: BackupId,
    },
    /// A backup that was listed is gone.
    Vanished {
        /// Which.
        id: BackupId,
    },
}

impl Run {
    /// Whether it is final.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed(_))
    }

    /// Whether its slot is older than this process, or than the ledger's return: then it is looked for before it is sent or closed.
    pub fn is_old(&self, reading: &Reading) -> bool {
        let restored = match reading.restored {
            Restored::Never => false,
            Restored::Undated => true,
            Restored::Until(until) => self.key.slot <= until,
        };
        restored || reading.proof.is_none_or(|proof| self.key.slot < proof.started)
    }

    /// Whether this process has looked for this generation, and found nothing.
    pub fn is_looked_for(&self, reading: &Reading) -> bool {
        self.looked_for == Some((reading.process, self.generation))
    }

    /// The word of its state: one of DESIGN §4.
    pub fn word(&self) -> &'static str {
        match &self.state {
            State::Due { .. } => "due",
            State::Calling { .. } => "calling",
            State::Uncertain { .. } => "uncertain",
            State::Running { .. } => "running",
            State::Closed(closed) => closed.outcome.word(),
        }
    }

    fn close(&mut self, outcome: Outcome, reason: Option<String>, now: Now) {
        let backup = match &self.state {
            State::Running { backup, .. } => Some(*backup),
            State::Closed(closed) => closed.backup,
            State::Due { .. } | State::Calling { .. } | State::Uncertain { .. } => None,
        };
        let follow = match outcome {
            Outcome::TimedOut | Outcome::Unknown => {
                Some(Follow { look: Look::first(later(now.utc, self.terms.poll.max)), until: later(now.utc, FOLLOWED_FOR) })
            }
            _ => None,
        };
        let why = why::sentence(self, outcome, reason.as_deref());
        self.state = State::Closed(Closed { outcome, reason, why, at: now.utc, backup, bytes: None, first_outcome: None, follow });
    }
}
