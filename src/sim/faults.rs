//! What can go wrong, by name.
//!
//! Decided here: the names, their spelling, and which call a fault belongs to. Not here: which go together (`pairs`), when they strike (`script`), and
//! what they do (`exchange` for calls, `cloud`, `site` and `backup` for the rest).

use super::{fault_error::FaultError, settings::Span};
use chrono::TimeDelta;
use std::{fmt, str::FromStr, time::Duration};

/// The longest that a fault may say: a hundred years, so that sums of them stay far from the end of time.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Which call a fault can befall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// `CreateBackup`.
    Create,
    /// `DescribeBackups`.
    List,
    /// `DeleteBackup`.
    Delete,
}

impl Action {
    /// As `X-TC-Action` has it.
    pub fn wire(self) -> &'static str {
        match self {
            Self::Create => "CreateBackup",
            Self::List => "DescribeBackups",
            Self::Delete => "DeleteBackup",
        }
    }
}

/// One thing that goes wrong. The text form is the name in snake case, with `=argument` where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request is lost; nothing acts, nothing answers.
    LostBeforeAct,
    /// It acts; the reply is lost.
    LostAfterAct,
    /// It acts; half the reply arrives, then the connection breaks.
    ResetMidBody,
    /// It acts and answers `InternalError.HttpError`.
    HttpErrorAfterAct,
    /// It answers `InternalError.HttpError` and does not act.
    HttpErrorBeforeAct,
    /// It lies in the network this long before the gateway checks it.
    ArrivesLate(Duration),
    /// It acts this long after it was taken (assumption A2: at most 30 s). An answer that another fault makes is given at once.
    ActsLate(Duration),
    /// An HTML page with status 502; nothing acts.
    Gateway502,
    /// It acts; the answer is an HTML page with status 502.
    Gateway502AfterAct,
    /// Status 307 to the same place; nothing acts.
    Redirect307,
    /// Others with the same identity use up the rate for this long: everything of this action is refused.
    ThrottleBurst(Duration),
    /// It acts and answers busy: the gateway had repeated it inside.
    BusyAfterAct,
    /// An automatic backup begins first, and runs this long.
    Busy(Duration),
    /// No connection is made in this time.
    Outage(Span),
    /// No connection is made for this call. Over HTTP, where one stands already, it is reset without a byte; nothing acts.
    Unreachable,
    /// The backup ends FAILED.
    BackupFails,
    /// The backup runs this long.
    BackupTakes(Duration),
    /// The backup shows in lists this long after it acted.
    ListsLate(Duration),
    /// The backup never shows (breaks assumption A3).
    NeverListed,
    /// The backup is deleted this long after it has both been listed and ended.
    Deleted(Duration),
    /// The reply is made in time and travels this long.
    SlowReply(Duration),
    /// It acts; the reply is not JSON.
    Garbage,
    /// It acts and answers `InternalError.NewCode`.
    UnknownCodeAfterAct,
    /// The backup's `Status` is a word nobody knows while it runs.
    UnknownStatus,
    /// This list is refused for the rate.
    ListThrottled,
    /// What is on this page changes before the next: an older backup is deleted, or where there is none, `TotalCount` differs.
    ListTruncated,
    /// The reply has no `Date` that can be read.
    NoDate,
    /// The backup is listed with another `Type`.
    WrongTypeListed,
    /// No key is known in this time.
    KeyRevoked(Span),
    /// Keys that were read before the first instant are expired in this time.
    TokenExpired(Span),
    /// The cloud's clock is this far ahead, besides its own skew.
    Skew(TimeDelta),
    /// A connection that was used before is closed without an answer; nothing acts. Creates have connections of their own.
    Eof,
    /// A second backup of the same name stands beside it, FAILED at once: the gateway had repeated it inside.
    DuplicateName,
    /// Lists of this instance are `InvalidParameter.InstanceNotFound` from now on, for this long.
    ListRefused(Duration),
    /// The caller is killed when its request has been read; nothing acts. Where no caller can be killed, its connection is reset then.
    KillOnRead,
    /// The caller is killed when it has acted, before a byte of the reply.
    KillAfterAct,
    /// The caller is killed when half the reply is written.
    KillHalfReply,
}

