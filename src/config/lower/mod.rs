//! From the file's shape to its meaning, and every fault on the way.
//!
//! Decided here: in which order the parts are read, and what is known about a part that is itself at fault, so that one slip is told once. What
//! each part means is in the file of its name.

mod accounts;
mod blackouts;
mod instances;
mod jobs;
mod read;
mod settings;
mod tables;
mod targets;
pub(super) mod top;

use super::{
    decode,
    fault::{Finding, Findings, Spot},
    machine::Machine,
    place::Path,
    redact,
};
use crate::domain::{
    names::{AccountName, JobName, Region},
    nearest::nearest,
    policy::{Account, Instance, Policy},
};
use serde_yaml::{Mapping, Value};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path as FilePath,
    sync::Arc,
};

/// What the parts look up while they are read.
struct Lowering<'a> {
    findings: &'a mut Findings,
    machine: &'a Machine,
    /// The directory of the policy.
    beside: &'a FilePath,
    /// Every account that the file names, also those that are at fault.
    accounts: HashMap<String, Option<Arc<Account>>>,
    /// Ids (`id`) and names (`name`) of every instance in the file, also of those that are at fault, with the instance's number.
    instance_words: HashMap<String, (usize, &'static str)>,
    /// Whether the id and the name of each instance could be read.
    all_words_read: bool,
    /// Each with its number in the file.
    instances: Vec<(usize, Arc<Instance>)>,
    /// Whether each instance of the file could be read.
    all_instances_read: bool,
    /// Jobs whose targets may match nothing.
    may_be_empty: HashSet<JobName>,
    /// Regions that are not known, each where it stands first, to be told when nothing is at fault.
    odd_regions: BTreeMap<Region, Finding>,
}

/// A policy, and what of its file only a reader of it asks for.
pub(super) struct Lowered {
    pub(super) policy: Policy,
    /// Jobs whose targets may match nothing.
    pub(super) may_be_empty: HashSet<JobName>,
}

/// Reads the whole policy. Absent when anything in it is at fault.
pub(super) fn policy(value: &Value, beside: &FilePath, machine: &Machine, findings: &mut Findings) -> Option<Lowered> {
    let Some(map) = value.as_mapping() else {
        findings.push(not_a_map(value));
        return None;
    };
    scan(map, findings);
    let mut lowering = Lowering {
        findings,
        machine,
        beside,
        accounts: HashMap::new(),
        instance_words: HashMap::new(),
        all_words_read: true,
        instances: Vec::new(),
        all_instances_read: true,
        may_be_empty: HashSet::new(),
        odd_regions: BTreeMap::new(),
    };
    lowering.known_keys(map);
    lowering.version(map);
    let ledger = lowering.ledger(map);
    let ledger_copies = lowering.ledger_copies(map);
    let listen = lowering.listen(map);
    let listen_token = lowering.listen_token(map);
    lowering.guarded(map, listen);
    let history = lowering.history(map);
    let accounts = lowering.accounts(map);
    lowering.instances(map);
    let (defaults, by_hand) = lowering.job_defaults(map);
    let zone = defaults.time_zone.as_ref().map(|z| z.0.clone());
    let blackouts = lowering.blackouts(map, zone.as_deref());
    let jobs = lowering.jobs(map, &defaults);
    let instances = lowering.instances.into_iter().map(|(_, instance)| instance).collect();
    if lowering.findings.is_fatal() {
        return None;
    }
    let policy = Policy {
        ledger,
        listen: listen?,
        listen_token,
        history: history?,
        ledger_copies,
        accounts,
        instances,
        jobs: jobs?,
        blackouts: blackouts?,
        by_hand: by_hand?,
    };
    for odd in lowering.odd_regions.into_values() {
        lowering.findings.push(odd);
    }
    Some(Lowered { policy, may_be_empty: lowering.may_be_empty })
}

fn not_a_map(value: &Value) -> Finding {
    let (code, what) = match value {
        Value::Null => ("empty", "the policy is empty"),
        Value::Sequence(_) => ("not-a-policy", "the policy is a list, and must be a map of keys"),
        _ => ("not-a-policy", "the policy is a single value, and must be a map of keys"),
    };
    Finding::error(code, Spot::File, what).hint("begin with `version: 1`; `accounts`, `instances` and `jobs` follow")
}

/// The way to a value during a walk, without a copy of it.
struct Trail<'a> {
    above: Option<&'a Trail<'a>>,
    key: Option<&'a str>,
    index: usize,
}

impl Trail<'_> {
    fn path(&self) -> Path {
        let above = self.above.map(Trail::path).unwrap_or_default();
        match self.key {
            Some(key) => above.key(key.to_owned()),
            None => above.index(self.index),
        }
    }
}

/// What may stand nowhere: keys that are no text, keys without a value, and secrets.
fn scan(map: &Mapping, findings: &mut Findings) {
    scan_map(map, None, false, findings);
}

fn scan_map(map: &Mapping, above: Option<&Trail<'_>>, is_free: bool, findings: &mut Findings) {
    for (key, value) in map {
        let Some(key) = key.as_str() else {
            let path = above.map(Trail::path).unwrap_or_default();
            let written = match key {
                Value::Bool(b) => b.to_string(),
                Value::Number(n) => n.to_string(),
                _ => String::from("*"),
            };
            let finding = Finding::error("key-not-text", Spot::Key(path.key(written)), "every key of a policy is a text").label("this one is not");
            findings.push(finding.hint("write the key in quotes"));
            findings.mark_unknown(above.map(Trail::path).unwrap_or_default());
            continue;
        };
        let trail = Trail { above, key: Some(key), index: 0 };
        let is_free = is_free || (above.is_none() && key.starts_with("x-"));
        match value {
            // It says where the token is; one that stands there itself is told where it is read.
            _ if redact::names_a_secret(key) && !value.is_null() && !(above.is_none() && key == "listen_token") => {
                findings.push(secret(trail.path(), key))
            }
            Value::Null if !is_free => {
                let path = trail.path();
                // One that may be a secret is told as a key that nobody knows.
                if !redact::ends_in_pasted(&path) {
                    let finding = Finding::error("empty-value", Spot::Key(path.clone()), format!("{} has no value", redact::quoted(key)));
                    findings.push(finding.label("nothing follows").hint("give it one, or take the key out"));
                    findings.mark_unknown(path);
                }
            }
            _ => scan_value(value, &trail, is_free, findings),
        }
    }
}

