//! The policy file: from its text to a [`Policy`], or to every fault in it.
//!
//! Decided here: how a policy is loaded, and what a load gives. In reading order: a file to bytes ([`source`]), bytes to one value ([`document`], [`structure`]), one value to
//! shapes ([`raw`], [`decode`]), shapes to meaning ([`lower`]), what is odd about it ([`warn`],
//! [`odd_schedule`]); and, only when there is something to tell, where
//! it stands ([`place`]), what of it is shown ([`redact`], [`excerpt`]) and how it is drawn ([`fault`]). What the machine adds is in [`machine`], the only
//! place that reads environment variables.

mod cadence;
mod decode;
mod depth;
mod document;
mod excerpt;
mod fault;
mod length;
mod lower;
mod machine;
mod odd_schedule;
mod place;
mod raw;
mod redact;
mod regions;
mod schema;
mod source;
mod structure;
mod warn;

pub use cadence::Cadence;
pub use fault::{Fault, Level, MAX_FAULTS};
pub use length::written as written_length;
pub use machine::{Machine, is_dumb, local_zone, log_levels, no_color};
pub use schema::schema;

pub use crate::domain::nearest::nearest;

use crate::domain::{
    names::JobName,
    policy::{Listen, Policy, is_loopback},
};
use chrono::{DateTime, Utc};
use fault::Findings;
use sha2::{Digest, Sha256};
use std::{
    collections::HashSet,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Where the ledger lies when nothing says otherwise.
pub const DEFAULT_LEDGER: &str = "/var/lib/cdb-backupd/ledger.db";

/// A policy without faults.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it means.
    pub policy: Policy,
    /// The file's text, as it goes into the ledger.
    pub text: String,
    /// SHA-256 of the file, in hex.
    pub text_hash: String,
    /// Where the ledger lies: the policy, else `$CDB_BACKUPD_LEDGER`, else `$STATE_DIRECTORY/ledger.db`, else [`DEFAULT_LEDGER`].
    pub ledger: PathBuf,
    /// Where the page listens: the policy, else `$CDB_BACKUPD_LISTEN`, else [`Listen::DEFAULT`]; absent when it is off.
    pub listen: Option<SocketAddr>,
    /// What probably was not meant, at most [`MAX_FAULTS`].
    pub warnings: Vec<Fault>,
    /// How many more warnings there are.
    pub beyond: usize,
    /// Jobs whose targets may match nothing.
    pub may_be_empty: HashSet<JobName>,
}

/// Why there is no policy. Its faults are fit to be shown.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no such file: name another with `-c`.
    #[error("{}", .0.message)]
    Missing(Box<Fault>),
    /// The file may not be read: start as another user, or change its mode.
    #[error("{}", .0.message)]
    Unreadable(Box<Fault>),
    /// The file is no policy: correct what the faults name.
    #[error("the policy has {} {}; `cdb-backupd check` shows them", .faults.len() + .beyond, if .faults.len() + .beyond == 1 { "fault" } else { "faults" })]
    Faulty {
        /// In the order of the file, at most [`MAX_FAULTS`].
        faults: Vec<Fault>,
        /// How many more there are.
        beyond: usize,
    },
}

impl LoadError {
    /// What to show.
    pub fn faults(&self) -> &[Fault] {
        match self {
            Self::Missing(fault) | Self::Unreadable(fault) => std::slice::from_ref(fault),
            Self::Faulty { faults, .. } => faults,
        }
    }
}

/// Loads a policy on this machine. `now` decides what the warnings of coming slots speak of.
pub fn load(path: &Path, now: DateTime<Utc>) -> Result<Loaded, LoadError> {
    load_on(path, &Machine::here(), now)
}

/// Loads a policy from this machine's disk, and takes everything else from `machine`.
pub fn load_on(path: &Path, machine: &Machine, now: DateTime<Utc>) -> Result<Loaded, LoadError> {
    let shown = path.display().to_string();
    let bytes = source::read(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            let hint = "name the policy with `-c FILE` or in CDB_BACKUPD_CONFIG";
            LoadError::Missing(Fault::of_file(&shown, "file-missing", format!("there is no policy at {shown}"), Some(hint.to_owned())).into())
        }
        kind => {
            let hint = (kind == io::ErrorKind::PermissionDenied).then(|| "run as the user `cdb-backupd`, or let its group read the file".to_owned());
            LoadError::Unreadable(Fault::of_file(&shown, "file-unreadable", format!("the policy at {shown} cannot be read: {e}"), hint).into())
        }
    })?;
    check_bytes(&shown, &bytes, &beside(path), machine, now)
}

