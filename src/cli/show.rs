//! `show RUN`: everything that a ledger knows of one run, and what happens to it next.

use super::{
    history::{Fields, Output, stamp},
    moment::Shown,
    table::{Mark, size, visible},
};
use crate::{
    domain::{
        alias,
        names::RunId,
        policy::Method,
        run::{State, why},
    },
    ledger::report::{AttemptLine, BackupLine, Detail, Reader},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::{io::Write, path::Path};

/// What a call of CreateBackup is called in the ledger; every other call is a list.
const CREATE: &str = "CreateBackup";

/// The options of `show`, beside the global ones.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Of the lists that were read for the run, those that changed nothing are not kept.")]
pub struct ShowArgs {
    /// The run's number, as `history` has it
    #[arg(value_name = "RUN", value_parser = number)]
    pub run: i64,
}

fn number(text: &str) -> Result<i64, &'static str> {
    text.parse().ok().filter(|number| *number > 0).ok_or("write the run's number alone, such as 5; `cdb-backupd history` has it under RUN")
}

/// Writes one run. CSV is no form of it and is taken as JSON.
///
/// # Errors
/// [`crate::ledger::Error`] as it is; no such run; or `out` does not take what is written.
pub fn run(ledger: &Path, id: RunId, output: Output, out: &mut dyn Write) -> anyhow::Result<()> {
    let name = ledger.to_string_lossy();
    let Some(reader) = Reader::open(ledger)? else {
        anyhow::bail!("there is no ledger at {} yet, so no run {id}; name another with --ledger", visible(&name));
    };
    let Some(detail) = reader.detail(id)? else {
        anyhow::bail!("there is no run {id} in {}; `cdb-backupd history` lists those there are", visible(&name));
    };
    match output {
        Output::Text { colour, shown } => text(&detail, colour, &shown, out)?,
        Output::Json | Output::Csv => {
            serde_json::to_writer_pretty(&mut *out, &whole(&detail))?;
            writeln!(out)?;
        }
    }
    out.flush()?;
    Ok(())
}

/// To the millisecond: what calls are compared by.
fn exact(t: DateTime<Utc>) -> String {
    Shown::AS_THEY_ARE.exact(t)
}

#[derive(Serialize)]
struct Whole<'a> {
    schema_version: u8,
    run: FullRun<'a>,
    attempts: Vec<Attempt<'a>>,
    backups: Vec<Backup<'a>>,
    next: Option<Next>,
}

/// The keys of `history`, then what only `show` tells.
#[derive(Serialize)]
struct FullRun<'a> {
    #[serde(flatten)]
    item: Fields<'a>,
    endpoint: String,
    tags: &'a std::collections::BTreeMap<String, String>,
    priority: u8,
    not_before: String,
    start_by: String,
    restart_by: String,
    complete_by: String,
    generation: u8,
    create_calls: u32,
    create_calls_answered_busy: u32,
    list_calls_kept: usize,
    late: bool,
    first_outcome: Option<&'static str>,
}

#[derive(Serialize)]
struct Attempt<'a> {
    attempt_id: i64,
    at: String,
    action: &'a str,
    generation: i64,
    elapsed_ms: Option<i64>,
    class: Option<&'a str>,
    code: Option<&'a str>,
    message: Option<&'a str>,
    request_id: Option<&'a str>,
    backup_id: Option<i64>,
}

#[derive(Serialize)]
struct Backup<'a> {
    backup_id: i64,
    generation: i64,
    found_by: &'a str,
    status: &'a str,
    duplicate: bool,
    bytes: Option<i64>,
    first_seen_at: String,
}

#[derive(Serialize)]
struct Next {
    what: &'static str,
    at: Option<String>,
    until: String,
}

fn whole(detail: &Detail) -> Whole<'_> {
    let Detail { item, run, attempts, backups } = detail;
    Whole {
        schema_version: 1,
        run: FullRun {
            item: Fields(item),
            endpoint: run.terms.endpoint.to_string(),
            tags: &run.terms.tags,
            priority: run.priority,
            not_before: stamp(run.windows.not_before),
            start_by: stamp(run.windows.start_by),
            restart_by: stamp(run.windows.restart_by),
            complete_by: stamp(run.windows.complete_by),
            generation: generation(detail),
            create_calls: run.tally.attempts,
            create_calls_answered_busy: run.tally.busy,
            list_calls_kept: lists(detail),
            late: first_outcome(detail).is_some(),
            first_outcome: first_outcome(detail),
        },
        attempts: attempts.iter().map(attempt_object).collect(),
        backups: backups.iter().map(backup_object).collect(),
        next: why::next(run).map(|next| Next { what: next.what, at: next.at.map(stamp), until: stamp(next.until) }),
    }
}

fn first_outcome(detail: &Detail) -> Option<&'static str> {
    match &detail.run.state {
        State::Closed(closed) => closed.first_outcome.map(|outcome| outcome.word()),
        State::Due { .. } | State::Calling { .. } | State::Uncertain { .. } | State::Running { .. } => None,
    }
}

fn attempt_object(line: &AttemptLine) -> Attempt<'_> {
    Attempt {
        attempt_id: line.attempt_id,
        at: exact(line.at),
        action: &line.action,
        generation: line.generation,
        elapsed_ms: line.elapsed_ms,
        class: line.class.as_deref(),
        code: line.code.as_deref(),
        message: line.message.as_deref(),
        request_id: line.request_id.as_deref(),
        backup_id: line.backup_id,
    }
}

