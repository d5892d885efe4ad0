//! How a run is spelled in columns, and read back. The one place that knows both sides.

use super::Error;
use crate::domain::{
    names::{AccountName, BackupId, CredentialSource, Endpoint, InstanceId, InstanceName, JobName, Region, RunId},
    pause::Asked,
    policy::{Method, Overlap, Poll, Retry, Table},
    reply::Class,
    run::{Closed, Doubt, Follow, Key, LastFailure, Look, Outcome, Run, State, Tally, Trigger, Windows, Wish},
    terms::Terms,
};
use chrono::{DateTime, TimeZone, Utc};
use rusqlite::{Row, ToSql, types::Value};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Milliseconds since 1970.
pub(super) fn ms(t: DateTime<Utc>) -> i64 {
    t.timestamp_millis()
}

/// The instant of a column.
pub(super) fn instant(ms: i64) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(ms).single().unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// A length in milliseconds, as a column holds it.
pub(super) fn length_ms(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}

fn length(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn damaged(what: &str, value: impl std::fmt::Debug) -> Error {
    Error::Row(format!("{what} is {value:?}"))
}

/// The columns that a run is read from; `terms_id` comes first.
pub(super) const RUN_COLUMNS: &str = "terms_id, run_id, job, instance_id, slot_ms, trigger, request, asked, even_if_held, behind_ms, priority, alias, not_before_ms, start_by_ms, \
     complete_by_ms, restart_by_ms, state, generation, attempts, sends, busy, failures, wish, looked_process, looked_generation, started_at_ms, \
     last_class, last_code, due_at_ms, attempt_id, signed_at_s, process, lease_ms, doubt, clear_after_ms, look_at_ms, look_step, look_tried, \
     read_at_ms, backup_id, listed, since_ms, absent_since_ms, follow_until_ms, reason, why, finished_at_ms, bytes, first_outcome";

/// The place of a name in a list of columns; one that is not in it does not compile.
const fn place(columns: &str, name: &str) -> usize {
    let (columns, name) = (columns.as_bytes(), name.as_bytes());
    let (mut place, mut at) = (0, 0);
    loop {
        let mut same = 0;
        while same < name.len() && at + same < columns.len() && columns[at + same] == name[same] {
            same += 1;
        }
        if same == name.len() && (at + same == columns.len() || columns[at + same] == b',') {
            return place;
        }
        while columns[at] != b',' {
            at += 1;
        }
        (place, at) = (place + 1, at + 2);
    }
}

// Looked up while compiling: asking SQLite for a column by its name took a third of a pass.
macro_rules! column {
    ($name:literal) => {
        const { place(RUN_COLUMNS, $name) }
    };
}

/// Reads a run.
pub(super) fn run(row: &Row<'_>, terms: Arc<Terms>) -> Result<Run, Error> {
    let text = |place: usize| row.get::<_, String>(place);
    let at = |place: usize| row.get::<_, i64>(place).map(instant);
    let key = Key {
        job: JobName::from_row(&text(column!("job"))?).map_err(|_| damaged("job", text(column!("job"))))?,
        instance: InstanceId::parse(&text(column!("instance_id"))?).map_err(|_| damaged("instance_id", text(column!("instance_id"))))?,
        slot: at(column!("slot_ms"))?,
        trigger: trigger(&text(column!("trigger"))?)?,
        request: row.get(column!("request"))?,
    };
    let looked_for = match (row.get::<_, Option<i64>>(column!("looked_process"))?, row.get::<_, Option<u8>>(column!("looked_generation"))?) {
        (Some(process), Some(generation)) => Some((process, generation)),
        _ => None,
    };
    let last = match (row.get::<_, Option<String>>(column!("last_class"))?, row.get::<_, Option<String>>(column!("last_code"))?) {
        (Some(class), Some(code)) => Some(LastFailure { class: Class::from_word(&class).ok_or_else(|| damaged("last_class", &class))?, code }),
        _ => None,
    };
    Ok(Run {
        id: RunId(row.get(column!("run_id"))?),
        key,
        terms,
        windows: Windows {
            not_before: at(column!("not_before_ms"))?,
            start_by: at(column!("start_by_ms"))?,
            complete_by: at(column!("complete_by_ms"))?,
            restart_by: at(column!("restart_by_ms"))?,
        },
        priority: row.get(column!("priority"))?,
        asked: Asked {
            request: row.get(column!("asked"))?,
            even_if_held: row.get(column!("even_if_held"))?,
            behind_ms: row.get(column!("behind_ms"))?,
        },
        alias: text(column!("alias"))?,
        generation: row.get(column!("generation"))?,
        tally: Tally {
            attempts: row.get(column!("attempts"))?,
            sends: row.get(column!("sends"))?,
            busy: row.get(column!("busy"))?,
            failures: row.get(column!("failures"))?,
        },
        wish: row.get::<_, Option<String>>(column!("wish"))?.map(|word| wish(&word)).transpose()?,
        looked_for,
        started_at: row.get::<_, Option<i64>>(column!("started_at_ms"))?.map(instant),
        last,
        state: state(row)?,
    })
}

fn trigger(word: &str) -> Result<Trigger, Error> {
    [Trigger::Schedule, Trigger::Manual].into_iter().find(|it| it.word() == word).ok_or_else(|| damaged("trigger", word))
}

fn wish(word: &str) -> Result<Wish, Error> {
    [Wish::Cancel, Wish::Removed, Wish::Vanished].into_iter().find(|it| wish_word(*it) == word).ok_or_else(|| damaged("wish", word))
}

fn wish_word(wish: Wish) -> &'static str {
    match wish {
        Wish::Cancel => "cancel",
        Wish::Removed => "removed",
        Wish::Vanished => "vanished",
    }
}

