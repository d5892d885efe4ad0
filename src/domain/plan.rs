//! Who is next: from (policy, rows, now) to what to do and when to look again.
//!
//! Decided here: which slots become rows, which runs start and in which order, which rows end, which instances are looked at, and what holds the
//! rest. Not here: when a call may leave ([`super::pace`]), and what a reply does to a run ([`super::run`]). The view is bounded: rows that a hold
//! keeps are not in it, so a pass costs the same whatever waits.
//!
//! A run that was never sent says what held it to the last. That it was the pace takes evidence: the account was refused permits up to the end of
//! the run's window. A process that began after it, or whose loop slept over it, was not there; nor is anything else claimed of such a run.

use super::{
    catch_up::{self, Cursor, NewRun},
    names::{AccountName, InstanceId, JobName, RunId},
    pause::{Keeps, Paused},
    policy::Policy,
    run::{
        Doubt, Outcome, Reading, Restored, Run, State,
        due::{Hold, Kept, Previous, Step},
        seen::Place,
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What the ledger shows the planner.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Cursors with a slot at or before now.
    pub cursors: Vec<Cursor>,
    /// Per account the next few due runs, in start order, that no hold of the view keeps.
    pub queue: Vec<Waiting>,
    /// Rows whose time has come: due rows that may have to end, and rows to look for.
    pub timed: Vec<Waiting>,
    /// Instances on which another run is at work, of the runs of `timed` that are due.
    pub in_use: BTreeSet<InstanceId>,
    /// How many runs of each account are in flight; told where a run of the queue may start.
    pub in_flight: BTreeMap<AccountName, u32>,
    /// The next slot of any cursor.
    pub next_slot: Option<DateTime<Utc>>,
    /// The soonest moment at which anything comes due, slots too.
    pub soonest: Option<DateTime<Utc>>,
}

/// A run of the view, and the open one before it.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The run.
    pub run: Run,
    /// The previous run of the same job and instance, while it is open.
    pub previous: Option<Previous>,
}

/// What this process has in flight, and what it holds. None of it outlives the process.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// Runs whose call still lives, or whose result is not yet recorded.
    pub calls: BTreeSet<RunId>,
    /// Instances whose list is being read.
    pub lists: BTreeSet<InstanceId>,
    /// Accounts whose keys the cloud does not accept.
    pub accounts: BTreeSet<AccountName>,
    /// Instances that could not be looked at.
    pub unseen: BTreeSet<InstanceId>,
    /// When the pace last refused an account's runs a permit, without a break.
    pub paced: BTreeMap<AccountName, Span>,
    /// When the loop last was overdue: the process was stopped, or the machine asleep.
    pub away: Option<Span>,
    /// When the ledger last could not be written.
    pub unwritten: Option<Span>,
}

/// How near to each other two moments are one: a pass may come so late, and hold a few commits.
const NEAR: TimeDelta = TimeDelta::seconds(5);

/// A time that something lasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its start.
    pub from: DateTime<Utc>,
    /// Its end, as far as known.
    pub to: DateTime<Utc>,
}

impl Span {
    /// The same thing from `from` to `to`, as one with what lasted `before` if that ended shortly before.
    pub fn on(before: Option<Self>, from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        match before {
            Some(before) if before.from <= from && from <= before.to + NEAR => Self { to: to.max(before.to), ..before },
            _ => Self { from, to },
        }
    }

    /// When a loop that was to wake at `asked` was overdue at `now`; none when it came in time.
    pub fn overdue(asked: DateTime<Utc>, now: DateTime<Utc>) -> Option<Self> {
        let from = asked + NEAR;
        (from < now).then_some(Self { from, to: now })
    }

    /// Whether it lasted over the end of a window.
    fn is_over(self, end: DateTime<Utc>) -> bool {
        self.from <= end && end <= self.to + NEAR
    }
}

/// What to do, and when to look again.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// New rows, and where their cursors move.
    pub admit: Vec<Admission>,
    /// Rows that time, a wish or a restart has moved.
    pub moved: Vec<Run>,
    /// Runs to begin, in order, as far as the pace goes.
    pub begin: Vec<Run>,
    /// Instances to list, in order, as far as the pace goes.
    pub lists: Vec<ListStep>,
    /// Nothing changes by itself before this.
    pub wake_at: Option<DateTime<Utc>>,
    /// The next slot.
    pub next_slot: Option<DateTime<Utc>>,
}

