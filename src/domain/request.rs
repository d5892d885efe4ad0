//! What people can ask the daemon for, as `requests` keeps it, and what it answers.
//!
//! Decided here: what is refused and why, which row a run by hand becomes, and which slots a backfill takes out of which ranges. Not decided here:
//! how rows are written (`ledger::requests`) and what a command prints (`cli`).

use super::{
    blackout::dark,
    catch_up::{Admitted, Cursor, NewRun, missed},
    names::{AccountName, InstanceId, JobName, RunId},
    now::later,
    pause::{Asked, Keeps},
    policy::{Account, Instance, Job, Method, Overlap, Policy, Table},
    run::{Key, Outcome, Trigger, Windows, due::Kept},
    scope::Scope,
    terms::Terms,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// So many runs are asked for at once, at most.
pub const RUNS_MAX: usize = 10_000;
/// A request that nobody took for so long is refused: whoever asked has gone.
pub const TAKEN_WITHIN: Duration = Duration::from_secs(3_600);

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Backups now, one for each.
    Backup {
        /// Of what.
        wanted: Vec<Wanted>,
        /// In a pause, a suspension and a blackout, too.
        #[serde(default)]
        even_if_held: bool,
    },
    /// Missed slots of a job, in `[since, until)`.
    Backfill {
        /// The job.
        job: String,
        /// On which of its instances.
        scope: Scope,
        /// The first moment.
        since: DateTime<Utc>,
        /// The first moment after it.
        until: DateTime<Utc>,
    },
    /// The end of runs that were not sent.
    Cancel {
        /// Which.
        runs: Vec<i64>,
    },
    /// Nothing of this starts for a time.
    Pause {
        /// What.
        scope: Scope,
        /// Up to when; none: until somebody resumes it.
        until: Option<DateTime<Utc>>,
    },
    /// The end of pauses.
    Resume {
        /// Their numbers; none: those whose scope is this one, and all when it is everything.
        pauses: Vec<i64>,
        /// Which.
        scope: Scope,
    },
    /// The policy's file is read again.
    Reload {},
}

/// One backup that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// As this job makes it; none: as `method` says.
    pub job: Option<String>,
    /// Of this instance, by id.
    pub instance: String,
    /// How, where no job says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Databases and tables, `logical` only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<(String, Option<String>)>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Whether it was done.
    pub done: bool,
    /// A sentence, and further lines.
    pub says: Vec<String>,
    /// The runs that it is about.
    #[serde(default)]
    pub runs: Vec<RunAnswer>,
    /// How many runs stand before the first of them.
    #[serde(default)]
    pub ahead: u64,
    /// When the first of them starts, in seconds, if nothing comes between.
    #[serde(default)]
    pub starts_in_s: Option<f64>,
}

/// What became of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAnswer {
    /// Its number.
    pub run_id: i64,
    /// Its job, or `by-hand`.
    pub job: String,
    /// Its instance.
    pub instance_id: String,
    /// What became of it; empty where the sentence says it.
    #[serde(default)]
    pub says: String,
}

impl Answer {
    /// A refusal, with what to do instead.
    pub fn refused(says: impl Into<String>) -> Self {
        Self { says: vec![says.into()], ..Self::default() }
    }
}

impl Request {
    /// The word that `requests` keeps, and that the command is called by.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Backup { .. } => "backup",
            Self::Backfill { .. } => "backfill",
            Self::Cancel { .. } => "cancel",
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::Reload {} => "reload",
        }
    }
}

/// A backup that is taken on: its row, and how it is called.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The row.
    pub row: NewRun,
    /// Its terms.
    pub terms: Terms,
}

/// Why a backup is not taken on; a sentence that says what to do.
pub type Refused = String;

