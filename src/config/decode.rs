//! One entry of the file into its shape, and what the decoder says about it into a finding.

use super::{
    fault::{Finding, Findings, Spot},
    place::{Path, Step},
    redact,
};
use crate::domain::nearest::nearest;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use serde_yaml::{Mapping, Value};
use std::{borrow::Cow, collections::BTreeSet};

/// Keys of one entry that are told as wrong.
const MOST_WRONG: usize = 64;

/// Decodes an entry and tells every key of it that is wrong. What such a key would have said is unknown from then on; the rest counts.
///
/// Absent when it is no entry at all, and when no further fault is shown.
pub(super) fn entry<T: DeserializeOwned>(value: &Value, at: &Path, findings: &mut Findings) -> Option<T> {
    if value.is_null() {
        // An empty entry is told where all empty values are.
        return None;
    }
    let mut rest = Cow::Borrowed(value);
    let mut wrong = BTreeSet::new();
    for turn in 0..MOST_WRONG {
        let error = match serde_path_to_error::deserialize::<_, T>(&*rest) {
            Ok(decoded) if wrong.is_empty() => return Some(decoded),
            Ok(_) => return without(value, &wrong),
            Err(error) => error,
        };
        if turn == 0 && has_other_keys(&rest) {
            // They are told where all keys are looked at.
            drop_other_keys(rest.to_mut(), &mut wrong);
            continue;
        }
        if findings.is_full() {
            findings.count_one();
            break;
        }
        let Some(path) = tell(&error, &rest, at, findings) else { break };
        let Some(Step::Key(key)) = path.first() else { break };
        wrong.insert(key.to_string());
        if !take_out(rest.to_mut(), &path, &error.inner().to_string()) {
            rest.to_mut().as_mapping_mut().and_then(|map| map.remove(key.as_ref()))?;
        }
    }
    findings.mark_unknown(at.clone());
    None
}

/// The entry without these keys, and without those that are no text.
fn without<T: DeserializeOwned>(value: &Value, wrong: &BTreeSet<String>) -> Option<T> {
    let mut rest = value.clone();
    rest.as_mapping_mut()?.retain(|key, _| key.as_str().is_some_and(|key| !wrong.contains(key)));
    serde_path_to_error::deserialize(&rest).ok()
}

/// Whether a key in it is no text.
fn has_other_keys(value: &Value) -> bool {
    match value {
        Value::Mapping(map) => map.iter().any(|(key, value)| !key.is_string() || has_other_keys(value)),
        Value::Sequence(items) => items.iter().any(has_other_keys),
        _ => false,
    }
}

/// Takes out what stands under a key that is no text. `wrong` takes up the keys of the entry below which there was one.
fn drop_other_keys(value: &mut Value, wrong: &mut BTreeSet<String>) {
    fn drop_all(value: &mut Value) {
        match value {
            Value::Mapping(map) => {
                map.retain(|key, _| key.is_string());
                map.values_mut().for_each(drop_all);
            }
            Value::Sequence(items) => items.iter_mut().for_each(drop_all),
            _ => {}
        }
    }
    if let Value::Mapping(map) = &*value {
        wrong.extend(map.iter().filter(|(_, value)| has_other_keys(value)).filter_map(|(key, _)| Some(key.as_str()?.to_owned())));
    }
    drop_all(value);
}

/// Takes out the one thing that is wrong, so that the next one is found; of a list an item is replaced, since the others keep their numbers.
fn take_out(value: &mut Value, path: &[Step], message: &str) -> bool {
    let Some((last, above)) = path.split_last() else { return false };
    let holder = above.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key.as_ref()),
        Step::Index(index) => value.get_mut(*index),
    });
    match (holder, last) {
        (Some(Value::Mapping(map)), Step::Key(key)) => map.remove(key.as_ref()).is_some(),
        (Some(Value::Sequence(items)), Step::Index(index)) => {
            let stand_in = match message {
                _ if message.contains("expected a text") => Value::String(String::new()),
                _ if message.contains("expected struct ") => Value::Mapping(Mapping::new()),
                _ => return false,
            };
            items.get_mut(*index).map(|item| *item = stand_in).is_some()
        }
        _ => false,
    }
}

/// Takes up what the decoder says. Gives the way from the entry to what is wrong.
fn tell(error: &serde_path_to_error::Error<serde_yaml::Error>, value: &Value, at: &Path, findings: &mut Findings) -> Option<Vec<Step>> {
    let message = error.inner().to_string();
    let steps = error.path().iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Map { key } => Some(Step::from(key.clone())),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    let path = Path::from_steps(at.steps().iter().cloned().chain(steps));
    let (finding, meant) = match message.split_once("unknown field `") {
        Some((_, rest)) => unknown_key(rest, path, value, at),
        None => (wrong_type(&message, path), None),
    };
    let below: Option<Vec<Step>> = finding.place_path().map(|path| path.steps().iter().skip(at.steps().len()).cloned().collect());
    let wrong = below.filter(|below| matches!(below.first(), Some(Step::Key(_))));
    if let Some(Step::Key(key)) = wrong.as_deref().and_then(<[Step]>::first) {
        let key = key.to_string();
        // A merge key may have brought anything.
        findings.mark_unknown(if key == "<<" { at.clone() } else { at.key(key) });
        let is_own = finding.place_path().is_some_and(|path| path.steps().len() == at.steps().len() + 1);
        if let Some(meant) = meant.filter(|meant| is_own && value.get(meant.as_str()).is_none()) {
            findings.mark_unknown(at.key(meant));
        }
    }
    findings.push_unless_known(finding);
    wrong
}