/// What a fault touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touches {
    /// A call, and how it is answered.
    Call,
    /// The backup that a create makes.
    Backup,
    /// Everything, in its time.
    Everything,
}

impl Fault {
    /// What it touches.
    pub fn touches(&self) -> Touches {
        match self {
            Self::BackupFails
            | Self::BackupTakes(_)
            | Self::ListsLate(_)
            | Self::NeverListed
            | Self::Deleted(_)
            | Self::UnknownStatus
            | Self::WrongTypeListed
            | Self::DuplicateName => Touches::Backup,
            Self::Outage(_) | Self::KeyRevoked(_) | Self::TokenExpired(_) | Self::Skew(_) => Touches::Everything,
            _ => Touches::Call,
        }
    }

    /// Whether it can befall this call.
    pub fn befalls(&self, action: Action) -> bool {
        match self {
            Self::ListThrottled | Self::ListTruncated | Self::ListRefused(_) | Self::Eof => action == Action::List,
            Self::ActsLate(_) | Self::BusyAfterAct | Self::Busy(_) => action == Action::Create,
            _ if self.touches() == Touches::Backup => action == Action::Create,
            _ if self.touches() == Touches::Everything => false,
            _ => action != Action::Delete,
        }
    }

    /// Its name, without the argument.
    pub fn name(&self) -> &'static str {
        match self {
            Self::LostBeforeAct => "lost_before_act",
            Self::LostAfterAct => "lost_after_act",
            Self::ResetMidBody => "reset_mid_body",
            Self::HttpErrorAfterAct => "http_error_after_act",
            Self::HttpErrorBeforeAct => "http_error_before_act",
            Self::ArrivesLate(_) => "arrives_late",
            Self::ActsLate(_) => "acts_late",
            Self::Gateway502 => "gateway_502",
            Self::Gateway502AfterAct => "gateway_502_after_act",
            Self::Redirect307 => "redirect_307",
            Self::ThrottleBurst(_) => "throttle_burst",
            Self::BusyAfterAct => "busy_after_act",
            Self::Busy(_) => "busy",
            Self::Outage(_) => "outage",
            Self::Unreachable => "unreachable",
            Self::BackupFails => "backup_fails",
            Self::BackupTakes(_) => "backup_takes",
            Self::ListsLate(_) => "lists_late",
            Self::NeverListed => "never_listed",
            Self::Deleted(_) => "deleted",
            Self::SlowReply(_) => "slow_reply",
            Self::Garbage => "garbage",
            Self::UnknownCodeAfterAct => "unknown_code_after_act",
            Self::UnknownStatus => "unknown_status",
            Self::ListThrottled => "list_throttled",
            Self::ListTruncated => "list_truncated",
            Self::NoDate => "no_date",
            Self::WrongTypeListed => "wrong_type_listed",
            Self::KeyRevoked(_) => "key_revoked",
            Self::TokenExpired(_) => "token_expired",
            Self::Skew(_) => "skew",
            Self::Eof => "eof",
            Self::DuplicateName => "duplicate_name",
            Self::ListRefused(_) => "list_refused",
            Self::KillOnRead => "kill_on_read",
            Self::KillAfterAct => "kill_after_act",
            Self::KillHalfReply => "kill_half_reply",
        }
    }

    /// What it does, in a few words; "so long" is its argument.
    pub fn does(&self) -> &'static str {
        match self {
            Self::LostBeforeAct => "the request is lost: nothing acts, nothing answers",
            Self::LostAfterAct => "it acts, and the reply is lost",
            Self::ResetMidBody => "it acts, and the connection breaks after half the reply",
            Self::HttpErrorAfterAct => "it acts, and answers InternalError.HttpError",
            Self::HttpErrorBeforeAct => "it answers InternalError.HttpError, and does not act",
            Self::ArrivesLate(_) => "the request lies in the network for so long before the gateway checks it",
            Self::ActsLate(_) => "it acts only so long after it was taken",
            Self::Gateway502 => "an HTML page with status 502 answers; nothing acts",
            Self::Gateway502AfterAct => "it acts, and an HTML page with status 502 answers",
            Self::Redirect307 => "status 307 to the same place; nothing acts",
            Self::ThrottleBurst(_) => "others use up the rate for so long: all calls of this action are refused",
            Self::BusyAfterAct => "it acts, and answers busy, as if the gateway had repeated it inside",
            Self::Busy(_) => "an automatic backup begins first, and runs for so long",
            Self::Outage(_) => "no connection is made from … to … after the start",
            Self::Unreachable => "no connection is made for this call",
            Self::BackupFails => "the backup ends FAILED",
            Self::BackupTakes(_) => "the backup runs for so long",
            Self::ListsLate(_) => "lists show the backup only so long after it acted",
            Self::NeverListed => "no list ever shows the backup",
            Self::Deleted(_) => "the backup is deleted so long after it was listed and has ended",
            Self::SlowReply(_) => "the reply is made in time, and travels for so long",
            Self::Garbage => "it acts, and the reply is not JSON",
            Self::UnknownCodeAfterAct => "it acts, and answers InternalError.NewCode",
            Self::UnknownStatus => "lists give the backup a Status that nobody knows, while it runs",
            Self::ListThrottled => "this list is refused for the rate",
            Self::ListTruncated => "the list changes between two of its pages",
            Self::NoDate => "the reply has no Date that can be read",
            Self::WrongTypeListed => "lists show the backup with another Type",
            Self::KeyRevoked(_) => "no key is known from … to … after the start",
            Self::TokenExpired(_) => "keys read before then are expired from … to … after the start",
            Self::Skew(_) => "the cloud's clock is so far ahead; behind with a minus",
            Self::Eof => "a connection that lists used before closes without an answer; nothing acts",
            Self::DuplicateName => "a second backup of the same name stands beside it, FAILED",
            Self::ListRefused(_) => "lists of this instance are refused for so long, as if it were not there",
            Self::KillOnRead => "the request is read, and the connection is reset; nothing acts (tests kill the caller there)",
            Self::KillAfterAct => "it acts, and the connection is reset before a byte of the reply (tests kill the caller)",
            Self::KillHalfReply => "it acts, and the connection breaks after half the reply (tests kill the caller)",
        }
    }

    /// One of each, with an ordinary argument: what `--faults help` lists.
    pub fn all() -> Vec<Self> {
        let s = Duration::from_secs;
        let span = s(600)..s(1_200);
        vec![
            Self::LostBeforeAct,
            Self::LostAfterAct,
            Self::ResetMidBody,
            Self::HttpErrorAfterAct,
            Self::HttpErrorBeforeAct,
            Self::ArrivesLate(s(15)),
            Self::ActsLate(s(25)),
            Self::Gateway502,
            Self::Gateway502AfterAct,
            Self::Redirect307,
            Self::ThrottleBurst(s(3)),
            Self::BusyAfterAct,
            Self::Busy(s(1_200)),
            Self::Outage(span.clone()),
            Self::Unreachable,
            Self::BackupFails,
            Self::BackupTakes(s(7_200)),
            Self::ListsLate(s(90)),
            Self::NeverListed,
            Self::Deleted(s(60)),
            Self::SlowReply(s(15)),
            Self::Garbage,
            Self::UnknownCodeAfterAct,
            Self::UnknownStatus,
            Self::ListThrottled,
            Self::ListTruncated,
            Self::NoDate,
            Self::WrongTypeListed,
            Self::KeyRevoked(span.clone()),
            Self::TokenExpired(span),
            Self::Skew(TimeDelta::minutes(6)),
            Self::Eof,
            Self::DuplicateName,
            Self::ListRefused(s(600)),
            Self::KillOnRead,
            Self::KillAfterAct,
            Self::KillHalfReply,
        ]
    }

    /// The duration that it carries, where it is one.
    pub fn lasts(&self) -> Option<Duration> {
        match self {
            Self::ArrivesLate(d) | Self::ActsLate(d) | Self::ThrottleBurst(d) | Self::Busy(d) | Self::BackupTakes(d) => Some(*d),
            Self::ListsLate(d) | Self::Deleted(d) | Self::SlowReply(d) | Self::ListRefused(d) => Some(*d),
            _ => None,
        }
    }

    fn with(self, argument: &str) -> Result<Self, FaultError> {
        let d = || duration(argument).ok_or_else(|| FaultError::Argument(argument.into()));
        Ok(match self {
            Self::ArrivesLate(_) => Self::ArrivesLate(d()?),
            Self::ActsLate(_) => Self::ActsLate(d()?),
            Self::ThrottleBurst(_) => Self::ThrottleBurst(d()?),
            Self::Busy(_) => Self::Busy(d()?),
            Self::BackupTakes(_) => Self::BackupTakes(d()?),
            Self::ListsLate(_) => Self::ListsLate(d()?),
            Self::Deleted(_) => Self::Deleted(d()?),
            Self::SlowReply(_) => Self::SlowReply(d()?),
            Self::ListRefused(_) => Self::ListRefused(d()?),
            Self::Outage(_) => Self::Outage(span(argument)?),
            Self::KeyRevoked(_) => Self::KeyRevoked(span(argument)?),
            Self::TokenExpired(_) => Self::TokenExpired(span(argument)?),
            Self::Skew(_) => Self::Skew(signed(argument)?),
            _ => return Err(FaultError::NoArgument(self.name())),
        })
    }

    fn argument(&self) -> Option<String> {
        let text = |d: Duration| humantime::format_duration(d).to_string().replace(' ', "");
        match self {
            Self::Outage(span) | Self::KeyRevoked(span) | Self::TokenExpired(span) => Some(format!("{}..{}", text(span.start), text(span.end))),
            Self::Skew(ahead) => {
                let sign = if *ahead < TimeDelta::zero() { "-" } else { "" };
                Some(format!("{sign}{}", text(ahead.abs().to_std().unwrap_or_default())))
            }
            _ => self.lasts().map(text),
        }
    }
}

