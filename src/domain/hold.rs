//! Why a run that is due does not start, as far as whoever only reads can tell.
//!
//! Decided here: which of several reasons is named. Not decided here: what a run that ends unsent was kept by, for only the loop knows all of it
//! (`plan`).

use super::run::due::{Hold, Kept};

/// What is to be seen of a run that is due, and of what it needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// A reply has proved the clock.
    pub clock_proved: bool,
    /// The ledger can be written.
    pub ledger_writable: bool,
    /// What the policy or a person keeps its job by.
    pub kept: Option<Kept>,
    /// The cloud does not accept its account's keys.
    pub account_held: bool,
    /// Another run is at work on its instance.
    pub in_use: bool,
    /// Its account has as many backups in progress as it may.
    pub is_full: bool,
    /// A call of it was refused.
    pub refused: bool,
}

/// Why it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// Nothing starts before the clock is proved.
    Clock,
    /// The policy or a person says so.
    Kept(Kept),
    /// Something else is in its way.
    Hold(Hold),
    /// Its last call was refused, and the next is not due yet.
    Retry,
}

impl Waits {
    /// All that there are, the weightiest first.
    pub const ALL: [Self; 10] = [
        Self::Hold(Hold::Ledger),
        Self::Clock,
        Self::Kept(Kept::Paused),
        Self::Kept(Kept::Suspended),
        Self::Kept(Kept::Blackout),
        Self::Hold(Hold::Account),
        Self::Hold(Hold::InUse),
        Self::Hold(Hold::MaxRunning),
        Self::Retry,
        Self::Hold(Hold::Pace),
    ];

    /// The weightiest of what is to be seen; if nothing is, others have their turn at the pace first.
    pub fn of(seen: &Seen) -> Self {
        match seen.kept {
            _ if !seen.ledger_writable => Self::Hold(Hold::Ledger),
            _ if !seen.clock_proved => Self::Clock,
            Some(kept) => Self::Kept(kept),
            None if seen.account_held => Self::Hold(Hold::Account),
            None if seen.in_use => Self::Hold(Hold::InUse),
            None if seen.is_full => Self::Hold(Hold::MaxRunning),
            None if seen.refused => Self::Retry,
            None => Self::Hold(Hold::Pace),
        }
    }

    /// The word that commands, page and metrics share.
    pub fn word(self) -> &'static str {
        match self {
            Self::Clock => "clock_unproved",
            Self::Kept(kept) => kept.word(),
            Self::Hold(hold) => hold.word(),
            Self::Retry => "retry",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_reasons_the_one_is_named_without_which_no_other_matters() {
        let mut seen = Seen { kept: Some(Kept::Blackout), account_held: true, in_use: true, is_full: true, refused: true, ..Seen::default() };
        let mut words = Vec::new();
        let mends: [fn(&mut Seen); 7] = [
            |seen| seen.ledger_writable = true,
            |seen| seen.clock_proved = true,
            |seen| seen.kept = None,
            |seen| seen.account_held = false,
            |seen| seen.in_use = false,
            |seen| seen.is_full = false,
            |seen| seen.refused = false,
        ];
        words.push(Waits::of(&seen).word());
        for mend in mends {
            mend(&mut seen);
            words.push(Waits::of(&seen).word());
        }
        let expected = ["ledger_not_writable", "clock_unproved", "blackout", "account_held", "instance_in_use", "max_running", "retry", "rate_limit"];
        assert_eq!(words, expected);
        assert!(expected.iter().all(|word| Waits::ALL.iter().any(|waits| waits.word() == *word)));
    }
}