/// The rows of one cursor. Rows and cursor are moved in one transaction.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The job.
    pub job: JobName,
    /// The instance.
    pub instance: InstanceId,
    /// The cursor's new place.
    pub cursor: DateTime<Utc>,
    /// The first slot after it.
    pub next_slot: Option<DateTime<Utc>>,
    /// The rows.
    pub rows: Vec<NewRun>,
}

/// One instance to list, and for which runs.
#[derive(Clone, Debug)]
pub struct ListStep {
    /// Which; the first run says how it is reached.
    pub run: Run,
    /// For whom, and where each stood.
    pub asked: Vec<(RunId, Place)>,
    /// Uncertain first, then busy, then polls, then runs given up on.
    pub rank: u8,
}

/// What keeps runs from starting at `now`: jobs, as the policy says; pairs, as pauses do.
pub fn keeps(policy: &Policy, paused: Arc<Paused>, now: DateTime<Utc>) -> Keeps {
    let all = policy.blackouts.iter().any(|blackout| blackout.covers(now).is_some());
    let hold = |job: &super::policy::Job| match () {
        () if job.suspend => Some(Kept::Suspended),
        () if all || job.blackouts.iter().any(|blackout| blackout.covers(now).is_some()) => Some(Kept::Blackout),
        () => None,
    };
    Keeps { jobs: policy.jobs.iter().filter_map(|job| Some((job.name.clone(), hold(job)?))).collect(), paused }
}

/// When the first of what keeps anything at `now` ends: a pause, or a blackout.
fn freed_at(policy: &Policy, keeps: &Keeps, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let blackouts = policy.blackouts.iter().chain(policy.jobs.iter().flat_map(|job| &job.blackouts));
    blackouts.filter_map(|blackout| blackout.covers(now)).chain(keeps.paused.ends_at).min()
}

/// Plans one pass.
pub fn plan(policy: &Policy, view: View, held: &Held, keeps: &Keeps, reading: &Reading) -> Plan {
    let freed_at = if keeps.is_empty() { None } else { freed_at(policy, keeps, reading.now.utc) };
    let mut plan = Plan { wake_at: [view.soonest, freed_at].into_iter().flatten().min(), next_slot: view.next_slot, ..Plan::default() };
    if reading.proof.is_some() && !view.cursors.is_empty() {
        plan.admit = admit(policy, &view.cursors, reading);
    }
    let holds = Holds::new(policy, held, view.in_use, view.in_flight, reading);
    let mut lists: BTreeMap<InstanceId, ListStep> = BTreeMap::new();
    for Waiting { mut run, previous } in view.timed {
        let was_calling = matches!(run.state, State::Calling { .. });
        run.lease_over(reading);
        let called = held.calls.contains(&run.id);
        if matches!(run.state, State::Due { .. }) {
            plan.settle(moved(run, keeps, previous, &holds));
        } else if was_calling {
            plan.moved.extend(Some(run).filter(|run| !matches!(run.state, State::Calling { .. })));
        } else if called {
            // Its answer decides; no list speaks for a row whose call lives.
        } else if run.time_over(reading) {
            plan.moved.push(run);
        } else if run.look_at(reading).is_some_and(|at| at <= reading.now.utc) {
            ask(&mut lists, run);
        }
    }
    let mut queue = view.queue;
    queue.sort_by_key(|waiting| {
        (waiting.run.priority, waiting.run.asked.behind_ms, waiting.run.key.slot, waiting.run.windows.start_by, waiting.run.id)
    });
    begin(queue, keeps, holds, &mut plan);
    plan.lists = lists.into_values().filter(|step| may_list(step, held)).collect();
    plan.lists.sort_by_key(|step| (step.rank, step.run.look_at(reading), step.run.id));
    plan
}

fn admit(policy: &Policy, cursors: &[Cursor], reading: &Reading) -> Vec<Admission> {
    let now = reading.now.utc;
    let jobs: BTreeMap<_, _> = policy.jobs.iter().map(|job| (&job.name, job)).collect();
    let admission = |cursor: &Cursor| {
        let job = jobs.get(&cursor.job)?;
        let restored = match reading.restored {
            Restored::Never => false,
            Restored::Undated => true,
            Restored::Until(until) => cursor.at <= until,
        };
        Some(Admission {
            job: cursor.job.clone(),
            instance: cursor.instance.clone(),
            cursor: now,
            next_slot: job.schedule.next_after(now),
            rows: catch_up::rows(job, cursor, &policy.blackouts, restored, now),
        })
    };
    cursors.iter().filter_map(admission).collect()
}

impl Plan {
    /// A row that moved; a view may show one twice.
    fn settle(&mut self, run: Option<Run>) {
        self.moved.extend(run.filter(|run| self.moved.iter().all(|it| it.id != run.id)));
    }
}

