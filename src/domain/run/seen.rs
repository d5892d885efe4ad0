//! What a list of an instance's backups, or the lack of one, does to a run. The one place where absence is proved.

use super::{Closed, Doubt, Look, Note, Outcome, Reading, Run, State, Wish, why};
use crate::domain::{
    alias::generation_of,
    names::BackupId,
    now::{earlier, elapsed, later},
    reply::{Backup, BackupStatus},
    retry::{look_distance, poll_distance},
};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeSet;

/// `reason` of a run that ended while the last lists showed its backup at work.
pub(super) const STILL_RUNNING: &str = "still_running";
/// `reason` of a run that ended while no list could be read.
pub(super) const CANNOT_LOOK: &str = "cannot_look";
/// `reason` of a run that ended before any list could prove that it made no backup.
pub(super) const NOT_PROVED: &str = "not_proved";

/// One reading of an instance's list.
#[derive(Clone, Debug)]
pub struct List {
    /// What was read, in the cloud's order.
    pub items: Vec<Backup>,
    /// Whether all pages were read, with one `TotalCount` and as many distinct numbers.
    pub complete: bool,
    /// The `Date` of its first page.
    pub date: Option<DateTime<Utc>>,
    /// When it was asked for, by our clock.
    pub asked_at: DateTime<Utc>,
}

/// Where a run stood when a list was asked for. A list speaks for no other place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    attempts: u32,
    generation: u8,
    word: &'static str,
}

/// What of a list is this run's.
struct Found<'a> {
    own: Vec<(u8, &'a Backup)>,
    impostors: Vec<BackupId>,
}

/// When, by our clock, a `Date` is expected to be later than `clear_after`; none beyond the end of time.
pub(super) fn clear_at(clear_after: DateTime<Utc>, reading: &Reading) -> Option<DateTime<Utc>> {
    let ahead = reading.proof.map_or(TimeDelta::zero(), |proof| proof.ahead);
    // A `Date` has whole seconds and has to be later, hence the second more.
    clear_after.checked_sub_signed(ahead).map(|t| later(t, std::time::Duration::from_secs(1)))
}

/// Brings a look forward to the moment at which our clock expects the cloud's to have passed `clear_after`.
pub(super) fn no_later_than_clear(at: DateTime<Utc>, clear_after: DateTime<Utc>, reading: &Reading) -> DateTime<Utc> {
    clear_at(clear_after, reading).filter(|clear| *clear > reading.now.utc).map_or(at, |clear| at.min(clear))
}

impl Run {
    /// Where it stands, for a list that is asked for now.
    pub fn place(&self) -> Place {
        Place { attempts: self.tally.attempts, generation: self.generation, word: self.word() }
    }

    /// Takes a list that was asked for when the run stood at `place`. `taken` are numbers that belong to other runs.
    pub fn seen(&mut self, place: Place, list: &List, taken: &BTreeSet<BackupId>, reading: &Reading) -> Vec<Note> {
        if place != self.place() {
            return Vec::new();
        }
        let found = self.own_of(list, taken);
        let mut notes: Vec<Note> = found.impostors.iter().map(|id| Note::Impostor { id: *id }).collect();
        match self.state {
            State::Uncertain { .. } => self.seen_uncertain(&found, list, reading, &mut notes),
            State::Running { .. } => self.seen_running(&found, list, reading, &mut notes),
            State::Closed(_) => self.seen_closed(&found, list, reading, &mut notes),
            State::Due { .. } | State::Calling { .. } => {}
        }
        notes
    }

    /// A list could not be read: it counts as an empty one for the distance, never as a proof.
    pub fn look_failed(&mut self, place: Place, reading: &Reading) {
        if place == self.place() {
            self.looked(None, reading);
        }
    }

    /// Closes what only the time can close. A restarted process looks first.
    pub fn time_over(&mut self, reading: &Reading) -> bool {
        let now = reading.now;
        let tried = |look: &Look| look.tried == Some(reading.process);
        let over = now.utc >= self.windows.complete_by && reading.proof.is_some();
        match &mut self.state {
            State::Uncertain { look, .. } if over && tried(look) => {
                let code = self.last.as_ref().map(|last| last.code.clone());
                let reason = code.unwrap_or_else(|| if look.read_at.is_some() { NOT_PROVED } else { CANNOT_LOOK }.into());
                self.close(Outcome::Unknown, Some(reason), now);
                true
            }
            State::Running { look, .. } if over && tried(look) => {
                let lately = earlier(now.utc, self.terms.poll.max * 2);
                let reason = if look.read_at.is_some_and(|at| at >= lately) { STILL_RUNNING } else { CANNOT_LOOK };
                self.close(Outcome::TimedOut, Some(reason.into()), now);
                true
            }
            State::Closed(Closed { follow, .. }) if reading.proof.is_some() && follow.is_some_and(|follow| now.utc >= follow.until) => {
                *follow = None;
                true
            }
            _ => false,
        }
    }

