//! Warnings: a policy that can be used, and probably does not do what was meant.
//!
//! Decided here: what is worth a warning, and its figures; of a schedule alone, in [`odd_schedule`]. Each is looked for alone; none changes what the policy means.

use super::{
    cadence::Cadence,
    fault::{Finding, Findings, Spot},
    length::written,
    machine::Machine,
    odd_schedule,
    place::Path,
    redact,
};
use crate::domain::{
    forecast::{Ahead, Crowd, crowds},
    names::InstanceId,
    now::later,
    policy::{Instance, Job, Policy},
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    collections::{HashMap, HashSet},
    path::Path as FilePath,
    time::Duration,
};

/// Starts of two jobs on one instance that are nearer than this get in each other's way.
const CLOSE: Duration = Duration::from_secs(10 * 60);
/// How far ahead slots are compared: what meets once a year meets within it, on whatever day one looks.
const COMPARED: Duration = Duration::from_secs(400 * 86_400);
/// Pairs of jobs that are compared.
const MOST_PAIRS: usize = 2_000;
/// Backups a year of one instance that a job may leave without a word: more than two a day.
const MANY_BACKUPS: f64 = 750.0;
/// File systems on which SQLite's locks or its durability do not hold.
const UNFIT_FILE_SYSTEMS: [(&str, &str); 7] = [
    ("nfs", "a network file system, whose locks SQLite cannot trust"),
    ("nfs4", "a network file system, whose locks SQLite cannot trust"),
    ("cifs", "a network file system, whose locks SQLite cannot trust"),
    ("smb3", "a network file system, whose locks SQLite cannot trust"),
    ("smbfs", "a network file system, whose locks SQLite cannot trust"),
    ("tmpfs", "memory, and gone after a restart"),
    ("ramfs", "memory, and gone after a restart"),
];

/// Looks for everything that there is a warning for.
pub(super) fn all(policy: &Policy, ledger: &FilePath, machine: &Machine, now: DateTime<Utc>, findings: &mut Findings) {
    unfit_ledger(policy, ledger, machine, findings);
    ledger_that_is_a_folder(policy, ledger, machine, findings);
    absent_credentials(policy, machine, findings);
    idle_instances(policy, findings);
    if policy.jobs.is_empty() {
        let at = Spot::Key(Path::default().key("jobs"));
        findings.push(
            Finding::warning("no-job", at, "the policy has no job, so nothing is ever backed up")
                .hint("add one, such as `jobs: [{ name: nightly, schedule: \"30 2 * * *\", time_zone: Asia/Shanghai, targets: { all: true }, method: physical }]`"),
        );
    }
    // Before those of a single job, which may be as many as there are jobs.
    let ahead = Ahead::of(policy, now, later(now, COMPARED));
    crowds(policy, &ahead).iter().for_each(|crowd| findings.extend(crowded_slot(crowd, policy)));
    for (i, job) in policy.jobs.iter().enumerate() {
        let at = Path::default().key("jobs").index(i);
        let cadence = Cadence::of(job, &policy.blackouts, now);
        odd_schedule::all(job, &at, now, findings);
        wide_start_window(job, &cadence, &at, findings);
        piling_backups(job, &cadence, &at, findings);
    }
    close_jobs(policy, &ahead, findings);
}

fn unfit_ledger(policy: &Policy, ledger: &FilePath, machine: &Machine, findings: &mut Findings) {
    let Some(kind) = machine.file_system(ledger) else { return };
    let Some((_, why)) = UNFIT_FILE_SYSTEMS.iter().find(|(name, _)| *name == kind) else { return };
    let at = if policy.ledger.is_some() { Spot::Value(Path::default().key("ledger")) } else { Spot::File };
    let message = format!("the ledger {} is on {kind}: {why}", redact::shortened(&ledger.display().to_string()));
    findings.push(
        Finding::warning("ledger-file-system", at, message).label("here").hint("put it on a local disk, such as /var/lib/cdb-backupd/ledger.db"),
    );
}

