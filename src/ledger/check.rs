//! Whether a ledger says what no ledger may say: SQLite's own checks, and the invariants of the run's protocol as questions over the tables.
//!
//! Read-only and of one moment; a daemon may work on it meanwhile. What a single row may say, the tables refuse by themselves; here is what rows
//! say together.

use super::{
    Error,
    copy::{CopyError, source},
    open::read_meta,
    row::instant,
};
use crate::domain::{
    alias::alias,
    names::{InstanceId, JobName},
    run::{Key, Outcome, Trigger},
    schedule::Schedule,
};
use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::{Connection, ErrorCode, Row, params};
use std::path::Path;

/// So many findings are told one by one.
pub const FINDINGS_MAX: usize = 100;

/// Something that no ledger may say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A stable word.
    pub code: &'static str,
    /// Which run, where one is concerned.
    pub run_id: Option<i64>,
    /// Of which job.
    pub job: Option<String>,
    /// On which instance.
    pub instance_id: Option<String>,
    /// What is wrong, in one sentence.
    pub message: String,
}

/// What a check came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many runs there are.
    pub runs: u64,
    /// How many jobs and instances have a cursor.
    pub pairs: u64,
    /// What was found, at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub beyond: u64,
}

/// A question whose answers are findings: code, sentence, and a statement that gives run, job, instance and a detail for the sentence's `{}`.
type Rule = (&'static str, &'static str, &'static str);

/// Two rows of `backups` may be one backup: a number that a reply gave and no list ever showed, beside the one that its alias is listed under.
const ALIVE: &str = "NOT (b.found_by = 'reply' AND b.status = 'running' AND b.duplicate = 0 AND b.backup_id IS NOT r.backup_id)";

const RULES: &[Rule] = &[
    (
        "open-without-a-time",
        "it is open and nothing says when it is looked at again: it would stay so for ever",
        "SELECT run_id, job, instance_id, NULL FROM runs WHERE finished_at_ms IS NULL AND process IS NULL AND next_at_ms IS NULL",
    ),
    (
        "covered-twice",
        "its slots have another row too, run {}",
        "SELECT r.run_id, r.job, r.instance_id, o.run_id FROM runs r JOIN runs o ON o.job = r.job AND o.instance_id = r.instance_id
           AND o.trigger = 'schedule' AND o.slot_ms BETWEEN r.slot_ms AND r.slot_last_ms AND o.run_id <> r.run_id
         WHERE r.slots > 1 AND r.trigger = 'schedule'",
    ),
    (
        "two-backups-of-a-generation",
        "one generation of it has the backups {}: look in the console which of them to keep",
        "SELECT r.run_id, r.job, r.instance_id, group_concat(b.backup_id, ', ') FROM backups b JOIN runs r USING (run_id) WHERE {alive}
         GROUP BY b.run_id, b.generation HAVING count(*) > 1",
    ),
    (
        "two-backups-of-a-run",
        "it has backups of several generations that did not fail, {}: look in the console which of them to keep",
        "SELECT r.run_id, r.job, r.instance_id, group_concat(b.backup_id, ', ') FROM backups b JOIN runs r USING (run_id)
         WHERE {alive} AND b.status IN ('running', 'success') GROUP BY b.run_id HAVING count(DISTINCT b.generation) > 1",
    ),
    (
        "unknown-backup",
        "backup {} is its own, and no row of the backups says so",
        "SELECT run_id, job, instance_id, backup_id FROM runs r WHERE backup_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM backups b
           WHERE b.instance_id = r.instance_id AND b.backup_id = r.backup_id AND b.run_id = r.run_id)",
    ),
    (
        "unknown-backup-of-a-call",
        "a call of it was answered with backup {}, and no row of the backups says so",
        "SELECT r.run_id, r.job, r.instance_id, a.backup_id FROM attempts a JOIN runs r USING (run_id) WHERE a.backup_id IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM backups b WHERE b.instance_id = r.instance_id AND b.backup_id = a.backup_id)",
    ),
    (
        "backup-of-another-instance",
        "backup {} is of another instance",
        "SELECT r.run_id, r.job, r.instance_id, b.backup_id FROM backups b JOIN runs r USING (run_id) WHERE b.instance_id <> r.instance_id",
    ),
    (
        "good-without-a-backup",
        "it ended well and has no backup",
        "SELECT run_id, job, instance_id, NULL FROM runs WHERE state = {good} AND backup_id IS NULL",
    ),
    (
        "call-without-an-attempt",
        "it waits for attempt {}, which is not there",
        "SELECT run_id, job, instance_id, attempt_id FROM runs r WHERE attempt_id > 0
           AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.attempt_id = r.attempt_id AND a.run_id = r.run_id)",
    ),
    (
        "one-name-for-two",
        "another run of the instance has its name {}: each would take the other's backup for its own",
        "SELECT max(run_id), job, instance_id, alias FROM runs GROUP BY instance_id, alias HAVING count(*) > 1",
    ),
    (
        "attempts-numbered-back",
        "the next call would get a number that was given already, up to {}: the lock file could not tell a copy from the ledger",
        "SELECT NULL, NULL, NULL, max(attempt_id) FROM attempts
         HAVING max(attempt_id) > (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'attempts')",
    ),
];

