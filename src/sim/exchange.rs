//! One call's course in time: sent, checked at the gateway, acted on in the middle of its latency, answered. Runs as a task of the cloud's own, so a
//! caller that goes away stops nothing.
//!
//! Decided here: in which order faults strike a call. Not here: what acting means (`cloud`), and how a door shows the outcome.

use super::{
    call::{Answer, Ask, Outcome, Refusal, Request, Said},
    cloud::{Fate, Moment, State},
    faults::Fault,
    site,
};
use crate::clock::Clock;
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::oneshot;

/// What a fault `kill_…` calls at its instant: it ends the caller's process.
pub type Kill = Arc<dyn Fn() + Send + Sync>;

/// What all handles of one cloud share.
pub(super) struct Core<C> {
    state: Mutex<State>,
    clock: C,
    origin: Duration,
    kill: Option<Kill>,
}

impl<C> fmt::Debug for Core<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").finish_non_exhaustive()
    }
}

impl<C: Clock> Core<C> {
    /// A cloud that starts now.
    pub(super) fn new(settings: super::settings::Settings, clock: C, kill: Option<Kill>) -> Self {
        let now = clock.now();
        Self { state: Mutex::new(State::new(settings, now.utc)), clock, origin: now.mono, kill }
    }

    /// Runs something on the state, at this moment. Never held over an await.
    pub(super) fn with<T>(&self, f: impl FnOnce(&mut State, Moment) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let wall = now.utc.checked_add_signed(state.skew()).unwrap_or(now.utc);
        f(&mut state, Moment { at: now.mono.saturating_sub(self.origin), wall })
    }

    /// Its time base.
    pub(super) fn clock(&self) -> &C {
        &self.clock
    }

    /// Ends the caller's process, where there is one to end.
    pub(super) fn kill(&self) {
        if let Some(kill) = &self.kill {
            kill();
        }
    }
}

/// What a fault answers in the place of the truth.
enum Instead {
    Refuse(Refusal),
    Garbage,
    Gateway,
    Silence,
}

impl Fate {
    fn instead(&self) -> Option<Instead> {
        let refuse = |code, text: &str| Some(Instead::Refuse(Refusal::new(code, text)));
        self.faults.iter().find_map(|fault| match fault {
            Fault::HttpErrorAfterAct => refuse("InternalError.HttpError", "An internal call failed."),
            Fault::UnknownCodeAfterAct => refuse("InternalError.NewCode", "Something new happened."),
            Fault::BusyAfterAct => Some(Instead::Refuse(site::in_process())),
            Fault::Garbage => Some(Instead::Garbage),
            Fault::Gateway502AfterAct => Some(Instead::Gateway),
            Fault::LostAfterAct => Some(Instead::Silence),
            _ => None,
        })
    }

    fn acts_late(&self) -> Option<Duration> {
        self.duration(Fault::ActsLate)
    }
}

/// Takes one call through its course; `reply` gets what the caller is to see, when it is to see it.
pub(super) async fn run<C: Clock>(core: Arc<Core<C>>, request: Request, reply: oneshot::Sender<Outcome>) {
    let mut fate = core.with(|state, moment| state.fate(&request, moment));
    let ask = match arrive(&core, &request, &mut fate).await {
        Ok(ask) => ask,
        Err(outcome) => return answer(&core, &request, &fate, outcome, reply).await,
    };
    core.clock.sleep(fate.latency / 2).await;
    let late = fate.acts_late().unwrap_or_default();
    match fate.instead() {
        Some(instead) if !late.is_zero() => {
            let outcome = core.with(|state, moment| in_the_place(instead, state, &mut fate, moment));
            answer(&core, &request, &fate, outcome, reply).await;
            core.clock.sleep(late.saturating_sub(fate.latency / 2)).await;
            core.with(|state, moment| drop(state.act(&request, &ask, &mut fate, moment)));
        }
        instead => {
            core.clock.sleep(late).await;
            let outcome = act(&core, &request, &ask, &mut fate, instead);
            answer(&core, &request, &fate, outcome, reply).await;
        }
    }
}

/// On the way and at the gateway: what stops a call before it acts.
async fn arrive<C: Clock>(core: &Core<C>, request: &Request, fate: &mut Fate) -> Result<Ask, Outcome> {
    if fate.has(&Fault::Unreachable) {
        return Err(Outcome::Unreachable);
    }
    if fate.has(&Fault::LostBeforeAct) {
        return Err(Outcome::Silence);
    }
    if fate.has(&Fault::Eof) && request.reused {
        return Err(Outcome::Reset);
    }
    if let Some(late) = fate.duration(Fault::ArrivesLate) {
        core.clock.sleep(late).await;
    }
    if fate.has(&Fault::KillOnRead) {
        core.kill();
        return Err(Outcome::Reset);
    }
    core.with(|state, moment| {
        let date = state.date(fate, moment);
        if fate.has(&Fault::Gateway502) {
            return Err(Outcome::Gateway(date));
        }
        if fate.has(&Fault::Redirect307) {
            return Err(Outcome::Redirect(date));
        }
        let checked = state.check(request, fate, moment).and_then(|ask| {
            let lost = Refusal::new("InternalError.HttpError", "An internal call failed.");
            if fate.has(&Fault::HttpErrorBeforeAct) { Err(lost) } else { Ok(ask) }
        });
        checked.map_err(|refusal| Outcome::Said(said(Err(refusal), state, fate, moment)))
    })
}

/// Acts, and makes the reply at the same instant, so that a list and its `Date` speak of one moment.
fn act<C: Clock>(core: &Core<C>, request: &Request, ask: &Ask, fate: &mut Fate, instead: Option<Instead>) -> Outcome {
    let outcome = core.with(|state, moment| {
        let result = state.act(request, ask, fate, moment);
        match instead {
            Some(instead) => in_the_place(instead, state, fate, moment),
            None => Outcome::Said(said(result, state, fate, moment)),
        }
    });
    if fate.has(&Fault::KillAfterAct) {
        core.kill();
        return Outcome::Reset;
    }
    let kill = fate.has(&Fault::KillHalfReply);
    match outcome {
        Outcome::Said(said) if kill || fate.has(&Fault::ResetMidBody) => Outcome::Half { said, kill },
        outcome => outcome,
    }
}

fn in_the_place(instead: Instead, state: &State, fate: &mut Fate, moment: Moment) -> Outcome {
    match instead {
        Instead::Refuse(refusal) => Outcome::Said(said(Err(refusal), state, fate, moment)),
        Instead::Garbage => Outcome::Garbage(state.date(fate, moment)),
        Instead::Gateway => Outcome::Gateway(state.date(fate, moment)),
        Instead::Silence => Outcome::Silence,
    }
}

fn said(result: Result<Answer, Refusal>, state: &State, fate: &mut Fate, moment: Moment) -> Said {
    Said { result, date: state.date(fate, moment), request_id: State::request_id(fate) }
}

/// Lets the outcome travel back, and remembers it.
async fn answer<C: Clock>(core: &Core<C>, request: &Request, fate: &Fate, outcome: Outcome, reply: oneshot::Sender<Outcome>) {
    core.with(|state, moment| state.note(request, fate, outcome.word(), moment));
    let slow = fate.duration(Fault::SlowReply).unwrap_or_default();
    if !matches!(outcome, Outcome::Unreachable | Outcome::Silence) {
        core.clock.sleep(fate.latency / 2 + slow).await;
    }
    // A caller that has gone away needs no answer.
    drop(reply.send(outcome));
}
