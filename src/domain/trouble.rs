//! What is wrong with the daemon as a whole: decided once, after each pass, and told by everybody in these words.
//!
//! Decided here: which troubles there are, their words and sentences, which of several weighs most, and what follows from one. Not decided here: what
//! is wrong with a single backup (`freshness`), or what a single run waits for (`hold`).

use super::names::AccountName;
use chrono::{DateTime, SecondsFormat, Utc};
use std::{collections::BTreeMap, time::Duration};

/// A daemon whose last pass finished longer ago hangs, or is gone: its loop turns at least once a second, and it writes its pulse every 15 s.
pub const LATEST: Duration = Duration::from_secs(60);
/// What is said when nothing is wrong.
pub const NONE: &str = "ok";
/// So many accounts are named in a sentence; the rest are counted.
const NAMED: usize = 5;

/// One of them. Lists of them have the weightiest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The last pass could not write the ledger.
    Ledger,
    /// No reply has proved the clock.
    Clock,
    /// The cloud does not accept the keys of these accounts.
    Keys(Vec<AccountName>),
    /// No call of these accounts has been answered since these moments.
    Silence(BTreeMap<AccountName, DateTime<Utc>>),
    /// The policy is not recorded in the ledger yet.
    Unrecorded,
    /// The policy's file was read again and has a fault: where, and which.
    Refused(String),
    /// The ledger was put back from a copy: until then no list proves that a backup was not made. None before the clock is proved.
    PutBack(Option<DateTime<Utc>>),
}

/// What follows from a trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Something that is due cannot start.
    Holds,
    /// Backups go on, and somebody has to see to it.
    Wants,
    /// It ends by itself, and nobody has to do anything.
    Passes,
}

impl Trouble {
    /// Every word there is, the weightiest first.
    pub const WORDS: [&str; 7] =
        ["ledger_not_writable", "clock_unproved", "account_held", "cloud_silent", "policy_not_in_force", "policy_refused", "ledger_put_back"];

    /// Its word, which programs read.
    pub fn word(&self) -> &'static str {
        let [ledger, clock, keys, silence, unrecorded, refused, put_back] = Self::WORDS;
        match self {
            Self::Ledger => ledger,
            Self::Clock => clock,
            Self::Keys(_) => keys,
            Self::Silence(_) => silence,
            Self::Unrecorded => unrecorded,
            Self::Refused(_) => refused,
            Self::PutBack(_) => put_back,
        }
    }

    /// What follows from it.
    pub fn weight(&self) -> Weight {
        weight(self.word())
    }

    /// The same for each account that it is about, or itself.
    pub fn each(&self) -> Vec<(Option<AccountName>, Self)> {
        match self {
            Self::Keys(accounts) => accounts.iter().map(|name| (Some(name.clone()), Self::Keys(vec![name.clone()]))).collect(),
            Self::Silence(of) => of.iter().map(|(name, at)| (Some(name.clone()), Self::Silence([(name.clone(), *at)].into()))).collect(),
            other => vec![(None, other.clone())],
        }
    }

    /// What is wrong, and until when; a sentence without its full stop.
    pub fn sentence(&self) -> String {
        match self {
            Self::Ledger => "the ledger cannot be written, nothing starts until it can".into(),
            Self::Clock => "waiting for a reply of the cloud that proves the clock, nothing starts until then".into(),
            Self::Keys(accounts) => format!("the cloud does not accept the keys of {}", named(accounts.iter())),
            Self::Silence(of) => {
                let since = of.values().min().map_or_else(String::new, |since| format!(" since {}", stamp(*since)));
                format!("the cloud has answered no call of {}{since}", named(of.keys()))
            }
            Self::Unrecorded => "the policy is not recorded in the ledger yet, it is in force as soon as it is".into(),
            Self::Refused(fault) => format!("the policy was read again and refused, the one in force stays: {fault}"),
            Self::PutBack(until) => {
                let until = until.map_or_else(String::new, |until| format!("until {} ", stamp(until)));
                format!("the ledger was put back from a copy, {until}no run is sent again before it has been looked for")
            }
        }
    }
}

/// The word of the weightiest.
pub fn word(troubles: &[Trouble]) -> &'static str {
    troubles.first().map_or(NONE, Trouble::word)
}

