//! Which runs a filter keeps, as one statement.

use crate::ledger::row::ms;
use chrono::{DateTime, Utc};
use rusqlite::types::Value;
use std::collections::BTreeMap;

/// Which pairs are meant. Several of one kind: any of them; several kinds, or several tag keys: all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selectors {
    /// Names of jobs.
    pub jobs: Vec<String>,
    /// Names or ids of instances.
    pub instances: Vec<String>,
    /// Names of accounts.
    pub accounts: Vec<String>,
    /// Regions.
    pub regions: Vec<String>,
    /// Keys and values of tags.
    pub tags: Vec<(String, String)>,
}

/// Which runs are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Of which pairs.
    pub selectors: Selectors,
    /// In which states, words of DESIGN §4; empty is all.
    pub states: Vec<String>,
    /// Only those that ended without a good backup.
    pub not_ok: bool,
    /// Slots from this instant on.
    pub since: Option<DateTime<Utc>>,
    /// Slots before this instant.
    pub until: Option<DateTime<Utc>>,
    /// So many at most, 1 to [`Filter::MOST`].
    pub limit: u32,
}

impl Filter {
    /// The largest limit.
    pub const MOST: u32 = 1_000_000;
}

impl Default for Filter {
    fn default() -> Self {
        Self { selectors: Selectors::default(), states: Vec::new(), not_ok: false, since: None, until: None, limit: 50 }
    }
}

pub(super) const ITEM: &str = "r.run_id, r.job, r.instance_id, t.instance_name, r.account, t.region, t.method, r.slot_ms, r.slot_local, r.slots, \
     r.trigger, r.state, r.reason, r.why, r.backup_id, r.bytes, r.alias, r.attempts, r.last_code, r.last_request_id, r.started_at_ms, \
     r.finished_at_ms, r.late, p.hash AS policy";

/// Without the hint SQLite would answer some filters by another index and sort a million rows for the newest fifty.
const NEWEST_FIRST: &str = "FROM runs r INDEXED BY runs_by_slot CROSS JOIN terms t USING (terms_id) LEFT JOIN policies p USING (policy_id)";

/// The statement, which asks for one row more than the limit, and its values.
pub(super) fn history(filter: &Filter) -> (String, Vec<Value>) {
    let mut wanted = Wanted::default();
    let Selectors { jobs, instances, accounts, regions, tags } = &filter.selectors;
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
    wanted.any_of("r.state", &filter.states);
    if filter.not_ok {
        wanted.conditions.push("r.state IN ('failed', 'timed_out', 'unknown', 'expired', 'missed', 'skipped', 'cancelled')".into());
    }
    if let Some(since) = filter.since {
        let mark = wanted.mark(ms(since));
        wanted.conditions.push(format!("r.slot_ms >= {mark}"));
    }
    if let Some(until) = filter.until {
        let mark = wanted.mark(ms(until));
        wanted.conditions.push(format!("r.slot_ms < {mark}"));
    }
    let limit = wanted.mark(i64::from(filter.limit.clamp(1, Filter::MOST)) + 1);
    let conditions = if wanted.conditions.is_empty() { "1".to_owned() } else { wanted.conditions.join(" AND ") };
    (format!("SELECT {ITEM} {NEWEST_FIRST} WHERE {conditions} ORDER BY r.slot_ms DESC, r.run_id DESC LIMIT {limit}"), wanted.values)
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
        let states = vec!["due".to_owned()];
        let selectors = Selectors { instances: vec!["orders".into()], tags: vec![("env".into(), "prod".into())], ..Selectors::default() };
        let since = Some(DateTime::<Utc>::UNIX_EPOCH);
        let all = [
            Filter::default(),
            Filter { states, ..Filter::default() },
            Filter { states: vec!["succeeded".into()], not_ok: true, ..Filter::default() },
            Filter { selectors, since, until: since, ..Filter::default() },
        ];
        for filter in all {
            let (sql, values) = history(&filter);
            let mut statement = ledger.connection().prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let plan = statement.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
            let plan = plan.collect::<Result<Vec<_>, _>>().unwrap().join("; ");
            assert!(plan.contains("r USING INDEX runs_by_slot") && !plan.contains("B-TREE FOR ORDER"), "{plan}");
        }
    }
}
