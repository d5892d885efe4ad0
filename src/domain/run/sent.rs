//! What the answer to CreateBackup, or the lack of one, does to a run.

use super::{Closed, Doubt, FOLLOWED_FOR, Follow, LastFailure, Look, Note, Outcome, Reading, Run, State};
use crate::domain::{
    names::BackupId,
    now::later,
    reply::{BackupStatus, CallError, Class},
    retry::backoff,
};
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// The code of a call that its sender dropped, because its deadline had passed before the first byte.
pub const DEADLINE_PASSED: &str = "deadline_passed";
/// The code of a call that found no connection: of what was refused, only this counts as a send (DESIGN §6).
pub const NO_CONNECTION: &str = "connect";

/// The last try of a busy run is put so long before its window closes (DESIGN §6).
const LAST_TRY: Duration = Duration::from_secs(60);

/// What came back for one attempt.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The attempt it was made for.
    pub attempt: i64,
    /// The generation it was made for.
    pub generation: u8,
    /// What it said.
    pub answer: Result<BackupId, CallError>,
    /// The cloud's clock.
    pub date: Option<DateTime<Utc>>,
}

impl Run {
    /// Takes an answer. A number is always told; it moves the row only within its generation, an error only for the current attempt.
    pub fn answered(&mut self, answer: &Answer, reading: &Reading) -> Vec<Note> {
        match &answer.answer {
            Ok(id) => self.numbered(*id, answer.generation, reading),
            Err(error) => {
                if self.current_attempt() == Some(answer.attempt) {
                    self.refused(error, answer.date, reading);
                }
                Vec::new()
            }
        }
    }

    /// The lease of a call is over, and nobody knows what became of it.
    pub fn lease_over(&mut self, reading: &Reading) {
        let State::Calling { attempt, signed_at, process, lease } = self.state else { return };
        if process == reading.process && reading.now.mono < lease {
            return;
        }
        self.doubt(attempt, Doubt::Ambiguous, self.signed_window_end(signed_at), reading.now.utc, reading);
    }

    /// The unresolved attempt, if there is one.
    pub fn current_attempt(&self) -> Option<i64> {
        match self.state {
            State::Calling { attempt, .. } => Some(attempt),
            State::Uncertain { attempt, .. } if attempt != 0 => Some(attempt),
            _ => None,
        }
    }

    fn signed_window_end(&self, signed_at: i64) -> DateTime<Utc> {
        let signed = DateTime::from_timestamp(signed_at, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        later(signed, self.terms.absence_window)
    }

    fn numbered(&mut self, id: BackupId, generation: u8, reading: &Reading) -> Vec<Note> {
        let same = generation == self.generation;
        let known = match &self.state {
            State::Running { backup, .. } => Some(*backup),
            State::Closed(closed) => closed.backup,
            _ => None,
        };
        let note = |duplicate| vec![Note::Backup { id, generation, status: BackupStatus::Running, found_by_list: false, duplicate, bytes: None }];
        match &mut self.state {
            State::Due { .. } | State::Calling { .. } | State::Uncertain { .. } if same => {
                let now = reading.now.utc;
                let look = Look::first(later(now, self.terms.poll.initial));
                self.tally.failures = 0;
                self.state = State::Running { backup: id, listed: false, since: now, absent_since: None, look };
                note(false)
            }
            State::Closed(closed) if same && closed.backup.is_none() && closed.outcome != Outcome::Succeeded => {
                follow_late(closed, id, self.terms.poll.max, reading);
                note(true)
            }
            _ => note(known != Some(id)),
        }
    }

    fn refused(&mut self, error: &CallError, date: Option<DateTime<Utc>>, reading: &Reading) {
        let now = reading.now;
        let (attempt, signed_at) = match self.state {
            State::Calling { attempt, signed_at, .. } => (attempt, Some(signed_at)),
            // Late: what the row already waits for decides, unless the answer says that nothing was started.
            State::Uncertain { attempt, .. } => (attempt, None),
            _ => return,
        };
        self.last = Some(LastFailure { class: error.class, code: error.code.clone() });
        match (error.class, date) {
            (Class::Rejected, _) => self.close(Outcome::Failed, Some(error.code.clone()), now),
            (Class::Account, _) => self.state = State::Due { due_at: now.utc },
            (Class::Refused | Class::Throttled, _) => {
                self.tally.failures += 1;
                self.tally.sends += u32::from(error.class == Class::Refused && error.code == NO_CONNECTION);
                let wait = backoff(&self.terms.retry, self.id, self.tally.failures);
                self.state = State::Due { due_at: later(now.utc, wait) };
            }
            (Class::Busy, Some(date)) if signed_at.is_some() => {
                self.tally.failures += 1;
                self.tally.busy += 1;
                let again = self.busy_again_at(now.utc);
                self.doubt(attempt, Doubt::Busy, later(date, self.terms.busy_lag()), again, reading);
            }
            (Class::Busy | Class::Ambiguous, _) => {
                if let Some(signed_at) = signed_at {
                    self.tally.failures += 1;
                    self.tally.busy += u32::from(error.class == Class::Busy);
                    self.doubt(attempt, Doubt::Ambiguous, self.signed_window_end(signed_at), now.utc, reading);
                }
            }
        }
    }

    fn busy_again_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let again = later(now, backoff(&self.terms.retry, self.id, self.tally.failures));
        let end = if self.generation > 1 { self.windows.restart_by } else { self.windows.start_by };
        let last_try = end - TimeDelta::seconds(LAST_TRY.as_secs().cast_signed());
        if again > last_try && now < last_try { last_try } else { again }
    }

    fn doubt(&mut self, attempt: i64, doubt: Doubt, clear_after: DateTime<Utc>, then_due_at: DateTime<Utc>, reading: &Reading) {
        let mut look = Look::first(later(reading.now.utc, self.terms.poll.initial));
        look.at = super::seen::no_later_than_clear(look.at, clear_after, reading);
        self.state = State::Uncertain { attempt, doubt, clear_after, then_due_at, look };
    }
}

fn follow_late(closed: &mut Closed, id: BackupId, distance: Duration, reading: &Reading) {
    let now = reading.now.utc;
    closed.backup = Some(id);
    closed.follow = Some(Follow { look: Look::first(later(now, distance)), until: later(now, FOLLOWED_FOR) });
}
