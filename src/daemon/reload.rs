//! Another policy while the loop turns: asked for by SIGHUP or by a request, read away from the loop, taken between two passes.
//!
//! Decided here: when it is taken, what the old one's accounts leave behind, and who is told. A file at fault changes nothing. A good one is taken at
//! the end of a pass that had nothing left to record, so that what was due up to then is the old one's; the next pass records it (`ledger::install`).
//! Calls in flight, paces and open runs are not looked at. Not decided here: what is wrong with a file (`config`), what differs (`domain::diff`).

use super::{Daemon, Loaded, log};
use crate::{
    clock::Clock,
    cloud::{Access, CdbApi},
    domain::{diff::Diff, now::Now, policy::Policy, request::Answer},
    ledger,
};
use std::{
    collections::BTreeSet,
    fmt,
    future::{Future, pending},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// So much of a fault is remembered.
const FAULT_MAX: usize = 400;

/// A policy that was read again and has no fault.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// What it means.
    pub policy: Arc<Policy>,
    /// The SHA-256 of its text, in hex.
    pub hash: String,
    /// Its text.
    pub text: String,
    /// What of it takes a restart, a sentence each.
    pub at_next_start: Vec<String>,
}

/// A file that cannot be used, by its first fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// How many faults there are.
    pub faults: usize,
    /// Where the first is: file, line and column.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead; empty when nobody knows.
    pub hint: String,
}

/// What came of reading the file again.
pub type Read = Result<Fresh, Refused>;
/// A reading that may take its time.
pub type Reading = Pin<Box<dyn Future<Output = Read> + Send>>;

/// The way to the policy's file. Without one there is nothing to read again.
#[derive(Clone, Default)]
pub struct Source {
    wanted: Arc<AtomicBool>,
    read: Option<Arc<dyn Fn() -> Reading + Send + Sync>>,
}

impl Source {
    /// Reads and checks the file with `read`, which may not hold the loop up.
    pub fn of(read: impl Fn() -> Reading + Send + Sync + 'static) -> Self {
        Self { wanted: Arc::default(), read: Some(Arc::new(read)) }
    }

    /// Asks for the file to be read again; the loop hears of it when it is rung.
    pub fn ask(&self) {
        self.wanted.store(true, Ordering::Release);
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("wanted", &self.wanted).field("read", &self.read.is_some()).finish()
    }
}

/// How far a reload is.
#[derive(Default)]
pub(super) struct Reload {
    reading: Option<Reading>,
    /// Somebody asked after that reading had begun: the file may be another by now.
    again: bool,
    /// Whom an answer is owed by request, those of the reading first.
    asked: BTreeSet<i64>,
    asked_since: BTreeSet<i64>,
    /// Answers that the ledger has not taken yet.
    answers: Vec<(i64, Answer)>,
    next: Option<Fresh>,
    /// Why the file cannot be used, as it was read last.
    refused: Option<String>,
    /// The policy in force, while another was taken and is not recorded.
    before: Option<Arc<Policy>>,
}

impl Reload {
    pub(super) fn is_reading(&self) -> bool {
        self.reading.is_some()
    }

    /// Waits for the reading; may be given up and waited for again.
    pub(super) async fn finished(&mut self) -> Read {
        let Some(reading) = &mut self.reading else { return pending().await };
        let read = reading.await;
        self.reading = None;
        read
    }

    /// Why the file that was read last is not what is in force.
    pub(super) fn refused(&self) -> Option<String> {
        self.refused.clone()
    }

    fn knows(&self, request: i64) -> bool {
        self.asked.contains(&request) || self.asked_since.contains(&request) || self.answers.iter().any(|(id, _)| *id == request)
    }

    fn answer(&mut self, answer: &Answer) {
        self.answers.extend(std::mem::take(&mut self.asked).into_iter().map(|request| (request, answer.clone())));
    }
}

impl<C: Clock, A: CdbApi> Daemon<C, A> {
    /// Whether a signal asked since the last pass.
    pub(super) fn hear_reload(&mut self) {
        if self.outside.source.wanted.swap(false, Ordering::AcqRel) {
            self.reload(None);
        }
    }

