//! Who is told how it goes, while the loop turns: at most once a second how the daemon stands, and once a night that the ledger may be copied.
//!
//! Only a pass that has finished is told of, one that holds too. A hook runs in the loop: it may not wait for anything.

use super::Daemon;
use crate::{
    clock::{Clock, Wake},
    cloud::CdbApi,
    domain::{now::Now, policy::LedgerCopies, run::Restored, standing::Standing, trouble::Trouble},
};
use chrono::{DateTime, Utc};
use std::{fmt, time::Duration};

/// How often the outside is told, unless it asks for more.
const EACH: Duration = Duration::from_secs(1);

/// Hears how the daemon stands after a pass, at this monotonic time, and says by when it wants to hear of another.
pub type Passed = Box<dyn FnMut(&Standing, Duration) -> Option<Duration> + Send>;
/// Hears that the night's housekeeping is done and copies are wanted, at this proved time.
pub type Night = Box<dyn FnMut(&LedgerCopies, DateTime<Utc>) + Send>;

/// Who is told. None of them: nobody.
#[derive(Default)]
pub struct Hooks {
    /// After a pass.
    pub passed: Option<Passed>,
    /// After the night's housekeeping.
    pub night: Option<Night>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").field("passed", &self.passed.is_some()).field("night", &self.night.is_some()).finish()
    }
}

/// What was told, and what a pass left to tell.
#[derive(Debug, Default)]
pub(super) struct Tell {
    pub(super) next_slot: Option<DateTime<Utc>>,
    running: u64,
    told_at: Option<Duration>,
    wanted_by: Option<Duration>,
}

impl<C: Clock, A: CdbApi> Daemon<C, A> {
    /// Tells that a pass has finished, and wakes the loop for the next one that somebody wants.
    pub(super) fn tell(&mut self, wake: &mut Wake) {
        if self.outside.hooks.passed.is_none() {
            return;
        }
        let now = self.outside.clock.now().mono;
        let is_wanted = self.tell.wanted_by.is_some_and(|by| now >= by);
        if is_wanted || self.tell.told_at.is_none_or(|at| now >= at + EACH) {
            let standing = self.standing();
            self.tell.told_at = Some(now);
            self.tell.wanted_by = self.outside.hooks.passed.as_mut().and_then(|passed| passed(&standing, now)).map(|by| {
                // Whoever could not be told now is told later, and not at once.
                if by > now { by } else { now + EACH }
            });
        }
        if let Some(by) = self.tell.wanted_by {
            wake.sooner(by);
        }
    }

    pub(super) fn standing(&mut self) -> Standing {
        // While the ledger cannot be read, what it said last.
        self.tell.running = self.ledger.at_work().unwrap_or(self.tell.running);
        let now = self.outside.clock.now();
        let (jobs, running, next_slot) = (self.loaded.policy.jobs.len(), self.tell.running, self.tell.next_slot);
        Standing { troubles: self.troubles(now), jobs, running, next_slot }
    }

    /// All that is wrong, the weightiest first.
    pub(super) fn troubles(&self, now: Now) -> Vec<Trouble> {
        let silent = self.silences.told();
        let put_back = match self.ledger.restored() {
            Restored::Undated => Some(None),
            Restored::Until(until) if now.utc < until => Some(Some(until)),
            Restored::Until(_) | Restored::Never => None,
        };
        let found = [
            self.ledger_held.then_some(Trouble::Ledger),
            (!self.is_clock_proved()).then_some(Trouble::Clock),
            (!self.held.accounts.is_empty()).then(|| Trouble::Keys(self.held.accounts.iter().cloned().collect())),
            (!silent.is_empty()).then_some(Trouble::Silence(silent)),
            (!self.installed).then_some(Trouble::Unrecorded),
            self.reload.refused().map(Trouble::Refused),
            put_back.map(Trouble::PutBack),
        ];
        found.into_iter().flatten().collect()
    }

    /// Without instances nobody is asked for the time, and nothing waits for it.
    pub(super) fn is_clock_proved(&self) -> bool {
        self.clock_proof.proof().is_some() || self.loaded.policy.instances.is_empty()
    }
}
