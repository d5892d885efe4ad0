//! What the daemon says: one INFO line per change of a run's state, one line per hold and fault, each readable alone and with constant keys.

use super::{
    accounts::Doorbell,
    act::{Done, What},
};
use crate::{
    domain::{
        policy::{HistoryBounds, Policy},
        reply::CallError,
        run::{Note, Run, State},
    },
    ledger::Answered,
};
use chrono::{SecondsFormat, TimeDelta};

/// A run's new state. Keys: `run job instance_id account region slot state reason attempt backup_id`.
pub(super) fn state(run: &Run, attempt: Option<i64>) {
    line(run, attempt, None, None);
}

/// What an answer did, when it did something.
pub(super) fn answered(answered: &Answered, before: Option<&'static str>) {
    let run = &answered.run;
    let (attempt, call) = match &answered.create {
        Some((attempt, call, _)) => (Some(*attempt), Some(call)),
        None => (None, answered.list.as_ref()),
    };
    if before != Some(run.word()) {
        let code = call.and_then(|call| call.failure.as_ref()).map(|failure| failure.code.as_str());
        line(run, attempt, call.and_then(|call| call.request_id.as_deref()), code);
    }
    for note in &answered.notes {
        tell(run, note);
    }
}

fn line(run: &Run, attempt: Option<i64>, request_id: Option<&str>, code: Option<&str>) {
    let backup_id = match &run.state {
        State::Running { backup, .. } => Some(backup.0),
        State::Closed(closed) => closed.backup.map(|id| id.0),
        _ => None,
    };
    let (reason, why) = match &run.state {
        State::Closed(closed) => (closed.reason.as_deref(), closed.why.as_str()),
        State::Due { .. } if code.is_some() => (None, "not started; tried again after a while"),
        State::Due { .. } => (None, "it waits for its turn"),
        State::Calling { .. } => (None, "CreateBackup is being called"),
        State::Uncertain { .. } => (None, "whether a backup exists is looked up before anything is sent again"),
        State::Running { .. } => (None, "the cloud works on it"),
    };
    let slot = run.key.slot.to_rfc3339_opts(SecondsFormat::Secs, true);
    tracing::info!(
        run = run.id.0,
        job = %run.key.job,
        instance_id = %run.key.instance,
        account = %run.terms.account,
        region = %run.terms.region,
        slot,
        state = run.word(),
        reason,
        attempt,
        backup_id,
        request_id,
        code,
        "{} on {} is {}: {why}",
        run.key.job,
        run.key.instance,
        run.word(),
    );
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
    if let What::Created { run, attempt, answer: Ok(id), .. } = &done.what {
        tracing::debug!(run = run.0, attempt, backup_id = id.0, request_id = done.request_id, "the cloud accepted CreateBackup");
    }
}

/// A result that could not be written before the end.
pub(super) fn unrecorded(done: &Done) {
    if let What::Created { run, attempt, answer: Ok(id), .. } = &done.what {
        tracing::error!(
            run = run.0, attempt, backup_id = id.0, instance_id = %done.doorbell.instance, request_id = done.request_id,
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

pub(super) fn pruned(runs: u64, bounds: &HistoryBounds) {
    if runs > 0 {
        let age = humantime::format_duration(bounds.max_age);
        tracing::info!(runs, max_age = %age, max_runs = bounds.max_runs, "the history is within its bounds again: {runs} old runs were dropped");
    }
}

pub(super) fn clock_off(ahead: TimeDelta) {
    tracing::warn!(
        clock_off_s = -ahead.num_seconds(),
        "our clock is {} s off the cloud's; nothing starts until they agree within 60 s: set the clock",
        ahead.num_seconds().abs()
    );
}

pub(super) fn account_held(bell: &Doorbell, error: &CallError) {
    tracing::error!(
        account = %bell.account, code = error.code, held = "account",
        "the cloud does not accept the keys of account {}: {}; its runs wait inside their windows, and it is asked again every 30 s with keys read \
         afresh: put the right keys where {} points",
        bell.account, error.message, bell.access.credentials
    );
}

pub(super) fn account_released(bell: &Doorbell) {
    tracing::info!(account = %bell.account, "the cloud accepts the keys of account {} again; its runs go on", bell.account);
}

pub(super) fn cannot_look(bell: &Doorbell, error: &CallError) {
    tracing::warn!(
        account = %bell.account, instance_id = %bell.instance, region = %bell.region, code = error.code, held = "cannot_look",
        "the backups of {} cannot be listed: {}; nothing is created there until they can: check its id and region",
        bell.instance, error.message
    );
}

pub(super) fn seen_again(bell: &Doorbell) {
    tracing::info!(account = %bell.account, instance_id = %bell.instance, "the backups of {} can be listed again", bell.instance);
}
