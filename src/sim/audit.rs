//! What tests and the demo ask the cloud afterwards. It judges by what was made, not by what anybody was told.

use super::{
    cloud::Event,
    door::Cloud,
    rate::{Counted, Traffic},
};
use crate::{clock::Clock, domain::names::BackupId};
use std::{collections::BTreeMap, time::Duration};

/// One manual backup that was ever made, deleted ones too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its number.
    pub id: BackupId,
    /// Whose.
    pub instance: String,
    /// `ManualBackupName`, generation suffix included.
    pub alias: String,
    /// `Type` as it was made.
    pub kind: &'static str,
    /// When it acted, since the cloud's start.
    pub begins: Duration,
    /// When it ends, since the cloud's start; may lie ahead.
    pub ends: Duration,
    /// Whether it has ended FAILED or will.
    pub fails: bool,
    /// Whether it is not in the list any more.
    pub deleted: bool,
}

/// Two or more backups of one alias that did not fail: what must never be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubled {
    /// Whose.
    pub instance: String,
    /// The alias without its generation.
    pub alias: String,
    /// The backups.
    pub ids: Vec<BackupId>,
}

/// Everything at once.
#[derive(Clone, Debug)]
pub struct Audit {
    /// Manual backups, oldest first.
    pub backups: Vec<Seen>,
    /// Aliases with two or more that did not fail.
    pub doubled: Vec<Doubled>,
    /// What each caller did.
    pub traffic: BTreeMap<Counted, Traffic>,
    /// The latest 200,000 calls.
    pub events: Vec<Event>,
}

impl Audit {
    /// The most CreateBackup calls that one caller made in any sliding second, refused ones included.
    pub fn peak_creates(&self) -> u32 {
        self.creates().map(|t| t.peak).max().unwrap_or(0)
    }

    /// CreateBackup calls that were refused because of the rate.
    pub fn creates_refused_by_rate(&self) -> u64 {
        self.creates().map(|t| t.refused).sum()
    }

    /// CreateBackup calls that arrived.
    pub fn creates(&self) -> impl Iterator<Item = &Traffic> {
        self.traffic.iter().filter(|(who, _)| who.action == super::faults::Action::Create).map(|(_, traffic)| traffic)
    }

    /// The backups of one alias, of all its generations.
    pub fn of(&self, alias: &str) -> Vec<&Seen> {
        self.backups.iter().filter(|b| base(&b.alias) == alias).collect()
    }

    /// Calls that something befell.
    pub fn incidents(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(|e| !e.faults.is_empty())
    }

    /// Every remembered call as a line, the same for the same seed and calls.
    pub fn timeline(&self) -> String {
        self.events.iter().fold(String::new(), |mut text, event| {
            let faults: Vec<String> = event.faults.iter().map(ToString::to_string).collect();
            let (at, action) = (event.at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true), event.action.wire());
            let line = format!("{} {at} {action} {} {} [{}] {}\n", event.number, event.instance, event.alias, faults.join("+"), event.answer);
            text.push_str(&line);
            text
        })
    }
}

/// An alias without the suffix of a later generation, `.2` to `.9` (DESIGN §4).
pub fn base(alias: &str) -> &str {
    match alias.rsplit_once('.') {
        Some((base, "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9")) => base,
        _ => alias,
    }
}

impl<C: Clock> Cloud<C> {
    /// What was made and who called, up to now.
    pub fn audit(&self) -> Audit {
        self.core.with(|state, moment| {
            let mut backups = Vec::new();
            for (id, site) in &state.sites {
                for made in &site.backups {
                    let Some(hand) = &made.by_hand else { continue };
                    backups.push(Seen {
                        id: made.id,
                        instance: id.clone(),
                        alias: hand.alias.clone(),
                        kind: made.kind,
                        begins: made.begins,
                        ends: made.ends,
                        fails: !made.good,
                        deleted: made.deleted.is_some_and(|deleted| deleted <= moment.at),
                    });
                }
            }
            backups.sort_by_key(|b| b.id);
            let doubled = doubled(&backups);
            Audit { backups, doubled, traffic: state.rate.traffic().clone(), events: state.events.iter().cloned().collect() }
        })
    }
}

fn doubled(backups: &[Seen]) -> Vec<Doubled> {
    let mut alive: BTreeMap<(&str, &str), Vec<BackupId>> = BTreeMap::new();
    for backup in backups.iter().filter(|b| !b.fails && !b.alias.is_empty()) {
        alive.entry((&backup.instance, base(&backup.alias))).or_default().push(backup.id);
    }
    let twice = alive.into_iter().filter(|(_, ids)| ids.len() > 1);
    twice.map(|((instance, alias), ids)| Doubled { instance: instance.into(), alias: alias.into(), ids }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_cut_off_an_alias_and_a_hash_that_ends_in_a_digit_is_not() {
        assert_eq!(base("nightly.20261124T183000Z.abcdefg2"), "nightly.20261124T183000Z.abcdefg2");
        assert_eq!(base("nightly.20261124T183000Z.abcdefg2.2"), "nightly.20261124T183000Z.abcdefg2");
        assert_eq!(base("x.10"), "x.10");
    }
}
