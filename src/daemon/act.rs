//! From a step to a call to what came of it. One step is one task; a list reads its pages one after another.

use super::{
    Daemon, Unseen,
    accounts::Doorbell,
    paces::{Action, caller},
};
use crate::{
    clock::{Clock, Wake},
    cloud::{Access, Call, CdbApi, Create, List, Page, Reply},
    domain::{
        alias::of_generation,
        names::{AccountName, BackupId, InstanceId, RunId},
        now::{Now, later},
        plan::{ListStep, Span},
        reply::{CallError, Class},
        run::{Reading, Run, State, due::CALL_MAX, seen, seen::Place},
    },
    ledger::{self, Begun},
};
use chrono::{DateTime, Utc};
use std::{
    collections::BTreeSet,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
    time::Duration,
};

/// Items on a page: the API's largest (`cdb-api` README §4.1).
const LIMIT: u32 = 1_000;
/// Pages of one list; an instance with more backups cannot be proved to lack one.
const PAGES: u32 = 100;

/// What came of one step.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) doorbell: Doorbell,
    pub(super) sent: Now,
    pub(super) received: Now,
    pub(super) date: Option<DateTime<Utc>>,
    pub(super) request_id: Option<String>,
    pub(super) elapsed: Duration,
    pub(super) signed_at: i64,
    pub(super) what: What,
}

/// What kind of step it was, and its answer.
#[derive(Debug)]
pub(super) enum What {
    Created { run: RunId, attempt: i64, call_number: u32, generation: u8, answer: Result<BackupId, CallError> },
    Listed { asked: Vec<(RunId, Place)>, answer: Result<seen::List, CallError> },
    Probed { answer: Result<(), CallError> },
}

fn doorbell(run: &Run) -> Doorbell {
    let terms = &run.terms;
    let access = Access { endpoint: terms.endpoint.clone(), credentials: terms.credentials.clone() };
    Doorbell { account: terms.account.clone(), access, region: terms.region.clone(), instance: run.key.instance.clone() }
}

impl<C: Clock, A: CdbApi> Daemon<C, A> {
    /// Begins as many runs as may be sent now, in order: the intents in one commit, then the calls.
    pub(super) fn begin(&mut self, runs: Vec<Run>, reading: &Reading, wake: &mut Wake) -> Result<(), ledger::Error> {
        if runs.is_empty() {
            return Ok(());
        }
        self.paces.learn(&self.loaded.policy, &self.outside.api);
        let mut now_ones = Vec::new();
        let mut full = BTreeSet::new();
        for run in runs {
            // Of an account that waits for its permit nothing more is asked.
            if full.contains(&run.terms.account) {
                continue;
            }
            let caller = caller(&self.outside.api, &doorbell(&run).access);
            match self.paces.take(caller, Action::Create, reading.now.mono) {
                Ok(()) => now_ones.push(run),
                Err(free) => {
                    full.insert(run.terms.account.clone());
                    self.paced(&run.terms.account, reading.now, free);
                    wake.sooner(free);
                }
            }
        }
        if now_ones.is_empty() {
            return Ok(());
        }
        let accounts = &self.accounts;
        let begun = self.ledger.begin(now_ones, reading, |run| (reading.now.utc + accounts.sign_ahead(&run.terms.account)).timestamp())?;
        for begun in begun {
            super::log::state(&begun.run, true);
            self.send(begun, reading.now);
        }
        // Whoever was refused a permit comes back when it is free; else all that was shown is begun, and there may be more.
        if full.is_empty() {
            wake.sooner(reading.now.mono + Duration::from_millis(1));
        }
        Ok(())
    }

    /// An account's runs wait for their permit until `free`.
    fn paced(&mut self, account: &AccountName, now: Now, free: Duration) {
        let until = later(now.utc, free.saturating_sub(now.mono));
        let span = Span::on(self.held.paced.get(account).copied(), now.utc, until);
        self.held.paced.insert(account.clone(), span);
    }

