//! Waiting for runs: a line for each change, on stderr, until all have ended.

use super::{super::exit::Exit, Act};
use crate::{
    clock::{Clock, SystemClock},
    config::Level,
    domain::names::RunId,
    ledger::report::Progress,
};
use std::{collections::BTreeMap, time::Duration};

/// How often the ledger is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Waits until all of them have ended, at most so long; 0 when all are good.
pub(super) fn wait(act: &Act<'_>, runs: &[RunId], most: Duration) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let clock = SystemClock::new();
    let until = clock.now().mono.saturating_add(most);
    let mut seen = Seen::default();
    loop {
        let progress = seen.look(act, runs)?;
        if progress.iter().all(|run| run.is_final) {
            return Ok(ended(&progress));
        }
        if clock.now().mono >= until {
            let open = progress.iter().filter(|run| !run.is_final).count();
            act.globals.tell(Level::Warning, &format!("{open} of {} have not ended yet; the daemon goes on with them", progress.len()));
            return Ok(Exit::NotAllGood);
        }
        runtime.block_on(clock.sleep(LOOK));
    }
}

/// How a command ends whose runs have ended.
pub(super) fn ended(progress: &[Progress]) -> Exit {
    if progress.iter().all(|run| run.is_good) { Exit::Ok } else { Exit::NotAllGood }
}

/// What was told last of each run.
#[derive(Default)]
pub(super) struct Seen(BTreeMap<i64, String>);

impl Seen {
    /// Tells what has changed since the last look.
    pub(super) fn look(&mut self, act: &Act<'_>, runs: &[RunId]) -> anyhow::Result<Vec<Progress>> {
        let progress = act.reader()?.map(|reader| reader.progress(runs)).transpose()?.unwrap_or_default();
        for Progress { item, .. } in &progress {
            let stands = format!("{}: {}", item.state, item.why);
            if self.0.get(&item.run_id) != Some(&stands) {
                let backup = item.backup_id.map_or_else(String::new, |id| format!(" (backup {id})"));
                act.globals.tell(Level::Warning, &format!("run {}, {} on {}: {stands}{backup}", item.run_id, item.job, item.instance_name));
                self.0.insert(item.run_id, stands);
            }
        }
        Ok(progress)
    }
}