/// Checks the ledger at `path`.
///
/// # Errors
/// Where there is no ledger, or one that cannot be read at all. Damage inside is a finding.
pub fn check(path: &Path) -> Result<Checked, CopyError> {
    check_telling(path, &|_, _, _| ())
}

/// Told at each step: how many are done, of how many, and what the next one looks at.
pub type Steps<'a> = &'a dyn Fn(u64, u64, &str);

/// The same; `steps` hears how far it is.
///
/// # Errors
/// As [`check`].
pub fn check_telling(path: &Path, steps: Steps<'_>) -> Result<Checked, CopyError> {
    let mut checked = Checked::default();
    let done = match source(path) {
        Ok(conn) => all(&conn, &mut checked, steps),
        // Its first pages may be those that are broken.
        Err(CopyError::Ledger(error)) => Err(error),
        Err(error) => return Err(error),
    };
    match done {
        Err(Error::Sql(error)) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            checked.add(Finding { code: "damaged", run_id: None, job: None, instance_id: None, message: format!("the file is damaged: {error}") });
        }
        other => other?,
    }
    Ok(checked)
}

fn all(conn: &Connection, checked: &mut Checked, steps: Steps<'_>) -> Result<(), Error> {
    // SQLite's own checks before the rules, names and slots after them.
    let most = RULES.len() as u64 + 3;
    let moment = conn.unchecked_transaction()?;
    steps(0, most, "pages and indexes");
    integrity(&moment, checked)?;
    checked.runs = moment.query_row("SELECT count(*) FROM runs", [], |row| row.get::<_, u32>(0))?.into();
    checked.pairs = moment.query_row("SELECT count(*) FROM cursors", [], |row| row.get::<_, u32>(0))?.into();
    for (done, (code, message, sql)) in (1..).zip(RULES) {
        steps(done, most, code);
        let sql = sql.replace("{alive}", ALIVE).replace("{good}", &format!("'{}'", Outcome::Succeeded.word()));
        let mut statement = moment.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let detail = match row.get_ref(3)? {
                rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                other => other.as_str().unwrap_or_default().to_owned(),
            };
            checked.add(of_run(code, row, message.replace("{}", &detail))?);
        }
    }
    steps(most - 2, most, "names of open runs");
    names(&moment, checked)?;
    steps(most - 1, most, "slots without a row");
    slots(&moment, checked)
}

/// SQLite's own checks: pages, indexes, and what refers to what. What a row may say it does not ask where it may not write.
fn integrity(conn: &Connection, checked: &mut Checked) -> Result<(), Error> {
    let alone = |code, message| Finding { code, run_id: None, job: None, instance_id: None, message };
    let mut statement = conn.prepare("PRAGMA integrity_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let said: String = row.get(0)?;
        if said != "ok" {
            checked.add(alone("damaged", format!("the file is damaged: {said}")));
        }
    }
    let mut statement = conn.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (table, number, parent): (String, Option<i64>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let message = format!("row {} of {table} refers to a row of {parent} that is not there", number.unwrap_or_default());
        checked.add(alone("refers-to-nothing", message));
    }
    Ok(())
}