fn ledger_that_is_a_folder(policy: &Policy, ledger: &FilePath, machine: &Machine, findings: &mut Findings) {
    if !machine.is_folder(ledger) {
        return;
    }
    let at = if policy.ledger.is_some() { Spot::Value(Path::default().key("ledger")) } else { Spot::File };
    let message = format!("the ledger must be a file, and {} is a folder here", redact::shortened(&ledger.display().to_string()));
    let hint = format!("write a file's path, such as `{}`", redact::shortened(&ledger.join("ledger.db").display().to_string()));
    findings.push(Finding::warning("ledger-is-a-folder", at, message).label("a folder").hint(hint));
}

fn absent_credentials(policy: &Policy, machine: &Machine, findings: &mut Findings) {
    for account in &policy.accounts {
        let Some(missing) = machine.missing_credentials(&account.credentials) else { continue };
        let at = Path::default().key("accounts").key(account.name.to_string());
        let message = format!("the keys of account {} cannot be read here: {missing}", redact::quoted(account.name.as_str()));
        let finding = Finding::warning("absent-credentials", Spot::Value(at.key("credentials")), message).label("no keys from here");
        findings.push(finding.hint("only `run` needs them; provide them where the daemon runs"));
    }
}

fn idle_instances(policy: &Policy, findings: &mut Findings) {
    let used: HashSet<&InstanceId> = policy.jobs.iter().flat_map(|j| &j.instances).map(|i| &i.id).collect();
    if policy.jobs.is_empty() {
        return;
    }
    for (i, instance) in policy.instances.iter().enumerate().filter(|(_, instance)| !used.contains(&instance.id)) {
        let at = Spot::Value(Path::default().key("instances").index(i).key("id"));
        let message = format!("no job matches instance {}, so it is never backed up", redact::quoted(instance.name.as_str()));
        findings.push(Finding::warning("idle-instance", at, message).label("not backed up").hint("add it to a job's targets, or take it out"));
    }
}

/// More runs in a slot than can be started in time.
fn crowded_slot(crowd: &Crowd<'_>, policy: &Policy) -> Option<Finding> {
    let (first, _) = *crowd.late.first()?;
    let job = policy.jobs.get(first)?;
    let names = |jobs: &mut dyn Iterator<Item = usize>| listed(jobs.filter_map(|job| Some(redact::quoted(policy.jobs.get(job)?.name.as_str()))));
    let accounts = listed(crowd.accounts.iter().map(|name| redact::quoted(name.as_str())));
    let whose = if crowd.accounts.len() > 1 { format!("accounts {accounts}, which share keys") } else { format!("account {accounts}") };
    let (runs, in_time, pace) = (crowd.runs, crowd.in_time, crowd.per_second);
    let alone = crowd.jobs.len() == 1;
    let message = if alone {
        let window = written(job.start_within + job.spread);
        format!("each slot has {runs} runs of {whose}, and {in_time} can start within {window} at {pace} calls a second")
    } else {
        let (slot, jobs) = (job.schedule.local(crowd.slot), names(&mut crowd.jobs.iter().copied()));
        format!("at {slot} {jobs} have {runs} runs together of {whose}, and {in_time} can start in time at {pace} calls a second")
    };
    let at = |job: usize, key: &str| Spot::Value(Path::default().key("jobs").index(job).key(key.to_owned()));
    let finding = Finding::warning("crowded-slot", at(first, "start_within"), message).label("too short for all");
    let finding = match crowd.jobs.iter().find(|job| **job != first) {
        Some(other) => finding.also(at(*other, "schedule"), "at the same time"),
        None => finding,
    };
    // A run starts before its window ends, not when it ends.
    let needed = Duration::from_secs(crowd.late.iter().map(|(_, wait)| wait.as_secs() + 1).max()?);
    let of = if crowd.late.len() > 1 { format!(" in {}", names(&mut crowd.late.iter().map(|(job, _)| *job))) } else { String::new() };
    let instead = if alone { "spread the instances over several jobs" } else { "move a job to another time" };
    Some(finding.hint(format!("write `start_within: {}` or more{of}, or {instead}", written(needed))))
}

/// `a`, `a and b`, or `a, b and 3 more`.
fn listed(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [one, other] => format!("{one} and {other}"),
        [one, other, rest @ ..] => format!("{one}, {other} and {} more", rest.len()),
    }
}