    fn send(&mut self, begun: Begun, now: Now) {
        let Begun { run, attempt, signed_at } = begun;
        let doorbell = doorbell(&run);
        self.outside.gauges.events.begun(&run);
        self.held.calls.insert(run.id);
        let call = self.call(&doorbell, signed_at, now);
        let create = Create { call, method: run.terms.method.clone(), alias: of_generation(&run.alias, run.generation) };
        let (api, clock) = (self.outside.api.clone(), self.outside.clock.clone());
        let (id, generation, call_number) = (run.id, run.generation, run.tally.attempts);
        self.calls.spawn(async move {
            let reply = answered(api.create_backup(create)).await;
            let Reply { answer, date, request_id, elapsed } = reply;
            let what = What::Created { run: id, attempt, call_number, generation, answer };
            let done = Done { doorbell, sent: now, received: clock.now(), date, request_id, elapsed, signed_at, what };
            // Here and not in the loop, which may be waiting for the ledger.
            super::log::arrived(&done);
            done
        });
    }

    fn call(&self, doorbell: &Doorbell, signed_at: i64, now: Now) -> Call {
        Call {
            access: doorbell.access.clone(),
            region: doorbell.region.clone(),
            instance: doorbell.instance.clone(),
            signed_at,
            deadline: now.mono + CALL_MAX,
        }
    }

    /// Lists as many instances as may be listed now, in order.
    pub(super) fn list(&mut self, steps: Vec<ListStep>, reading: &Reading, wake: &mut Wake) {
        let again = self.unseen_steps(reading, wake);
        let mut full = BTreeSet::new();
        for step in steps.into_iter().chain(again) {
            let doorbell = doorbell(&step.run);
            let caller = caller(&self.outside.api, &doorbell.access);
            if full.contains(&caller) || self.held.lists.contains(&doorbell.instance) || self.held.accounts.contains(&doorbell.account) {
                continue;
            }
            match self.paces.take(caller, Action::List, reading.now.mono) {
                Ok(()) => self.read_list(step, doorbell, reading),
                Err(free) => {
                    full.insert(caller);
                    wake.sooner(free);
                }
            }
        }
    }

    /// Instances that could not be looked at, and that no run asks for, are tried again all the same.
    fn unseen_steps(&mut self, reading: &Reading, wake: &mut Wake) -> Vec<ListStep> {
        let mut steps = Vec::new();
        for Unseen { run, try_at, .. } in self.unseen.values_mut() {
            if reading.now.mono >= *try_at {
                *try_at = reading.now.mono + run.terms.poll.max;
                steps.push(ListStep { run: run.clone(), asked: Vec::new(), rank: 3 });
            }
            wake.sooner(*try_at);
        }
        steps
    }

    fn read_list(&mut self, step: ListStep, doorbell: Doorbell, reading: &Reading) {
        let now = reading.now;
        self.held.lists.insert(doorbell.instance.clone());
        let wanted = wanted(&step.run, &step.asked);
        let first = self.call(&doorbell, self.list_stamp(&doorbell.account, now), now);
        let signed_at = first.signed_at;
        let (api, clock) = (self.outside.api.clone(), self.outside.clock.clone());
        self.calls.spawn(async move {
            let read = pages(&api, &clock, first, wanted, now).await;
            let what = What::Listed { asked: step.asked, answer: read.answer };
            Done { doorbell, sent: now, received: clock.now(), date: read.date, request_id: read.request_id, elapsed: read.elapsed, signed_at, what }
        });
    }

    fn list_stamp(&self, account: &AccountName, now: Now) -> i64 {
        (now.utc + self.accounts.sign_ahead(account)).timestamp()
    }

    /// Asks for the clock's proof while it is missing, whether held accounts are accepted again, and whether silent ones answer.
    pub(super) fn probe(&mut self, now: Now, wake: &mut Wake) {
        let mut bells = self.accounts.probes(now.mono);
        bells.extend(self.silences.probes(now.mono));
        if self.clock_proof.ask(now.mono) {
            bells.extend(self.next_doorbell());
        }
        for doorbell in bells {
            self.outside.api.reread_credentials(&doorbell.access);
            let call = self.call(&doorbell, self.list_stamp(&doorbell.account, now), now);
            let signed_at = call.signed_at;
            let (api, clock) = (self.outside.api.clone(), self.outside.clock.clone());
            self.calls.spawn(async move {
                let reply = answered(api.describe_backups(List { call, offset: 0, limit: 1 })).await;
                let what = What::Probed { answer: reply.answer.map(|_| ()) };
                let (date, request_id, elapsed) = (reply.date, reply.request_id, reply.elapsed);
                Done { doorbell, sent: now, received: clock.now(), date, request_id, elapsed, signed_at, what }
            });
        }
        for at in [self.accounts.probe_at(), self.silences.asks_at(), self.clock_proof.asks_at()].into_iter().flatten() {
            wake.sooner(at.max(now.mono + Duration::from_millis(1)));
        }
    }