fn duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok().filter(|d| *d <= LONGEST)
}

fn span(text: &str) -> Result<Span, FaultError> {
    let both = text.split_once("..").and_then(|(from, to)| Some((duration(from)?, duration(to)?)));
    both.filter(|(from, to)| from < to).map(|(from, to)| from..to).ok_or_else(|| FaultError::Argument(text.into()))
}

fn signed(text: &str) -> Result<TimeDelta, FaultError> {
    let bad = || FaultError::Argument(text.into());
    let (sign, rest) = text.strip_prefix('-').map_or((1, text.strip_prefix('+').unwrap_or(text)), |rest| (-1, rest));
    let d = duration(rest).ok_or_else(bad)?;
    Ok(TimeDelta::from_std(d).map_err(|_| bad())? * sign)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.argument().map_or(Ok(()), |argument| write!(f, "={argument}"))
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let (name, argument) = text.split_once('=').map_or((text, None), |(n, a)| (n, Some(a)));
        let fault = Self::all().into_iter().find(|f| f.name() == name).ok_or_else(|| FaultError::Name(name.into()))?;
        argument.map_or(Ok(fault.clone()), |a| fault.with(a))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_reads_back_from_its_own_text() {
        for fault in Fault::all() {
            assert_eq!(fault.to_string().parse(), Ok(fault));
        }
        assert_eq!("skew=-6m".parse(), Ok(Fault::Skew(TimeDelta::minutes(-6))));
        assert_eq!("nonsense".parse::<Fault>(), Err(FaultError::Name("nonsense".into())));
        assert_eq!("garbage=3s".parse::<Fault>(), Err(FaultError::NoArgument("garbage")));
    }
}
