//! The HTTP door: the page, `/metrics`, `/healthz` and `/readyz`. Read only: GET and HEAD, and nothing that a request does changes anything.
//!
//! Decided here: which path leads where, what is said with every answer, and how the ledger is read on behalf of a request. Not decided here: how a
//! connection is bounded (`door`), who may ask (`access`), and what is told (`health`, `page`).
//!
//! Nothing here sees the loop. It shows itself through [`Gauges`] and through its ledger, which is read on the blocking pool, by connections of
//! their own and by few at a time: whatever is asked, the loop neither waits for it nor pays for it.

mod access;
mod door;
mod health;
mod page;
mod reading;
mod scrape;

pub use access::{Guard, Token, TokenError};
pub use door::{Door, DoorError};

use crate::{
    domain::{now::Now, policy::Policy, trouble},
    ledger::report::{Error, Pulse, Reader},
    metrics::Gauges,
};
use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use chrono::TimeDelta;
use reading::Shelf;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// What every answer says: nothing of it runs, is framed, guessed at, passed on or kept.
const SAID_ALWAYS: [(HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];

/// A fault that lasts is told of again after so many milliseconds.
const TOLD_AGAIN_MS: u64 = 600_000;

/// What answers are made of. Clones are the same one.
#[derive(Clone)]
pub struct State(Arc<Inner>);

struct Inner {
    shelf: Shelf,
    gauges: Arc<Gauges>,
    now: Box<dyn Fn() -> Now + Send + Sync>,
    /// When it was told last that the ledger cannot be read; 0 while it can.
    unread: AtomicU64,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("shelf", &self.0.shelf).finish_non_exhaustive()
    }
}

impl State {
    /// Answers out of the ledger at this path and out of what the loop shows of itself, by the loop's own clock.
    pub fn new(ledger: PathBuf, gauges: Arc<Gauges>, now: impl Fn() -> Now + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner { shelf: Shelf::new(ledger), gauges, now: Box::new(now), unread: AtomicU64::new(0) }))
    }

    /// One reading of the loop's clocks.
    pub fn now(&self) -> Now {
        (self.0.now)()
    }

    /// Where the ledger lies.
    pub fn ledger(&self) -> &Path {
        self.0.shelf.ledger()
    }

    /// What the loop shows of itself.
    pub fn gauges(&self) -> &Gauges {
        &self.0.gauges
    }

    /// The policy in force.
    pub fn policy(&self) -> Arc<Policy> {
        self.0.gauges.policy()
    }

    /// The loop's pulse as it shows itself: a disk that is full keeps it out of the ledger. Of a loop that has not turned yet, what was `read` there.
    fn pulse(&self, read: Option<Pulse>) -> Option<Pulse> {
        let now = self.now();
        let Some(age) = self.gauges().pass_age(now.mono) else { return read };
        let troubles = self.gauges().troubles();
        let at = now.utc - TimeDelta::from_std(age).unwrap_or_default();
        Some(Pulse { at, pid: std::process::id().into(), verdict: trouble::word(&troubles).to_owned(), says: trouble::says(&troubles) })
    }

    /// Reads the ledger on the blocking pool, with a connection of its own; none when there is no ledger yet. Dropped, it ends.
    ///
    /// # Errors
    /// [`Failure::Ledger`] as the reading says; [`Failure::Broken`] when it panicked.
    pub async fn read<T, F>(&self, read: F) -> Result<Option<T>, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&Reader) -> Result<T, Error> + Send + 'static,
    {
        let read = self.0.shelf.read(read).await;
        match &read {
            Err(Failure::Ledger(error)) => self.unread(error),
            _ => self.0.unread.store(0, Relaxed),
        }
        read
    }

    /// A ledger that stays unreadable is told of with the first request and now and then, not with each.
    fn unread(&self, error: &Error) {
        // One more, so that the first moment of a clock is no 0.
        let now = u64::try_from(self.now().mono.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        let told = self.0.unread.load(Relaxed);
        if told == 0 || now.saturating_sub(told) >= TOLD_AGAIN_MS {
            self.0.unread.store(now, Relaxed);
            tracing::warn!(%error, "requests cannot be answered as they should: the ledger cannot be read");
        }
    }
}

/// Why there is no answer. What it says to whoever asks is fit for strangers: no path, no text of the ledger.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is nothing of this name.
    #[error("there is nothing here; begin at /")]
    NotFound,
    /// The request names a host that is not this one.
    #[error("this address answers to `localhost` and its own number only; ask for it by one of these")]
    Misdirected,
    /// A token is wanted, and was not given.
    #[error("a token is wanted here: `Authorization: Bearer TOKEN`, or as the password of any user")]
    Unknown,
    /// Only GET and HEAD are understood.
    #[error("only GET and HEAD are understood")]
    Method,
    /// What was asked for cannot be understood; says why.
    #[error("{0}")]
    Asked(String),
    /// The ledger cannot be read now.
    #[error("the ledger cannot be read now; see the daemon's log")]
    Ledger(#[from] Error),
    /// It took too long.
    #[error("this took too long and was given up; ask again, for less")]
    Late,
    /// This program failed.
    #[error("this program failed to answer; see the daemon's log")]
    Broken,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Unknown => StatusCode::UNAUTHORIZED,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Asked(_) => StatusCode::BAD_REQUEST,
            Self::Ledger(_) | Self::Late => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{self}\n")).into_response()
    }
}

/// All paths, behind a guard.
pub fn router(state: State, guard: Guard) -> Router {
    Router::new()
        .merge(page::routes())
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(scrape::metrics))
        .fallback(|| async { Failure::NotFound })
        .layer(middleware::from_fn(only_reading))
        .layer(middleware::from_fn_with_state(guard, access::check))
        .layer(middleware::from_fn(say_always))
        .with_state(state)
}

/// Whatever the path: a request that is no reading is refused before anything looks at it.
async fn only_reading(request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    ([(header::ALLOW, "GET, HEAD")], Failure::Method).into_response()
}

async fn say_always(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, said) in SAID_ALWAYS {
        response.headers_mut().insert(name, HeaderValue::from_static(said));
    }
    response
}
