//! What a due run may do. Every wish, window and limit is honoured here and nowhere else: here no attempt is unresolved.

use super::{Doubt, Look, Outcome, Reading, Run, State, Wish, seen::clear_at};
use crate::domain::{now::Now, policy::Overlap};
use chrono::{DateTime, Utc};
use std::time::Duration;

/// How long a call may take as a whole: 20 s (DESIGN §7).
pub const CALL_MAX: Duration = Duration::from_secs(20);
/// How long a call is left alone before its row is looked for: 30 s (DESIGN §7).
pub const LEASE: Duration = Duration::from_secs(30);

/// What keeps a job's runs from starting for a time that somebody chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// A person said so.
    Paused,
    /// The policy says `suspend`.
    Suspended,
    /// A blackout lasts.
    Blackout,
}

impl Kept {
    /// The fixed word for `reason`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Suspended => "suspended",
            Self::Blackout => "blackout",
        }
    }
}

/// Why no call of a run was accepted or refused in its window, where nobody chose to keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The cloud did not accept the account's keys.
    Account,
    /// The instance's list could not be read.
    CannotLook,
    /// Another run was at work on the instance.
    InUse,
    /// The account had as many backups in progress as it may.
    MaxRunning,
    /// More urgent ones took the pace.
    Pace,
    /// The ledger could not be written.
    Ledger,
    /// It was sent, no answer came, and when absence was proved the window had closed.
    NoAnswer,
    /// Nobody was there.
    NotRunning,
}

impl Hold {
    /// The fixed word for `reason`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Account => "account_held",
            Self::CannotLook => "cannot_look",
            Self::InUse => "instance_in_use",
            Self::MaxRunning => "max_running",
            Self::Pace => "rate_limit",
            Self::Ledger => "ledger_not_writable",
            Self::NoAnswer => "no_answer",
            Self::NotRunning => "not_running",
        }
    }
}

/// The previous run of the same job and instance, while it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Previous {
    /// When the last list that spoke of it was asked for.
    pub read_at: Option<DateTime<Utc>>,
}

/// What a due run is to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing yet.
    Wait,
    /// Look for its alias first.
    Look,
    /// End.
    Close {
        /// How.
        outcome: Outcome,
        /// Why, in a word.
        reason: Option<String>,
    },
    /// Send, as soon as the pace allows.
    Begin,
}

impl Run {
    /// What a due run is to do; `Wait` for one that is not due.
    ///
    /// `kept` is what holds its job now, `previous` the open run before it.
    pub fn step(&self, reading: &Reading, kept: Option<Kept>, previous: Option<Previous>) -> Step {
        let State::Due { due_at } = self.state else { return Step::Wait };
        if reading.proof.is_none() {
            return Step::Wait;
        }
        let must_look = self.is_old(reading) && !self.is_looked_for(reading);
        if let Some((outcome, reason)) = self.end(reading.now, kept) {
            return if must_look { Step::Look } else { Step::Close { outcome, reason } };
        }
        if reading.now.utc < due_at || kept.is_some() {
            return Step::Wait;
        }
        if must_look {
            return Step::Look;
        }
        match previous {
            Some(previous) if self.generation == 1 && self.tally.attempts == 0 => {
                let read = previous.read_at.is_some_and(|at| at > self.windows.not_before);
                if self.terms.overlap == Overlap::Skip && read {
                    Step::Close { outcome: Outcome::Skipped, reason: Some("overlap".into()) }
                } else {
                    Step::Wait
                }
            }
            _ => Step::Begin,
        }
    }

    /// How it has to end, if it has to.
    fn end(&self, now: Now, kept: Option<Kept>) -> Option<(Outcome, Option<String>)> {
        let used_up = self.terms.retry.max_attempts.is_some_and(|max| self.tally.sends >= max);
        let code = || self.last.as_ref().map(|last| last.code.clone());
        if self.generation > 1 {
            return match self.wish {
                Some(Wish::Vanished) => Some((Outcome::Failed, Some("vanished".into()))),
                Some(_) => Some((Outcome::Failed, Some("task_failed".into()))),
                None if self.generation > self.terms.retry.after_failed + 1 => Some((Outcome::Failed, Some("task_failed".into()))),
                None if used_up => Some((Outcome::Failed, code())),
                None if now.utc >= self.windows.restart_by || self.due_at() >= self.windows.restart_by => {
                    Some((Outcome::Failed, Some("task_failed".into())))
                }
                None => None,
            };
        }
        match self.wish {
            Some(Wish::Cancel) => return Some((Outcome::Cancelled, Some("cancelled".into()))),
            Some(Wish::Removed) => return Some((Outcome::Cancelled, Some("removed".into()))),
            Some(Wish::Vanished) => return Some((Outcome::Failed, Some("vanished".into()))),
            None => {}
        }
        if used_up {
            return Some((Outcome::Failed, code()));
        }
        if now.utc < self.windows.start_by {
            return None;
        }
        Some(match kept {
            Some(kept) => (Outcome::Skipped, Some(kept.word().into())),
            None if self.tally.busy > 0 && self.last.as_ref().is_some_and(|last| last.class == crate::domain::reply::Class::Busy) => {
                (Outcome::Expired, Some("busy".into()))
            }
            None => (Outcome::Expired, code()),
        })
    }

    fn due_at(&self) -> DateTime<Utc> {
        match self.state {
            State::Due { due_at } => due_at,
            _ => DateTime::<Utc>::MIN_UTC,
        }
    }

    /// When a due run has to be considered for its end, whatever holds it.
    pub fn ends_at(&self) -> DateTime<Utc> {
        let far = Now { utc: DateTime::<Utc>::MIN_UTC, mono: Duration::ZERO };
        if self.end(far, None).is_some() {
            DateTime::<Utc>::MIN_UTC
        } else if self.generation > 1 {
            self.windows.restart_by
        } else {
            self.windows.start_by
        }
    }

    /// Begins a call: what becomes durable before its first byte is sent. `signed_at` is chosen here and never again.
    pub fn begin(&mut self, attempt: i64, signed_at: i64, reading: &Reading) {
        self.tally.attempts += 1;
        self.started_at = self.started_at.or(Some(reading.now.utc));
        self.state = State::Calling { attempt, signed_at, process: reading.process, lease: reading.now.mono + LEASE };
    }

    /// Asks for a look before anything else, because the slot is older than this process.
    pub fn ask_look(&mut self, reading: &Reading) {
        let Some(proof) = reading.proof else { return };
        let State::Due { due_at } = self.state else { return };
        // A list of the proof's own second proves nothing, and is not worth a call.
        let look = Look::first(reading.now.utc.max(clear_at(proof.date, reading).unwrap_or(reading.now.utc)));
        self.state = State::Uncertain { attempt: 0, doubt: Doubt::Old, clear_after: proof.date, then_due_at: due_at, look };
    }

    /// Ends a due run as `step` said.
    pub fn end_as(&mut self, outcome: Outcome, reason: Option<String>, now: Now) {
        self.close(outcome, reason, now);
    }
}