/// The accounts whose keys the cloud does not accept.
pub fn held_accounts(troubles: &[Trouble]) -> &[AccountName] {
    troubles.iter().find_map(|trouble| if let Trouble::Keys(accounts) = trouble { Some(accounts.as_slice()) } else { None }).unwrap_or_default()
}

/// All that is wrong, in one line. What waits for the clock is not told beside the clock.
pub fn says(troubles: &[Trouble]) -> String {
    let follows = |trouble: &&Trouble| **trouble == Trouble::Unrecorded && troubles.contains(&Trouble::Clock);
    let said: Vec<String> = troubles.iter().filter(|trouble| !follows(trouble)).map(Trouble::sentence).collect();
    said.join("; ")
}

/// What follows from a word that a daemon wrote down; one that nobody knows is taken seriously.
pub fn weight(word: &str) -> Weight {
    match word {
        NONE | "ledger_put_back" => Weight::Passes,
        "policy_refused" => Weight::Wants,
        _ => Weight::Holds,
    }
}

fn named<'a>(accounts: impl ExactSizeIterator<Item = &'a AccountName>) -> String {
    let beyond = accounts.len().saturating_sub(NAMED);
    let names: Vec<&str> = accounts.take(NAMED).map(AccountName::as_str).collect();
    let more = if beyond > 0 { format!(" and {beyond} more") } else { String::new() };
    names.join(", ") + &more
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str) -> AccountName {
        AccountName::parse(name).unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn all() -> Vec<Trouble> {
        let silent = [("main", "2026-11-24T02:30:05.9Z"), ("pay", "2026-11-24T02:29:00Z")].map(|(name, since)| (account(name), at(since)));
        vec![
            Trouble::Ledger,
            Trouble::Clock,
            Trouble::Keys(vec![account("main")]),
            Trouble::Silence(silent.into()),
            Trouble::Unrecorded,
            Trouble::Refused("line 9".into()),
            Trouble::PutBack(Some(at("2026-11-24T03:00:00Z"))),
        ]
    }

    #[test]
    fn the_weightiest_is_named_and_the_words_stand_in_their_order() {
        let words: Vec<&str> = all().iter().map(Trouble::word).collect();
        assert_eq!(words, Trouble::WORDS);
        assert_eq!((word(&[]), word(&all())), ("ok", "ledger_not_writable"));
    }

    #[test]
    fn what_nobody_has_to_see_to_is_good_and_an_unknown_word_is_not() {
        let weights: Vec<Weight> = all().iter().map(Trouble::weight).collect();
        assert_eq!(weights, [Weight::Holds, Weight::Holds, Weight::Holds, Weight::Holds, Weight::Holds, Weight::Wants, Weight::Passes]);
        assert_eq!((weight("ok"), weight("moonstruck")), (Weight::Passes, Weight::Holds));
    }

    #[test]
    fn all_of_it_is_said_in_one_line_and_what_follows_from_the_clock_is_not() {
        assert_eq!(says(&[]), "");
        assert_eq!(
            says(&all()),
            "the ledger cannot be written, nothing starts until it can; waiting for a reply of the cloud that proves the clock, nothing starts until \
             then; the cloud does not accept the keys of main; the cloud has answered no call of main, pay since 2026-11-24T02:29:00Z; the policy was \
             read again and refused, the one in force stays: line 9; the ledger was put back from a copy, until 2026-11-24T03:00:00Z no run is sent \
             again before it has been looked for"
        );
        assert!(says(&[Trouble::Unrecorded]).starts_with("the policy is not recorded"));
        assert!(says(&[Trouble::PutBack(None)]).ends_with("from a copy, no run is sent again before it has been looked for"));
    }

    #[test]
    fn of_many_accounts_five_are_named_and_each_can_be_told_alone() {
        let keys = Trouble::Keys((1..=7).map(|n| account(&format!("acc{n}"))).collect());
        assert_eq!(keys.sentence(), "the cloud does not accept the keys of acc1, acc2, acc3, acc4, acc5 and 2 more");
        let each = keys.each();
        assert_eq!((each.len(), each[6].1.sentence().as_str()), (7, "the cloud does not accept the keys of acc7"));
        assert_eq!((each[6].0.as_ref().map(AccountName::as_str), Trouble::Clock.each().len()), (Some("acc7"), 1));
    }
}
