//! What the daemon says: one INFO line per change of a run's state and one per BackupId as it arrives, one line per hold and fault, each readable
//! alone and with constant keys. What lasts is not repeated with every call that shows it.

use super::{
    accounts::Doorbell,
    act::{Done, What},
    reload::Refused,
};
use crate::{
    domain::{
        diff::Diff,
        names::{AccountName, BackupId, RunId},
        policy::{HistoryBounds, Policy},
        reply::{CallError, Class},
        run::{Note, Run, State, why},
        trouble::Trouble,
    },
    ledger::Answered,
};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Busy answers until an instance is told of.
const BUSY_TOLD_FROM: u32 = 4;
/// A clock that is not proved for so long is told of.
const UNPROVED_TOLD_FROM: Duration = Duration::from_secs(10);
/// A hold that lasts is told of again after this.
const TOLD_AGAIN: Duration = Duration::from_secs(600);
/// A clock that was off so lately is what keeps it unproved; the way to the cloud is not.
const OFF_LATELY: Duration = Duration::from_secs(60);
/// So many backups that somebody has to look at are remembered as told; past it they are told once more.
const BACKUPS_TOLD: usize = 4_096;

/// A run's new state. Keys: `run job instance_id account region slot state reason attempt backup_id request_id code`; each stands in every such
/// line, a number that there is none of as 0 and a text as nothing. `attempt` counts the run's own CreateBackup calls; it is 0 where no `call` of
/// it moved the run.
pub(super) fn state(run: &Run, call: bool) {
    line(run, call, None, None);
}

fn line(run: &Run, call: bool, request_id: Option<&str>, code: Option<&str>) {
    let backup_id = match &run.state {
        State::Running { backup, .. } => Some(backup.0),
        State::Closed(closed) => closed.backup.map(|id| id.0),
        _ => None,
    };
    let (reason, why) = match &run.state {
        State::Closed(closed) => (closed.reason.as_deref(), closed.why.clone()),
        State::Calling { .. } => (None, "CreateBackup is being called".into()),
        _ => (None, why::standing(run)),
    };
    tracing::info!(
        run = run.id.0,
        job = %run.key.job,
        instance_id = %run.key.instance,
        account = %run.terms.account,
        region = %run.terms.region,
        slot = %run.key.slot.to_rfc3339_opts(SecondsFormat::Secs, true),
        state = %run.word(),
        reason = %reason.unwrap_or_default(),
        attempt = if call { run.tally.attempts } else { 0 },
        backup_id = backup_id.unwrap_or_default(),
        request_id = %request_id.unwrap_or_default(),
        code = %code.unwrap_or_default(),
        "{} on {} is {}: {why}",
        run.key.job,
        run.key.instance,
        run.word(),
    );
}

/// An instance that does something else for long: told at the fourth busy answer, the eighth, the sixteenth and so on.
fn busy(run: &Run) {
    let times = run.tally.busy;
    if times >= BUSY_TOLD_FROM && times.is_power_of_two() {
        tracing::warn!(
            run = run.id.0, job = %run.key.job, instance_id = %run.key.instance, account = %run.terms.account, region = %run.terms.region,
            held = "busy", times,
            "{} has been busy {times} times; {} is tried again until its window closes at {}: see in the console what the instance does",
            run.key.instance, run.key.job, run.ends_at().to_rfc3339_opts(SecondsFormat::Secs, true)
        );
    }
}

fn tell(run: &Run, note: &Note) {
    let (id, job, instance_id) = (run.id.0, &run.key.job, &run.key.instance);
    match note {
        Note::Backup { id: backup_id, duplicate: true, .. } => tracing::error!(
            run = id, %job, %instance_id, backup_id = backup_id.0,
            "a second backup of one run exists; it is not deleted: look in the console which of them to keep"
        ),
        Note::Impostor { id: backup_id } => tracing::error!(
            run = id, %job, %instance_id, backup_id = backup_id.0,
            "a backup bears our name and cannot be ours (instance, type or way differ); nothing is sent for this run until it is gone"
        ),
        Note::Vanished { id: backup_id } => {
            tracing::error!(run = id, %job, %instance_id, backup_id = backup_id.0, "a backup that was in the cloud's list is gone from it");
        }
        Note::Backup { .. } => {}
    }
}

/// A number is logged the moment it arrives, before anything is written.
pub(super) fn arrived(done: &Done) {
    if let What::Created { run, call_number, answer: Ok(id), .. } = &done.what {
        tracing::info!(
            run = run.0, attempt = call_number, backup_id = id.0, instance_id = %done.doorbell.instance, request_id = done.request_id,
            "the cloud accepted CreateBackup of {} as backup {id}", done.doorbell.instance
        );
    }
}

