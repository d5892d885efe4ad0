//! The daemon's process, which anybody who holds a handle may signal.

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    process::{Child, Command, ExitStatus},
    sync::{Arc, Mutex, PoisonError},
};

/// One process at a time; all clones see the same one. A signal only ever reaches a child that has not been waited for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Process(Arc<Mutex<Option<Child>>>);

impl Process {
    /// Starts the next one.
    pub(crate) fn start(&self, command: &mut Command) -> anyhow::Result<()> {
        let child = command.spawn().with_context(|| format!("start {}", command.get_program().display()))?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        Ok(())
    }

    /// Sends it a signal; false when there is none to reach.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        let child = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pid = child.as_ref().and_then(|child| Pid::from_raw(child.id().try_into().ok()?));
        pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
    }

    /// Its number; none when there is none.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Child::id)
    }

    /// How it ended, told once; nothing while it lives.
    pub(crate) fn ended(&self) -> anyhow::Result<Option<ExitStatus>> {
        let mut child = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = child.as_mut().context("no daemon was started")?.try_wait()?;
        if ended.is_some() {
            *child = None;
        }
        Ok(ended)
    }

    /// Ends it for good.
    pub(crate) fn clear(&self) {
        if let Some(mut child) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}
