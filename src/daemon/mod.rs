//! The loop: look, plan, record, act, record.
//!
//! Decided here: the order of a pass. What is due, who is next and what a reply means is decided in `domain`; how it is written, in `ledger`. There
//! is no start-up code and no recovery code: a crash, a lost reply and an ordinary turn are the same path.

mod accounts;
mod act;
mod chores;
mod log;
mod outside;
mod paces;
mod reload;
mod requests;
mod results;
mod silence;
mod tell;
pub mod vigil;

use crate::{
    clock::{Clock, Wake},
    cloud::CdbApi,
    domain::{
        hold::{LoopHold, Waits},
        names::InstanceId,
        now::Now,
        pause::Paused,
        plan::{self, Held, Plan, Span},
        proof::ClockProof,
        run::{Reading, Restored, Run},
        terms::Terms,
        trouble::{self, Trouble},
    },
    ledger::{self, Install, Ledger, Remedy, Sweep},
};
pub use outside::{Loaded, Outside};
pub use reload::{Fresh, Read, Reading as PolicyReading, Refused, Source};

use accounts::Accounts;
use act::Done;
pub(crate) use act::pages;
use chrono::{DateTime, TimeDelta, Utc};
use paces::Paces;
use reload::Reload;
use silence::Silences;
use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};
pub use tell::{Hooks, Night, Passed};
use tokio::task::JoinSet;

/// How long calls in flight may still take after a stop: the process ends within 8 s, and docker kills after 10.
pub const GRACE: Duration = Duration::from_secs(7);
/// How often the pulse is written when nothing else is.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The ledger's log is left alone unless nothing is to be done for so long: a slot should not wait for it, and a busy night folds it soon enough.
const QUIET: Duration = Duration::from_millis(250);
/// How often an unwritable ledger is tried again.
const RETRY_LEDGER: Duration = Duration::from_secs(1);

/// Why the loop ended by itself.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Ended(#[from] pub ledger::Error);

struct Daemon<C, A> {
    outside: Outside<C, A>,
    ledger: Ledger,
    loaded: Loaded,
    installed: bool,
    reload: Reload,
    clock_proof: ClockProof,
    clock_turn: u32,
    proved_anew: bool,
    accounts: Accounts,
    silences: Silences,
    paces: Paces,
    held: Held,
    paused: Option<Arc<Paused>>,
    unseen: BTreeMap<InstanceId, Unseen>,
    calls: JoinSet<Done>,
    unrecorded: Vec<Done>,
    beat_at: Option<Duration>,
    ledger_held: bool,
    /// When the loop was to wake for this pass; none after one that the ledger refused.
    asked: Option<DateTime<Utc>>,
    sweep: Option<Sweep>,
    told: log::Told,
    tell: tell::Tell,
    /// What the ledger shows of the loop: what is wrong, and what it holds back as a whole.
    shown: Option<(Vec<Trouble>, Vec<LoopHold>)>,
}

/// An instance that could not be looked at, and when it is tried again though no run asks.
#[derive(Clone, Debug)]
struct Unseen {
    run: Run,
    since: DateTime<Utc>,
    code: String,
    try_at: Duration,
}

/// Runs until `stop` resolves, then lets calls in flight finish for [`GRACE`]. What is left is uncertain next time, like any other.
pub async fn run<C: Clock, A: CdbApi>(outside: Outside<C, A>, ledger: Ledger, loaded: Loaded, stop: impl Future<Output = ()>) -> Result<(), Ended> {
    let now = outside.clock.now();
    let lately = ledger.begun_lately(now.utc)?;
    let mut daemon = Daemon {
        paces: Paces::new(lately.then_some(now.mono)),
        outside,
        ledger,
        loaded,
        installed: false,
        reload: Reload::default(),
        clock_proof: ClockProof::default(),
        clock_turn: 0,
        proved_anew: false,
        accounts: Accounts::default(),
        silences: Silences::default(),
        held: Held::default(),
        paused: None,
        unseen: BTreeMap::new(),
        calls: JoinSet::new(),
        unrecorded: Vec::new(),
        beat_at: None,
        ledger_held: false,
        asked: None,
        sweep: None,
        told: log::Told::default(),
        tell: tell::Tell::default(),
        shown: None,
    };
    if let Some(only) = daemon.outside.only {
        daemon.ledger.only(only);
    }
    let mut stop = std::pin::pin!(stop);
    loop {
        let mut wake = daemon.pass_or_hold()?;
        daemon.tell(&mut wake);
        if daemon.ledger_held {
            // A pass may have waited for the ledger longer than the next ring: whoever waits for this future, for a signal, comes first.
            tokio::task::yield_now().await;
        }
        let clock = daemon.outside.clock.clone();
        let ring = daemon.outside.ring.clone();
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(done) = daemon.calls.join_next(), if !daemon.calls.is_empty() => daemon.take(done),
            read = daemon.reload.finished(), if daemon.reload.is_reading() => daemon.take_read(read),
            () = ring.notified() => {}
            () = clock.sleep_until(wake) => {}
        }
        while let Some(done) = daemon.calls.try_join_next() {
            daemon.take(done);
        }
    }
    daemon.drain().await?;
    Ok(())
}

