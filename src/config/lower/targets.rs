//! `targets`: from words, tags and regions to the instances of a job.

use super::Lowering;
use crate::{
    config::{
        fault::{Finding, Spot},
        place::Path,
        raw, redact,
    },
    domain::{
        names::{AccountName, Region},
        nearest::nearest,
        policy::Instance,
    },
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// Exactly one way to say which instances.
enum Way<'a> {
    Named(HashSet<usize>),
    Tagged(&'a std::collections::BTreeMap<String, raw::OneOrMore>),
    All,
}

impl Lowering<'_> {
    /// The instances that the targets match, in the order of the file; absent when the targets are at fault.
    pub(super) fn targets(&mut self, raw: &raw::Targets, at: &Path, may_be_empty: bool) -> Option<Vec<Arc<Instance>>> {
        let before = self.findings.errors();
        let way = self.way(raw, at);
        let accounts = raw.accounts.as_ref().map(|names| self.target_accounts(names, &at.key("accounts")));
        let regions = raw.regions.as_ref().map(|names| self.target_regions(names, &at.key("regions")));
        let except = raw.except.as_ref().map(|words| self.words(words, &at.key("except"))).unwrap_or_default();
        let way = way?;
        if self.findings.errors() > before {
            return None;
        }
        let matches = |index: usize, instance: &Instance| {
            let by_way = match &way {
                Way::Named(indices) => indices.contains(&index),
                Way::Tagged(tags) => tags.iter().all(|(k, v)| instance.tags.get(k).is_some_and(|tag| v.texts.contains(tag))),
                Way::All => true,
            };
            by_way
                && accounts.as_ref().is_none_or(|a| a.contains(&instance.account))
                && regions.as_ref().is_none_or(|r| r.contains(&instance.region))
                && !except.contains(&index)
        };
        let matched: Vec<_> = self.instances.iter().filter(|(index, i)| matches(*index, i)).map(|(_, i)| i.clone()).collect();
        if matched.is_empty() && !may_be_empty && self.all_instances_read {
            let finding = match raw.tags.as_ref().and_then(|tags| self.unmet_tag(tags, at)) {
                Some(finding) => finding,
                None => Finding::error("no-target", Spot::Value(at.clone()), "these targets match no instance")
                    .label("nothing matches")
                    .hint("correct the targets, or write `may_be_empty: true` in the job"),
            };
            self.fault(finding);
            return None;
        }
        Some(matched)
    }

    fn way<'r>(&mut self, raw: &'r raw::Targets, at: &Path) -> Option<Way<'r>> {
        let given = [("instances", raw.instances.is_some()), ("tags", raw.tags.is_some()), ("all", raw.all.is_some())];
        let mut given = given.iter().filter(|(_, is_given)| *is_given).map(|(key, _)| *key);
        let hint = "write `instances: [NAME]`, `tags: { KEY: VALUE }` or `all: true`";
        match (given.next(), given.next()) {
            (None, _) => {
                let finding =
                    Finding::error("no-target", Spot::Value(at.clone()), "the targets do not say which instances").label("one way is needed");
                self.fault(finding.hint(hint));
                return None;
            }
            (Some(first), Some(second)) => {
                let message = format!("`{first}` and `{second}` are two ways to say which instances");
                let finding = Finding::error("two-ways", Spot::Key(at.key(second)), message).label("the other way");
                self.fault(finding.also(Spot::Key(at.key(first)), "one way").hint("keep one of the two, or make two jobs"));
                return None;
            }
            (Some(_), None) => {}
        }
        if let Some(words) = &raw.instances {
            if words.is_empty() {
                self.empty("instances", at, "name at least one instance, or write `all: true`");
                return None;
            }
            let before = self.findings.errors();
            let indices = self.words(words, &at.key("instances"));
            return (self.findings.errors() == before).then_some(Way::Named(indices));
        }
        if let Some(tags) = &raw.tags {
            return self.tag_way(tags, at);
        }
        if raw.all == Some(false) {
            let finding = Finding::error("no-target", Spot::Value(at.key("all")), "`all: false` matches nothing").label("nothing");
            self.fault(finding.hint(hint));
            return None;
        }
        Some(Way::All)
    }

    fn tag_way<'r>(&mut self, tags: &'r std::collections::BTreeMap<String, raw::OneOrMore>, at: &Path) -> Option<Way<'r>> {
        if tags.is_empty() {
            self.empty("tags", at, "name at least one tag, or write `all: true`");
            return None;
        }
        let mut good = true;
        for (key, values) in tags {
            let at = at.key("tags").key(key.clone());
            if values.texts.is_empty() {
                let finding = Finding::error("empty-list", Spot::Value(at), format!("the list of values of {} is empty", redact::quoted(key)));
                self.fault(finding.label("nothing in it").hint("name the values of which any will do"));
                good = false;
                continue;
            }
            for (i, value) in values.texts.iter().enumerate().filter(|(_, v)| v.contains(['*', '?', '['])) {
                let at = if values.is_list { at.index(i) } else { at.clone() };
                let finding =
                    Finding::error("pattern", Spot::Value(at), format!("{} is a pattern, and tags are compared as they are", redact::quoted(value)));
                self.fault(finding.label("no patterns").hint("list the values, of which any will do"));
                good = false;
            }
        }
        good.then_some(Way::Tagged(tags))
    }

    /// A tag that no instance has, with the nearest that one has.
    fn unmet_tag(&self, tags: &std::collections::BTreeMap<String, raw::OneOrMore>, at: &Path) -> Option<Finding> {
        let of = |key: &str| self.instances.iter().filter_map(|(_, i)| i.tags.get(key)).map(String::as_str).collect::<BTreeSet<&str>>();
        let (key, wanted) = tags.iter().find(|(key, wanted)| !wanted.texts.iter().any(|value| of(key).contains(value.as_str())))?;
        let at = at.key("tags").key(key.clone());
        let values = of(key);
        let (written, spot, known, what) = if values.is_empty() {
            let keys = self.instances.iter().flat_map(|(_, i)| i.tags.keys()).map(String::as_str).collect::<BTreeSet<&str>>();
            (key, Spot::Key(at), keys, "a tag".to_owned())
        } else {
            (wanted.texts.first()?, Spot::Value(at), values, format!("the tag {} with the value", redact::quoted(key)))
        };
        let message = format!("these targets match no instance: none has {what} {}", redact::quoted(written));
        let finding = Finding::error("no-target", spot, message);
        Some(match nearest(written, known.iter().copied()) {
            Some(meant) => {
                let meant = redact::quoted(meant);
                finding.label(format!("did you mean {meant}?")).hint(format!("write {meant}, or `may_be_empty: true` in the job"))
            }
            None => {
                let known: Vec<String> = known.iter().take(8).map(|known| redact::quoted(known)).collect();
                let known = if known.is_empty() { "no instance has a tag".to_owned() } else { format!("known: {}", known.join(", ")) };
                finding.label("unknown").hint(format!("{known}; or write `may_be_empty: true` in the job"))
            }
        })
    }

    fn empty(&mut self, key: &'static str, at: &Path, hint: &str) {
        let finding = Finding::error("empty-list", Spot::Value(at.key(key)), format!("`{key}` is empty")).label("nothing in it");
        self.fault(finding.hint(hint));
    }

    /// Numbers of the instances that the words mean.
    fn words(&mut self, words: &[raw::Text], at: &Path) -> HashSet<usize> {
        let mut first: HashMap<usize, usize> = HashMap::new();
        for (i, word) in words.iter().enumerate() {
            let here = at.index(i);
            let Some(index) = self.instance_word(&word.0, &here) else { continue };
            if let Some(first) = first.insert(index, i) {
                let message = format!("{} is named twice", redact::quoted(&word.0));
                let finding = Finding::error("repeated-target", Spot::Value(here), message).label("again here");
                self.fault(finding.also(Spot::Value(at.index(first)), "first named here").hint("keep one of the two"));
            }
        }
        first.into_keys().collect()
    }

    fn target_accounts(&mut self, names: &[raw::Text], at: &Path) -> Vec<AccountName> {
        if names.is_empty() {
            let finding = Finding::error("empty-list", Spot::Value(at.clone()), "`accounts` is empty").label("nothing in it");
            self.fault(finding.hint("name accounts, or take the key out"));
        }
        names.iter().enumerate().filter_map(|(i, name)| self.account(&name.0, &at.index(i))).collect()
    }

    fn target_regions(&mut self, names: &[raw::Text], at: &Path) -> Vec<Region> {
        if names.is_empty() {
            let finding = Finding::error("empty-list", Spot::Value(at.clone()), "`regions` is empty").label("nothing in it");
            self.fault(finding.hint("name regions, or take the key out"));
        }
        names.iter().enumerate().filter_map(|(i, name)| self.region(&name.0, &at.index(i))).collect()
    }
}
