//! The night's housekeeping: the history is kept within the policy's bounds, a slice at the end of a pass, behind everything that is due. Then the
//! outside hears that the ledger may be copied; the loop does not wait for it.

use super::{Daemon, log};
use crate::{
    clock::{Clock, Wake},
    cloud::CdbApi,
    domain::run::Reading,
    ledger,
};
use std::sync::atomic::Ordering;

impl<C: Clock, A: CdbApi> Daemon<C, A> {
    /// One slice, if there is anything to do; the loop comes back at once while there is more. It waits for the clock's proof.
    pub(super) fn do_chores(&mut self, reading: &Reading, wake: &mut Wake) -> Result<(), ledger::Error> {
        if reading.proof.is_none() {
            return Ok(());
        }
        if self.outside.chores.swap(false, Ordering::Relaxed) && self.sweep.is_none() {
            self.sweep = Some(self.ledger.sweep(self.loaded.policy.history, reading.now.utc)?);
        }
        let Some(sweep) = &mut self.sweep else { return Ok(()) };
        if self.ledger.prune(sweep)? {
            wake.sooner(reading.now.mono);
        } else {
            log::pruned(sweep.pruned, &self.loaded.policy.history);
            self.sweep = None;
            if let (Some(copies), Some(night)) = (&self.loaded.policy.ledger_copies, &mut self.outside.hooks.night) {
                night(copies, reading.now.utc);
            }
        }
        Ok(())
    }
}
