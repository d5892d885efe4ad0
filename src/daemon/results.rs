//! What came of calls: heard at once (clock, pace, keys), then recorded, and recorded again until the ledger takes it.

use super::{
    Daemon, Unseen,
    accounts::{Doorbell, Refused},
    act::{Done, What},
    log,
    paces::{Action, caller},
    silence::Changed,
};
use crate::{
    clock::Clock,
    cloud::CdbApi,
    domain::{
        names::RunId,
        now::Now,
        proof::Heard,
        reply::{CallError, Class},
        run::{Reading, Run, sent::Answer},
    },
    ledger::{self, Answered, Attempt},
};
use std::collections::{BTreeMap, BTreeSet};

impl<C: Clock, A: CdbApi> Daemon<C, A> {
    /// What a result says beside its run: of our clock, of the pace, of the account's keys. Heard once, when it arrives.
    pub(super) fn hear(&mut self, done: &Done) {
        if let Some(date) = done.date {
            match self.clock_proof.heard(done.sent, done.received, date) {
                Heard::Proved => {
                    self.proved_anew = true;
                    tracing::info!(date = %date.to_rfc3339_opts(chrono::SecondsFormat::Secs, true), "the clock is proved by a reply's Date");
                }
                Heard::Off(ahead) => self.told.clock_off(ahead, done.received.mono),
                Heard::Nothing => {}
            }
        }
        let (action, error) = match &done.what {
            What::Created { answer, .. } => (Action::Create, answer.as_ref().err()),
            What::Listed { answer, .. } => (Action::List, answer.as_ref().err()),
            What::Probed { answer } => (Action::List, answer.as_ref().err()),
        };
        let events = &self.outside.gauges.events;
        let calls = if action == Action::Create { &events.creates } else { &events.lists };
        calls.ended(error.map(|error| error.class));
        self.hear_silence(done, error);
        match error {
            Some(error) if error.class == Class::Throttled => {
                let caller = caller(&self.outside.api, &done.doorbell.access);
                self.paces.throttled(caller, action, done.received.mono);
                self.told.throttled(&done.doorbell, action.word(), &error.code, done.received.mono);
                if matches!(done.what, What::Probed { .. }) {
                    self.accounts.unanswered(&done.doorbell.account);
                }
            }
            Some(error) => self.hear_error(done, action, error),
            None => self.hear_accepted(done, action),
        }
    }

    /// Whether anybody answers there at all.
    fn hear_silence(&mut self, done: &Done, error: Option<&CallError>) {
        if !self.speaks_of_account(&done.doorbell) {
            return;
        }
        match (self.silences.heard(done, error), error) {
            (Changed::Silent(since), Some(error)) => log::silent(&done.doorbell, error, since),
            (Changed::Answered, _) => log::answered_again(&done.doorbell),
            _ => {}
        }
    }

    /// Whether an answer speaks of the account's keys of today. A run is followed with what it was called with, and keys of an earlier policy that are
    /// no good any more must not hold all that has good ones.
    fn speaks_of_account(&self, doorbell: &Doorbell) -> bool {
        let now = self.loaded.policy.accounts.iter().find(|account| account.name == doorbell.account);
        now.is_none_or(|account| account.endpoint == doorbell.access.endpoint && account.credentials == doorbell.access.credentials)
    }

    fn hear_error(&mut self, done: &Done, action: Action, error: &CallError) {
        if error.class == Class::Account && !self.speaks_of_account(&done.doorbell) {
            self.outside.api.reread_credentials(&done.doorbell.access);
            return;
        }
        let proved = self.clock_proof.proof().is_some();
        match self.accounts.refused(&done.doorbell, action, error, done.date, (done.received.utc, done.received.mono), proved) {
            Refused::Held => {
                log::account_held(&done.doorbell, error);
                self.outside.api.reread_credentials(&done.doorbell.access);
            }
            Refused::Reread => self.outside.api.reread_credentials(&done.doorbell.access),
            // These come after the keys were accepted.
            Refused::Nothing if matches!(error.class, Class::Busy | Class::Rejected) && done.request_id.is_some() => {
                self.hear_accepted(done, action);
            }
            Refused::Nothing => {}
        }
        if matches!(done.what, What::Probed { .. }) {
            self.told.probe_failed(error);
            self.accounts.unanswered(&done.doorbell.account);
        }
    }

    fn hear_accepted(&mut self, done: &Done, action: Action) {
        if self.speaks_of_account(&done.doorbell) && self.accounts.accepted(&done.doorbell.account, action) {
            log::account_released(&done.doorbell);
        }
    }