impl<C: Clock, A: CdbApi> Daemon<C, A> {
    /// A pass, or a second's hold when the ledger cannot be written.
    fn pass_or_hold(&mut self) -> Result<Wake, Ended> {
        let now = self.outside.clock.now();
        self.held.away = self.asked.take().and_then(|asked| Span::overdue(asked, now.utc)).or(self.held.away);
        match self.pass(now) {
            Ok(wake) => {
                let after = self.outside.clock.now();
                let rest = TimeDelta::from_std(wake.rest(after).unwrap_or_default());
                self.asked = rest.ok().and_then(|rest| after.utc.checked_add_signed(rest));
                if std::mem::take(&mut self.ledger_held) {
                    tracing::info!("the ledger can be written again; going on");
                }
                self.show(after);
                Ok(wake)
            }
            Err(error) if error.remedy() == Remedy::Hold => {
                self.held.unwritten = Some(Span::on(self.held.unwritten, now.utc, self.outside.clock.now().utc));
                if !std::mem::replace(&mut self.ledger_held, true) {
                    tracing::error!(%error, "the ledger cannot be written; nothing is started until it can be, tried again each second");
                }
                let after = self.outside.clock.now();
                self.show(after);
                let mut wake = Wake::default();
                wake.sooner(after.mono + RETRY_LEDGER);
                Ok(wake)
            }
            Err(error) => {
                for done in &self.unrecorded {
                    log::unrecorded(done);
                }
                Err(error.into())
            }
        }
    }

    /// Shows how the loop stands after a pass.
    fn show(&mut self, after: Now) {
        let troubles = self.troubles(after);
        self.told.put_back(&troubles);
        self.outside.gauges.passed(after.mono, troubles);
    }

    fn pass(&mut self, now: Now) -> Result<Wake, ledger::Error> {
        if self.clock_proof.observe(now) {
            tracing::warn!("wall and monotonic time have parted by more than a minute; nothing starts until a reply's Date proves the clock again");
        }
        self.hear_reload();
        self.record_results(now)?;
        self.install(now)?;
        self.answer_reloads(now)?;
        let reading = self.reading(now);
        self.answer_requests(&reading)?;
        let paused = self.paused(now)?;
        let keeps = plan::keeps(&self.loaded.policy, paused, now.utc);
        self.held.accounts = self.accounts.held();
        self.held.unseen = self.unseen.keys().cloned().collect();
        self.ledger.hold(&keeps, &self.held.unseen);
        let mut view = self.ledger.view(&self.held.accounts, &reading)?;
        if self.outside.only.is_some() {
            view.cursors.clear();
        }
        let plan = plan::plan(&self.loaded.policy, view, &self.held, &keeps, &reading);
        let moved = self.record(&plan)?;
        let mut wake = Wake { utc: plan.wake_at, mono: None, exact: plan.wake_at.is_some() && plan.wake_at == plan.next_slot };
        self.begin(plan.begin, &reading, &mut wake)?;
        self.list(plan.lists, &reading, &mut wake);
        self.probe(now, &mut wake);
        self.tell.next_slot = plan.next_slot;
        self.told.clock(self.is_clock_proved(), now.mono);
        if moved || self.take_next(now) {
            // What has just come due is begun in the next pass, and the pulse is not written in between.
            wake.sooner(now.mono);
        } else {
            if self.calls.is_empty() && wake.rest(now).is_some_and(|rest| rest >= QUIET) && self.ledger.fold()? {
                self.beat_at = None;
            }
            self.beat(now)?;
            self.do_chores(&reading, &mut wake)?;
        }
        Ok(wake)
    }

    fn reading(&self, now: Now) -> Reading {
        Reading { now, process: self.outside.process, proof: self.clock_proof.proof(), restored: self.ledger.restored() }
    }

