//! Which runs a filter keeps, as one statement.

use crate::{domain::scope::Scope, ledger::row::ms};
use chrono::{DateTime, Utc};
use rusqlite::types::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Which runs are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Of which pairs.
    pub selectors: Scope,
    /// In which states, words of DESIGN §4; empty is all.
    pub states: Vec<String>,
    /// Only those that ended without a good backup.
    pub not_ok: bool,
    /// Slots from this instant on; of a range of missed slots, any of them.
    pub since: Option<DateTime<Utc>>,
    /// Slots before this instant.
    pub until: Option<DateTime<Utc>>,
    /// Only those that come after the run with this slot and number, newest first: what a page before this one ended with.
    pub after: Option<(DateTime<Utc>, i64)>,
    /// So many at most, 1 to [`Filter::MOST`].
    pub limit: u32,
}

impl Filter {
    /// The largest limit.
    pub const MOST: u32 = 1_000_000;
}

impl Default for Filter {
    fn default() -> Self {
        Self { selectors: Scope::default(), states: Vec::new(), not_ok: false, since: None, until: None, after: None, limit: 50 }
    }
}

pub(super) const ITEM: &str = "r.run_id, r.job, r.instance_id, t.instance_name, r.account, t.region, t.method, r.slot_ms, r.slot_local, r.slots, \
     r.trigger, r.state, r.reason, r.why, r.backup_id, r.bytes, r.alias, r.attempts, r.last_code, r.last_request_id, r.started_at_ms, \
     r.finished_at_ms, r.late, p.hash AS policy";

/// Of a job and an instance, the newest slot with a good backup.
pub(super) const NEWEST_GOOD: &str = "SELECT run_id, slot_last_ms, slot_local, state, why, 1 FROM runs
    WHERE job = ?1 AND instance_id = ?2 AND state = 'succeeded' ORDER BY slot_ms DESC LIMIT 1";
/// Of a job and an instance, the newest slot that has ended.
pub(super) const NEWEST_ENDED: &str = "SELECT run_id, slot_last_ms, slot_local, state, why, state = 'succeeded' FROM runs
    WHERE job = ?1 AND instance_id = ?2 AND finished_at_ms IS NOT NULL ORDER BY slot_ms DESC LIMIT 1";
/// What was sent and has not ended.
pub(super) const SENT: &str = "SELECT run_id, job, instance_id, account, state, last_code, started_at_ms FROM runs INDEXED BY runs_in_flight
    WHERE finished_at_ms IS NULL AND state <> 'due' ORDER BY instance_id, job";
/// Of a job and an instance, the first run that waits. Without the hint SQLite would read every run of the pair.
pub(super) const FIRST_DUE: &str =
    "SELECT run_id, job, instance_id, account, state, due_at_ms, start_by_ms, attempts, last_class, last_code, even_if_held
    FROM runs INDEXED BY runs_due WHERE instance_id = ?2 AND job = ?1 AND state = 'due' LIMIT 1";
/// Of an instance, the runs that wait, in the order in which they are sent.
pub(super) const DUE_ON: &str =
    "SELECT run_id, job, instance_id, account, state, due_at_ms, start_by_ms, attempts, last_class, last_code, even_if_held
    FROM runs INDEXED BY runs_due WHERE instance_id = ?1 AND state = 'due' ORDER BY priority, behind_ms, slot_ms, start_by_ms, run_id LIMIT ?2";

/// What was sent and has not ended, by its start.
pub(super) const IN_FLIGHT: &str = "runs r INDEXED BY runs_in_flight CROSS JOIN terms t USING (terms_id) LEFT JOIN policies p USING (policy_id)
    WHERE r.finished_at_ms IS NULL AND r.state <> 'due' ORDER BY r.started_at_ms, r.run_id LIMIT ?1";
