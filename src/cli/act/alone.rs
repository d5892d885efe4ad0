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

/// So many turns follow the last that there is to do: what was cancelled or paused ends in one.
const TURNS_AFTER: u32 = 2;
/// How often the loop is rung, and the ledger looked at.
const TURN: Duration = Duration::from_millis(200);

/// Carries a request to its answer, and backups to their end.
pub(super) fn carry(act: &Act<'_>, mut ledger: Ledger, request: &Request) -> anyhow::Result<(i64, Answer)> {
    if matches!(request, Request::Reload {}) {
        return Err(Exit::Failed.because("no daemon works on this ledger; the next one reads the policy when it starts").into());
    }
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
        let (mut seen, mut turns) = (Seen::on(act), 0);
        loop {
            tokio::select! {
                _ = interrupt.recv() => return,
                _ = terminate.recv() => return,
                () = clock.sleep(TURN) => bell.notify_one(),
            }
            let Ok(answered) = is_answered(act, id, request, &mut seen) else { return };
            turns += u32::from(answered);
            if turns > TURNS_AFTER {
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

/// Whether the request is answered and, of a backup, its runs have ended.
fn is_answered(act: &Act<'_>, id: i64, request: &Request, seen: &mut Seen) -> anyhow::Result<bool> {
    let Some(answer) = act.reader()?.map(|reader| reader.answer(id)).transpose()?.flatten() else { return Ok(false) };
    if !matches!(request, Request::Backup { .. }) {
        return Ok(true);
    }
    let runs: Vec<RunId> = answer.runs.iter().map(|run| RunId(run.run_id)).collect();
    Ok(seen.look(act, &runs)?.iter().all(|run| run.is_final))
}
