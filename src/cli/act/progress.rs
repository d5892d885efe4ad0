//! Waiting for runs, on stderr, until all have ended: a bar on a terminal, a line for each change elsewhere.

use super::{
    super::{
        exit::Exit,
        progress::{Elsewhere, Lasting, on_terminal},
    },
    Act,
};
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
    let mut seen = Seen::on(act);
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

/// How a command ends that was the daemon for these runs; each change was told as it came.
pub(super) fn carried(act: &Act<'_>, runs: &[RunId]) -> anyhow::Result<Exit> {
    let progress = act.reader()?.map(|reader| reader.progress(runs)).transpose()?.unwrap_or_default();
    let open = progress.iter().filter(|run| !run.is_final).count();
    if open > 0 {
        let says = format!("stopped before {open} of {} had ended; a daemon goes on with them, or the same command once more", progress.len());
        act.globals.tell(Level::Warning, &says);
    }
    Ok(ended(&progress))
}

fn ended(progress: &[Progress]) -> Exit {
    if progress.iter().all(|run| run.is_good) { Exit::Ok } else { Exit::NotAllGood }
}

/// What was told last of each run.
pub(super) struct Seen {
    told: BTreeMap<i64, String>,
    /// Only on a terminal.
    bar: Option<Lasting>,
}

impl Seen {
    /// Nothing yet.
    pub(super) fn on(act: &Act<'_>) -> Self {
        let bar = on_terminal().then(|| Lasting::begin(act.globals, "backups that have ended", Elsewhere::Nothing));
        Self { told: BTreeMap::new(), bar }
    }

    /// Tells what has changed since the last look; beside a bar only what has ended.
    pub(super) fn look(&mut self, act: &Act<'_>, runs: &[RunId]) -> anyhow::Result<Vec<Progress>> {
        let progress = act.reader()?.map(|reader| reader.progress(runs)).transpose()?.unwrap_or_default();
        for Progress { item, is_final, .. } in &progress {
            let stands = format!("{}: {}", item.state, item.why);
            if self.told.get(&item.run_id) == Some(&stands) {
                continue;
            }
            let backup = item.backup_id.map_or_else(String::new, |id| format!(" (backup {id})"));
            let line = format!("run {}, {} on {}: {stands}{backup}", item.run_id, item.job, item.instance_name);
            let tell = || act.globals.tell(Level::Warning, &line);
            match &self.bar {
                None => tell(),
                Some(bar) if *is_final => bar.beside(tell),
                Some(bar) => bar.at(ended_of(&progress), progress.len() as u64, &line),
            }
            self.told.insert(item.run_id, stands);
        }
        if let Some(bar) = &self.bar {
            bar.done(ended_of(&progress), progress.len() as u64);
        }
        Ok(progress)
    }
}

fn ended_of(progress: &[Progress]) -> u64 {
    progress.iter().filter(|run| run.is_final).count() as u64
}
