//! What is known of one run, and what a job does, in words: commands and page say the same.

use super::{Detail, Item};
use crate::domain::{
    alias,
    freshness::max_age,
    policy::{CatchUp, Job, Method, Overlap},
    prose::{length, size, stamp},
    run::State,
};
use chrono::{DateTime, Utc};
use std::time::Duration;

/// What a call of CreateBackup is called in the ledger; every other call is a list.
const CREATE: &str = "CreateBackup";

/// What is known of a run, each under its name; what is unknown is left out. `slot` and `moment` write times as the reader wants them.
pub fn facts(detail: &Detail, slot: impl Fn(&Item) -> String, moment: impl Fn(DateTime<Utc>) -> String) -> Vec<(&'static str, String)> {
    let Detail { item, run, .. } = detail;
    let (windows, generation) = (&run.windows, generation(detail));
    let mut facts = vec![("slot", format!("{}  ({})", slot(item), stamp(item.slot)))];
    if item.slots > 1 {
        facts.push(("slots", format!("{}, of which this is the first", item.slots)));
    }
    facts.push(("asked by", item.trigger.clone()));
    facts.push(("account", format!("{} at {}", item.account, run.terms.endpoint)));
    facts.push(("region", item.region.clone()));
    facts.push(("method", method(&run.terms.method)));
    facts.push(("alias", alias::of_generation(&item.alias, generation)));
    facts.push(("start", format!("from {} until {}", moment(windows.not_before), moment(windows.start_by))));
    facts.push(("complete by", moment(windows.complete_by)));
    facts.push(("priority", run.priority.to_string()));
    facts.push(("calls", calls(detail)));
    let known = [
        ("generation", (generation > 1).then(|| generation.to_string())),
        ("reason", item.reason.clone()),
        ("last code", item.last_code.clone()),
        ("RequestId", item.last_request_id.clone()),
        ("started", item.started_at.map(&moment)),
        ("finished", item.finished_at.map(&moment)),
        ("turned good", first_outcome(detail).map(|word| format!("it was {word} at first"))),
        ("BackupId", item.backup_id.map(|id| id.to_string())),
        ("size", item.bytes.map(|bytes| format!("{} ({bytes} bytes)", size(bytes)))),
        ("policy", item.policy.clone()),
    ];
    facts.extend(known.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))));
    facts
}

/// Both kinds of calls apart: only creates count as attempts.
fn calls(detail: &Detail) -> String {
    let (creates, busy, lists) = (detail.run.tally.attempts, detail.run.tally.busy, lists(detail));
    let busy = if busy > 0 { format!(", {busy} of them answered busy") } else { String::new() };
    let lists = match lists {
        0 => String::new(),
        1 => "; 1 list that told something".to_owned(),
        lists => format!("; {lists} lists that told something"),
    };
    format!("{creates} {CREATE}{busy}{lists}")
}

/// What a job does, each under its name.
pub fn job_facts(job: &Job, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let time = |d: Duration| length(i64::try_from(d.as_secs()).unwrap_or(i64::MAX));
    let mut facts = vec![("schedule", format!("{} in {}", job.schedule.text(), job.schedule.zone())), ("method", method(&job.method))];
    if !job.spread.is_zero() {
        facts.push(("spread", format!("starts are spread over {}", time(job.spread))));
    }
    facts.push(("starts", format!("within {}, and is complete within {} more", time(job.start_within), time(job.complete_within))));
    facts.push(("fresh for", time(max_age(job, now))));
    facts.push(("priority", format!("{} (0 first, 9 last)", job.priority)));
    facts.push((
        "missed slots",
        match job.catch_up {
            CatchUp::Off => "are not caught up".to_owned(),
            CatchUp::Latest { within } => format!("the newest is caught up within {}", time(within)),
        },
    ));
    facts.push((
        "overlap",
        match job.overlap {
            Overlap::Skip => "a run is skipped while the one before is open".to_owned(),
            Overlap::Queue => "a run waits while the one before is open".to_owned(),
        },
    ));
    facts
}

/// How a backup is made, and of what.
pub fn method(method: &Method) -> String {
    match method {
        Method::Logical { tables } if tables.is_empty() => "logical, the whole instance".into(),
        Method::Logical { tables } => {
            let names: Vec<_> = tables.iter().map(|it| format!("{}.{}", it.db, it.table.as_deref().unwrap_or("*"))).collect();
            format!("logical, {}", names.join(", "))
        }
        Method::Physical { encrypted: Some(true) } => "physical, encrypted".into(),
        Method::Physical { encrypted: Some(false) } => "physical, not encrypted".into(),
        Method::Physical { encrypted: None } => "physical".into(),
        Method::Snapshot => "snapshot".into(),
    }
}

pub(super) fn first_outcome(detail: &Detail) -> Option<&'static str> {
    match &detail.run.state {
        State::Closed(closed) => closed.first_outcome.map(|outcome| outcome.word()),
        State::Due { .. } | State::Calling { .. } | State::Uncertain { .. } | State::Running { .. } => None,
    }
}

/// The generation that was asked of the cloud last. A run that ended before its next one was sent still counts that as its own.
pub(super) fn generation(detail: &Detail) -> u8 {
    let Detail { run, attempts, backups, .. } = detail;
    let sent = attempts.iter().filter(|line| line.action == CREATE).map(|line| line.generation);
    let known = sent.chain(backups.iter().map(|line| line.generation)).max().and_then(|known| u8::try_from(known).ok());
    known.filter(|known| run.is_closed() && *known < run.generation).unwrap_or(run.generation)
}

pub(super) fn lists(detail: &Detail) -> usize {
    detail.attempts.iter().filter(|line| line.action != CREATE).count()
}