fn outcome(word: &str) -> Option<Outcome> {
    Outcome::ALL.into_iter().find(|it| it.word() == word)
}

fn look(row: &Row<'_>) -> Result<Option<Look>, Error> {
    let Some(at) = row.get::<_, Option<i64>>(column!("look_at_ms"))? else { return Ok(None) };
    Ok(Some(Look {
        at: instant(at),
        step: row.get(column!("look_step"))?,
        tried: row.get(column!("look_tried"))?,
        read_at: row.get::<_, Option<i64>>(column!("read_at_ms"))?.map(instant),
    }))
}

fn state(row: &Row<'_>) -> Result<State, Error> {
    let word: String = row.get(column!("state"))?;
    let needed = |look: Option<Look>| look.ok_or_else(|| damaged("look_at_ms", "NULL"));
    Ok(match word.as_str() {
        "due" => State::Due { due_at: instant(row.get(column!("due_at_ms"))?) },
        "calling" => State::Calling {
            attempt: row.get(column!("attempt_id"))?,
            signed_at: row.get(column!("signed_at_s"))?,
            process: row.get(column!("process"))?,
            lease: length(row.get(column!("lease_ms"))?),
        },
        "uncertain" => {
            let doubt: String = row.get(column!("doubt"))?;
            State::Uncertain {
                attempt: row.get(column!("attempt_id"))?,
                doubt: [Doubt::Ambiguous, Doubt::Busy, Doubt::Old]
                    .into_iter()
                    .find(|it| it.word() == doubt)
                    .ok_or_else(|| damaged("doubt", &doubt))?,
                clear_after: instant(row.get(column!("clear_after_ms"))?),
                then_due_at: instant(row.get(column!("due_at_ms"))?),
                look: needed(look(row)?)?,
            }
        }
        "running" => State::Running {
            backup: BackupId(row.get(column!("backup_id"))?),
            listed: row.get(column!("listed"))?,
            since: instant(row.get(column!("since_ms"))?),
            absent_since: row.get::<_, Option<i64>>(column!("absent_since_ms"))?.map(instant),
            look: needed(look(row)?)?,
        },
        word => {
            let until = row.get::<_, Option<i64>>(column!("follow_until_ms"))?.map(instant);
            State::Closed(Closed {
                outcome: outcome(word).ok_or_else(|| damaged("state", word))?,
                reason: row.get(column!("reason"))?,
                why: row.get(column!("why"))?,
                at: instant(row.get(column!("finished_at_ms"))?),
                backup: row.get::<_, Option<i64>>(column!("backup_id"))?.map(BackupId),
                bytes: row.get(column!("bytes"))?,
                first_outcome: row.get::<_, Option<String>>(column!("first_outcome"))?.and_then(|word| outcome(&word)),
                follow: look(row)?.zip(until).map(|(look, until)| Follow { look, until }),
            })
        }
    })
}

/// The columns of a run that a transition may change, with their values.
pub(super) fn changing(run: &Run) -> Vec<(&'static str, Value)> {
    let mut columns = Columns::default();
    columns.put("state", run.word().to_owned());
    columns.put("generation", i64::from(run.generation));
    columns.put("attempts", i64::from(run.tally.attempts));
    columns.put("sends", i64::from(run.tally.sends));
    columns.put("busy", i64::from(run.tally.busy));
    columns.put("failures", i64::from(run.tally.failures));
    columns.put("wish", run.wish.map(|wish| wish_word(wish).to_owned()));
    columns.put("looked_process", run.looked_for.map(|(process, _)| process));
    columns.put("looked_generation", run.looked_for.map(|(_, generation)| i64::from(generation)));
    columns.put("started_at_ms", run.started_at.map(ms));
    columns.put("last_class", run.last.as_ref().map(|last| last.class.word().to_owned()));
    columns.put("last_code", run.last.as_ref().map(|last| last.code.clone()));
    columns.put("next_at_ms", next_at(run).map(ms));
    columns.state(&run.state);
    columns.0
}

