//! The last word before a byte of CreateBackup: 200 ms after the last passage, 1,005 ms after the fifth last, and not past the deadline.
//!
//! A commit, a stop of the process or a slow handshake may lie between permit and send; here nothing lies between but the write itself. The gate
//! stands where the connection, TLS included, has just been opened (reqwest's `connector_layer`).

use crate::clock::Clock;
use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::Mutex;
use tower::{BoxError, Layer, Service};

/// The distance between two passages.
const APART: Duration = Duration::from_millis(200);
/// Between the first and the sixth of any six.
const FIVE_APART: Duration = Duration::from_millis(1_005);

/// The passages of one caller.
#[derive(Debug, Default)]
pub(super) struct Gate {
    passages: Mutex<VecDeque<Duration>>,
}

impl Gate {
    async fn pass<C: Clock>(&self, clock: &C) {
        // Held while waiting: whoever came first passes first.
        let mut passages = self.passages.lock().await;
        loop {
            let last = passages.back().map_or(Duration::ZERO, |at| *at + APART);
            let fifth = if passages.len() >= 5 { passages.front().map_or(Duration::ZERO, |at| *at + FIVE_APART) } else { Duration::ZERO };
            let now = clock.now().mono;
            let free = last.max(fifth);
            if passages.is_empty() || now >= free {
                if passages.len() >= 5 {
                    passages.pop_front();
                }
                passages.push_back(now);
                return;
            }
            clock.sleep(free - now).await;
        }
    }
}

/// One create on its way to the gate; the connector finds it in its task.
#[derive(Clone, Debug)]
pub(super) struct Passage {
    pub(super) gate: Arc<Gate>,
    pub(super) deadline: Duration,
    /// Set once it has passed: from then on bytes may have been written.
    pub(super) passed: Arc<AtomicBool>,
}

tokio::task_local! {
    pub(super) static PASSAGE: Passage;
}

/// Why the gate let nobody through.
#[derive(Debug, thiserror::Error)]
pub(super) enum Shut {
    /// Its deadline has passed.
    #[error("its deadline passed before the first byte")]
    DeadlinePassed,
    /// It came without a passage: a connection that is not a create's.
    #[error("a connection without a passage")]
    NoPassage,
}

/// Puts the gate behind the connector.
#[derive(Clone, Debug)]
pub(super) struct GateLayer<C> {
    pub(super) clock: C,
}

impl<S, C: Clone> Layer<S> for GateLayer<C> {
    type Service = Gated<S, C>;
    fn layer(&self, inner: S) -> Self::Service {
        Gated { inner, clock: self.clock.clone() }
    }
}

/// A connector whose connections pass the gate.
#[derive(Clone, Debug)]
pub(super) struct Gated<S, C> {
    inner: S,
    clock: C,
}

impl<S, C, R> Service<R> for Gated<S, C>
where
    S: Service<R, Error = BoxError>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
    C: Clock,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let connecting = self.inner.call(request);
        let clock = self.clock.clone();
        Box::pin(async move {
            let connection = connecting.await?;
            let passage = PASSAGE.try_with(Clone::clone).map_err(|_| Shut::NoPassage)?;
            passage.gate.pass(&clock).await;
            if clock.now().mono >= passage.deadline {
                return Err(Shut::DeadlinePassed.into());
            }
            passage.passed.store(true, Ordering::SeqCst);
            Ok(connection)
        })
    }
}
