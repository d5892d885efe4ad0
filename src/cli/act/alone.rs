//! Without a daemon: this process takes the lock and turns the same loop for one request. It admits nothing else and begins nothing else.

use super::{
    super::{
        exit::{self, Exit},
        run::{random_number, transport},
    },
    Act,
    progress::Seen,
};
use crate::{
    clock::{Clock, SystemClock},
    cloud::{client::Client, credentials::KeyRing},
    daemon::{self, Loaded, Outside},
    domain::{
        names::RunId,
        request::{Answer, Request},
    },
    ledger::Ledger,
};
use anyhow::Context;
use std::{sync::Arc, time::Duration};
use tokio::signal::unix::{SignalKind, signal};

/// How often the loop is rung, and the ledger looked at.
const TURN: Duration = Duration::from_millis(200);

/// Carries a request to its answer, and backups to their end.
pub(super) fn carry(act: &Act<'_>, mut ledger: Ledger, request: &Request) -> anyhow::Result<(i64, Answer)> {
    if matches!(request, Request::Backfill { .. }) {
        return Err(Exit::Failed.because("no daemon works on this ledger, and a backfill may take long; start it first").into());
    }
    let clock = SystemClock::new();
    let now = clock.now();
    let loaded = crate::config::load(&act.globals.config, now.utc)?;
    let id = ledger.ask(request, &act.asker(), now.utc).map_err(|error| exit::of_ledger(&error).because(error.to_string()))?;
    act.globals.tell(crate::config::Level::Warning, "no daemon works on this ledger; this command takes its place until it is done");
    let client = Client::new(clock, KeyRing::of_process(), transport(&loaded.policy))?;
    let policy = Arc::new(loaded.policy);
    let outside = Outside { only: Some(id), ..Outside::new(clock, client, policy.clone(), random_number()) };
    let bell = outside.ring.clone();
    let loaded = Loaded { policy, hash: loaded.text_hash, text: loaded.text, at: now.mono };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().context("start the runtime")?;
    let done = async {
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else { return };
        let mut seen = Seen::default();
        loop {
            tokio::select! {
                _ = interrupt.recv() => return,
                _ = terminate.recv() => return,
                () = clock.sleep(TURN) => bell.notify_one(),
            }
            if is_done(act, id, &mut seen).unwrap_or(true) {
                return;
            }
        }
    };
    let ended = runtime.block_on(daemon::run(outside, ledger, loaded, done));
    runtime.shutdown_background();
    ended.map_err(|daemon::Ended(error)| exit::of_ledger(&error).because(error.to_string()))?;
    let answer = act.reader()?.map(|reader| reader.answer(id)).transpose()?.flatten();
    Ok((id, answer.unwrap_or_else(|| Answer::refused("it was not begun; the clock was not proved, or it was stopped before"))))
}

/// Whether the request is answered and its runs have ended.
fn is_done(act: &Act<'_>, request: i64, seen: &mut Seen) -> anyhow::Result<bool> {
    let Some(answer) = act.reader()?.map(|reader| reader.answer(request)).transpose()?.flatten() else { return Ok(false) };
    let runs: Vec<RunId> = answer.runs.iter().map(|run| RunId(run.run_id)).collect();
    // Runs of others stand for some; a cancel ends runs that wait here and now.
    Ok(seen.look(act, &runs)?.iter().all(|run| run.is_final || run.item.trigger != crate::domain::run::Trigger::Manual.word()))
}
