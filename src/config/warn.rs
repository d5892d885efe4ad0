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
    names::InstanceId,
    now::{earlier, later},
    policy::{Account, Instance, Job, Policy},
};
use chrono::{DateTime, Utc};
use std::{
    collections::{HashMap, HashSet},
    path::Path as FilePath,
    time::Duration,
};

/// Starts of two jobs on one instance that are nearer than this get in each other's way.
const CLOSE: Duration = Duration::from_secs(10 * 60);
/// How far ahead, and over how many slots of a job, two jobs are compared.
const COMPARED: (Duration, usize) = (Duration::from_secs(35 * 86_400), 1_000);
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
    for (i, job) in policy.jobs.iter().enumerate() {
        let at = Path::default().key("jobs").index(i);
        let cadence = Cadence::of(job, &policy.blackouts, now);
        odd_schedule::all(job, &at, now, findings);
        crowded_slot(job, policy, &at, findings);
        wide_start_window(job, &cadence, &at, findings);
        piling_backups(job, &cadence, &at, findings);
    }
    close_jobs(policy, now, findings);
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
fn crowded_slot(job: &Job, policy: &Policy, at: &Path, findings: &mut Findings) {
    let mut runs: HashMap<&str, u32> = HashMap::new();
    for instance in &job.instances {
        *runs.entry(instance.account.as_str()).or_default() += 1;
    }
    let accounts = policy.accounts.iter().filter_map(|a| runs.get(a.name.as_str()).map(|n| (a, *n)));
    for (account, runs) in accounts {
        let room = (job.start_within + job.spread).as_secs_f64() * account.calls_per_second;
        if f64::from(runs) > room.max(1.0) {
            findings.push(crowded(job, account, runs, room, at));
        }
    }
}

fn crowded(job: &Job, account: &Account, runs: u32, room: f64, at: &Path) -> Finding {
    let needed = Duration::from_secs_f64((f64::from(runs) / account.calls_per_second).ceil());
    let message = format!(
        "each slot has {runs} runs of account {}, and {room:.0} can start within {} at {} calls a second",
        redact::quoted(account.name.as_str()),
        written(job.start_within + job.spread),
        account.calls_per_second,
    );
    let finding = Finding::warning("crowded-slot", Spot::Value(at.key("start_within")), message).label("too short for all");
    finding.hint(format!("write `start_within: {}` or more, or spread the instances over several jobs", written(needed)))
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
fn close_jobs(policy: &Policy, now: DateTime<Utc>, findings: &mut Findings) {
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
    let mut slots = HashMap::new();
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
                    findings.extend(close_pair(policy, (*a, *b), instance, &mut slots, now));
                }
            }
        }
    }
}

fn close_pair(
    policy: &Policy,
    (a, b): (usize, usize),
    instance: &Instance,
    slots: &mut HashMap<usize, Vec<DateTime<Utc>>>,
    now: DateTime<Utc>,
) -> Option<Finding> {
    let (first, second) = (policy.jobs.get(a)?, policy.jobs.get(b)?);
    for (i, job) in [(a, first), (b, second)] {
        slots.entry(i).or_insert_with(|| job.schedule.slots_between(now, later(now, COMPARED.0)).take(COMPARED.1).collect());
    }
    let (at_a, at_b) = first_meeting(slots.get(&a)?, first.spread, slots.get(&b)?, second.spread)?;
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

/// The first slot of `a` that has one of `b` whose start, spread included, may lie nearer than [`CLOSE`], and the nearest of those.
fn first_meeting(a: &[DateTime<Utc>], spread_a: Duration, b: &[DateTime<Utc>], spread_b: Duration) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let mut later_b = b;
    a.iter().find_map(|at| {
        let least = earlier(earlier(*at, CLOSE), spread_b);
        let most = later(later(*at, CLOSE), spread_a);
        later_b = later_b.get(later_b.partition_point(|b| *b <= least)..).unwrap_or_default();
        let meeting = later_b.iter().take_while(|b| **b < most).min_by_key(|b| (**b - *at).abs())?;
        Some((*at, *meeting))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: &[i64]) -> Vec<DateTime<Utc>> {
        hours.iter().filter_map(|h| DateTime::from_timestamp(h * 60, 0)).collect()
    }

    #[test]
    fn two_slots_meet_when_their_starts_may_be_less_than_ten_minutes_apart() {
        let none = Duration::ZERO;
        assert_eq!(first_meeting(&at(&[100, 200]), none, &at(&[110, 209]), none), Some((at(&[200])[0], at(&[209])[0])));
        assert_eq!(first_meeting(&at(&[100]), none, &at(&[90, 110]), none), None);
        assert_eq!(first_meeting(&at(&[100]), none, &at(&[95, 100, 101]), none), Some((at(&[100])[0], at(&[100])[0])));
        assert_eq!(first_meeting(&at(&[100]), Duration::from_secs(60), &at(&[110]), none), Some((at(&[100])[0], at(&[110])[0])));
        assert_eq!(first_meeting(&at(&[100]), none, &at(&[90]), Duration::from_secs(60)), Some((at(&[100])[0], at(&[90])[0])));
    }
}