    /// Records what arrived. On an error all of it stays, and nothing is planned before it is written.
    pub(super) fn record_results(&mut self, now: Now) -> Result<(), ledger::Error> {
        if self.unrecorded.is_empty() {
            return Ok(());
        }
        let reading = self.reading(now);
        let ids: BTreeSet<RunId> = self.unrecorded.iter().flat_map(runs_of).collect();
        let mut runs = self.ledger.runs(ids)?;
        let before: BTreeMap<RunId, &'static str> = runs.iter().map(|(id, run)| (*id, run.word())).collect();
        let mut answers = Vec::new();
        for done in &self.unrecorded {
            match &done.what {
                What::Created { run, attempt, generation, answer, .. } => {
                    let Some(run) = runs.get_mut(run) else { continue };
                    answers.push(created(run, *attempt, *generation, answer, done, &reading));
                }
                What::Listed { asked, answer } => {
                    for (id, place) in asked {
                        let Some(run) = runs.get_mut(id) else { continue };
                        let taken = self.ledger.taken(run)?;
                        answers.push(listed(run, *place, answer, &taken, done, &reading));
                    }
                }
                What::Probed { .. } => {}
            }
        }
        self.ledger.answered(&answers)?;
        for answered in &answers {
            let before = before.get(&answered.run.id).copied();
            self.told.answered(answered, before);
            if before != Some(answered.run.word()) {
                self.outside.gauges.events.moved(&answered.run);
            }
        }
        let recorded = std::mem::take(&mut self.unrecorded);
        for done in &recorded {
            self.recorded(done, &runs, now);
        }
        Ok(())
    }

    /// What may happen again once a result is written.
    fn recorded(&mut self, done: &Done, runs: &BTreeMap<RunId, Run>, now: Now) {
        match &done.what {
            What::Created { run, answer, .. } => {
                self.held.calls.remove(run);
                if let Err(error) = answer
                    && error.class == Class::Account
                    && !self.speaks_of_account(&done.doorbell)
                {
                    self.cannot_look(done, error, runs.get(run), now);
                }
            }
            What::Listed { asked, answer } => {
                self.held.lists.remove(&done.doorbell.instance);
                match answer {
                    Ok(_) => {
                        if self.unseen.remove(&done.doorbell.instance).is_some() {
                            log::seen_again(&done.doorbell);
                        }
                    }
                    Err(error) if error.class == Class::Throttled => {}
                    // The account is held, or about to be.
                    Err(error) if error.class == Class::Account && self.speaks_of_account(&done.doorbell) => {}
                    Err(error) => self.cannot_look(done, error, asked.first().and_then(|(id, _)| runs.get(id)), now),
                }
            }
            What::Probed { .. } => {}
        }
    }

    /// The instance is held until it can be looked at with what this run was called with.
    fn cannot_look(&mut self, done: &Done, error: &CallError, run: Option<&Run>, now: Now) {
        if let Some(run) = run.filter(|_| !self.unseen.contains_key(&done.doorbell.instance)) {
            log::cannot_look(&done.doorbell, error);
            self.unseen.extend([Unseen::new(run.clone(), &error.code, now)]);
        }
    }
}

fn runs_of(done: &Done) -> Vec<RunId> {
    match &done.what {
        What::Created { run, .. } => vec![*run],
        What::Listed { asked, .. } => asked.iter().map(|(id, _)| *id).collect(),
        What::Probed { .. } => Vec::new(),
    }
}

fn created(
    run: &mut Run,
    attempt: i64,
    generation: u8,
    answer: &Result<crate::domain::names::BackupId, CallError>,
    done: &Done,
    reading: &Reading,
) -> Answered {
    let notes = run.answered(&Answer { attempt, generation, answer: answer.clone(), date: done.date }, reading);
    let kept = attempt_row(run.id, generation, done, answer.as_ref().err());
    Answered { run: run.clone(), notes, create: Some((attempt, kept, answer.as_ref().ok().map(|id| id.0))), list: None, at: reading.now.utc }
}

fn listed(
    run: &mut Run,
    place: crate::domain::run::seen::Place,
    answer: &Result<crate::domain::run::seen::List, CallError>,
    taken: &BTreeSet<crate::domain::names::BackupId>,
    done: &Done,
    reading: &Reading,
) -> Answered {
    let (before, generation) = (run.place(), run.generation);
    let notes = match answer {
        Ok(list) => run.seen(place, list, taken, reading),
        Err(_) => {
            run.look_failed(place, reading);
            Vec::new()
        }
    };
    let telling = answer.is_err() || run.place() != before;
    let list = telling.then(|| attempt_row(run.id, generation, done, answer.as_ref().err()));
    Answered { run: run.clone(), notes, create: None, list, at: reading.now.utc }
}

fn attempt_row(run: RunId, generation: u8, done: &Done, failure: Option<&CallError>) -> Attempt {
    Attempt {
        run,
        generation,
        begun_at: done.sent.utc,
        signed_at: done.signed_at,
        elapsed: done.elapsed,
        failure: failure.cloned(),
        request_id: done.request_id.clone(),
    }
}
