//! Which faults can befall one call together.
//!
//! A call ends in one way, so of the faults that decide its end it suffers at most one; others fit some ends and not others: a reply that is never
//! sent cannot be slow, and where nothing acts there is no backup that could fail.

use super::faults::{Fault, Touches};

/// What a fault decides about its call; of the faults in one place a call suffers at most one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Whether the call acts, and what its caller is told.
    End,
    /// When, and whether, lists show the backup.
    Showing,
    /// Something that only the fault of this name decides.
    Own(&'static str),
}

impl Fault {
    /// What it decides.
    pub(super) fn place(&self) -> Place {
        match self {
            Self::ArrivesLate(_) | Self::ActsLate(_) | Self::SlowReply(_) | Self::NoDate | Self::ListTruncated => Place::Own(self.name()),
            Self::ListsLate(_) | Self::NeverListed => Place::Showing,
            _ if self.touches() == Touches::Call => Place::End,
            _ => Place::Own(self.name()),
        }
    }

    /// Whether one call can suffer both.
    pub fn goes_with(&self, other: &Self) -> bool {
        self.place() != other.place() && self.leaves_room_for(other) && other.leaves_room_for(self)
    }

    fn leaves_room_for(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::NeverListed, Self::Deleted(_) | Self::UnknownStatus | Self::WrongTypeListed) => false,
            _ if self.place() != Place::End => true,
            (_, Self::ArrivesLate(_)) => self.reaches_the_gateway(),
            (_, Self::SlowReply(_) | Self::NoDate) => self.replies(),
            (_, Self::ListTruncated) => false,
            (_, Self::ActsLate(_)) => self.acts(),
            _ => other.touches() != Touches::Backup || self.acts(),
        }
    }

    /// Whether a call with this end does what it asks for.
    fn acts(&self) -> bool {
        matches!(
            self,
            Self::LostAfterAct
                | Self::ResetMidBody
                | Self::HttpErrorAfterAct
                | Self::Gateway502AfterAct
                | Self::BusyAfterAct
                | Self::Garbage
                | Self::UnknownCodeAfterAct
                | Self::KillAfterAct
                | Self::KillHalfReply
        )
    }

    fn reaches_the_gateway(&self) -> bool {
        !matches!(self, Self::LostBeforeAct | Self::Unreachable | Self::Eof)
    }

    fn replies(&self) -> bool {
        self.reaches_the_gateway() && !matches!(self, Self::LostAfterAct | Self::KillOnRead | Self::KillAfterAct)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn go_together(one: &str, other: &str) -> bool {
        let (one, other): (Fault, Fault) = (one.parse().unwrap(), other.parse().unwrap());
        assert_eq!(one.goes_with(&other), other.goes_with(&one), "{one} and {other}");
        one.goes_with(&other)
    }

    #[test]
    fn a_call_ends_in_one_way_and_suffers_besides_what_that_end_leaves_room_for() {
        for (one, other) in [
            ("http_error_after_act", "acts_late"),
            ("busy_after_act", "lists_late"),
            ("lost_after_act", "backup_fails"),
            ("gateway_502", "slow_reply"),
            ("redirect_307", "arrives_late"),
            ("backup_fails", "lists_late"),
            ("no_date", "slow_reply"),
            ("duplicate_name", "never_listed"),
        ] {
            assert!(go_together(one, other), "{one} and {other}");
        }
        for (one, other) in [
            ("http_error_after_act", "garbage"),
            ("list_throttled", "http_error_before_act"),
            ("lost_before_act", "backup_fails"),
            ("busy", "acts_late"),
            ("lost_after_act", "slow_reply"),
            ("kill_on_read", "no_date"),
            ("unreachable", "arrives_late"),
            ("lists_late=9s", "lists_late"),
            ("never_listed", "lists_late"),
            ("never_listed", "unknown_status"),
            ("list_truncated", "reset_mid_body"),
        ] {
            assert!(!go_together(one, other), "{one} and {other}");
        }
    }
}
