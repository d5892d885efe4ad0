//! One pace for each (caller, action), whatever the accounts are named.

use crate::{
    cloud::{Access, Caller, CdbApi},
    domain::{
        pace::{CREATES_PER_SECOND_MAX, LISTS_PER_SECOND, Pace},
        policy::Policy,
    },
};
use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

/// How long a process that finds the last second's sends unknown sends nothing.
const STARTUP_PAUSE: Duration = Duration::from_millis(1_100);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    Create,
    List,
}

impl Action {
    /// As the vendor names it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Create => "CreateBackup",
            Self::List => "DescribeBackups",
        }
    }
}

#[derive(Debug)]
pub(super) struct Paces {
    not_before: Duration,
    paces: BTreeMap<(Caller, Action), Pace>,
    limits: BTreeMap<Caller, f64>,
}

impl Paces {
    /// `found_sends_at` is now, when the ledger holds sends of the last two seconds or of the future.
    pub(super) fn new(found_sends_at: Option<Duration>) -> Self {
        let not_before = found_sends_at.map_or(Duration::ZERO, |now| now + STARTUP_PAUSE);
        Self { not_before, paces: BTreeMap::new(), limits: BTreeMap::new() }
    }

    /// Learns how fast each caller may create: the slowest of the accounts that share it.
    pub(super) fn learn<A: CdbApi>(&mut self, policy: &Policy, api: &A) {
        self.limits.clear();
        for account in &policy.accounts {
            let access = Access { endpoint: account.endpoint.clone(), credentials: account.credentials.clone() };
            let limit = self.limits.entry(caller(api, &access)).or_insert(CREATES_PER_SECOND_MAX);
            *limit = limit.min(account.calls_per_second);
        }
    }

    /// Takes a permit, or says when one is free.
    pub(super) fn take(&mut self, caller: Caller, action: Action, now: Duration) -> Result<(), Duration> {
        self.pace(caller, action).take(now)
    }

    /// A throttled answer.
    pub(super) fn throttled(&mut self, caller: Caller, action: Action, now: Duration) {
        self.pace(caller, action).throttled(now);
    }

    fn pace(&mut self, caller: Caller, action: Action) -> &mut Pace {
        let per_second = match action {
            Action::Create => self.limits.get(&caller).copied().unwrap_or(CREATES_PER_SECOND_MAX),
            Action::List => LISTS_PER_SECOND,
        };
        let not_before = if action == Action::Create { self.not_before } else { Duration::ZERO };
        let pace = self.paces.entry((caller, action)).or_insert_with(|| Pace::new(per_second, not_before));
        pace.limit(per_second);
        pace
    }
}

/// Whom the cloud counts for; while the keys cannot be read, the account's access itself stands for them.
pub(super) fn caller<A: CdbApi>(api: &A, access: &Access) -> Caller {
    api.caller(access).unwrap_or_else(|| {
        let mut hasher = DefaultHasher::new();
        access.hash(&mut hasher);
        Caller(hasher.finish())
    })
}