/// When the row has to be considered, whatever holds it.
fn next_at(run: &Run) -> Option<DateTime<Utc>> {
    let end = run.windows.complete_by;
    match &run.state {
        State::Due { .. } => Some(run.ends_at()),
        State::Calling { .. } => None,
        // The time ends it only once somebody has tried a look.
        State::Uncertain { look, .. } | State::Running { look, .. } => Some(if look.tried.is_some() { look.at.min(end) } else { look.at }),
        State::Closed(closed) => closed.follow.map(|follow| follow.look.at.min(follow.until)),
    }
}

#[derive(Default)]
struct Columns(Vec<(&'static str, Value)>);

impl Columns {
    fn put(&mut self, name: &'static str, value: impl Into<Value>) {
        self.0.push((name, value.into()));
    }

    fn look(&mut self, look: Option<&Look>) {
        self.put("look_at_ms", look.map(|look| ms(look.at)));
        self.put("look_step", look.map(|look| i64::from(look.step)));
        self.put("look_tried", look.and_then(|look| look.tried));
        self.put("read_at_ms", look.and_then(|look| look.read_at).map(ms));
    }

    fn state(&mut self, state: &State) {
        let null = || Value::Null;
        let (mut due_at, mut attempt, mut signed_at, mut process, mut lease) = (null(), null(), null(), null(), null());
        let (mut doubt, mut clear_after, mut backup, mut listed, mut since, mut absent) = (null(), null(), null(), null(), null(), null());
        let mut closed_run = None;
        let mut current = None;
        match state {
            State::Due { due_at: at } => due_at = ms(*at).into(),
            State::Calling { attempt: number, signed_at: signed, process: of, lease: until } => {
                attempt = (*number).into();
                signed_at = (*signed).into();
                process = (*of).into();
                lease = length_ms(*until).into();
            }
            State::Uncertain { attempt: number, doubt: why, clear_after: clear, then_due_at, look } => {
                attempt = (*number).into();
                doubt = why.word().to_owned().into();
                clear_after = ms(*clear).into();
                due_at = ms(*then_due_at).into();
                current = Some(look);
            }
            State::Running { backup: id, listed: seen, since: from, absent_since, look } => {
                backup = id.0.into();
                listed = i64::from(*seen).into();
                since = ms(*from).into();
                absent = absent_since.map(ms).into();
                current = Some(look);
            }
            State::Closed(closed) => {
                backup = closed.backup.map(|id| id.0).into();
                current = closed.follow.as_ref().map(|follow| &follow.look);
                closed_run = Some(closed);
            }
        }
        self.0.extend([("due_at_ms", due_at), ("attempt_id", attempt), ("signed_at_s", signed_at), ("process", process), ("lease_ms", lease)]);
        self.0.extend([("doubt", doubt), ("clear_after_ms", clear_after), ("backup_id", backup), ("listed", listed)]);
        self.0.extend([("since_ms", since), ("absent_since_ms", absent)]);
        self.look(current);
        self.closed(closed_run);
    }

    fn closed(&mut self, closed: Option<&Closed>) {
        self.put("reason", closed.and_then(|closed| closed.reason.clone()));
        self.put("why", closed.map(|closed| closed.why.clone()));
        self.put("finished_at_ms", closed.map(|closed| ms(closed.at)));
        self.put("bytes", closed.and_then(|closed| closed.bytes));
        self.put("late", i64::from(closed.is_some_and(|closed| closed.first_outcome.is_some())));
        self.put("first_outcome", closed.and_then(|closed| closed.first_outcome).map(|outcome| outcome.word().to_owned()));
        self.put("follow_until_ms", closed.and_then(|closed| closed.follow).map(|follow| ms(follow.until)));
    }
}

/// The columns of terms, `digest` first; two equal terms have one digest.
pub(super) fn terms_columns(terms: &Terms) -> Result<Vec<(&'static str, Value)>, Error> {
    let (tables, encrypted) = match &terms.method {
        Method::Logical { tables } if !tables.is_empty() => (Some(tables_text(tables)?), None),
        Method::Physical { encrypted } => (None, encrypted.map(i64::from)),
        Method::Logical { .. } | Method::Snapshot => (None, None),
    };
    let mut columns = Columns::default();
    columns.put("instance_name", terms.instance_name.to_string());
    columns.put("tags", serde_json::to_string(&terms.tags).map_err(|error| damaged("tags", error))?);
    columns.put("account", terms.account.to_string());
    columns.put("endpoint", terms.endpoint.to_string());
    columns.put("credentials", terms.credentials.to_string());
    columns.put("region", terms.region.to_string());
    columns.put("method", terms.method.word().to_owned());
    columns.put("tables", tables);
    columns.put("encrypted", encrypted);
    columns.put("absence_window_ms", length_ms(terms.absence_window));
    columns.put("after_failed", i64::from(terms.retry.after_failed));
    columns.put("max_attempts", terms.retry.max_attempts.map(i64::from));
    columns.put("initial_backoff_ms", length_ms(terms.retry.initial_backoff));
    columns.put("max_backoff_ms", length_ms(terms.retry.max_backoff));
    columns.put("poll_initial_ms", length_ms(terms.poll.initial));
    columns.put("poll_max_ms", length_ms(terms.poll.max));
    columns.put("overlap", if terms.overlap == Overlap::Skip { "skip".to_owned() } else { "queue".to_owned() });
    let digest = hex::encode(Sha256::digest(format!("{:?}", columns.0).as_bytes()));
    columns.0.insert(0, ("digest", digest.into()));
    Ok(columns.0)
}

/// Reads terms.
pub(super) fn terms(row: &Row<'_>) -> Result<Terms, Error> {
    let text = |name: &str| row.get::<_, String>(name);
    let method = match text("method")?.as_str() {
        "logical" => Method::Logical { tables: row.get::<_, Option<String>>("tables")?.map_or_else(|| Ok(Vec::new()), |it| tables_of(&it))? },
        "physical" => Method::Physical { encrypted: row.get("encrypted")? },
        _ => Method::Snapshot,
    };
    let tags: BTreeMap<String, String> = serde_json::from_str(&text("tags")?).map_err(|error| damaged("tags", error))?;
    Ok(Terms {
        instance_name: InstanceName::parse(&text("instance_name")?).map_err(|error| damaged("instance_name", error))?,
        tags,
        account: AccountName::parse(&text("account")?).map_err(|error| damaged("account", error))?,
        endpoint: Endpoint::parse(&text("endpoint")?).map_err(|error| damaged("endpoint", error))?,
        credentials: CredentialSource::from_row(&text("credentials")?).ok_or_else(|| damaged("credentials", "unreadable"))?,
        region: Region::parse(&text("region")?).map_err(|error| damaged("region", error))?,
        method,
        absence_window: length(row.get("absence_window_ms")?),
        retry: Retry {
            after_failed: row.get("after_failed")?,
            max_attempts: row.get("max_attempts")?,
            initial_backoff: length(row.get("initial_backoff_ms")?),
            max_backoff: length(row.get("max_backoff_ms")?),
        },
        poll: Poll { initial: length(row.get("poll_initial_ms")?), max: length(row.get("poll_max_ms")?) },
        overlap: if text("overlap")? == "queue" { Overlap::Queue } else { Overlap::Skip },
    })
}

fn tables_text(tables: &[Table]) -> Result<String, Error> {
    let pairs: Vec<(&str, Option<&str>)> = tables.iter().map(|table| (table.db.as_str(), table.table.as_deref())).collect();
    serde_json::to_string(&pairs).map_err(|error| damaged("tables", error))
}

fn tables_of(text: &str) -> Result<Vec<Table>, Error> {
    let pairs: Vec<(String, Option<String>)> = serde_json::from_str(text).map_err(|error| damaged("tables", error))?;
    Ok(pairs.into_iter().map(|(db, table)| Table { db, table }).collect())
}

/// `name = ?` for each column, in order.
pub(super) fn assignments(columns: &[(&'static str, Value)]) -> String {
    columns.iter().enumerate().map(|(i, (name, _))| format!("{name} = ?{}", i + 1)).collect::<Vec<_>>().join(", ")
}

/// `(names) VALUES (?…)`, and the values in the same order.
pub(super) fn insertion<'a>(columns: &'a [(&'static str, Value)]) -> (String, Vec<&'a dyn ToSql>) {
    let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    let marks: Vec<_> = (1..=columns.len()).map(|i| format!("?{i}")).collect();
    (format!("({}) VALUES ({})", names.join(", "), marks.join(", ")), columns.iter().map(|(_, value)| value as &dyn ToSql).collect())
}
