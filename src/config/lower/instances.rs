//! `instances` and `instance_defaults`.

use super::{Lowering, known_words};
use crate::{
    config::{
        decode,
        fault::{Finding, Spot},
        place::Path,
        raw, redact, regions,
    },
    domain::{
        names::{AccountName, InstanceId, InstanceName, NameError, Region},
        policy::Instance,
    },
};
use serde_yaml::{Mapping, Value};
use std::{collections::BTreeMap, sync::Arc};

/// Characters of a tag's key or value.
const MAX_TAG: usize = 128;

impl Lowering<'_> {
    /// Reads all instances, in the order of the file. Every id and name is remembered.
    pub(super) fn instances(&mut self, map: &Mapping) {
        let errors_before = self.findings.errors();
        let defaults: raw::Instance = self.decoded(map, "instance_defaults").unwrap_or_default();
        self.instance_defaults(&defaults);
        let at = Path::default().key("instances");
        let items = self.items(map, "instances");
        for (i, value) in items.iter().enumerate() {
            let at = at.index(i);
            match decode::entry::<raw::Instance>(value, &at, self.findings) {
                Some(raw) => {
                    let instance = self.instance(&raw, &defaults, &at, i);
                    self.instances.extend(instance.map(|instance| (i, Arc::new(instance))));
                }
                None => self.remember_broken(value, i),
            }
            self.all_words_read &= !["id", "name"].iter().any(|key| self.findings.is_unknown(&at.key(*key)));
        }
        let is_known = !self.findings.is_unknown(&Path::default().key("instances"));
        self.all_instances_read = is_known && self.findings.errors() == errors_before && self.instances.len() == items.len();
    }

    fn remember_broken(&mut self, value: &Value, index: usize) {
        for (key, word) in ["id", "name"].into_iter().filter_map(|key| Some((key, value.get(key)?.as_str()?))) {
            self.instance_words.entry(word.to_owned()).or_insert((index, key));
        }
    }

    fn instance_defaults(&mut self, defaults: &raw::Instance) {
        let at = Path::default().key("instance_defaults");
        for (key, is_set) in [("id", defaults.id.is_some()), ("name", defaults.name.is_some())] {
            if is_set {
                let finding = Finding::error("not-a-default", Spot::Key(at.key(key)), format!("`{key}` is each instance's own"));
                self.fault(finding.label("no default").hint("take it out"));
            }
        }
        if let Some(account) = &defaults.account {
            self.account(&account.0, &at.key("account"));
        }
        if let Some(region) = &defaults.region {
            self.region(&region.0, &at.key("region"));
        }
    }

    fn instance(&mut self, raw: &raw::Instance, defaults: &raw::Instance, at: &Path, index: usize) -> Option<Instance> {
        let id = self.instance_id(raw, at);
        if let Some(id) = &raw.id {
            self.remember(&id.0, "id", at, index);
        }
        let name = match &raw.name {
            None => id.as_ref().map(InstanceName::from),
            Some(name) => {
                if raw.id.as_ref().is_none_or(|id| id.0 != name.0) {
                    self.remember(&name.0, "name", at, index);
                }
                self.parsed("bad-name", &name.0, at.key("name"), InstanceName::parse)
            }
        };
        let account = self.instance_account(raw, defaults, at);
        let region = match raw.region.as_ref().map(|r| (r, at.key("region"))) {
            Some((region, at)) => self.region(&region.0, &at),
            None => match &defaults.region {
                Some(region) => Region::parse(&region.0).ok(),
                None => {
                    self.missing_from_both("region", at, "instance_defaults", "write `region: ap-guangzhou` here or in `instance_defaults`");
                    None
                }
            },
        };
        let tags = self.tags(raw, defaults, at);
        Some(Instance { id: id?, name: name?, account: account?, region: region?, tags: tags? })
    }

    fn instance_id(&mut self, raw: &raw::Instance, at: &Path) -> Option<InstanceId> {
        let Some(text) = raw.id.as_ref().map(|id| id.0.as_str()) else {
            self.missing("id", at, "write the instance's id, such as `id: cdb-c1nl9rpv`");
            return None;
        };
        match InstanceId::parse(text) {
            Ok(id) => Some(id),
            Err(e) => {
                let finding = |code| Finding::error(code, Spot::Value(at.key("id")), format!("{} {e}", redact::quoted(text)));
                let plain = text.trim().to_ascii_lowercase();
                self.fault(if e == NameError::ReadOnlyInstance {
                    finding("read-only-instance").label("read-only").hint("write the id of its primary instance, which begins with `cdb-`")
                } else if InstanceId::parse(&plain).is_ok() {
                    finding("bad-id").hint(format!("write `{plain}`"))
                } else {
                    finding("bad-id").hint("copy the id from the console, such as `cdb-c1nl9rpv`")
                });
                None
            }
        }
    }

    /// Ids and names are one set of words, so that a target is never two instances.
    fn remember(&mut self, word: &str, key: &'static str, at: &Path, index: usize) {
        let Some((first, first_key)) = self.instance_words.get(word).copied() else {
            self.instance_words.insert(word.to_owned(), (index, key));
            return;
        };
        let other = Spot::Value(Path::default().key("instances").index(first).key(first_key));
        if key == first_key {
            let code = if key == "id" { "repeated-id" } else { "repeated-name" };
            let message = format!("{} stands for two instances", redact::quoted(word));
            let finding = Finding::error(code, Spot::Value(at.key(key)), message).label("again here").also(other, "first defined here");
            self.fault(finding.hint(if key == "id" { "list each instance once" } else { "give each instance a name of its own" }));
            return;
        }
        let message = format!("{} is the name of one instance and the id of another", redact::quoted(word));
        let finding = Finding::error("repeated-name", Spot::Value(at.key(key)), message);
        self.fault(finding.label(format!("the {key}")).also(other, format!("the {first_key}")).hint("give the instance with that name another one"));
    }

    fn instance_account(&mut self, raw: &raw::Instance, defaults: &raw::Instance, at: &Path) -> Option<AccountName> {
        if let Some(account) = &raw.account {
            return self.account(&account.0, &at.key("account"));
        }
        match &defaults.account {
            // Told once, at the defaults.
            Some(account) => self.accounts.get(&account.0)?.as_ref().map(|a| a.name.clone()),
            None => {
                self.missing_from_both("account", at, "instance_defaults", "write `account: NAME` here or in `instance_defaults`");
                None
            }
        }
    }

    /// A region's form. No list of regions is complete, so one that is not known is told, and used.
    pub(super) fn region(&mut self, text: &str, at: &Path) -> Option<Region> {
        match Region::parse(text) {
            Ok(region) => {
                if !regions::is_known(text) {
                    self.odd_regions.entry(region.clone()).or_insert_with(|| unknown_region(text, at));
                }
                Some(region)
            }
            Err(e) => {
                let finding = Finding::error("bad-region", Spot::Value(at.clone()), format!("{} {e}", redact::quoted(text)));
                let zone = text.rsplit_once('-').map(|(region, _)| region).filter(|_| e == NameError::Zone);
                self.fault(match zone.or_else(|| regions::meant(text)) {
                    Some(region) => finding.hint(format!("write {}", redact::quoted(region))),
                    None => finding.hint("copy it from the console, such as `ap-guangzhou`"),
                });
                None
            }
        }
    }

    /// Tags of the defaults hold unless the instance sets the same key.
    fn tags(&mut self, raw: &raw::Instance, defaults: &raw::Instance, at: &Path) -> Option<BTreeMap<String, String>> {
        let own = raw.tags.iter().flatten().map(|(k, v)| (k, v, at.keys(&["tags"]).key(k.clone())));
        let shared = Path::default().keys(&["instance_defaults", "tags"]);
        let shared = defaults.tags.iter().flatten().map(|(k, v)| (k, v, shared.key(k.clone())));
        let mut tags = BTreeMap::new();
        let mut good = true;
        for (key, value, at) in shared.chain(own) {
            let fits = |text: &str| (1..=MAX_TAG).contains(&text.chars().count()) && !text.chars().any(|c| c.is_control());
            if !fits(key) || !fits(&value.0) {
                let finding = Finding::error("bad-tag", Spot::Key(at), format!("keys and values of tags have 1 to {MAX_TAG} characters"));
                self.fault(finding.label("this tag"));
                good = false;
            }
            tags.insert(key.clone(), value.0.clone());
        }
        good.then_some(tags)
    }

    /// The number of the instance that a word of a job's targets means; tells when there is none.
    pub(super) fn instance_word(&mut self, word: &str, at: &Path) -> Option<usize> {
        if let Some(index) = self.instance_words.get(word) {
            return Some(index.0);
        }
        if !self.all_words_read || self.findings.is_unknown(&Path::default().key("instances")) {
            // The one that is meant may be among those that could not be read.
            return None;
        }
        if word.contains(['*', '?', '[']) {
            let finding = Finding::error("pattern", Spot::Value(at.clone()), format!("{} is a pattern, and names are plain", redact::quoted(word)));
            self.fault(finding.label("no patterns").hint("list the instances, or give them a tag and write `tags: { KEY: VALUE }`"));
            return None;
        }
        if self.findings.is_full() {
            // The nearest word is looked for only where it is shown.
            self.findings.count_one();
            return None;
        }
        let finding = Finding::error("unknown-instance", Spot::Value(at.clone()), format!("there is no instance {}", redact::quoted(word)));
        let finding = known_words(finding, word, self.instance_words.keys().map(String::as_str), "instances");
        self.fault(finding);
        None
    }
}

fn unknown_region(text: &str, at: &Path) -> Finding {
    let finding = Finding::warning("unknown-region", Spot::Value(at.clone()), format!("{} is no region that is known here", redact::quoted(text)));
    match regions::meant(text) {
        Some(meant) => finding.label(format!("did you mean `{meant}`?")).hint(format!("write `{meant}`, unless the cloud has a region of that name")),
        None => finding.label("unknown").hint("compare it with the console; a region that is new is used as it is"),
    }
}
