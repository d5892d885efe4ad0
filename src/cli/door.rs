//! The door of `run`: taken before the loop starts, opened with it, closed after it.
//!
//! Not decided here: what is answered, and to whom (`serve`).

use crate::{
    clock::{Clock, SystemClock},
    cloud::credentials::KeyRing,
    domain::policy::Policy,
    metrics::Gauges,
    serve::{self, Guard, Token},
};
use anyhow::Context;
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{sync::oneshot, task::JoinSet};

/// How long answers that are being given when the loop ends may still take.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// An address that is taken, and what will answer there; or nothing, when the page is off.
#[derive(Debug, Default)]
pub(super) struct Door(Option<(serve::Door, axum::Router)>);

impl Door {
    /// Takes the address that the policy says, if it says one.
    pub(super) async fn take(
        listen: Option<SocketAddr>,
        policy: &Policy,
        ledger: &Path,
        gauges: &Arc<Gauges>,
        ring: &KeyRing,
        clock: SystemClock,
    ) -> anyhow::Result<Self> {
        let Some(address) = listen else { return Ok(Self::default()) };
        let token = policy.listen_token.as_ref().map(|source| ring.token(source)).transpose().context("read `listen_token`")?;
        let token = token.map(|text| Token::new(&text)).transpose()?;
        let state = serve::State::new(ledger.to_owned(), gauges.clone(), move || clock.now());
        let door = serve::Door::bind(address).await?;
        Ok(Self(Some((door, serve::router(state, Guard::of(address, token))))))
    }

    /// Where it listens, or `off`.
    pub(super) fn place(&self) -> String {
        self.0.as_ref().map_or_else(|| "off".to_owned(), |(door, _)| door.address().to_string())
    }

    /// Answers from now on, beside the loop.
    pub(super) fn open(self, clock: SystemClock) -> Answering {
        let (stop, stopped) = oneshot::channel();
        let mut tasks = JoinSet::new();
        if let Some((door, router)) = self.0 {
            tasks.spawn(door.serve(router, clock, async { drop(stopped.await) }));
        }
        Answering { tasks, stop }
    }
}

/// An open door; it closes with this.
#[derive(Debug)]
pub(super) struct Answering {
    tasks: JoinSet<()>,
    stop: oneshot::Sender<()>,
}

impl Answering {
    /// Takes no more guests, and lets those who are being answered go in peace.
    pub(super) async fn close(mut self, clock: &SystemClock) {
        drop(self.stop);
        tokio::select! {
            _ = self.tasks.join_next() => {}
            () = clock.sleep(LAST_ANSWERS) => {}
        }
    }
}
