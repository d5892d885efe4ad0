//! Accounts whose calls nobody answers: seen by the calls that are made anyway, asked again each minute, over with the first answer.
//!
//! One call that is lost is no silence. What becomes of its run is not decided here: it waits, is looked for and tried again as ever.

use super::{accounts::Doorbell, act::Done};
use crate::domain::{
    names::AccountName,
    reply::{CallError, Class},
};
use chrono::{DateTime, Utc};
use std::{collections::BTreeMap, time::Duration};

/// So long without any answer, and people are told; and how often it is asked whether that is over.
const LONG: Duration = Duration::from_secs(60);

/// What is known of each account whose last call was not answered.
#[derive(Debug, Default)]
pub(super) struct Silences {
    of: BTreeMap<AccountName, Silence>,
}

#[derive(Debug)]
struct Silence {
    since: DateTime<Utc>,
    began: Duration,
    doorbell: Doorbell,
    ask_at: Duration,
    asking: bool,
    told: bool,
}

/// What a call's end changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changed {
    /// Nothing that people are told.
    Nothing,
    /// Nobody has answered for long, since then.
    Silent(DateTime<Utc>),
    /// Somebody answers again.
    Answered,
}

impl Silences {
    /// A call came to its end. What the API itself says has a number by which it can be quoted; the text of a proxy has none.
    pub(super) fn heard(&mut self, done: &Done, error: Option<&CallError>) -> Changed {
        let account = &done.doorbell.account;
        if done.request_id.is_some() {
            let told = self.of.remove(account).is_some_and(|silence| silence.told);
            return if told { Changed::Answered } else { Changed::Nothing };
        }
        let now = done.received.mono;
        // Keys that cannot be read are no call; whoever was to be asked by it is asked again later.
        if error.is_none_or(|error| !matches!(error.class, Class::Refused | Class::Ambiguous)) {
            if let Some(silence) = self.of.get_mut(account) {
                (silence.ask_at, silence.asking) = (now + LONG, false);
            }
            return Changed::Nothing;
        }
        let silence = self.of.entry(account.clone()).or_insert_with(|| Silence {
            since: done.sent.utc,
            began: done.sent.mono,
            doorbell: done.doorbell.clone(),
            ask_at: now,
            asking: false,
            told: false,
        });
        (silence.ask_at, silence.asking) = (now + LONG, false);
        if silence.told || now.saturating_sub(silence.began) < LONG {
            return Changed::Nothing;
        }
        silence.told = true;
        Changed::Silent(silence.since)
    }

    /// The account is another from now on.
    pub(super) fn forget(&mut self, account: &AccountName) {
        self.of.remove(account);
    }

    /// The accounts of which people were told, and since when nobody answers.
    pub(super) fn told(&self) -> BTreeMap<AccountName, DateTime<Utc>> {
        self.of.iter().filter(|(_, silence)| silence.told).map(|(account, silence)| (account.clone(), silence.since)).collect()
    }

    /// Whom to ask now, since no other call has been answered or failed for a minute.
    pub(super) fn probes(&mut self, now: Duration) -> Vec<Doorbell> {
        let due = self.of.values_mut().filter(|silence| !silence.asking && now >= silence.ask_at);
        due.map(|silence| {
            silence.asking = true;
            silence.doorbell.clone()
        })
        .collect()
    }

    /// When somebody is to be asked next.
    pub(super) fn asks_at(&self) -> Option<Duration> {
        self.of.values().filter(|silence| !silence.asking).map(|silence| silence.ask_at).min()
    }
}
