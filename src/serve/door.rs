//! Connections: where they are accepted, how many there may be, and how long each lasts.
//!
//! Decided here: the bounds of a connection, whoever is at its other end. One request a connection, a head of 16 KiB, no body, an answer within 4 s
//! and its last byte within 5. A guest who says nothing makes room for one who comes: slow clients cannot keep a health check waiting.

use super::Failure;
use crate::clock::Clock;
use axum::{Router, body::Body, extract::Request, response::IntoResponse};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    collections::VecDeque,
    convert::Infallible,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};
use tower::Service;

/// So many connections are open at once.
const CONNECTIONS: usize = 16;
/// A connection's whole life.
const LONGEST: Duration = Duration::from_secs(5);
/// How long an answer may take to be made, so that a late one can still be told as such.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// Bytes of a request's head.
const HEAD_MAX: usize = 16 * 1024;
/// Lines of a request's head.
const HEADERS_MAX: usize = 64;
/// How long to wait when no connection can be accepted, for want of descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Why the door cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {reason}; {}", advice(.reason))]
pub struct DoorError {
    /// Where it was to listen.
    pub address: SocketAddr,
    /// Why it cannot.
    pub reason: io::Error,
}

fn advice(reason: &io::Error) -> &'static str {
    match reason.kind() {
        io::ErrorKind::AddrInUse => "end the program that listens there, or give the policy another `listen`, or `listen: \"off\"`",
        io::ErrorKind::PermissionDenied => "give the policy a `listen` with a port from 1024 on",
        _ => "give the policy a `listen` that is an address of this machine, or `listen: \"off\"`",
    }
}

/// An address that this process listens on.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    address: SocketAddr,
}

impl Door {
    /// Takes the address; from now on nobody else can have it.
    ///
    /// # Errors
    /// [`DoorError`] when it is in use, not this machine's, or not this user's to take.
    pub async fn bind(address: SocketAddr) -> Result<Self, DoorError> {
        let bound = TcpListener::bind(address).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) = bound.map_err(|reason| DoorError { address, reason })?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` resolves, and what is being answered then to its end.
    pub async fn serve<C: Clock>(self, router: Router, clock: C, stop: impl Future<Output = ()>) {
        let (mut stop, mut guests, mut talks) = (pin!(stop), VecDeque::<Guest>::new(), JoinSet::new());
        loop {
            guests.retain(|guest| !guest.talk.is_finished());
            let full = talks.len() >= CONNECTIONS;
            if full && let Some(idle) = guests.iter().position(|guest| guest.manners.says_nothing()) {
                guests.remove(idle).into_iter().for_each(|guest| guest.talk.abort());
            }
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(_) = talks.join_next(), if !talks.is_empty() => {}
                accepted = self.listener.accept(), if !full => match accepted {
                    Ok((stream, _)) => {
                        let manners = Arc::new(Manners::default());
                        let talk = talks.spawn(talk(stream, router.clone(), clock.clone(), manners.clone()));
                        guests.push_back(Guest { talk, manners });
                    }
                    Err(_) => clock.sleep(ACCEPT_AGAIN).await,
                },
            }
        }
        drop(self.listener);
        guests.iter().filter(|guest| guest.manners.says_nothing()).for_each(|guest| guest.talk.abort());
        while talks.join_next().await.is_some() {}
    }
}

/// A connection that is open.
struct Guest {
    talk: AbortHandle,
    manners: Arc<Manners>,
}

/// How far a guest has come.
#[derive(Debug, Default)]
struct Manners {
    /// It was listened to.
    heard: AtomicBool,
    /// It has sent the head of a request.
    asked: AtomicBool,
}

impl Manners {
    fn says_nothing(&self) -> bool {
        self.heard.load(Ordering::Relaxed) && !self.asked.load(Ordering::Relaxed)
    }
}

/// One connection: one request, one answer.
async fn talk<C: Clock>(stream: TcpStream, router: Router, clock: C, manners: Arc<Manners>) {
    let (asked, timer) = (manners.clone(), clock.clone());
    let answering = service_fn(move |request: Request<Incoming>| {
        asked.asked.store(true, Ordering::Relaxed);
        answer(router.clone(), request, timer.clone())
    });
    let mut connection = http1::Builder::new();
    connection.keep_alive(false).max_buf_size(HEAD_MAX).max_headers(HEADERS_MAX);
    let mut talking = pin!(connection.serve_connection(TokioIo::new(stream), answering));
    let talking = poll_fn(|context| {
        let polled = talking.as_mut().poll(context);
        manners.heard.store(true, Ordering::Relaxed);
        polled
    });
    tokio::select! {
        // Whoever breaks off has nobody to be told.
        ended = talking => drop(ended),
        () = clock.sleep(LONGEST) => {}
    }
}

async fn answer<C: Clock>(mut router: Router, request: Request<Incoming>, clock: C) -> Result<hyper::Response<Body>, Infallible> {
    tokio::select! {
        answered = router.call(request) => answered,
        () = clock.sleep(ANSWER_WITHIN) => Ok(Failure::Late.into_response()),
    }
}