/// How many there are of those.
pub(super) const IN_FLIGHT_COUNT: &str = "SELECT count(*) FROM runs INDEXED BY runs_in_flight WHERE finished_at_ms IS NULL AND state <> 'due'";
/// What is yet to be sent, the soonest first.
pub(super) const WAITING: &str = "runs r INDEXED BY runs_ripe CROSS JOIN terms t USING (terms_id) LEFT JOIN policies p USING (policy_id)
    WHERE r.state = 'due' ORDER BY r.due_at_ms, r.run_id LIMIT ?1";
/// How many there are of those.
pub(super) const WAITING_COUNT: &str = "SELECT count(*) FROM runs INDEXED BY runs_ripe WHERE state = 'due'";

/// The next instance that has a good backup of a job.
pub(super) const NEXT_GOOD_INSTANCE: &str =
    "SELECT instance_id FROM runs INDEXED BY runs_good WHERE state = 'succeeded' AND job = ?1 AND instance_id > ?2 ORDER BY instance_id LIMIT 1";
/// Slots of a job and instance with a good backup: the index alone answers.
pub(super) const GOOD_SLOTS: &str = "SELECT slot_ms FROM runs INDEXED BY runs_good
    WHERE state = 'succeeded' AND job = ?1 AND instance_id = ?2 AND slot_ms >= ?3 AND slot_ms < ?4";
/// Runs of any job that ended in one state, newest slot first.
pub(super) const ENDED_IN: &str = "SELECT job, slot_ms, slot_last_ms FROM runs INDEXED BY runs_ended
    WHERE finished_at_ms IS NOT NULL AND state = ?1 AND slot_ms >= ?2 AND slot_ms < ?3 ORDER BY slot_ms DESC LIMIT ?4";
/// Ranges of missed slots of a job that began before a time and reach into it.
pub(super) const RANGES_INTO: &str = "SELECT state, slot_last_ms FROM runs INDEXED BY runs_ranges
    WHERE slots > 1 AND job = ?1 AND slot_ms < ?2 AND slot_last_ms >= ?2 LIMIT ?3";
/// Open runs of any job: those that were sent, then those that wait.
pub(super) const OPEN_SLOTS: [&str; 2] = [
    "SELECT job, slot_ms, state FROM runs INDEXED BY runs_in_flight WHERE finished_at_ms IS NULL AND state <> 'due' LIMIT ?1",
    "SELECT job, slot_ms, state FROM runs INDEXED BY runs_ripe WHERE state = 'due' ORDER BY due_at_ms LIMIT ?1",
];

/// The state that is a good end.
pub(super) const GOOD: &str = "succeeded";
/// The states that are no good end.
pub(super) const NOT_OK: [&str; 7] = ["failed", "timed_out", "unknown", "expired", "missed", "skipped", "cancelled"];

