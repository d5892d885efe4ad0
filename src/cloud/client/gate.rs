//! The last word before a byte of CreateBackup: 200 ms after the last passage, 1,005 ms after the fifth last, and not past the deadline.
//!
//! A commit, a stop of the process or a slow handshake may lie between permit and send; here nothing lies between but the write itself. The gate
//! stands where the connection, TLS included, has just been opened (reqwest's `connector_layer`). Between it and the write lies only the hand-over
//! of the connection inside the library. A wait here counts as connecting, which has its 5 s; whoever is kept longer was not started.

use crate::{clock::Clock, cloud::Caller};
use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{
        Arc, PoisonError,
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

/// The gates of all callers.
#[derive(Debug, Default)]
pub(super) struct Gates {
    by_caller: std::sync::Mutex<BTreeMap<Caller, Arc<Gate>>>,
}

impl Gates {
    /// The gate of a caller. Gates that bind nobody any more are dropped, so that what is kept does not grow with every key that ever was.
    pub(super) fn of(&self, caller: Caller, now: Duration) -> Arc<Gate> {
        let mut gates = self.by_caller.lock().unwrap_or_else(PoisonError::into_inner);
        gates.retain(|known, gate| *known == caller || Arc::strong_count(gate) > 1 || gate.binds(now));
        gates.entry(caller).or_default().clone()
    }
}

impl Gate {
    /// Whether a passage is young enough to keep the next one waiting, or somebody stands in the gate.
    fn binds(&self, now: Duration) -> bool {
        self.passages.try_lock().map_or(true, |passages| passages.back().is_some_and(|last| *last + FIVE_APART > now))
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use tokio::task::JoinSet;

    /// When `count` that come at once have passed.
    async fn passages(gate: &Arc<Gate>, clock: SystemClock, count: usize) -> Vec<Duration> {
        let mut waiting = JoinSet::new();
        for _ in 0..count {
            let gate = gate.clone();
            waiting.spawn(async move {
                gate.pass(&clock).await;
                clock.now().mono
            });
        }
        waiting.join_all().await
    }

    fn assert_apart(passages: &[Duration]) {
        assert!(passages.windows(2).all(|pair| pair[1] - pair[0] >= APART), "{passages:?}");
        assert!(passages.windows(6).all(|six| six[5] - six[0] >= FIVE_APART), "{passages:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_passes_in_order_and_never_six_in_a_second() {
        let (gate, clock) = (Arc::<Gate>::default(), SystemClock::new());
        let passages = passages(&gate, clock, 40).await;
        assert_eq!(passages.len(), 40);
        assert_apart(&passages);
        assert!(passages[39] < Duration::from_secs(9), "it is no slower than it must be: {:?}", passages[39]);
    }

    #[tokio::test(start_paused = true)]
    async fn idle_time_saves_up_nothing() {
        let (gate, clock) = (Arc::<Gate>::default(), SystemClock::new());
        let mut all = passages(&gate, clock, 3).await;
        clock.sleep(Duration::from_secs(60)).await;
        let idle_until = clock.now().mono;
        all.extend(passages(&gate, clock, 12).await);
        assert_apart(&all);
        assert_eq!(all[3], idle_until, "the first after an idle time does not wait");
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_gives_up_waiting_leaves_the_gate_open_for_the_next() {
        let (gate, clock) = (Arc::<Gate>::default(), SystemClock::new());
        gate.pass(&clock).await;
        let waited = tokio::time::timeout(Duration::from_millis(50), gate.pass(&clock)).await;
        assert!(waited.is_err());
        gate.pass(&clock).await;
        assert_eq!(clock.now().mono, APART);
    }

    #[tokio::test(start_paused = true)]
    async fn a_gate_is_kept_exactly_as_long_as_it_binds_somebody() {
        let (gates, clock) = (Gates::default(), SystemClock::new());
        let kept = |gates: &Gates| gates.by_caller.lock().unwrap().keys().map(|caller| caller.0).collect::<Vec<_>>();
        gates.of(Caller(1), clock.now().mono).pass(&clock).await;
        clock.sleep(FIVE_APART - Duration::from_millis(1)).await;
        drop(gates.of(Caller(2), clock.now().mono));
        assert_eq!(kept(&gates), [1, 2]);
        clock.sleep(Duration::from_millis(1)).await;
        let held = gates.of(Caller(2), clock.now().mono);
        assert_eq!(kept(&gates), [2]);
        drop(gates.of(Caller(3), clock.now().mono));
        assert_eq!(kept(&gates), [2, 3], "a gate that a call still holds is not made anew");
        drop(held);
    }
}
