//! The policy's file, read again while the daemon turns: on the blocking pool, since a file system that hangs must not hang the loop.
//!
//! Decided here: what of a policy takes a restart, and how its faults are handed to the loop. When it comes into force is `daemon::reload`'s.

use super::{Globals, run::list_offsets};
use crate::{
    clock::{Clock, SystemClock, since_boot},
    cloud::client::Client,
    config::{self, Level, LoadError, Loaded},
    daemon::{Fresh, Read, Refused, Source},
    domain::policy::TokenSource,
    systemd::Systemd,
};
use std::{net::SocketAddr, path::PathBuf, sync::Arc};

/// What the daemon was started with and keeps to its end.
#[derive(Clone, Debug)]
pub(super) struct Started {
    pub(super) ledger: PathBuf,
    pub(super) listen: Option<SocketAddr>,
    pub(super) listen_token: Option<TokenSource>,
}

/// Where the loop gets the policy from when somebody asks for it again.
pub(super) fn source(globals: &Globals, started: Started, clock: SystemClock, client: &Client<SystemClock>, systemd: &Systemd) -> Source {
    let (globals, started) = (Arc::new(globals.clone()), Arc::new(started));
    let (client, systemd) = (client.clone(), systemd.clone());
    Source::of(move || {
        let (globals, started, client, systemd) = (globals.clone(), started.clone(), client.clone(), systemd.clone());
        let file = globals.config.display().to_string();
        Box::pin(async move {
            systemd.reloading(since_boot());
            let read = tokio::task::spawn_blocking(move || read(&globals, &started, clock, &client)).await;
            systemd.reloaded();
            read.unwrap_or_else(|_| Err(failed(file)))
        })
    })
}

fn read(globals: &Globals, started: &Started, clock: SystemClock, client: &Client<SystemClock>) -> Read {
    let loaded = config::load(&globals.config, clock.now().utc).map_err(|error| refused(&error))?;
    globals.tell_faults(&loaded.warnings);
    client.read_lists_at(list_offsets(&loaded.policy));
    let at_next_start = at_next_start(&loaded, started);
    Ok(Fresh { policy: Arc::new(loaded.policy), hash: loaded.text_hash, text: loaded.text, at_next_start })
}

fn at_next_start(loaded: &Loaded, started: &Started) -> Vec<String> {
    let mut sentences = Vec::new();
    if loaded.ledger != started.ledger {
        let (new, old) = (loaded.ledger.display(), started.ledger.display());
        sentences.push(format!("the policy names another ledger, {new}; this daemon keeps {old} until it is restarted"));
    }
    if loaded.listen != started.listen {
        let written = |listen: Option<SocketAddr>| listen.map_or("off".to_owned(), |address| address.to_string());
        let (new, old) = (written(loaded.listen), written(started.listen));
        sentences.push(format!("the policy says `listen: {new}`; this daemon keeps to {old} until it is restarted"));
    }
    if loaded.policy.listen_token != started.listen_token {
        sentences.push("the policy has another `listen_token`; this daemon asks for the one it has until it is restarted".to_owned());
    }
    sentences
}

fn refused(error: &LoadError) -> Refused {
    let beyond = if let LoadError::Faulty { beyond, .. } = error { *beyond } else { 0 };
    let faults: Vec<_> = error.faults().iter().filter(|fault| fault.level == Level::Error).collect();
    let Some(first) = faults.first() else { return failed(error.to_string()) };
    let place = [first.line, first.column].into_iter().flatten().fold(first.file.clone(), |place, n| format!("{place}:{n}"));
    Refused { faults: faults.len() + beyond, place, message: first.message.clone(), hint: first.hint.clone().unwrap_or_default() }
}

fn failed(place: String) -> Refused {
    Refused { faults: 1, place, message: "it could not be read to its end".into(), hint: "`cdb-backupd check` tells what is wrong".into() }
}