/// The statement, which asks for one row more than the limit, and its values.
pub(super) fn history(filter: &Filter) -> (String, Vec<Value>) {
    let mut wanted = Wanted::default();
    let Scope { jobs, instances, accounts, regions, tags } = &filter.selectors;
    wanted.any_of("r.job", jobs);
    wanted.any_of("r.account", accounts);
    if !instances.is_empty() {
        let marks = wanted.marks(instances);
        wanted
            .conditions
            .push(format!("(r.instance_id IN ({marks}) OR r.terms_id IN (SELECT terms_id FROM terms WHERE instance_name IN ({marks})))"));
    }
    if !regions.is_empty() {
        let marks = wanted.marks(regions);
        wanted.conditions.push(format!("r.terms_id IN (SELECT terms_id FROM terms WHERE region IN ({marks}))"));
    }
    let mut values_of: BTreeMap<&String, Vec<String>> = BTreeMap::new();
    for (key, value) in tags {
        values_of.entry(key).or_default().push(value.clone());
    }
    for (key, values) in values_of {
        let (key, values) = (wanted.mark(key.clone()), wanted.marks(&values));
        wanted.conditions.push(format!(
            "r.terms_id IN (SELECT terms_id FROM terms s WHERE EXISTS (SELECT 1 FROM json_each(s.tags) j WHERE j.key = {key} AND j.value IN ({values})))"
        ));
    }
    if let Some(until) = filter.until {
        let mark = wanted.mark(ms(until));
        wanted.conditions.push(format!("r.slot_ms < {mark}"));
    }
    if let Some((slot, run_id)) = filter.after {
        let (slot, run_id) = (wanted.mark(ms(slot)), wanted.mark(run_id));
        wanted.conditions.push(format!("(r.slot_ms, r.run_id) < ({slot}, {run_id})"));
    }
    let limit = wanted.mark(i64::from(filter.limit.clamp(1, Filter::MOST)) + 1);
    let newest_first = format!("ORDER BY slot_ms DESC, run_id DESC LIMIT {limit}");
    let mut kept: String = wanted.conditions.iter().map(|condition| format!(" AND {condition}")).collect();
    let states = states(filter);
    let mut lines = Vec::new();
    if let Some(since) = filter.since {
        let mark = wanted.mark(ms(since));
        // A range of missed slots that began before reaches into the time that is asked for.
        if states.as_ref().is_none_or(|states| states.contains("missed")) {
            lines.push(newest("runs_ranges", &format!("r.slots > 1 AND r.slot_ms < {mark} AND r.slot_last_ms >= {mark}"), &kept));
        }
        kept.push_str(&format!(" AND r.slot_ms >= {mark}"));
    }
    match states {
        None => lines.push(newest("runs_by_slot", "1", &kept)),
        Some(states) if states.is_empty() => lines.push(newest("runs_by_slot", "0", &kept)),
        Some(states) => lines.extend(states.into_iter().map(|state| in_state(state, &mut wanted, &kept))),
    }
    (format!("{} {newest_first}", lines.join(" UNION ALL ")), wanted.values)
}

/// The states that are wanted; none when all are.
fn states(filter: &Filter) -> Option<BTreeSet<&str>> {
    let named: BTreeSet<&str> = filter.states.iter().map(String::as_str).collect();
    match (filter.not_ok, named.is_empty()) {
        (false, true) => None,
        (false, false) => Some(named),
        (true, true) => Some(BTreeSet::from(NOT_OK)),
        (true, false) => Some(named.into_iter().filter(|state| NOT_OK.contains(state)).collect()),
    }
}

/// The rows of one state, through the index that has few others: where none is in it, no million is read. SQLite merges states by their order.
fn in_state(state: &str, wanted: &mut Wanted, kept: &str) -> String {
    let (index, part) = match state {
        "due" => ("runs_due", "r.state = 'due'"),
        "calling" | "uncertain" | "running" => ("runs_in_flight", "r.finished_at_ms IS NULL AND r.state <> 'due'"),
        _ => ("runs_ended", "r.finished_at_ms IS NOT NULL"),
    };
    let state = wanted.mark(state.to_owned());
    newest(index, &format!("{part} AND r.state = {state}"), kept)
}

/// Without the hint SQLite would answer some filters by another index, and sort a million rows for the newest fifty.
fn newest(index: &str, part: &str, kept: &str) -> String {
    format!(
        "SELECT {ITEM} FROM runs r INDEXED BY {index} CROSS JOIN terms t USING (terms_id) LEFT JOIN policies p USING (policy_id) WHERE {part}{kept}"
    )
}

