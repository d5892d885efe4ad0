//! How a command ends.

use crate::{config::LoadError, ledger};
use std::process::ExitCode;

/// The exit codes, which are an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did its work.
    Ok = 0,
    /// It could not do its work.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// It did its work, and what it reports is not all good.
    NotAllGood = 3,
    /// The ledger cannot be read or written.
    LedgerIo = 74,
    /// Another process has the ledger.
    LedgerLocked = 75,
    /// This user may not.
    NotPermitted = 77,
    /// The policy is missing or at fault.
    PolicyFault = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A reason that has an exit code of its own.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// How to end.
    pub exit: Exit,
    /// For stderr.
    pub reason: String,
}

impl Exit {
    /// This end, with its reason.
    pub fn because(self, reason: impl Into<String>) -> Refusal {
        Refusal { exit: self, reason: reason.into() }
    }
}

/// The end of a command that found no policy.
pub fn of_load(error: &LoadError) -> Exit {
    match error {
        LoadError::Unreadable(_) => Exit::NotPermitted,
        LoadError::Missing(_) | LoadError::Faulty { .. } => Exit::PolicyFault,
    }
}

/// The end of a command that could not use the ledger.
pub fn of_ledger(error: &ledger::Error) -> Exit {
    match error {
        ledger::Error::Locked(_) => Exit::LedgerLocked,
        ledger::Error::NotPermitted { .. } => Exit::NotPermitted,
        _ => Exit::LedgerIo,
    }
}