fn wide_start_window(job: &Job, cadence: &Cadence, at: &Path, findings: &mut Findings) {
    let Some(gap) = cadence.shortest_gap.filter(|gap| job.start_within > *gap) else { return };
    let (within, gap) = (written(job.start_within), written(gap));
    let message = format!("a run may start up to {within} late, and the next slot comes after {gap}");
    let finding = Finding::warning("wide-start-window", Spot::Value(at.key("start_within")), message).label("longer than the time between two slots");
    findings.push(finding.hint(format!("write `start_within: {gap}` or less in this job")));
}

fn piling_backups(job: &Job, cadence: &Cadence, at: &Path, findings: &mut Findings) {
    if job.suspend || job.instances.is_empty() || cadence.a_year < MANY_BACKUPS {
        return;
    }
    let instances = u32::try_from(job.instances.len()).map_or(f64::MAX, f64::from);
    let message = format!("the job leaves about {:.0} manual backups a year; they never expire and cost money", cadence.a_year * instances);
    let finding = Finding::warning("piling-backups", Spot::Value(at.key("schedule")), message);
    findings.push(
        finding
            .label(format!("about {:.0} a year of each instance", cadence.a_year))
            .hint("back up less often, or see that somebody deletes old ones"),
    );
}

/// Pairs of jobs that start on one instance at nearly the same time.
fn close_jobs<'a>(policy: &'a Policy, ahead: &Ahead<'a>, findings: &mut Findings) {
    let mut jobs_of: HashMap<&InstanceId, Vec<usize>> = HashMap::new();
    let active = policy.jobs.iter().enumerate().filter(|(_, job)| !job.suspend);
    for (i, job) in active {
        for instance in &job.instances {
            jobs_of.entry(&instance.id).or_default().push(i);
        }
    }
    // Many instances have the same jobs; each set of jobs is looked at once.
    let mut sets: HashSet<&[usize]> = HashSet::new();
    let mut pairs: HashSet<(usize, usize)> = HashSet::new();
    for instance in &policy.instances {
        let jobs = jobs_of.get(&instance.id).map(Vec::as_slice).unwrap_or_default();
        if !sets.insert(jobs) {
            continue;
        }
        for (n, a) in jobs.iter().enumerate() {
            for b in jobs.iter().skip(n + 1) {
                if pairs.len() >= MOST_PAIRS {
                    return;
                }
                if pairs.insert((*a, *b)) {
                    findings.extend(close_pair(policy, (*a, *b), instance, ahead));
                }
            }
        }
    }
}

fn close_pair<'a>(policy: &'a Policy, (a, b): (usize, usize), instance: &Instance, ahead: &Ahead<'a>) -> Option<Finding> {
    let (first, second) = (policy.jobs.get(a)?, policy.jobs.get(b)?);
    let first_is_seldom = ahead.listed(first) <= ahead.listed(second);
    let (seldom, often) = if first_is_seldom { (first, second) } else { (second, first) };
    // A start may come later than its slot by as much as the job spreads its runs.
    let [before, after] = [often, seldom].map(|job| TimeDelta::from_std(CLOSE + job.spread).unwrap_or(TimeDelta::MAX));
    let (seldom, often) = ahead.first_meeting(seldom, often, before, after)?;
    let (at_a, at_b) = if first_is_seldom { (seldom, often) } else { (often, seldom) };
    // One zone for both, so that they can be compared.
    let zone = &first.schedule;
    let when = match at_a == at_b {
        true => format!("both at {}", zone.local(at_a)),
        false => format!("at {} and at {}", zone.local(at_a), zone.local(at_b)),
    };
    let message = format!(
        "{} and {} start on instance {} close together: {when}",
        redact::quoted(first.name.as_str()),
        redact::quoted(second.name.as_str()),
        redact::quoted(instance.name.as_str()),
    );
    Some(close(message, a, b))
}

fn close(message: String, first: usize, second: usize) -> Finding {
    let at = |job: usize| Spot::Value(Path::default().key("jobs").index(job).key("schedule"));
    let finding = Finding::warning("close-jobs", at(second), message).label("this one").also(at(first), "and this one");
    finding.hint("an instance makes one backup at a time, so one of them waits; move one by more than a backup's length")
}
