//! The name by which a backup is found again: a function of the run's key and generation, nothing else.

use super::{names::JobName, run::Key};
use chrono::{DateTime, NaiveDateTime, Utc};
use sha2::{Digest, Sha256};

/// The highest generation: one, and eight restarts.
pub const GENERATIONS_MAX: u8 = 9;

/// How a slot stands in a name.
const STAMP: &str = "%Y%m%dT%H%M%SZ";
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The alias of a run's first generation: `<job>.<slot>.<8 base32 characters>`, at most 58 ASCII characters.
///
/// The hash covers the ledger's id, so that two ledgers never name the same backup, and the instance, trigger and request, which the text leaves out.
pub fn alias(ledger_id: &str, key: &Key) -> String {
    let slot_ms = key.slot.timestamp_millis().to_string();
    let request = key.request.to_string();
    let parts = [ledger_id, key.job.as_str(), key.instance.as_str(), &slot_ms, key.trigger.word(), &request];
    let digest = Sha256::digest(parts.join("\n").as_bytes());
    let mark: String = digest.iter().take(8).map(|byte| char::from(BASE32[usize::from(byte & 31)])).collect();
    format!("{}.{}.{mark}", key.job, key.slot.format(STAMP))
}

/// The alias of one generation: the first has no suffix, later ones `.2` to `.9`.
pub fn of_generation(alias: &str, generation: u8) -> String {
    if generation <= 1 { alias.to_owned() } else { format!("{alias}.{generation}") }
}

/// What a listed name says of the run that it was given for, if it is one of ours at all. Only the alias that is made from a key proves that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<'a> {
    /// The job, or `by-hand`.
    pub job: JobName,
    /// The slot, in whole seconds.
    pub slot: DateTime<Utc>,
    /// The name of the first generation.
    pub alias: &'a str,
    /// Which generation this is.
    pub generation: u8,
}

impl<'a> Listed<'a> {
    /// Reads a name; none when it is of another form.
    pub fn parse(listed: &'a str) -> Option<Self> {
        let mut parts = listed.split('.');
        let (job, stamp, mark, last) = (parts.next()?, parts.next()?, parts.next()?, parts.next());
        let alias = listed.get(..job.len() + stamp.len() + mark.len() + 2)?;
        let is_mark = mark.len() == 8 && mark.bytes().all(|byte| BASE32.contains(&byte));
        let slot = NaiveDateTime::parse_from_str(stamp, STAMP).ok().filter(|slot| slot.format(STAMP).to_string() == stamp)?;
        let generation = generation_of(alias, listed)?;
        let whole = is_mark && parts.next().is_none() && (generation > 1) == last.is_some();
        whole.then_some(Self { job: JobName::from_row(job).ok()?, slot: slot.and_utc(), alias, generation })
    }
}

/// Which generation of `alias` a listed name is; none when it is another's.
pub fn generation_of(alias: &str, listed: &str) -> Option<u8> {
    let suffix = listed.strip_prefix(alias)?;
    if suffix.is_empty() {
        return Some(1);
    }
    let digit = suffix.strip_prefix('.').filter(|text| text.len() == 1)?.parse::<u8>().ok()?;
    (2..=GENERATIONS_MAX).contains(&digit).then_some(digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        names::{InstanceId, JobName},
        run::Trigger,
    };

    fn key(job: &str, instance: &str) -> Key {
        Key {
            job: JobName::parse(job).unwrap(),
            instance: InstanceId::parse(instance).unwrap(),
            slot: "2026-11-24T18:30:00Z".parse().unwrap(),
            trigger: Trigger::Schedule,
            request: 0,
        }
    }

    #[test]
    fn the_longest_alias_of_the_last_generation_fits_in_sixty_characters() {
        let longest = of_generation(&alias("id", &key(&"j".repeat(32), "cdb-aaaa0001")), GENERATIONS_MAX);
        assert!(longest.len() <= 60 && longest.is_ascii(), "{longest}");
    }

    #[test]
    fn every_part_of_the_key_and_the_ledger_changes_the_alias() {
        let base = key("nightly", "cdb-aaaa0001");
        let mut all =
            vec![alias("l", &base), alias("m", &base), alias("l", &key("nightly", "cdb-aaaa0002")), alias("l", &key("weekly", "cdb-aaaa0001"))];
        all.push(alias("l", &Key { trigger: Trigger::Manual, ..base.clone() }));
        all.push(alias("l", &Key { request: 1, ..base.clone() }));
        all.push(alias("l", &Key { slot: base.slot + chrono::TimeDelta::milliseconds(1), ..base }));
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "{all:?}");
    }

    #[test]
    fn a_listed_name_says_job_slot_and_generation_and_no_other_form_does() {
        let base = alias("l", &key("nightly", "cdb-aaaa0001"));
        for generation in 1..=GENERATIONS_MAX {
            let listed = of_generation(&base, generation);
            let read = Listed::parse(&listed).unwrap();
            assert_eq!(
                (read.job.as_str(), read.slot, read.alias, read.generation),
                ("nightly", key("a", "cdb-aaaa0001").slot, base.as_str(), generation)
            );
        }
        let others = ["", "nightly", "nightly.20261124T183000Z", "Nightly.20261124T183000Z.abcdefgh", "nightly.20261124T183000Z.abcdefg1"];
        let more = ["nightly.20261324T183000Z.abcdefgh", "nightly.20261124T183000Z.abcdefgh.1", "nightly.20261124T183000Z.abcdefgh.2.2", "夜.夜.夜"];
        for other in others.into_iter().chain(more) {
            assert_eq!(Listed::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_generation_is_read_back_only_from_its_own_alias() {
        let base = alias("l", &key("nightly", "cdb-aaaa0001"));
        for generation in 1..=GENERATIONS_MAX {
            assert_eq!(generation_of(&base, &of_generation(&base, generation)), Some(generation));
        }
        for other in ["", "x", ".1", ".10", ".0", "2"] {
            assert_eq!(generation_of(&base, &format!("{base}{other}")), if other.is_empty() { Some(1) } else { None }, "{other}");
        }
    }
}