/// The row of one wanted backup. Its slot is the moment of the request: a restored, unanswered request gets the same alias.
pub fn by_hand(
    policy: &Policy,
    wanted: &Wanted,
    request: i64,
    at: DateTime<Utc>,
    even_if_held: bool,
    keeps: &Keeps,
    now: DateTime<Utc>,
) -> Result<Taken, Refused> {
    let instance = instance_of(policy, &wanted.instance)?;
    let job = wanted.job.as_deref().map(|name| job_of(policy, name)).transpose()?;
    let account = account_of(policy, &instance.account)?;
    let name = job.map_or_else(JobName::by_hand, |job| job.name.clone());
    if !even_if_held && let Some(kept) = keeps.of_pair(&name, &instance.id).or_else(|| (!dark(policy, job, now).is_empty()).then_some(Kept::Blackout))
    {
        return Err(format!("{} on {} is held ({}); write `--even-if-held` to start it all the same", name, instance.name, kept.word()));
    }
    let terms = match job {
        Some(job) if !job.instances.iter().any(|it| it.id == instance.id) => {
            return Err(format!(
                "job {name} does not back up {}; write `--instance {} --method …` for a backup without a job",
                instance.name, instance.name
            ));
        }
        Some(job) => Terms::of(job, instance, account),
        None => alone(policy, wanted, instance, account)?,
    };
    let (start_within, complete_within, priority) = job.map_or_else(
        || (policy.by_hand.start_within, policy.by_hand.complete_within, policy.by_hand.priority),
        |job| (job.start_within, job.complete_within, job.priority),
    );
    let start_by = later(at.max(now), start_within);
    let complete_by = later(start_by, complete_within);
    let key = Key { job: name, instance: instance.id.clone(), slot: at, trigger: Trigger::Manual, request };
    let slot_local = job.map_or_else(|| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true), |job| job.schedule.local(at));
    let windows = Windows { not_before: at, start_by, complete_by, restart_by: complete_by };
    let asked = Asked { request, even_if_held, behind_ms: 0 };
    Ok(Taken { row: NewRun { key, slot_last: at, slots: 1, slot_local, windows, priority, asked, admitted: Admitted::Due }, terms })
}

fn instance_of<'a>(policy: &'a Policy, id: &str) -> Result<&'a Arc<Instance>, Refused> {
    policy
        .instances
        .iter()
        .find(|it| it.id.as_str() == id)
        .ok_or_else(|| format!("the policy in force knows no instance {id}; reload it if the file does"))
}

fn job_of<'a>(policy: &'a Policy, name: &str) -> Result<&'a Job, Refused> {
    policy
        .jobs
        .iter()
        .map(Arc::as_ref)
        .find(|it| it.name.as_str() == name)
        .ok_or_else(|| format!("the policy in force knows no job {name}; reload it if the file does"))
}

fn account_of<'a>(policy: &'a Policy, name: &AccountName) -> Result<&'a Account, Refused> {
    policy.accounts.iter().map(Arc::as_ref).find(|it| it.name == *name).ok_or_else(|| format!("the policy in force knows no account {name}"))
}

/// The terms of a backup that no job describes.
fn alone(policy: &Policy, wanted: &Wanted, instance: &Instance, account: &Account) -> Result<Terms, Refused> {
    let tables: Vec<Table> = wanted.tables.iter().map(|(db, table)| Table { db: db.clone(), table: table.clone() }).collect();
    let method = match wanted.method.as_deref() {
        Some("logical") => Method::Logical { tables },
        Some(_) if !tables.is_empty() => return Err("tables can be chosen with `--method logical` only".into()),
        Some("physical") => Method::Physical { encrypted: None },
        Some("snapshot") => Method::Snapshot,
        _ => return Err("write `--job JOB`, or `--method logical`, `physical` or `snapshot`".into()),
    };
    Ok(Terms {
        instance_name: instance.name.clone(),
        tags: instance.tags.clone(),
        account: account.name.clone(),
        endpoint: account.endpoint.clone(),
        credentials: account.credentials.clone(),
        region: instance.region.clone(),
        method,
        absence_window: account.absence_window,
        retry: policy.by_hand.retry,
        poll: policy.by_hand.poll,
        overlap: Overlap::Queue,
    })
}