fn backup_object(line: &BackupLine) -> Backup<'_> {
    Backup {
        backup_id: line.backup_id,
        generation: line.generation,
        found_by: &line.found_by,
        status: &line.status,
        duplicate: line.duplicate,
        bytes: line.bytes,
        first_seen_at: exact(line.first_seen),
    }
}

/// The generation that was asked of the cloud last. A run that ended before its next one was sent still counts that as its own.
fn generation(detail: &Detail) -> u8 {
    let Detail { run, attempts, backups, .. } = detail;
    let sent = attempts.iter().filter(|line| line.action == CREATE).map(|line| line.generation);
    let known = sent.chain(backups.iter().map(|line| line.generation)).max().and_then(|known| u8::try_from(known).ok());
    known.filter(|known| run.is_closed() && *known < run.generation).unwrap_or(run.generation)
}

fn lists(detail: &Detail) -> usize {
    detail.attempts.iter().filter(|line| line.action != CREATE).count()
}

fn text(detail: &Detail, colour: bool, shown: &Shown, out: &mut dyn Write) -> anyhow::Result<()> {
    let Detail { item, run, attempts, backups } = detail;
    let name = if item.instance_name == item.instance_id { String::new() } else { format!(" ({})", item.instance_id) };
    let title = format!("run {}  {} on {}{name}: {}", item.run_id, item.job, item.instance_name, item.state);
    writeln!(out, "{}", Mark::of(&item.state).paint(&visible(&title), colour))?;
    writeln!(out, "  {}", visible(&item.why))?;
    writeln!(out)?;
    for (name, value) in facts(detail, shown) {
        writeln!(out, "  {name:<13}{}", visible(&value))?;
    }
    writeln!(out, "\nbackups")?;
    for line in backups {
        writeln!(out, "  {}", visible(&backup_text(line, shown)))?;
    }
    if backups.is_empty() {
        writeln!(out, "  none is known")?;
    }
    writeln!(out, "\ncalls (lists that changed nothing are not kept)")?;
    for line in attempts {
        attempt_text(line, shown, out)?;
    }
    if attempts.is_empty() {
        writeln!(out, "  none is kept")?;
    }
    writeln!(out, "\nnext")?;
    match why::next(run) {
        None => writeln!(out, "  final")?,
        Some(next) => {
            writeln!(out, "  {}{}", next.what, next.at.map_or_else(String::new, |at| format!(", not before {}", shown.stamp(at))))?;
            writeln!(out, "  this goes on until {} at the latest", shown.stamp(next.until))?;
        }
    }
    Ok(())
}

/// What is known of the run, each under its name; what is unknown is left out.
fn facts(detail: &Detail, shown: &Shown) -> Vec<(&'static str, String)> {
    let Detail { item, run, .. } = detail;
    let (windows, generation) = (&run.windows, generation(detail));
    let mut facts = vec![("slot", format!("{}  ({})", shown.slot(item.slot, &item.slot_local), stamp(item.slot)))];
    if item.slots > 1 {
        facts.push(("slots", format!("{}, of which this is the first", item.slots)));
    }
    facts.push(("asked by", item.trigger.clone()));
    facts.push(("account", format!("{} at {}", item.account, run.terms.endpoint)));
    facts.push(("region", item.region.clone()));
    facts.push(("method", method(&run.terms.method)));
    facts.push(("alias", alias::of_generation(&item.alias, generation)));
    facts.push(("start", format!("from {} until {}", shown.stamp(windows.not_before), shown.stamp(windows.start_by))));
    facts.push(("complete by", shown.stamp(windows.complete_by)));
    facts.push(("priority", run.priority.to_string()));
    facts.push(("calls", calls(detail)));
    let known = [
        ("generation", (generation > 1).then(|| generation.to_string())),
        ("reason", item.reason.clone()),
        ("last code", item.last_code.clone()),
        ("RequestId", item.last_request_id.clone()),
        ("started", item.started_at.map(|t| shown.stamp(t))),
        ("finished", item.finished_at.map(|t| shown.stamp(t))),
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

fn method(method: &Method) -> String {
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

fn backup_text(line: &BackupLine, shown: &Shown) -> String {
    let bytes = line.bytes.map_or_else(String::new, |bytes| format!(", {}", size(bytes)));
    let duplicate = if line.duplicate { ", another of this run did not fail: look in the console" } else { "" };
    format!(
        "{}  {}{bytes}, generation {}, from a {} at {}{duplicate}",
        line.backup_id,
        line.status,
        line.generation,
        line.found_by,
        shown.exact(line.first_seen)
    )
}

fn attempt_text(line: &AttemptLine, shown: &Shown, out: &mut dyn Write) -> anyhow::Result<()> {
    let elapsed = line.elapsed_ms.map_or_else(|| "no answer".to_owned(), |ms| format!("{ms} ms"));
    let parts = [line.class.clone(), line.code.clone(), line.backup_id.map(|id| format!("BackupId {id}"))];
    let end = parts.into_iter().flatten().collect::<Vec<_>>().join("  ");
    let call = format!("{}  {:<15}  {elapsed:>9}  {end}", shown.exact(line.at), line.action);
    writeln!(out, "  {}", visible(call.trim_end()))?;
    for more in [line.message.clone(), line.request_id.as_ref().map(|id| format!("RequestId {id}"))].into_iter().flatten() {
        writeln!(out, "    {}", visible(&more))?;
    }
    Ok(())
}