    /// The one way to another policy: for a signal, or for a request, which has its answer written when it is known. Asked again for the same request,
    /// it does nothing.
    pub(super) fn reload(&mut self, request: Option<i64>) {
        let Some(read) = &self.outside.source.read else { return };
        if request.is_some_and(|request| self.reload.knows(request)) {
            return;
        }
        if self.reload.is_reading() {
            self.reload.again = true;
            self.reload.asked_since.extend(request);
            tracing::info!("asked to read the policy again while it is being read; it is read once more after that");
        } else {
            self.reload.asked.extend(request);
            self.reload.reading = Some(read());
        }
    }

    /// Takes what came of reading the file.
    pub(super) fn take_read(&mut self, read: Read) {
        self.reload.refused = read.as_ref().err().map(|refused| refused.to_string().chars().take(FAULT_MAX).collect());
        match read {
            Err(refused) => {
                log::not_reloaded(&refused);
                self.reload.answer(&Answer { says: vec![refused.to_string(), "the policy in force stays as it is".into()], ..Answer::default() });
            }
            Ok(fresh) if fresh.hash == self.loaded.hash => {
                // What waited to be taken was taken back.
                self.reload.next = None;
                tracing::info!("the policy was read again: nothing changed");
                self.reload.answer(&Answer { done: true, says: vec!["nothing changed".into()], ..Answer::default() });
            }
            Ok(fresh) => self.reload.next = Some(fresh),
        }
        if std::mem::take(&mut self.reload.again) {
            let since = std::mem::take(&mut self.reload.asked_since);
            self.reload.asked.extend(since);
            if self.reload.reading.is_none() {
                self.reload.reading = self.outside.source.read.as_ref().map(|read| read());
            }
        }
    }

    /// Takes a policy that was read, between this pass and the next; says whether there was one.
    pub(super) fn take_next(&mut self, now: Now) -> bool {
        let Some(Fresh { policy, hash, text, at_next_start }) = self.reload.next.take() else { return false };
        let loaded = Loaded { policy, hash, text, at: now.mono };
        let before = std::mem::replace(&mut self.loaded, loaded).policy;
        self.leave_accounts(&before);
        let policy = &self.loaded.policy;
        let diff = Diff::of(self.reload.before.get_or_insert(before), policy, now.utc);
        let mut says = diff.says(|slot, schedule| schedule.local(slot));
        for sentence in &at_next_start {
            tracing::warn!("{sentence}");
        }
        says.extend(at_next_start);
        if self.clock_proof.proof().is_none() && !policy.instances.is_empty() {
            tracing::info!("the policy was read again; it is in force as soon as a reply of the cloud proves the clock");
            says.push("it is in force as soon as a reply of the cloud proves the clock".into());
        }
        self.reload.answer(&Answer { done: true, says, ..Answer::default() });
        (self.installed, self.paused) = (false, None);
        true
    }

    /// What is known of an account's keys is not known of others that the policy gives it.
    fn leave_accounts(&mut self, before: &Policy) {
        let access = |policy: &Policy| -> BTreeSet<_> {
            let accounts = policy.accounts.iter();
            accounts.map(|it| (it.name.clone(), Access { endpoint: it.endpoint.clone(), credentials: it.credentials.clone() })).collect()
        };
        for (name, _) in access(before).difference(&access(&self.loaded.policy)) {
            self.accounts.forget(name);
            self.silences.forget(name);
        }
    }

    /// Another policy is recorded.
    pub(super) fn recorded_policy(&mut self, owed: usize, now: Now) {
        let policy = &self.loaded.policy;
        match self.reload.before.take() {
            Some(before) => log::reloaded(policy, &Diff::of(&before, policy, now.utc), owed),
            None => log::installed(policy, owed),
        }
    }

    /// Writes the answers that requests are owed.
    pub(super) fn answer_reloads(&mut self, now: Now) -> Result<(), ledger::Error> {
        while let Some((request, answer)) = self.reload.answers.last() {
            self.ledger.answer(*request, answer, now.utc)?;
            self.reload.answers.pop();
        }
        Ok(())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { faults, place, message, hint } = self;
        match faults {
            0 | 1 => write!(f, "the policy has a fault")?,
            faults => write!(f, "the policy has {faults} faults, the first")?,
        }
        write!(f, " at {place}: {message}")?;
        if hint.is_empty() { Ok(()) } else { write!(f, "; {hint}") }
    }
}
