//! All that a run needs to be called and followed, written with it, so that neither a reload nor a removed job can strand it.

use super::{
    names::{AccountName, CredentialSource, Endpoint, InstanceName, Region},
    policy::{Account, Instance, Job, Method, Overlap, Poll, Retry},
};
use std::{collections::BTreeMap, time::Duration};

/// The terms of a run; the same for every slot of a job and instance while the policy stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What people called the instance then.
    pub instance_name: InstanceName,
    /// Its tags then, for filters.
    pub tags: BTreeMap<String, String>,
    /// The account's name then.
    pub account: AccountName,
    /// Where calls go.
    pub endpoint: Endpoint,
    /// Whose keys sign them.
    pub credentials: CredentialSource,
    /// Where the instance is.
    pub region: Region,
    /// How, and of what.
    pub method: Method,
    /// The proof of absence's window (`protocol.md` §2).
    pub absence_window: Duration,
    /// Tries and waits.
    pub retry: Retry,
    /// Looks and polls.
    pub poll: Poll,
    /// While the previous run is open.
    pub overlap: Overlap,
}

/// A signature's life and the distance between the cloud's clocks: 300 s and 30 s (`protocol.md` A1, A4).
const SIGNATURE_AND_CLOCKS: Duration = Duration::from_secs(330);
/// What a request may still take to act: 30 s (`protocol.md` A2).
const TO_ACT: Duration = Duration::from_secs(30);
/// What a restored ledger's window gains off loopback: a lost request's stamp may lie so far ahead (`protocol.md`).
const STAMP_AHEAD: Duration = Duration::from_secs(120);

impl Terms {
    /// The terms of a job on one of its instances.
    pub fn of(job: &Job, instance: &Instance, account: &Account) -> Self {
        Self {
            instance_name: instance.name.clone(),
            tags: instance.tags.clone(),
            account: account.name.clone(),
            endpoint: account.endpoint.clone(),
            credentials: account.credentials.clone(),
            region: instance.region.clone(),
            method: job.method.clone(),
            absence_window: account.absence_window,
            retry: job.retry,
            poll: job.poll,
            overlap: job.overlap,
        }
    }

    /// How long a backup may stay out of the list: the window less 360 s; a third of it on loopback.
    pub fn list_lag(&self) -> Duration {
        if self.endpoint.is_loopback() { self.absence_window / 3 } else { self.absence_window.saturating_sub(SIGNATURE_AND_CLOCKS + TO_ACT) }
    }

    /// After a busy reply: time to act, to be listed, and between clocks: the window less 300 s; two thirds of it on loopback.
    pub fn busy_lag(&self) -> Duration {
        if self.endpoint.is_loopback() { self.absence_window * 2 / 3 } else { self.absence_window.saturating_sub(Duration::from_secs(300)) }
    }

    /// How long after the clock's proof no look of a restored ledger proves absence.
    pub fn restored_window(&self) -> Duration {
        self.absence_window + if self.endpoint.is_loopback() { Duration::ZERO } else { STAMP_AHEAD }
    }
}