/// What holds runs that nobody chose to hold.
struct Holds<'a> {
    held: &'a Held,
    in_use: BTreeSet<InstanceId>,
    in_flight: BTreeMap<AccountName, u32>,
    room: BTreeMap<&'a AccountName, u32>,
    reading: &'a Reading,
}

impl<'a> Holds<'a> {
    fn new(policy: &'a Policy, held: &'a Held, in_use: BTreeSet<InstanceId>, in_flight: BTreeMap<AccountName, u32>, reading: &'a Reading) -> Self {
        let room = policy.accounts.iter().filter_map(|account| Some((&account.name, account.max_running?))).collect();
        Self { held, in_use, in_flight, room, reading }
    }

    /// Whether the account has as many backups in progress as it may.
    fn is_full(&self, account: &AccountName) -> bool {
        self.room.get(account).is_some_and(|room| self.in_flight.get(account).unwrap_or(&0) >= room)
    }

    /// What kept a run that ends with its window and has no code of the cloud.
    fn last_of(&self, run: &Run) -> Hold {
        let (held, account, end) = (self.held, &run.terms.account, run.windows.start_by);
        let began = self.reading.proof.map(|proof| proof.started);
        match () {
            () if run.tally.attempts > 0 => Hold::NoAnswer,
            () if began.is_some_and(|began| began >= end) || held.away.is_some_and(|span| span.is_over(end)) => Hold::NotRunning,
            () if held.unwritten.is_some_and(|span| span.is_over(end)) => Hold::Ledger,
            () if held.accounts.contains(account) => Hold::Account,
            () if held.unseen.contains(&run.key.instance) => Hold::CannotLook,
            () if self.in_use.contains(&run.key.instance) => Hold::InUse,
            () if self.is_full(account) => Hold::MaxRunning,
            () if held.paced.get(account).is_some_and(|span| span.is_over(end)) => Hold::Pace,
            // It had to be looked for first, there was time for it, and no list came.
            () if run.is_old(self.reading) && began.is_some_and(|began| began + NEAR < end) => Hold::CannotLook,
            () => Hold::NotRunning,
        }
    }
}

/// A due row that ends, or has to be looked for, now.
fn moved(mut run: Run, keeps: &Keeps, previous: Option<Previous>, holds: &Holds<'_>) -> Option<Run> {
    let reading = holds.reading;
    match run.step(reading, keeps.of(&run), previous) {
        Step::Close { outcome: Outcome::Expired, reason: None } => {
            let hold = holds.last_of(&run);
            run.end_as(Outcome::Expired, Some(hold.word().into()), reading.now);
        }
        Step::Close { outcome, reason } => run.end_as(outcome, reason, reading.now),
        Step::Look => run.ask_look(reading),
        Step::Wait | Step::Begin => return None,
    }
    Some(run)
}

fn begin(queue: Vec<Waiting>, keeps: &Keeps, mut holds: Holds<'_>, plan: &mut Plan) {
    for Waiting { run, previous } in queue {
        let (account, held) = (&run.terms.account, holds.held);
        let is_held = held.accounts.contains(account) || held.unseen.contains(&run.key.instance) || held.calls.contains(&run.id);
        if is_held || holds.is_full(account) {
            continue;
        }
        match run.step(holds.reading, keeps.of(&run), previous) {
            Step::Begin => {
                *holds.in_flight.entry(account.clone()).or_default() += 1;
                plan.begin.push(run);
            }
            Step::Close { .. } | Step::Look => plan.settle(moved(run, keeps, previous, &holds)),
            Step::Wait => {}
        }
    }
}

fn ask(lists: &mut BTreeMap<InstanceId, ListStep>, run: Run) {
    let rank = match &run.state {
        State::Uncertain { doubt: Doubt::Busy, .. } => 1,
        State::Uncertain { .. } => 0,
        State::Running { .. } => 2,
        _ => 3,
    };
    let asked = (run.id, run.place());
    let step = lists.entry(run.key.instance.clone()).or_insert_with(|| ListStep { run: run.clone(), asked: Vec::new(), rank });
    if rank < step.rank {
        step.run = run;
        step.rank = rank;
    }
    step.asked.push(asked);
}

fn may_list(step: &ListStep, held: &Held) -> bool {
    !held.accounts.contains(&step.run.terms.account) && !held.lists.contains(&step.run.key.instance)
}

/// The outcome words that a person has to look at.
pub fn is_bad(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Failed | Outcome::TimedOut | Outcome::Unknown | Outcome::Expired | Outcome::Missed)
}