/// A result that could not be written before the end.
pub(super) fn unrecorded(done: &Done) {
    if let What::Created { run, call_number, answer: Ok(id), .. } = &done.what {
        tracing::error!(
            run = run.0, attempt = call_number, backup_id = id.0, instance_id = %done.doorbell.instance, request_id = done.request_id,
            "this BackupId could not be written into the ledger; the next start finds it by its alias"
        );
    }
}

pub(super) fn installed(policy: &Policy, owed: usize) {
    tracing::info!(
        accounts = policy.accounts.len(),
        instances = policy.instances.len(),
        jobs = policy.jobs.len(),
        missed_by_change = owed,
        "the policy is in force"
    );
}

/// Another policy is in force; what it changes is told in figures.
pub(super) fn reloaded(policy: &Policy, diff: &Diff, owed: usize) {
    tracing::info!(
        accounts = policy.accounts.len(),
        instances = policy.instances.len(),
        jobs = policy.jobs.len(),
        missed_by_change = owed,
        jobs_added = diff.jobs_added.total,
        jobs_removed = diff.jobs_removed.total,
        jobs_changed = diff.jobs_changed.total,
        pairs_added = diff.pairs_added.total,
        pairs_removed = diff.pairs_removed.total,
        pairs_changed = diff.pairs_changed.total,
        accounts_added = diff.accounts_added.total,
        accounts_removed = diff.accounts_removed.total,
        accounts_changed = diff.accounts_changed.total,
        "another policy is in force: {}",
        diff.figures()
    );
    for renamed in &diff.jobs_renamed.items {
        tracing::warn!(job = renamed.after, before = renamed.before, "{renamed}");
    }
}

/// A file that cannot be used changes nothing.
pub(super) fn not_reloaded(refused: &Refused) {
    let Refused { faults, place, hint, .. } = refused;
    tracing::error!(faults, place, hint, "the policy is not reloaded, the one in force stays: {refused}");
}

pub(super) fn pruned(runs: u64, bounds: &HistoryBounds) {
    if runs > 0 {
        let age = humantime::format_duration(bounds.max_age);
        tracing::info!(runs, max_age = %age, max_runs = bounds.max_runs, "the history is within its bounds again: {runs} old runs were dropped");
    }
}

/// What lasts and was told of, so that it is told again only after a while.
#[derive(Debug, Default)]
pub(super) struct Told {
    unproved_since: Option<Duration>,
    clock: Option<Duration>,
    failed: Option<CallError>,
    off: Option<Off>,
    backups: BTreeSet<(RunId, BackupId)>,
    rates: BTreeMap<(AccountName, &'static str), Duration>,
    put_back: bool,
}

/// When our clock was last seen to be off, and when that was told.
#[derive(Clone, Copy, Debug)]
struct Off {
    seen: Duration,
    told: Duration,
}

impl Told {
    /// What an answer did, when it did something.
    pub(super) fn answered(&mut self, answered: &Answered, before: Option<&'static str>) {
        let run = &answered.run;
        let call = answered.create.as_ref().map(|(_, call, _)| call).or(answered.list.as_ref());
        let failure = call.and_then(|call| call.failure.as_ref());
        if before != Some(run.word()) {
            let code = failure.map(|failure| failure.code.as_str());
            line(run, answered.create.is_some(), call.and_then(|call| call.request_id.as_deref()), code);
        }
        if answered.create.is_some() && failure.is_some_and(|failure| failure.class == Class::Busy) {
            busy(run);
        }
        for note in &answered.notes {
            if self.is_news(run, note) {
                tell(run, note);
            }
        }
    }

    /// Every list shows such a backup again.
    fn is_news(&mut self, run: &Run, note: &Note) -> bool {
        let (Note::Backup { id, duplicate: true, .. } | Note::Impostor { id }) = note else { return true };
        if self.backups.len() >= BACKUPS_TOLD {
            self.backups.clear();
        }
        self.backups.insert((run.id, *id))
    }

    /// Whether the clock is proved, as seen at this moment.
    pub(super) fn clock(&mut self, proved: bool, now: Duration) {
        if proved {
            (self.unproved_since, self.clock, self.failed, self.off) = (None, None, None, None);
            return;
        }
        let lasts = now.saturating_sub(*self.unproved_since.get_or_insert(now));
        let off = self.off.is_some_and(|off| now.saturating_sub(off.seen) < OFF_LATELY);
        if off || lasts < UNPROVED_TOLD_FROM || !is_new(self.clock, now) {
            return;
        }
        self.clock = Some(now);
        let (code, why) = self.failed.as_ref().map_or(("", "no answer"), |error| (error.code.as_str(), error.message.as_str()));
        tracing::warn!(
            held = "clock_unproved",
            code,
            lasts_s = lasts.as_secs(),
            "for {} s no reply of the cloud has proved this machine's clock, and nothing starts until one does; the last try: {why}. Mend the way to \
             the endpoint, or set the clock",
            lasts.as_secs()
        );
    }

