//! The sentence that says why a run ended as it did, or where it stands. The first is made once, when it ends; commands, page and messages show
//! both as they are.

use super::{Doubt, Outcome, Run, State, seen::STILL_RUNNING};
use crate::domain::{names::BackupId, reply::Class};
use chrono::{DateTime, Utc};

/// One sentence, without a full stop.
pub(super) fn sentence(run: &Run, outcome: Outcome, reason: Option<&str>) -> String {
    let code = run.last.as_ref().map(|last| last.code.as_str());
    match (outcome, reason) {
        (Outcome::Succeeded, _) if run.generation > 1 => format!("the backup is good, at the {} try", ordinal(run.generation)),
        (Outcome::Succeeded, _) if run.tally.attempts > 1 => format!("the backup is good, after {} calls", run.tally.attempts),
        (Outcome::Succeeded, _) => "the backup is good".into(),
        (Outcome::Skipped, Some("overlap")) => "the previous run of this job and instance was still open".into(),
        (Outcome::Skipped, Some("paused")) => "the job was paused until its start window closed".into(),
        (Outcome::Skipped, Some("suspended")) => "the policy suspends the job".into(),
        (Outcome::Skipped, Some(_)) => "a blackout lasted until its start window closed".into(),
        (Outcome::Expired, Some("busy")) => format!("busy {}: the instance did something else until the start window closed", times(run.tally.busy)),
        (Outcome::Expired, Some("account_held")) => "the cloud did not accept the account's keys until the start window closed".into(),
        (Outcome::Expired, Some("cannot_look")) => "the instance's backups could not be listed until the start window closed".into(),
        (Outcome::Expired, Some("instance_in_use")) => "another run was at work on the instance until the start window closed".into(),
        (Outcome::Expired, Some("max_running")) => "the account had max_running backups in progress until the start window closed".into(),
        (Outcome::Expired, Some("rate_limit")) => "more urgent runs took the account's pace until the start window closed".into(),
        (Outcome::Expired, Some("ledger_not_writable")) => "the ledger could not be written until the start window closed".into(),
        (Outcome::Expired, Some("no_answer")) => {
            "its last call had no answer; that it made no backup was proved only after the start window had closed".into()
        }
        (Outcome::Expired, _) if run.tally.attempts == 0 => "nobody was there to send it before the start window closed".into(),
        (Outcome::Expired, _) => format!("not accepted before the start window closed, in {}{}", calls(run.tally.attempts), last(code)),
        (Outcome::Cancelled, Some("removed")) => "the policy has no such job and instance any more".into(),
        (Outcome::Cancelled, _) if run.tally.attempts == 0 => "a person cancelled it before it was sent".into(),
        (Outcome::Cancelled, _) => "a person cancelled it, and that no call had made a backup was proved first".into(),
        (Outcome::Failed, Some("vanished")) => "its backup was seen in the cloud's list and is gone from it".into(),
        (Outcome::Failed, Some("task_failed")) => match run.generation {
            2 => "the cloud accepted it, and its task ended FAILED".into(),
            of => format!("the cloud accepted it, and {} tasks in a row ended FAILED", of - 1),
        },
        (Outcome::Failed, Some(code)) if run.last.as_ref().is_some_and(|last| last.class == Class::Rejected) => {
            format!("the cloud rejected it with {code}; it is not sent again")
        }
        (Outcome::Failed, code) => format!("all {} of its attempts failed{}", run.tally.sends, last(code)),
        (Outcome::TimedOut, Some(STILL_RUNNING)) => format!("the cloud was still at it when the completion window closed{WATCHED}"),
        (Outcome::TimedOut, _) => format!("the cloud accepted it, and no list told how it went before the completion window closed{WATCHED}"),
        (Outcome::Unknown, _) => format!("no list told whether the cloud made it{}; look in the console{WATCHED}", last(code)),
        (Outcome::Missed, _) => "nobody was there to run it".into(),
        (Outcome::Skipped, None) => "the policy kept it from running".into(),
    }
}

/// What is added while a run that was given up on is still looked at.
const WATCHED: &str = "; it is watched for 48 h";

/// The sentence of a run whose backup turned out good after it was given up on.
pub(super) fn turned_good(why: &str, id: BackupId) -> String {
    format!("{}; it turned out good later, as backup {id}", why.strip_suffix(WATCHED).unwrap_or(why))
}

/// Where a run stands, as one sentence without a full stop; of a closed run, why it ended so.
pub fn standing(run: &Run) -> String {
    let code = run.last.as_ref().map(|last| last.code.as_str());
    match &run.state {
        State::Due { .. } if run.generation > 1 => format!("the backup before it failed; its {} try waits for its turn", ordinal(run.generation)),
        State::Due { .. } if run.tally.attempts > 0 => {
            format!("not accepted yet, in {}{}; it waits to be sent again", calls(run.tally.attempts), last(code))
        }
        State::Due { .. } => "it waits for its turn".into(),
        State::Calling { .. } => "it was sent, and the answer is not here yet".into(),
        State::Uncertain { doubt: Doubt::Ambiguous, .. } => {
            format!("an answer is missing{}: the cloud's list has to tell whether a backup was made", last(code))
        }
        State::Uncertain { doubt: Doubt::Busy, .. } => "the instance is busy, perhaps for us: the cloud's list has to tell".into(),
        State::Uncertain { doubt: Doubt::Old, .. } => {
            "its slot is older than the daemon's start: the cloud's list is read before anything is sent".into()
        }
        State::Running { absent_since: Some(_), .. } => "its backup was in the cloud's list and is not any more".into(),
        State::Running { listed: false, .. } => "the cloud accepted it; no list has shown it yet".into(),
        State::Running { .. } => "the cloud works on it".into(),
        State::Closed(closed) => closed.why.clone(),
    }
}

/// What happens to a run next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// One clause, without a full stop.
    pub what: &'static str,
    /// Not before this.
    pub at: Option<DateTime<Utc>>,
    /// It ends then, or is watched no longer.
    pub until: DateTime<Utc>,
}

/// What happens next; none when the run is final.
pub fn next(run: &Run) -> Option<Next> {
    let end = run.windows.complete_by;
    Some(match &run.state {
        State::Due { due_at } => {
            Next { what: "CreateBackup is sent as soon as instance, account and pace allow", at: Some(*due_at), until: run.ends_at() }
        }
        State::Calling { .. } => Next { what: "its answer comes, or its lease ends and the cloud's list is read", at: None, until: end },
        State::Uncertain { look, .. } => Next { what: "the cloud's list is read", at: Some(look.at), until: end },
        State::Running { look, .. } => Next { what: "the cloud's list is read to see whether it is done", at: Some(look.at), until: end },
        State::Closed(closed) => {
            let follow = closed.follow?;
            Next { what: "the cloud's list is read, in case it turns out good after all", at: Some(follow.look.at), until: follow.until }
        }
    })
}

fn last(code: Option<&str>) -> String {
    code.map_or_else(String::new, |code| format!(", the last with {code}"))
}

fn times(n: u32) -> String {
    if n == 1 { "once".into() } else { format!("{n} times") }
}

fn calls(n: u32) -> String {
    if n == 1 { "1 call".into() } else { format!("{n} calls") }
}

fn ordinal(n: u8) -> String {
    match n {
        2 => "second".into(),
        3 => "third".into(),
        n => format!("{n}th"),
    }
}