/// Where relative paths in a policy's file begin.
pub fn beside(path: &Path) -> PathBuf {
    std::path::absolute(path).ok().and_then(|p| p.parent().map(Path::to_owned)).unwrap_or_default()
}

/// Checks a policy's text on a machine that may be pictured. Relative paths in it begin at the file's directory.
pub fn check_text(file: &str, text: &str, machine: &Machine, now: DateTime<Utc>) -> Result<Loaded, LoadError> {
    check_bytes(file, text.as_bytes(), Path::new(file).parent().unwrap_or(Path::new("")), machine, now)
}

/// Checks bytes that should be a policy.
pub fn check_bytes(file: &str, bytes: &[u8], beside: &Path, machine: &Machine, now: DateTime<Utc>) -> Result<Loaded, LoadError> {
    let mut findings = Findings::default();
    let Some(text) = document::text(bytes, &mut findings) else {
        return Err(faulty(findings, file, ""));
    };
    redact::tell_shown(text, &mut findings);
    let lowered = document::parse(text, &mut findings).and_then(|value| lower::policy(&value, beside, machine, &mut findings));
    let Some(lower::Lowered { policy, may_be_empty }) = lowered.filter(|_| !findings.is_fatal()) else {
        return Err(faulty(findings, file, text));
    };
    let ledger = ledger(&policy, machine);
    let Some(listen) = listen(&policy, machine) else {
        let message = "CDB_BACKUPD_LISTEN must be an IP address and a port, such as `127.0.0.1:7306`, or `off`";
        return Err(LoadError::Faulty { faults: vec![Fault::of_file(file, "bad-listen", message.to_owned(), None)], beyond: 0 });
    };
    if policy.listen_token.is_none() && listen.is_some_and(|address| !is_loopback(address.ip())) {
        let message = "CDB_BACKUPD_LISTEN is no loopback address, and whoever reaches it could read the page";
        let hint = format!("add {} to the policy, or listen on `{}`", lower::top::TOKEN_HINT, Listen::DEFAULT);
        return Err(LoadError::Faulty { faults: vec![Fault::of_file(file, "listen-without-token", message.to_owned(), Some(hint))], beyond: 0 });
    }
    warn::all(&policy, &ledger, machine, now, &mut findings);
    let (warnings, beyond) = findings.place(file, text);
    let text_hash = hex::encode(Sha256::digest(bytes));
    Ok(Loaded { policy, text: text.to_owned(), text_hash, ledger, listen, warnings, beyond, may_be_empty })
}

/// Where the ledger lies when there is no policy to ask.
pub fn default_ledger(machine: &Machine) -> PathBuf {
    let in_state = || machine.variable("STATE_DIRECTORY").map(|dir| Path::new(dir.split(':').next().unwrap_or_default()).join("ledger.db"));
    machine.variable("CDB_BACKUPD_LEDGER").map(PathBuf::from).or_else(in_state).unwrap_or_else(|| DEFAULT_LEDGER.into())
}

fn ledger(policy: &Policy, machine: &Machine) -> PathBuf {
    policy.ledger.clone().unwrap_or_else(|| default_ledger(machine))
}

/// Absent when the machine says something that is no address.
fn listen(policy: &Policy, machine: &Machine) -> Option<Option<SocketAddr>> {
    match policy.listen {
        Listen::Off => Some(None),
        Listen::On(address) => Some(Some(address)),
        Listen::Unsaid => match machine.variable("CDB_BACKUPD_LISTEN").as_deref() {
            Some("off") => Some(None),
            said => said.unwrap_or(Listen::DEFAULT).parse().ok().map(Some),
        },
    }
}

fn faulty(findings: Findings, file: &str, text: &str) -> LoadError {
    let (faults, beyond) = findings.place(file, text);
    LoadError::Faulty { faults, beyond }
}
