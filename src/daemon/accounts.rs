//! Accounts whose keys the cloud does not accept: held, probed, released. A key rotated at 02:29 must not kill the night.

use super::paces::Action;
use crate::{
    cloud::{Access, Class},
    domain::{
        hold::{LoopHold, Waits},
        names::{AccountName, InstanceId, Region},
        reply::CallError,
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How often a held account is probed.
const PROBE: Duration = Duration::from_secs(30);

/// Whom to ask, to learn whether an account's keys are accepted.
#[derive(Clone, Debug)]
pub(super) struct Doorbell {
    pub(super) account: AccountName,
    pub(super) access: Access,
    pub(super) region: Region,
    pub(super) instance: InstanceId,
}

#[derive(Debug, Default)]
pub(super) struct Accounts {
    states: BTreeMap<AccountName, State>,
}

#[derive(Debug, Default)]
struct State {
    /// Set by the first refusal, taken back by the first success: the second in a row holds.
    corrected: bool,
    sign_ahead: TimeDelta,
    hold: Option<Hold>,
    /// Which call was refused when people were told. Until that call is accepted they are not told again, though a list may release the hold.
    told_of: Option<Action>,
}

#[derive(Debug)]
struct Hold {
    doorbell: Doorbell,
    since: DateTime<Utc>,
    code: String,
    probe_at: Duration,
    probing: bool,
}

impl Accounts {
    /// The account has other keys from now on: what was learnt of the old ones says nothing of them.
    pub(super) fn forget(&mut self, account: &AccountName) {
        self.states.remove(account);
    }

    /// The accounts that are held.
    pub(super) fn held(&self) -> BTreeSet<AccountName> {
        self.states.iter().filter(|(_, state)| state.hold.is_some()).map(|(name, _)| name.clone()).collect()
    }

    /// The same, with since when and why.
    pub(super) fn holds(&self) -> impl Iterator<Item = LoopHold> + '_ {
        self.states.iter().filter_map(|(name, state)| {
            let Hold { since, code, .. } = state.hold.as_ref()?;
            Some(LoopHold { waits: Waits::Account, name: name.to_string(), since: *since, code: code.clone() })
        })
    }

    /// What to add to our clock when signing for an account.
    pub(super) fn sign_ahead(&self, account: &AccountName) -> TimeDelta {
        self.states.get(account).map_or(TimeDelta::zero(), |state| state.sign_ahead)
    }

    /// Takes an answer's class; says whether the account was held just now, and whether its keys should be read again.
    pub(super) fn refused(
        &mut self,
        doorbell: &Doorbell,
        action: Action,
        error: &CallError,
        date: Option<DateTime<Utc>>,
        now: (DateTime<Utc>, Duration),
        proved: bool,
    ) -> Refused {
        if error.class != Class::Account {
            return Refused::Nothing;
        }
        let expired = error.code == "AuthFailure.SignatureExpire";
        if expired && !proved {
            // It speaks of the clock, not of the keys.
            return Refused::Nothing;
        }
        let state = self.states.entry(doorbell.account.clone()).or_default();
        if let Some(hold) = &mut state.hold {
            hold.probing = false;
            hold.probe_at = now.1 + PROBE;
            return Refused::Reread;
        }
        if expired && let Some(date) = date {
            state.sign_ahead = date - now.0;
        }
        if !std::mem::replace(&mut state.corrected, true) {
            return Refused::Reread;
        }
        state.hold = Some(Hold { doorbell: doorbell.clone(), since: now.0, code: error.code.clone(), probe_at: now.1 + PROBE, probing: false });
        if state.told_of.is_some() {
            return Refused::Reread;
        }
        state.told_of = Some(action);
        Refused::Held
    }

    /// The cloud accepted the account's keys for this call, which releases it; says whether people are to be told.
    pub(super) fn accepted(&mut self, account: &AccountName, action: Action) -> bool {
        let Some(state) = self.states.get_mut(account) else { return false };
        state.corrected = false;
        state.hold = None;
        state.told_of.take_if(|told_of| *told_of == action).is_some()
    }

    /// The held accounts that are to be probed now.
    pub(super) fn probes(&mut self, now: Duration) -> Vec<Doorbell> {
        let holds = self.states.values_mut().filter_map(|state| state.hold.as_mut());
        let due = holds.filter(|hold| !hold.probing && now >= hold.probe_at);
        due.map(|hold| {
            hold.probing = true;
            hold.probe_at = now + PROBE;
            hold.doorbell.clone()
        })
        .collect()
    }

    /// A probe brought no answer about the keys.
    pub(super) fn unanswered(&mut self, account: &AccountName) {
        if let Some(hold) = self.states.get_mut(account).and_then(|state| state.hold.as_mut()) {
            hold.probing = false;
        }
    }

    /// When the next probe is due.
    pub(super) fn probe_at(&self) -> Option<Duration> {
        self.states.values().filter_map(|state| state.hold.as_ref()).filter(|hold| !hold.probing).map(|hold| hold.probe_at).min()
    }
}

/// What a refusal of keys did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It was none.
    Nothing,
    /// The keys are to be read again.
    Reread,
    /// The account is held from now on; the keys are to be read again.
    Held,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::names::{CredentialSource, Endpoint};

    #[test]
    fn an_account_whose_creates_alone_are_refused_is_told_of_once_until_one_is_accepted() {
        let account = AccountName::parse("main").unwrap();
        let access = Access {
            endpoint: Endpoint::parse("cdb.tencentcloudapi.com").unwrap(),
            credentials: CredentialSource::Env { prefix: "TENCENTCLOUD".into() },
        };
        let (region, instance) = (Region::parse("ap-guangzhou").unwrap(), InstanceId::parse("cdb-c1nl9rpv").unwrap());
        let bell = Doorbell { account: account.clone(), access, region, instance };
        let error = CallError { class: Class::Account, code: "AuthFailure".into(), message: String::new() };
        let mut accounts = Accounts::default();
        let twice = |accounts: &mut Accounts| {
            let mut refused = || accounts.refused(&bell, Action::Create, &error, None, (DateTime::UNIX_EPOCH, Duration::ZERO), true);
            (refused(), refused())
        };
        assert_eq!(twice(&mut accounts), (Refused::Reread, Refused::Held));
        assert!(!accounts.accepted(&account, Action::List) && accounts.held().is_empty(), "released, and nothing to tell yet");
        assert_eq!(twice(&mut accounts), (Refused::Reread, Refused::Reread));
        assert_eq!(accounts.held(), [account.clone()].into());
        assert!(accounts.accepted(&account, Action::Create), "now it is");
        assert_eq!(twice(&mut accounts).1, Refused::Held);
    }
}
