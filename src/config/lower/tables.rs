//! `method`, and what only one method knows: `tables` and `encrypted`.

use super::{Lowering, settings::Layers};
use crate::{
    config::{
        fault::{Finding, Spot},
        place::Path,
        raw, redact,
    },
    domain::policy::{Method, Table},
};
use std::collections::BTreeMap;

/// Tables of one job.
const MAX_TABLES: usize = 10_000;
/// Characters of a database's or a table's name in MySQL.
const MAX_NAME: usize = 64;

impl Lowering<'_> {
    /// The method's word and where it stands; tells an unknown one.
    pub(super) fn method_word(&mut self, layers: &Layers<'_>) -> Option<(&'static str, Path)> {
        let (text, at) = layers.pick(&["method"], |j| j.method.as_ref())?;
        self.word(&text.0, &at, &["logical", "physical", "snapshot"]).map(|word| (word, at))
    }

    /// `tables` and `encrypted` of the defaults hold where the method knows them; a job's own must fit its method.
    pub(super) fn method(&mut self, layers: &Layers<'_>) -> Option<Method> {
        if layers.pick(&["method"], |j| j.method.as_ref()).is_none() {
            self.missing_from_both("method", layers.at, "defaults", "write `method: logical`, `physical` or `snapshot` here or in `defaults`");
        }
        let word = self.method_word(layers);
        let own_tables = layers.job.tables.as_ref().map(|t| (t, layers.at.key("tables")));
        let tables = own_tables.and_then(|(raw, at)| self.tables(raw, &at));
        if self.findings.is_unknown(&layers.at.key("method")) {
            return None;
        }
        let (word, method_at) = word?;
        if word != "logical" && layers.job.tables.is_some() {
            self.misfit("tables", "logical", "only a logical backup can be of tables", word, layers.at, method_at.clone());
        }
        if word != "physical" && layers.job.encrypted.is_some() {
            self.misfit("encrypted", "physical", "only a physical backup can be encrypted", word, layers.at, method_at);
        }
        match word {
            "logical" => {
                let has_own = layers.job.tables.is_some();
                let shared = if has_own { None } else { layers.defaults.tables.as_ref() };
                match (has_own, shared) {
                    (true, _) => tables.map(|tables| Method::Logical { tables }),
                    (false, Some(raw)) => self.tables(raw, &Path::default().keys(&["defaults", "tables"])).map(|tables| Method::Logical { tables }),
                    (false, None) => Some(Method::Logical { tables: Vec::new() }),
                }
            }
            "physical" => Some(Method::Physical { encrypted: layers.job.encrypted.or(layers.defaults.encrypted) }),
            _ => Some(Method::Snapshot),
        }
    }

    fn misfit(&mut self, key: &'static str, needed: &str, message: &str, word: &str, at: &Path, method_at: Path) {
        let code = if key == "tables" { "tables-without-logical" } else { "encrypted-without-physical" };
        let finding = Finding::error(code, Spot::Key(at.key(key)), message).label(format!("needs `method: {needed}`"));
        let finding = finding.also(Spot::Value(method_at), format!("the method is {word}"));
        self.fault(finding.hint(format!("take `{key}` out, or write `method: {needed}`")));
    }

    /// A list of tables: not empty, each entry with its database, no table twice.
    pub(super) fn tables(&mut self, raw: &[raw::Table], at: &Path) -> Option<Vec<Table>> {
        let before = self.findings.errors();
        if raw.is_empty() {
            let finding = Finding::error("empty-list", Spot::Value(at.clone()), "`tables` is empty").label("nothing in it");
            self.fault(finding.hint("leave the key out to back up the whole instance"));
        }
        let mut seen: BTreeMap<Table, Path> = BTreeMap::new();
        let mut tables = Vec::new();
        for (i, entry) in raw.iter().enumerate() {
            self.table_entry(entry, &at.index(i), &mut seen, &mut tables);
        }
        if tables.len() > MAX_TABLES {
            let finding = Finding::error("out-of-range", Spot::Key(at.clone()), format!("`tables` names {} tables", tables.len()));
            self.fault(finding.label(format!("at most {MAX_TABLES}")).hint("name whole databases"));
        }
        (self.findings.errors() == before).then_some(tables)
    }

    fn table_entry(&mut self, entry: &raw::Table, at: &Path, seen: &mut BTreeMap<Table, Path>, tables: &mut Vec<Table>) {
        let Some(db) = &entry.db else {
            self.missing("db", at, "write `{ db: NAME }` for a whole database, `{ db: NAME, tables: [NAME] }` for some of its tables");
            return;
        };
        self.table_name(&db.0, &at.key("db"));
        let Some(names) = &entry.tables else {
            return self.table(Table { db: db.0.clone(), table: None }, at.key("db"), seen, tables);
        };
        if names.is_empty() {
            let finding = Finding::error("empty-list", Spot::Value(at.key("tables")), "this list of tables is empty").label("nothing in it");
            self.fault(finding.hint("leave `tables` out of the entry to back up the whole database"));
        }
        for (i, name) in names.iter().enumerate() {
            let at = at.key("tables").index(i);
            self.table_name(&name.0, &at);
            self.table(Table { db: db.0.clone(), table: Some(name.0.clone()) }, at, seen, tables);
        }
    }

    fn table(&mut self, table: Table, at: Path, seen: &mut BTreeMap<Table, Path>, tables: &mut Vec<Table>) {
        let whole = Table { db: table.db.clone(), table: None };
        if let Some(first) = seen.get(&table).or_else(|| seen.get(&whole)) {
            let what = table.table.as_ref().map_or(table.db.clone(), |t| format!("{}.{t}", table.db));
            let message = format!("{} is backed up twice", redact::quoted(&what));
            let finding = Finding::error("repeated-table", Spot::Value(at), message).label("again here");
            self.fault(finding.also(Spot::Value(first.clone()), "first defined here").hint("keep one of the two"));
            return;
        }
        if table.table.is_none()
            && let Some((_, first)) = seen.range(&whole..).next().filter(|(t, _)| t.db == table.db)
        {
            let message = format!("{} is backed up as a whole and in parts", redact::quoted(&table.db));
            let finding = Finding::error("repeated-table", Spot::Value(at), message).label("the whole database");
            self.fault(finding.also(Spot::Value(first.clone()), "a table of it").hint("keep one of the two"));
            return;
        }
        seen.insert(table.clone(), at);
        tables.push(table);
    }

    fn table_name(&mut self, name: &str, at: &Path) {
        let odd = |c: char| c.is_control() || matches!(c, '*' | '?' | '[');
        if (1..=MAX_NAME).contains(&name.chars().count()) && !name.chars().any(odd) {
            return;
        }
        let message = format!("{} names no database or table", redact::quoted(name));
        let finding = Finding::error("bad-name", Spot::Value(at.clone()), message).label("1 to 64 plain characters");
        self.fault(finding.hint("patterns are not known to the cloud; list the tables, or name the whole database"));
    }
}