    /// When a list is due for it; none when it needs none.
    pub fn look_at(&self, reading: &Reading) -> Option<DateTime<Utc>> {
        let over = reading.now.utc >= self.windows.complete_by;
        let look = match &self.state {
            State::Uncertain { look, .. } | State::Running { look, .. } => look,
            State::Closed(closed) => &closed.follow.as_ref()?.look,
            State::Due { .. } | State::Calling { .. } => return None,
        };
        // Further ahead than its own longest distance: the clock went back.
        let stepped = look.at > later(reading.now.utc, self.terms.poll.max);
        // Tried by a process that is gone; one that nobody has tried yet comes in its time.
        let untried_end = over && !self.is_closed() && look.tried.is_some_and(|tried| tried != reading.process);
        Some(if stepped || untried_end { reading.now.utc } else { look.at })
    }

    fn own_of<'a>(&self, list: &'a List, taken: &BTreeSet<BackupId>) -> Found<'a> {
        let mut found = Found { own: Vec::new(), impostors: Vec::new() };
        let followed = match &self.state {
            State::Running { backup, .. } => Some(*backup),
            State::Closed(closed) => closed.backup,
            State::Due { .. } | State::Calling { .. } | State::Uncertain { .. } => None,
        };
        for item in &list.items {
            let Some(generation) = generation_of(&self.alias, &item.alias) else { continue };
            let fits = item.manual
                && item.instance.as_ref().is_none_or(|id| *id == self.key.instance)
                && item.kind == self.terms.method.word()
                && !taken.contains(&item.id);
            if fits {
                found.own.push((generation, item));
            } else if generation >= self.generation && followed != Some(item.id) {
                found.impostors.push(item.id);
            }
        }
        found
    }

    fn seen_uncertain(&mut self, found: &Found<'_>, list: &List, reading: &Reading, notes: &mut Vec<Note>) {
        if let Some((generation, item)) = adopted(found, self.generation) {
            tell(found, generation, item.id, notes);
            let now = reading.now.utc;
            self.generation = generation;
            self.tally.failures = 0;
            let look = Look { at: now, step: 0, tried: Some(reading.process), read_at: Some(list.asked_at) };
            self.state = State::Running { backup: item.id, listed: true, since: item.started.unwrap_or(now).min(now), absent_since: None, look };
            self.polled(item, list, reading, notes);
            return;
        }
        let State::Uncertain { doubt, clear_after, then_due_at, .. } = self.state else { return };
        let proof = list.complete && list.date.is_some_and(|date| date > clear_after && reading.proves_absence(date));
        if !proof || !found.impostors.is_empty() {
            self.looked(Some(list), reading);
            return;
        }
        self.looked_for = Some((reading.process, self.generation));
        self.tally.sends += u32::from(doubt == Doubt::Ambiguous);
        self.state = State::Due { due_at: if doubt == Doubt::Ambiguous { reading.now.utc } else { then_due_at } };
    }

    fn seen_running(&mut self, found: &Found<'_>, list: &List, reading: &Reading, notes: &mut Vec<Note>) {
        let State::Running { backup, listed, absent_since, .. } = self.state else { return };
        let by_id = list.items.iter().find(|item| item.id == backup);
        let by_alias = || found.own.iter().find(|(generation, _)| *generation == self.generation).map(|(_, item)| *item);
        if let Some(item) = by_id.or_else(|| if listed { None } else { by_alias() }) {
            tell(found, self.generation, item.id, notes);
            self.polled(item, list, reading, notes);
            return;
        }
        let date = list.date.filter(|date| list.complete && listed && reading.proves_absence(*date));
        match (date, absent_since) {
            (Some(date), Some(first)) if date > later(first, self.terms.list_lag()) => {
                notes.push(Note::Vanished { id: backup });
                self.wish = Some(Wish::Vanished);
                self.generation += 1;
                self.state = State::Due { due_at: reading.now.utc };
                return;
            }
            (Some(date), None) => {
                if let State::Running { absent_since, .. } = &mut self.state {
                    *absent_since = Some(date);
                }
            }
            _ => {}
        }
        self.looked(Some(list), reading);
    }

    fn polled(&mut self, item: &Backup, list: &List, reading: &Reading, notes: &mut Vec<Note>) {
        let State::Running { backup, listed, absent_since, .. } = &mut self.state else { return };
        *listed = true;
        *absent_since = None;
        // One that was found by its alias is followed by the number that the list gives it.
        let (id, generation) = (std::mem::replace(backup, item.id), self.generation);
        let beside = item.id != id;
        let note = |id, found_by_list| Note::Backup { id, generation, status: item.status, found_by_list, duplicate: false, bytes: item.bytes };
        match item.status {
            BackupStatus::Running => {
                notes.push(note(item.id, true));
                self.looked(Some(list), reading);
            }
            BackupStatus::Success => {
                notes.push(note(item.id, true));
                self.close(Outcome::Succeeded, None, reading.now);
                if let State::Closed(closed) = &mut self.state {
                    closed.bytes = item.bytes;
                }
            }
            BackupStatus::Failed => {
                notes.push(note(item.id, true));
                self.generation += 1;
                self.state = State::Due { due_at: later(reading.now.utc, self.terms.retry.max_backoff) };
            }
        }
        if beside {
            notes.push(note(id, false));
        }
    }

    fn seen_closed(&mut self, found: &Found<'_>, list: &List, reading: &Reading, notes: &mut Vec<Note>) {
        let generation = self.generation;
        let own = adopted(found, generation);
        let State::Closed(closed) = &mut self.state else { return };
        if closed.follow.is_none() {
            return;
        }
        if let Some((newer, item)) = own.filter(|(newer, _)| closed.backup.is_none() || *newer > generation) {
            tell(found, newer, item.id, notes);
            closed.backup = Some(item.id);
            self.generation = newer;
        }
        let item = closed.backup.and_then(|id| list.items.iter().find(|item| item.id == id));
        if let Some(item) = item {
            let (id, status, bytes) = (item.id, item.status, item.bytes);
            notes.push(Note::Backup { id, generation: self.generation, status, found_by_list: true, duplicate: false, bytes });
            if status == BackupStatus::Success && closed.outcome != Outcome::Succeeded {
                closed.first_outcome = Some(closed.outcome);
                closed.why = why::turned_good(&closed.why, id);
                closed.outcome = Outcome::Succeeded;
                closed.reason = None;
                closed.bytes = bytes;
                closed.follow = None;
                return;
            }
        }
        self.looked(Some(list), reading);
    }

    /// Counts a look, and fixes the next.
    fn looked(&mut self, list: Option<&List>, reading: &Reading) {
        let (now, poll) = (reading.now.utc, self.terms.poll);
        let (look, at) = match &mut self.state {
            State::Uncertain { look, clear_after, .. } => {
                let at = no_later_than_clear(later(now, look_distance(&poll, look.step + 1)), *clear_after, reading);
                (look, at)
            }
            State::Running { look, since, .. } => {
                let at = later(now, poll_distance(&poll, elapsed(*since, now)));
                (look, at)
            }
            State::Closed(Closed { follow: Some(follow), .. }) => (&mut follow.look, later(now, poll.max)),
            State::Due { .. } | State::Calling { .. } | State::Closed(_) => return,
        };
        look.at = at;
        look.step = look.step.saturating_add(1);
        look.tried = Some(reading.process);
        look.read_at = list.map(|list| list.asked_at).or(look.read_at);
    }
}

/// The highest generation that is not below `least`, and of it the earliest that did not fail, else the earliest.
fn adopted<'a>(found: &Found<'a>, least: u8) -> Option<(u8, &'a Backup)> {
    let highest = found.own.iter().map(|(generation, _)| *generation).filter(|generation| *generation >= least).max()?;
    let of_it = found.own.iter().filter(|(generation, _)| *generation == highest);
    of_it.min_by_key(|(_, item)| (item.status == BackupStatus::Failed, item.id)).copied()
}

/// Tells of every other backup that bears our alias.
fn tell(found: &Found<'_>, generation: u8, chosen: BackupId, notes: &mut Vec<Note>) {
    for (of, item) in found.own.iter().filter(|(_, item)| item.id != chosen) {
        let duplicate = item.status != BackupStatus::Failed && *of <= generation;
        notes.push(Note::Backup { id: item.id, generation: *of, status: item.status, found_by_list: true, duplicate, bytes: item.bytes });
    }
    if let Some((of, item)) = found.own.iter().find(|(_, item)| item.id == chosen) {
        notes.push(Note::Backup { id: item.id, generation: *of, status: item.status, found_by_list: true, duplicate: false, bytes: item.bytes });
    }
}