#[derive(Default)]
struct Wanted {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Wanted {
    fn mark(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    fn marks(&mut self, texts: &[String]) -> String {
        let marks: Vec<_> = texts.iter().map(|text| self.mark(text.clone())).collect();
        marks.join(", ")
    }

    fn any_of(&mut self, column: &str, texts: &[String]) {
        if !texts.is_empty() {
            let marks = self.marks(texts);
            self.conditions.push(format!("{column} IN ({marks})"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Ledger;

    #[test]
    fn no_filter_sorts_what_an_index_already_has_in_order() {
        let ledger = Ledger::in_memory("plan", DateTime::<Utc>::UNIX_EPOCH).unwrap();
        let of = |states: &[&str]| Filter { states: states.iter().map(ToString::to_string).collect(), ..Filter::default() };
        let selectors = Scope { instances: vec!["orders".into()], tags: vec![("env".into(), "prod".into())], ..Scope::default() };
        let since = Some(DateTime::<Utc>::UNIX_EPOCH);
        let all = [
            ("runs_by_slot", Filter::default()),
            ("runs_by_slot", Filter { selectors: selectors.clone(), since, until: since, ..Filter::default() }),
            ("runs_ended", of(&["unknown"])),
            ("runs_ended", Filter { not_ok: true, ..Filter::default() }),
            ("runs_ended", Filter { selectors, since, until: since, not_ok: true, ..of(&["failed", "failed", "expired"]) }),
        ];
        for (index, filter) in all {
            let plan = plan_of(&ledger, &filter);
            // Ranges of missed slots are few, and sorted.
            let sorts = plan.matches("B-TREE FOR ORDER").count();
            assert!(plan.contains(&format!("r USING INDEX {index}")) && sorts == plan.matches("runs_ranges").count(), "{plan}");
        }
    }

    #[test]
    fn a_filter_of_states_reads_only_what_is_in_one_of_them() {
        let ledger = Ledger::in_memory("plan", DateTime::<Utc>::UNIX_EPOCH).unwrap();
        for state in ["due", "calling", "uncertain", "running", "succeeded", "missed"] {
            let plan = plan_of(&ledger, &Filter { states: vec![state.to_owned()], ..Filter::default() });
            assert!(!plan.contains("runs_by_slot"), "{state}: {plan}");
        }
        let (sql, _) = history(&Filter { states: vec!["succeeded".into()], not_ok: true, ..Filter::default() });
        assert!(sql.contains("WHERE 0"), "a good end that is none: {sql}");
    }

    #[test]
    fn what_is_asked_of_each_pair_and_of_what_is_open_is_answered_by_an_index() {
        let ledger = Ledger::in_memory("plan", DateTime::<Utc>::UNIX_EPOCH).unwrap();
        let plan = |sql: &str| -> String {
            let mut statement = ledger.connection().prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            for parameter in 1..=statement.parameter_count() {
                statement.raw_bind_parameter(parameter, 1).unwrap();
            }
            let (mut rows, mut plan) = (statement.raw_query(), String::new());
            while let Some(row) = rows.next().unwrap() {
                plan += &format!("{}; ", row.get::<_, String>(3).unwrap());
            }
            plan
        };
        for (sql, index) in [
            (NEWEST_GOOD, "SEARCH runs USING INDEX runs_good (job=? AND instance_id=?)"),
            (NEWEST_ENDED, "SEARCH runs USING INDEX sqlite_autoindex_runs_1 (job=? AND instance_id=?)"),
            (SENT, "SCAN runs USING INDEX runs_in_flight"),
            (FIRST_DUE, "SEARCH runs USING INDEX runs_due (instance_id=?)"),
            (DUE_ON, "SEARCH runs USING INDEX runs_due (instance_id=?)"),
            (NEXT_GOOD_INSTANCE, "SEARCH runs USING COVERING INDEX runs_good (job=? AND instance_id>?)"),
            (GOOD_SLOTS, "SEARCH runs USING COVERING INDEX runs_good (job=? AND instance_id=? AND slot_ms>? AND slot_ms<?)"),
            (ENDED_IN, "SEARCH runs USING INDEX runs_ended (state=? AND slot_ms>? AND slot_ms<?)"),
            (RANGES_INTO, "SEARCH runs USING INDEX runs_ranges (job=?)"),
        ] {
            let plan = plan(sql);
            assert!(plan.contains(index) && !plan.contains("B-TREE"), "{sql}: {plan}");
        }
    }

    fn plan_of(ledger: &Ledger, filter: &Filter) -> String {
        let (sql, values) = history(filter);
        let mut statement = ledger.connection().prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan = statement.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
        plan.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
    }
}
