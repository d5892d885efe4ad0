//! Who is next: from (policy, rows, now) to what to do and when to look again.
//!
//! Decided here: which slots become rows, which runs start and in which order, which rows end, which instances are looked at, and what holds the
//! rest. Not here: when a call may leave ([`super::pace`]), and what a reply does to a run ([`super::run`]). The view is bounded: rows that a hold
//! keeps are not in it, so a pass costs the same whatever waits.

use super::{
    catch_up::{self, Cursor, NewRun},
    names::{AccountName, InstanceId, JobName, RunId},
    policy::Policy,
    run::{
        Doubt, Outcome, Reading, Restored, Run, State,
        due::{Hold, Kept, Previous, Step},
        seen::Place,
    },
};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};

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

/// What holds jobs at `now`, as the policy says.
pub fn kept(policy: &Policy, now: DateTime<Utc>) -> BTreeMap<JobName, Kept> {
    let all = policy.blackouts.iter().any(|blackout| blackout.covers(now).is_some());
    let hold = |job: &super::policy::Job| match () {
        () if job.suspend => Some(Kept::Suspended),
        () if all || job.blackouts.iter().any(|blackout| blackout.covers(now).is_some()) => Some(Kept::Blackout),
        () => None,
    };
    policy.jobs.iter().filter_map(|job| Some((job.name.clone(), hold(job)?))).collect()
}

/// When the first of the blackouts that last at `now` ends.
fn freed_at(policy: &Policy, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    policy.blackouts.iter().chain(policy.jobs.iter().flat_map(|job| &job.blackouts)).filter_map(|blackout| blackout.covers(now)).min()
}

/// Plans one pass.
pub fn plan(policy: &Policy, view: View, held: &Held, kept: &BTreeMap<JobName, Kept>, reading: &Reading) -> Plan {
    let freed_at = if kept.is_empty() { None } else { freed_at(policy, reading.now.utc) };
    let mut plan = Plan { wake_at: [view.soonest, freed_at].into_iter().flatten().min(), next_slot: view.next_slot, ..Plan::default() };
    if reading.proof.is_some() && !view.cursors.is_empty() {
        plan.admit = admit(policy, &view.cursors, reading);
    }
    let mut lists: BTreeMap<InstanceId, ListStep> = BTreeMap::new();
    for Waiting { mut run, previous } in view.timed {
        let was_calling = matches!(run.state, State::Calling { .. });
        run.lease_over(reading);
        let called = held.calls.contains(&run.id);
        if matches!(run.state, State::Due { .. }) {
            let hold = hold(&run, held, &view.in_use);
            plan.settle(moved(run, kept, previous, hold, reading));
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
    queue.sort_by_key(|waiting| (waiting.run.priority, waiting.run.key.slot, waiting.run.windows.start_by, waiting.run.id));
    begin(queue, &view.in_flight, policy, held, kept, reading, &mut plan);
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

/// What holds a run that nobody chose to hold.
fn hold(run: &Run, held: &Held, in_use: &BTreeSet<InstanceId>) -> Hold {
    match () {
        () if held.accounts.contains(&run.terms.account) => Hold::Account,
        () if held.unseen.contains(&run.key.instance) => Hold::CannotLook,
        () if in_use.contains(&run.key.instance) => Hold::InUse,
        () => Hold::Pace,
    }
}

/// A due row that ends, or has to be looked for, now.
fn moved(mut run: Run, kept: &BTreeMap<JobName, Kept>, previous: Option<Previous>, hold: Hold, reading: &Reading) -> Option<Run> {
    match run.step(reading, kept.get(&run.key.job).copied(), previous) {
        // It was never sent: what held it to the last is all there is to say.
        Step::Close { outcome: Outcome::Expired, reason: None } => run.end_as(Outcome::Expired, Some(hold.word().into()), reading.now),
        Step::Close { outcome, reason } => run.end_as(outcome, reason, reading.now),
        Step::Look => run.ask_look(reading),
        Step::Wait | Step::Begin => return None,
    }
    Some(run)
}

fn begin(
    queue: Vec<Waiting>,
    in_flight: &BTreeMap<AccountName, u32>,
    policy: &Policy,
    held: &Held,
    kept: &BTreeMap<JobName, Kept>,
    reading: &Reading,
    plan: &mut Plan,
) {
    let max: BTreeMap<_, _> = policy.accounts.iter().filter_map(|account| Some((&account.name, account.max_running?))).collect();
    let mut in_flight = in_flight.clone();
    for Waiting { run, previous } in queue {
        let account = run.terms.account.clone();
        let open = held.accounts.contains(&account) || held.unseen.contains(&run.key.instance) || held.calls.contains(&run.id);
        let count = in_flight.entry(account.clone()).or_default();
        if open || max.get(&account).is_some_and(|max| *count >= *max) {
            continue;
        }
        match run.step(reading, kept.get(&run.key.job).copied(), previous) {
            Step::Begin => {
                *count += 1;
                plan.begin.push(run);
            }
            Step::Close { .. } | Step::Look => plan.settle(moved(run, kept, previous, Hold::Pace, reading)),
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