/// A row that says `missed`: its number and slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissedRow {
    /// Its number.
    pub id: RunId,
    /// The instance.
    pub instance: InstanceId,
    /// Its first slot.
    pub first: DateTime<Utc>,
    /// Its last slot.
    pub last: DateTime<Utc>,
    /// How many slots it covers.
    pub slots: u64,
    /// Why nobody ran it, in a word.
    pub reason: String,
    /// The sentence.
    pub why: String,
}

/// The rows that come in place of a missed one: due ones, newest slot first, and what stays missed. Empty when none of its slots is meant, or when
/// the job's schedule is another now than it was then.
///
/// The slots in `[since, until)` become due, at most `most` of them, the newest first.
pub fn cut(job: &Job, row: &MissedRow, (since, until): (DateTime<Utc>, DateTime<Utc>), request: i64, most: usize, now: DateTime<Utc>) -> Vec<NewRun> {
    let before = |t: DateTime<Utc>| t - TimeDelta::milliseconds(1);
    if job.schedule.count_and_last(before(row.first), row.last) != (row.slots, Some(row.last)) {
        return Vec::new();
    }
    let mut due: Vec<_> = job.schedule.slots_between(before(since.max(row.first)), before(until).min(row.last)).take(SLOTS_MAX).collect();
    due.reverse();
    due.truncate(most);
    if due.is_empty() {
        return Vec::new();
    }
    let mut rows: Vec<_> = due
        .iter()
        .enumerate()
        .map(|(place, slot)| {
            let (start_by, complete_by) = in_line(job, place, now);
            let windows = Windows { not_before: *slot, start_by, complete_by, restart_by: complete_by };
            let asked = Asked { request, even_if_held: false, behind_ms: (now - *slot).num_milliseconds().max(0) };
            in_place(job, row, (*slot, *slot, 1), windows, asked, Admitted::Due)
        })
        .collect();
    due.reverse();
    rows.extend(left_missed(job, row, &due));
    rows
}

/// What stays missed of a row when these of its slots, in order, have rows of their own.
pub(super) fn left_missed(job: &Job, row: &MissedRow, taken: &[DateTime<Utc>]) -> Vec<NewRun> {
    let taken = taken.iter().map(|slot| (*slot, *slot)).collect();
    let cursor = Cursor { job: job.name.clone(), instance: row.instance.clone(), at: row.first - TimeDelta::milliseconds(1), taken };
    let pieces = missed(&job.schedule, &cursor, row.last).into_iter();
    let closed = |(first, last, slots)| {
        let windows = Windows { not_before: first, start_by: first, complete_by: first, restart_by: first };
        let admitted = Admitted::Closed { outcome: Outcome::Missed, reason: row.reason.clone().into(), why: row.why.clone() };
        in_place(job, row, (first, last, slots), windows, Asked::default(), admitted)
    };
    pieces.map(closed).collect()
}

/// A row for slots that another covered.
fn in_place(job: &Job, of: &MissedRow, slots: (DateTime<Utc>, DateTime<Utc>, u64), windows: Windows, asked: Asked, admitted: Admitted) -> NewRun {
    let (slot, slot_last, slots) = slots;
    NewRun {
        key: Key { job: job.name.clone(), instance: of.instance.clone(), slot, trigger: Trigger::Schedule, request: 0 },
        slot_last,
        slots,
        slot_local: job.schedule.local(slot),
        windows,
        priority: job.priority,
        asked,
        admitted,
    }
}

/// The windows of a backfilled slot that so many of its instance stand before: one at a time is made, and none may lose its window to the others.
fn in_line(job: &Job, place: usize, now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
    let each = (job.start_within + job.complete_within).saturating_mul(u32::try_from(place).unwrap_or(u32::MAX));
    let start_by = later(now, (each + job.start_within).min(BACKFILLED_WITHIN));
    (start_by, later(start_by, job.complete_within))
}

/// The longest start window of a backfilled slot.
const BACKFILLED_WITHIN: Duration = Duration::from_secs(31 * 86_400);

/// So many slots of one missed row are looked at: a year of every minute has more.
const SLOTS_MAX: usize = 1_000_000;