/// An open run is looked for by the name that its key gives; under another it would never be found.
fn names(conn: &Connection, checked: &mut Checked) -> Result<(), Error> {
    let id = read_meta(conn, "ledger_id")?.unwrap_or_default();
    let mut statement = conn.prepare("SELECT run_id, job, instance_id, alias, slot_ms, trigger, request FROM runs WHERE finished_at_ms IS NULL")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (job, instance, written): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let word: String = row.get(5)?;
        let trigger = if word == Trigger::Manual.word() { Trigger::Manual } else { Trigger::Schedule };
        let (Ok(job), Ok(instance)) = (JobName::from_row(&job), InstanceId::parse(&instance)) else {
            checked.add(of_run("name-of-nobody", row, "its job or instance has a name that none can have".into())?);
            continue;
        };
        let key = Key { job, instance, slot: instant(row.get(4)?), trigger, request: row.get(6)? };
        if alias(&id, &key) != written {
            checked.add(of_run("another-name", row, format!("its backup is looked for as {written}, which is not the name that its key gives"))?);
        }
    }
    Ok(())
}

/// Each slot since its schedule is in force, up to the cursor, has a row; but for what was dropped as too old.
fn slots(conn: &Connection, checked: &mut Checked) -> Result<(), Error> {
    let dropped = read_meta(conn, "pruned_until_ms")?.and_then(|ms| ms.parse::<i64>().ok()).unwrap_or(i64::MIN);
    let mut cursors = conn.prepare("SELECT NULL, job, instance_id, schedule, time_zone, cursor_ms, next_slot_ms, max(since_ms, ?1) FROM cursors")?;
    let mut cursors = cursors.query([dropped])?;
    let mut rows_of = conn.prepare(
        "SELECT slot_ms, slot_last_ms FROM runs WHERE job = ?1 AND instance_id = ?2 AND trigger = 'schedule' AND slot_last_ms > ?3 ORDER BY slot_ms",
    )?;
    while let Some(row) = cursors.next()? {
        let (job, instance): (String, String) = (row.get(1)?, row.get(2)?);
        let (schedule, zone): (String, String) = (row.get(3)?, row.get(4)?);
        let Ok(schedule) = Schedule::parse(&schedule, &zone) else {
            checked.add(of_run("schedule-not-understood", row, format!("its schedule `{schedule}` in {zone} is not understood"))?);
            continue;
        };
        let (cursor, next_slot, since): (i64, Option<i64>, i64) = (row.get(5)?, row.get(6)?, row.get(7)?);
        let cursor = instant(cursor);
        if schedule.next_after(cursor) != next_slot.map(instant) {
            let said = next_slot.map_or_else(|| "never".to_owned(), |ms| at(instant(ms)));
            checked.add(of_run("next-slot-wrong", row, format!("its next slot is said to be {said}, and its schedule says otherwise"))?);
        }
        let (mut from, mut none, mut first) = (instant(since), 0, None);
        let mut rows = rows_of.query(params![job, instance, since])?;
        let mut hole = |from: DateTime<Utc>, to: DateTime<Utc>| {
            if let Some(next) = schedule.next_after(from).filter(|next| *next < to) {
                none += schedule.count_and_last(from, to - chrono::TimeDelta::milliseconds(1)).0;
                first.get_or_insert(next);
            }
        };
        while let Some(run) = rows.next()? {
            let (slot, last) = (instant(run.get(0)?), instant(run.get(1)?));
            if slot > cursor {
                break;
            }
            hole(from, slot);
            from = from.max(last);
        }
        hole(from, cursor + chrono::TimeDelta::milliseconds(1));
        if let Some(first) = first {
            let more = if none > 1 { format!(" and {} more", none - 1) } else { String::new() };
            checked.add(of_run("slot-without-a-row", row, format!("its slot {}{more} passed and has no row", at(first)))?);
        }
    }
    Ok(())
}

fn at(t: DateTime<Utc>) -> String {
    t.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A finding of a row that begins with run, job and instance.
fn of_run(code: &'static str, row: &Row<'_>, message: String) -> Result<Finding, Error> {
    Ok(Finding { code, run_id: row.get(0)?, job: row.get(1)?, instance_id: row.get(2)?, message })
}

impl Checked {
    fn add(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.beyond += 1;
        }
    }
}
