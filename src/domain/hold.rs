//! Why a run that is due does not start, as far as whoever only reads can tell.
//!
//! Decided here: which of several reasons is named first. Not decided here: which of them there are (`ledger::report` looks), nor what a run that
//! ends unsent was kept by, for only the loop knows all of it (`plan`).

use super::run::due::{Hold, Kept};
use chrono::{DateTime, Utc};

/// Why it waits, the weightiest first: the one without which no other matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waits {
    /// No daemon turns.
    NotRunning,
    /// The ledger cannot be written.
    Ledger,
    /// Nothing starts before the clock is proved.
    Clock,
    /// A person said so.
    Paused,
    /// The policy says `suspend`.
    Suspended,
    /// A blackout lasts.
    Blackout,
    /// The cloud does not accept its account's keys.
    Account,
    /// Its instance cannot be looked at.
    CannotLook,
    /// Another run is at work on its instance.
    InUse,
    /// Its account has as many backups in progress as it may.
    MaxRunning,
    /// Its last call was refused, and the next is not due yet.
    Retry,
    /// Its share of the spread is not over: so it was planned.
    Spread,
    /// Nothing but that others have their turn at the pace first.
    Pace,
}

impl Waits {
    /// All that there are, the weightiest first.
    pub const ALL: [Self; 13] = [
        Self::NotRunning,
        Self::Ledger,
        Self::Clock,
        Self::Paused,
        Self::Suspended,
        Self::Blackout,
        Self::Account,
        Self::CannotLook,
        Self::InUse,
        Self::MaxRunning,
        Self::Retry,
        Self::Spread,
        Self::Pace,
    ];

    /// The word that commands, page and metrics share.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotRunning => Hold::NotRunning.word(),
            Self::Ledger => Hold::Ledger.word(),
            Self::Clock => "clock_unproved",
            Self::Paused => Kept::Paused.word(),
            Self::Suspended => Kept::Suspended.word(),
            Self::Blackout => Kept::Blackout.word(),
            Self::Account => Hold::Account.word(),
            Self::CannotLook => Hold::CannotLook.word(),
            Self::InUse => Hold::InUse.word(),
            Self::MaxRunning => Hold::MaxRunning.word(),
            Self::Retry => "retry",
            Self::Spread => "spread",
            Self::Pace => Hold::Pace.word(),
        }
    }

    /// Takes a reason back from its word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|waits| waits.word() == word)
    }

    /// Whether something keeps it; its share of the spread is what was planned.
    pub fn is_hold(self) -> bool {
        self != Self::Spread
    }
}

/// What the loop holds back as a whole: an account, or an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopHold {
    /// [`Waits::Account`] or [`Waits::CannotLook`].
    pub waits: Waits,
    /// The account, or the instance by id.
    pub name: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// The code that says why.
    pub code: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_without_which_no_other_matters_comes_first() {
        let words = Waits::ALL.map(Waits::word);
        let expected = [
            "not_running",
            "ledger_not_writable",
            "clock_unproved",
            "paused",
            "suspended",
            "blackout",
            "account_held",
            "cannot_look",
            "instance_in_use",
            "max_running",
            "retry",
            "spread",
            "rate_limit",
        ];
        assert_eq!(words, expected);
        assert!(Waits::ALL.is_sorted(), "the order of the list is the order of weight");
    }
}
