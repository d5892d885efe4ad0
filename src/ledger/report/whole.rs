//! One run with its calls and its backups, under the keys of the interface.

use super::{
    AttemptLine, BackupLine, Detail, Item, Line,
    facts::{first_outcome, generation, lists},
};
use crate::domain::{prose::stamp, run::why};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

/// To the millisecond: what calls are compared by.
fn exact(t: DateTime<Utc>) -> String {
    t.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A run, its calls and its backups, as a JSON object.
#[derive(Serialize)]
pub struct Whole<'a> {
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
    item: Line<&'a Item>,
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

impl<'a> From<&'a Detail> for Whole<'a> {
    fn from(detail: &'a Detail) -> Self {
        let Detail { item, run, attempts, backups } = detail;
        Self {
            schema_version: 1,
            run: FullRun {
                item: Line(item),
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