fn scan_value(value: &Value, trail: &Trail<'_>, is_free: bool, findings: &mut Findings) {
    match value {
        Value::Mapping(map) => scan_map(map, Some(trail), is_free, findings),
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                let trail = Trail { above: Some(trail), key: None, index };
                if item.is_null() && !is_free {
                    findings.push(Finding::error("empty-value", Spot::Value(trail.path()), "an item of the list is empty").hint("take it out"));
                    findings.mark_unknown(trail.path());
                } else {
                    scan_value(item, &trail, is_free, findings);
                }
            }
        }
        _ => {}
    }
}

fn secret(path: Path, key: &str) -> Finding {
    let message = format!("{} looks like a secret, and a policy holds none", redact::quoted(key));
    Finding::error("secret-in-policy", Spot::Key(path), message)
        .label("must not stand here")
        .hint("take it out, make the key void, and write `credentials: env`, `{ env_prefix: NAME }` or `{ file: PATH }`")
}

impl Lowering<'_> {
    fn fault(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// An entry of the top, decoded; the default when it is absent.
    fn decoded<T: serde::de::DeserializeOwned + Default>(&mut self, map: &Mapping, key: &'static str) -> Option<T> {
        match map.get(key) {
            None | Some(Value::Null) => Some(T::default()),
            Some(value) => decode::entry(value, &Path::default().key(key), self.findings),
        }
    }

    /// The items of a list at the top; none when it is absent.
    fn items<'v>(&mut self, map: &'v Mapping, key: &'static str) -> &'v [Value] {
        match map.get(key) {
            None | Some(Value::Null) => &[],
            Some(Value::Sequence(items)) => items,
            Some(_) => {
                self.findings.mark_unknown(Path::default().key(key));
                let at = Spot::Value(Path::default().key(key));
                self.fault(
                    Finding::error("wrong-type", at, format!("`{key}` must be a list")).label("this is none").hint("begin each entry with `- `"),
                );
                &[]
            }
        }
    }

    /// A text that parses, or a fault at it.
    fn parsed<T, E: std::fmt::Display>(&mut self, code: &'static str, text: &str, at: Path, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        match parse(text) {
            Ok(value) => Some(value),
            Err(e) => {
                let reason = e.to_string();
                // Some reasons name the value themselves.
                let message = if reason.starts_with('`') { reason } else { format!("{} {reason}", redact::quoted(text)) };
                let plain = plainer(text);
                let hint = if parse(&plain).is_ok() { format!("write `{plain}`") } else { "choose another name".to_owned() };
                self.fault(Finding::error(code, Spot::Value(at), message).hint(hint));
                None
            }
        }
    }

    /// A key that neither the map at the path nor the map of its defaults has.
    fn missing_from_both(&mut self, key: &'static str, at: &Path, defaults: &'static str, hint: &str) {
        if !self.findings.is_unknown(&Path::default().keys(&[defaults, key])) {
            self.missing(key, at, hint);
        }
    }

    /// A key that the map at the path lacks. Where something stands that could not be read, nothing is missing.
    fn missing(&mut self, key: &'static str, at: &Path, hint: &str) {
        if self.findings.is_unknown(&at.key(key)) {
            return;
        }
        self.fault(Finding::error("missing-key", Spot::Value(at.key(key)), format!("`{key}` is missing")).label("here").hint(hint));
    }

    /// The account of a name that something refers to; tells when there is none.
    fn account(&mut self, name: &str, at: &Path) -> Option<AccountName> {
        if let Some(known) = self.accounts.get(name) {
            return known.as_ref().map(|a| a.name.clone());
        }
        if self.findings.is_unknown(&Path::default().key("accounts")) {
            return None;
        }
        if self.findings.is_full() {
            self.findings.count_one();
            return None;
        }
        let finding = Finding::error("unknown-account", Spot::Value(at.clone()), format!("there is no account {}", redact::quoted(name)));
        let finding = known_words(finding, name, self.accounts.keys().map(String::as_str), "accounts");
        self.fault(finding);
        None
    }
}

/// The name that people probably mean: small letters, and `-` between its parts.
fn plainer(text: &str) -> String {
    text.trim().to_ascii_lowercase().replace([' ', '_', '.', ','], "-")
}

/// Names the nearest known word, or some of them.
fn known_words<'a>(finding: Finding, written: &str, known: impl Iterator<Item = &'a str>, what: &str) -> Finding {
    let mut known: Vec<&str> = known.collect();
    known.sort_unstable();
    if let Some(meant) = nearest(written, known.iter().copied()) {
        let meant = redact::quoted(meant);
        return finding.label(format!("did you mean {meant}?")).hint(format!("write {meant}"));
    }
    let shown: Vec<String> = known.iter().take(8).map(|k| redact::quoted(k)).collect();
    let more = if known.len() > shown.len() { format!(" and {} more", known.len() - shown.len()) } else { String::new() };
    let finding = finding.label("unknown");
    if shown.is_empty() { finding.hint(format!("the policy has no {what}")) } else { finding.hint(format!("known: {}{more}", shown.join(", "))) }
}