    /// One instance of each account in turn.
    fn next_doorbell(&mut self) -> Option<Doorbell> {
        let policy = &self.loaded.policy;
        let reachable: Vec<_> = policy
            .accounts
            .iter()
            .filter_map(|account| Some((account, policy.instances.iter().find(|instance| instance.account == account.name)?)))
            .collect();
        let turn = usize::try_from(self.clock_turn).unwrap_or(0).checked_rem(reachable.len())?;
        self.clock_turn = self.clock_turn.wrapping_add(1);
        let (account, instance) = reachable.get(turn)?;
        let access = Access { endpoint: account.endpoint.clone(), credentials: account.credentials.clone() };
        Some(Doorbell { account: account.name.clone(), access, region: instance.region.clone(), instance: instance.id.clone() })
    }
}

/// The number that a poll may stop at; none when only the whole list will do.
fn wanted(run: &Run, asked: &[(RunId, Place)]) -> Option<BackupId> {
    match run.state {
        State::Running { backup, .. } if asked.len() == 1 => Some(backup),
        _ => None,
    }
}

pub(crate) struct Read {
    pub(crate) answer: Result<seen::List, CallError>,
    date: Option<DateTime<Utc>>,
    request_id: Option<String>,
    elapsed: Duration,
}

/// A call that panics is a call without an answer: its row, its instance or its account is not left waiting for one.
async fn answered<T>(call: impl Future<Output = Reply<T>>) -> Reply<T> {
    let mut call = pin!(call);
    let caught = poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(context))) {
        Ok(polled) => polled.map(Some),
        Err(_) => Poll::Ready(None),
    });
    caught.await.unwrap_or_else(|| {
        let message = "this program failed while it called; please report what stands above".into();
        let answer = Err(CallError { class: Class::Ambiguous, code: "panicked".into(), message });
        Reply { answer, date: None, request_id: None, elapsed: Duration::ZERO }
    })
}

/// Reads a list, page by page; it is complete with one `TotalCount` throughout and as many distinct numbers.
pub(crate) async fn pages<A: CdbApi, C: Clock>(api: &A, clock: &C, first: Call, wanted: Option<BackupId>, asked: Now) -> Read {
    let mut list = seen::List { items: Vec::new(), complete: false, date: None, asked_at: asked.utc };
    let (mut total, mut steady) = (None, true);
    let ahead = first.signed_at - asked.utc.timestamp();
    let mut read = Read { answer: Ok(list.clone()), date: None, request_id: None, elapsed: Duration::ZERO };
    for page_number in 0..PAGES {
        let now = clock.now();
        let signed_at = if page_number == 0 { first.signed_at } else { now.utc.timestamp() + ahead };
        let call = Call { signed_at, deadline: now.mono + CALL_MAX, ..first.clone() };
        // A server may give less than is asked for: the next page begins where this one ended.
        let offset = u32::try_from(list.items.len()).unwrap_or(u32::MAX);
        let reply = answered(api.describe_backups(List { call, offset, limit: LIMIT })).await;
        read.elapsed += reply.elapsed;
        read.request_id = reply.request_id.or(read.request_id);
        // What a later page was asked for later, the first one does not speak for.
        if page_number == 0 {
            read.date = reply.date;
        }
        let Page { total: said, items } = match reply.answer {
            Ok(page) => page,
            Err(error) => {
                read.answer = Err(error);
                return read;
            }
        };
        steady &= total.is_none_or(|total| total == said);
        total = Some(said);
        let found = items.iter().any(|item| Some(item.id) == wanted);
        let last = items.is_empty() || list.items.len() + items.len() >= usize::try_from(said).unwrap_or(usize::MAX);
        list.items.extend(items);
        if found || last {
            let distinct: BTreeSet<_> = list.items.iter().map(|item| item.id).collect();
            list.complete = last && steady && distinct.len() as u64 == said && distinct.len() == list.items.len();
            break;
        }
    }
    list.date = read.date;
    read.answer = Ok(list);
    read
}

/// Keeps an instance's hold while it cannot be looked at.
impl Unseen {
    pub(super) fn new(run: Run, code: &str, now: Now) -> (InstanceId, Self) {
        let try_at = now.mono + run.terms.poll.max;
        (run.key.instance.clone(), Self { run, since: now.utc, code: code.to_owned(), try_at })
    }
}