    /// A reply showed that our clock is off, and so keeps it unproved.
    pub(super) fn clock_off(&mut self, ahead: TimeDelta, now: Duration) {
        let told = self.off.map(|off| off.told);
        let news = is_new(told, now);
        self.off = Some(Off { seen: now, told: told.filter(|_| !news).unwrap_or(now) });
        if news {
            tracing::warn!(
                held = "clock_unproved",
                clock_off_s = -ahead.num_seconds(),
                "our clock is {} s off the cloud's; nothing starts until they agree within 60 s: set the clock",
                ahead.num_seconds().abs()
            );
        }
    }

    /// What is wrong after a pass: of a ledger that was put back it is told when its time is known, and when that is over.
    pub(super) fn put_back(&mut self, troubles: &[Trouble]) {
        let dated = troubles.iter().find(|trouble| matches!(trouble, Trouble::PutBack(Some(_))));
        match dated {
            Some(dated) if !self.put_back => tracing::warn!(held = dated.word(), "{}", dated.sentence()),
            None if self.put_back => tracing::info!("the time of the ledger that was put back is over; its runs go on as ever"),
            _ => {}
        }
        self.put_back = dated.is_some();
    }

    /// A question that was to prove the clock, or a held account's keys, failed.
    pub(super) fn probe_failed(&mut self, error: &CallError) {
        self.failed = Some(error.clone());
    }

    /// An account's calls were refused for the rate.
    pub(super) fn throttled(&mut self, bell: &Doorbell, action: &'static str, code: &str, now: Duration) {
        let key = (bell.account.clone(), action);
        if is_new(self.rates.get(&key).copied(), now) {
            self.rates.insert(key, now);
            tracing::warn!(
                account = %bell.account, region = %bell.region, held = "rate", action, code,
                "the cloud refuses {action} of account {} for its rate; calls go out more slowly for a while: others use the same keys", bell.account
            );
        }
    }
}

fn is_new(told: Option<Duration>, now: Duration) -> bool {
    told.is_none_or(|at| now.saturating_sub(at) >= TOLD_AGAIN)
}

pub(super) fn account_held(bell: &Doorbell, error: &CallError) {
    tracing::error!(
        account = %bell.account, code = error.code, held = "account",
        "the keys of account {} cannot be used: {}; its runs wait inside their windows, and it is asked again every 30 s with keys read afresh: put \
         the right keys where {} points",
        bell.account, error.message, bell.access.credentials
    );
}

pub(super) fn account_released(bell: &Doorbell) {
    tracing::info!(account = %bell.account, "the keys of account {} are accepted; its runs go on", bell.account);
}

pub(super) fn cannot_look(bell: &Doorbell, error: &CallError) {
    // What the cloud refused for a reason of its own speaks of the instance; no answer speaks of the way.
    let mend = if error.class == Class::Rejected { "check its id and region" } else { "it is tried again every few minutes" };
    tracing::warn!(
        account = %bell.account, instance_id = %bell.instance, region = %bell.region, code = error.code, held = "cannot_look",
        "the backups of {} cannot be listed: {}; nothing is created there until they can: {mend}",
        bell.instance, error.message
    );
}

pub(super) fn seen_again(bell: &Doorbell) {
    tracing::info!(account = %bell.account, instance_id = %bell.instance, "the backups of {} can be listed again", bell.instance);
}

pub(super) fn silent(bell: &Doorbell, error: &CallError, since: DateTime<Utc>) {
    let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
    tracing::error!(
        account = %bell.account, region = %bell.region, held = "cloud_silent", code = error.code, since,
        "the cloud has answered no call of account {} since {since}; the last try: {}; its runs wait inside their windows, and it is asked again each \
         minute: mend the way to the endpoint", bell.account, error.message
    );
}

pub(super) fn answered_again(bell: &Doorbell) {
    tracing::info!(account = %bell.account, "the cloud answers account {} again; its runs go on", bell.account);
}

/// The loop itself cannot say so.
pub(super) fn hangs(age: Duration) {
    let age_s = age.as_secs();
    tracing::error!(
        age_s,
        "the loop hangs: no pass has finished for {age_s} s, and nothing starts; if it does not go on, restart the daemon: nothing is lost by it"
    );
}

pub(super) fn turns_again() {
    tracing::info!("passes finish again; the loop goes on");
}