/// `rest` is the decoder's text after ``unknown field ` ``: the key, and those that are known.
fn unknown_key(rest: &str, path: Path, value: &Value, at: &Path) -> (Finding, Option<String>) {
    let (key, known) = rest.rsplit_once("`, expected ").or_else(|| rest.rsplit_once("`, there are")).unwrap_or((rest, ""));
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    // The decoder's path ends at the key or at the map around it, depending on how far it was.
    let ends_there = matches!(path.last(), Some(Step::Key(last)) if last == key) && !holds(value, at, &path, key);
    let path = if ends_there { path } else { path.key(key.to_owned()) };
    (Finding::unknown_key(path, key, &known), nearest(key, known.iter().copied()).map(str::to_owned))
}

/// Whether the value at the path is a map that has the key.
fn holds(value: &Value, at: &Path, path: &Path, key: &str) -> bool {
    let below = path.steps().iter().skip(at.steps().len());
    let found = below.into_iter().try_fold(value, |value, step| match step {
        Step::Key(k) => value.get(k.as_ref()),
        Step::Index(i) => value.get(*i),
    });
    found.and_then(Value::as_mapping).is_some_and(|map| map.contains_key(key))
}

/// The decoder's text names the value, which may be a secret; only its kind and what was expected are repeated.
fn wrong_type(message: &str, path: Path) -> Finding {
    let expected = message.rsplit_once("expected ").map_or("something else", |(_, expected)| expected);
    let expected = match expected.split(" at line ").next().unwrap_or_default() {
        e if e.starts_with("struct ") || e == "a map" => "a map of keys",
        "a sequence" => "a list",
        "a boolean" => "`true` or `false`",
        "i64" | "u64" => "a whole number",
        "f64" => "a number",
        e => e,
    };
    let kind = message.split_once("invalid type: ").or_else(|| message.split_once("invalid value: ")).map_or("", |(_, rest)| rest);
    let kind = match kind.split([' ', ',']).next().unwrap_or_default() {
        "string" => "a text",
        "integer" if expected == "a whole number" => "too large a number",
        "floating" if expected == "a whole number" => "a number with a fraction",
        "integer" | "floating" => "a number",
        "boolean" => "`true` or `false`",
        "sequence" => "a list",
        "map" => "a map",
        "unit" | "null" => "nothing",
        _ => "something else",
    };
    let hint = instead(&path, kind, expected);
    let message = format!("{} must be {expected}, and is {kind}", redact::quoted(&path.to_string()));
    Finding::error("wrong-type", Spot::Value(path), message).label(format!("this is {kind}")).hint(hint)
}

/// What to write instead of a value of another kind.
fn instead(path: &Path, kind: &str, expected: &str) -> String {
    let key = path.steps().iter().rev().find_map(|step| match step {
        Step::Key(key) => Some(key.as_ref()),
        Step::Index(_) => None,
    });
    let hint = match (key.unwrap_or_default(), expected, kind) {
        ("targets", _, "a list") => "write `targets: { instances: [NAME] }`",
        ("targets", ..) => "write `targets: { all: true }`, `{ instances: [NAME] }` or `{ tags: { KEY: VALUE } }`",
        ("tables", "a map of keys", _) => "write `{ db: NAME }` for a whole database, `{ db: NAME, tables: [NAME] }` for some of its tables",
        ("tables", "a list", _) => "write a list, such as `tables: [{ db: NAME }]`",
        (_, "a map of keys", _) => "write `KEY: VALUE` pairs, such as `{ KEY: VALUE }`",
        (_, "a list", _) => "write a list, such as `[A, B]`",
        (_, "`true` or `false`", _) => "write `true` or `false`, without quotes",
        (_, "a whole number", _) => "write digits alone, without quotes",
        (_, "a number", _) => "write a number, without quotes",
        (_, expected, "a number") if expected.starts_with("a length") => "write the unit too, such as `90s`, `45m` or `2h`",
        (_, expected, "a number" | "`true` or `false`") if expected.starts_with("a text") => "put it in quotes",
        (_, expected, _) if expected.starts_with("a text") => "write one text, such as `KEY: \"TEXT\"`",
        (_, expected, _) => return format!("write {expected}"),
    };
    hint.to_owned()
}

impl Finding {
    /// A key that nobody knows.
    pub(super) fn unknown_key(path: Path, key: &str, known: &[&str]) -> Self {
        let meant = nearest(key, known.iter().copied());
        if redact::ends_in_pasted(&path) {
            let above = path.steps().len().saturating_sub(1);
            let above = Path::from_steps(path.steps().iter().take(above).cloned());
            let finding =
                Self::error("unknown-key", Spot::Key(path), "there is no such key here, and a secret must not stand in a policy").path(above);
            return finding.label("unknown").hint(format!("known here: {}", known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")));
        }
        let finding = Self::error("unknown-key", Spot::Key(path), format!("there is no key {} here", redact::quoted(key)));
        let finding = finding.label(meant.map_or("unknown".to_owned(), |m| format!("did you mean `{m}`?")));
        match (meant, known) {
            (None, []) => finding,
            (Some(meant), _) => finding.hint(format!("write `{meant}`")),
            (None, known) => finding.hint(format!("known here: {}", known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", "))),
        }
    }
}

impl Findings {
    /// Takes up what the decoder says, unless the place is known to be wrong already.
    fn push_unless_known(&mut self, finding: Finding) {
        if !finding.place_path().is_some_and(|path| self.is_at(path)) {
            self.push(finding);
        }
    }
}