    /// The policy is recorded once the clock is proved: it acts on no time before it was loaded.
    fn install(&mut self, now: Now) -> Result<(), ledger::Error> {
        let empty = self.loaded.policy.instances.is_empty();
        let Some(proof) = self.clock_proof.proof() else {
            if empty && !self.installed {
                tracing::warn!("the policy has no instances; there is nothing to do");
                self.installed = true;
            }
            return Ok(());
        };
        if self.ledger.restored() == Restored::Undated {
            let window = self.loaded.policy.jobs.iter().flat_map(|job| self.windows_of(job)).max().unwrap_or_default();
            self.ledger.date_restored(&proof, window.max(Duration::from_secs(1)))?;
        }
        if self.proved_anew {
            self.ledger.clock_proved(now.utc)?;
            self.paused = None;
            self.proved_anew = false;
            // Without instances it was not recorded while the clock was unproved.
            self.installed &= !empty;
        }
        if !self.installed && self.outside.only.is_none() {
            let loaded = &self.loaded;
            let loaded_at = now.utc_at(loaded.at);
            let install = Install { policy: &loaded.policy, hash: &loaded.hash, text: &loaded.text, loaded_at };
            let owed = self.ledger.install(&install)?;
            self.installed = true;
            self.outside.gauges.set_policy(loaded.policy.clone());
            self.recorded_policy(owed, now);
        }
        Ok(())
    }

    fn windows_of(&self, job: &crate::domain::policy::Job) -> Vec<Duration> {
        let policy = &self.loaded.policy;
        let account = |name| policy.accounts.iter().find(|account| account.name == name);
        let terms = job.instances.iter().filter_map(|instance| Some(Terms::of(job, instance, account(instance.account.clone())?)));
        terms.map(|terms| terms.restored_window()).collect()
    }

    /// Writes down what the plan decided; says whether there is more to plan at once.
    fn record(&mut self, plan: &Plan) -> Result<bool, ledger::Error> {
        if plan.admit.is_empty() && plan.moved.is_empty() {
            return Ok(false);
        }
        let fresh = self.ledger.record(&plan.admit, &plan.moved)?;
        for run in self.ledger.runs(fresh)?.values().chain(&plan.moved) {
            log::state(run, false);
            self.outside.gauges.events.moved(run);
        }
        Ok(true)
    }

    fn beat(&mut self, now: Now) -> Result<(), ledger::Error> {
        // A command in the daemon's place is no daemon.
        if self.outside.only.is_some() {
            return Ok(());
        }
        // What is written could be written.
        let troubles: Vec<Trouble> = self.troubles(now).into_iter().filter(|trouble| *trouble != Trouble::Ledger).collect();
        let shows = (troubles, self.loop_holds());
        let is_news = self.shown.as_ref() != Some(&shows);
        if is_news || self.beat_at.is_none_or(|at| now.mono >= at) {
            if self.shown.as_ref().is_none_or(|(_, holds)| *holds != shows.1) {
                self.ledger.show_holds(&shows.1)?;
            }
            self.ledger.heartbeat(now.utc, self.outside.process, trouble::word(&shows.0), &trouble::says(&shows.0))?;
            self.beat_at = Some(now.mono + HEARTBEAT);
            self.shown = Some(shows);
        }
        Ok(())
    }

    fn loop_holds(&self) -> Vec<LoopHold> {
        let unseen = self.unseen.iter().map(|(instance, unseen)| LoopHold {
            waits: Waits::CannotLook,
            name: instance.to_string(),
            since: unseen.since,
            code: unseen.code.clone(),
        });
        self.accounts.holds().chain(unseen).collect()
    }

    fn take(&mut self, done: Result<Done, tokio::task::JoinError>) {
        match done {
            Ok(done) => {
                self.hear(&done);
                self.unrecorded.push(done);
            }
            // Its row's lease ends, and a look finds out.
            Err(error) => tracing::error!(%error, "a call's task ended without a result; its run will be looked for"),
        }
    }

    fn record_or_hold(&mut self, now: Now) -> Result<(), ledger::Error> {
        match self.record_results(now) {
            Err(error) if error.remedy() == Remedy::Hold => self.ledger_held = true,
            recorded => return recorded,
        }
        Ok(())
    }

    /// Lets calls in flight finish, and records what they brought.
    async fn drain(&mut self) -> Result<(), ledger::Error> {
        let clock = self.outside.clock.clone();
        let mut end = Wake::default();
        end.sooner(clock.now().mono + GRACE);
        let mut over = std::pin::pin!(clock.sleep_until(end));
        while !self.held.calls.is_empty() && !self.calls.is_empty() {
            tokio::select! {
                biased;
                Some(done) = self.calls.join_next() => {
                    self.take(done);
                    // Each try may wait for the ledger; one that could not be written is tried once more, at the end.
                    if !self.ledger_held {
                        self.record_or_hold(clock.now())?;
                    }
                }
                () = &mut over => break,
            }
        }
        self.record_or_hold(clock.now())?;
        for done in &self.unrecorded {
            log::unrecorded(done);
        }
        tracing::info!(left = self.held.calls.len(), "stopped; calls that had no answer yet are looked for at the next start");
        Ok(())
    }
}
