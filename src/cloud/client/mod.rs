//! The real cloud over HTTP: one call is one attempt. Nothing is retried, resent or redirected, and a create has a connection of its own.
//!
//! Decided here: how bytes travel, and what a failure to travel means. Not here: what a code means ([`super::codes`]), when to call (the loop).

mod echo;
mod gate;
mod proxy;

pub use proxy::{proxies_among, proxies_in_use};

use super::{
    Access, Call, CallError, Caller, CdbApi, Class, Create, List, Page, Reply,
    credentials::{KeyRing, Keys},
    sign, wire,
};
use crate::{
    clock::Clock,
    domain::{
        names::BackupId,
        run::sent::{DEADLINE_PASSED, NO_CONNECTION},
    },
};
use chrono::{DateTime, Utc};
use gate::{GateLayer, Gates, PASSAGE, Passage};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// The one content type of the API; signed byte for byte.
const JSON: &str = "application/json";
/// A reply is read up to here.
const REPLY_MAX: usize = 8 * 1024 * 1024;
/// Two lists of one caller are so far apart: below the documented 10 a second, for pages too.
const LISTS_APART: Duration = Duration::from_millis(105);
/// What the cloud's zone-less times are read at when the account does not say: Beijing.
const LIST_OFFSET_S: i32 = 8 * 3600;

/// How calls travel.
#[derive(Clone, Debug)]
pub struct Transport {
    /// Until the connection, with TLS, is open.
    pub connect: Duration,
    /// The whole call.
    pub whole: Duration,
    /// At which offset an account's zone-less times are read.
    pub list_offsets_s: BTreeMap<Access, i32>,
}

impl Default for Transport {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), whole: Duration::from_secs(20), list_offsets_s: BTreeMap::new() }
    }
}

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client could not be made; are the system's CA certificates installed (package ca-certificates)?")]
pub struct ClientError(#[source] reqwest::Error);

/// The real cloud. All clones share connections, gates and keys.
#[derive(Clone, Debug)]
pub struct Client<C> {
    shared: Arc<Shared<C>>,
}

#[derive(Debug)]
struct Shared<C> {
    clock: C,
    keys: KeyRing,
    near: Doors,
    far: Doors,
    gates: Gates,
    lists: Mutex<BTreeMap<Caller, Duration>>,
    list_offsets_s: Mutex<BTreeMap<Access, i32>>,
}

/// Creates and lists of endpoints that are reached the same way.
#[derive(Debug)]
struct Doors {
    creates: reqwest::Client,
    lists: reqwest::Client,
}

/// One request, ready but for its signature.
struct Outgoing<'a> {
    call: &'a Call,
    action: &'static str,
    body: Vec<u8>,
}

/// What came back, before it is understood.
struct Incoming {
    date: Option<DateTime<Utc>>,
    body: Result<Vec<u8>, CallError>,
}

impl<C: Clock> Client<C> {
    /// A client over these keys.
    pub fn new(clock: C, keys: KeyRing, transport: Transport) -> Result<Self, ClientError> {
        // A second install (tests) is refused, and no fault.
        drop(rustls::crypto::ring::default_provider().install_default());
        let doors = |loopback: bool| -> Result<Doors, ClientError> {
            let bare = || {
                let builder = reqwest::Client::builder()
                    .http1_only()
                    .tcp_nodelay(true)
                    .redirect(reqwest::redirect::Policy::none())
                    .retry(reqwest::retry::never())
                    .connect_timeout(transport.connect)
                    .timeout(transport.whole);
                if loopback { builder.no_proxy() } else { builder.https_only(true) }
            };
            let creates = bare().pool_max_idle_per_host(0).connector_layer(GateLayer { clock: clock.clone() });
            let lists = bare().pool_max_idle_per_host(4).pool_idle_timeout(Duration::from_secs(20));
            Ok(Doors { creates: creates.build().map_err(ClientError)?, lists: lists.build().map_err(ClientError)? })
        };
        let (near, far) = (doors(true)?, doors(false)?);
        let list_offsets_s = Mutex::new(transport.list_offsets_s);
        let shared = Shared { clock, keys, near, far, gates: Gates::default(), lists: Mutex::default(), list_offsets_s };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// From now on, at which offset an account's zone-less times are read.
    pub fn read_lists_at(&self, offsets_s: BTreeMap<Access, i32>) {
        *self.shared.list_offsets_s.lock().unwrap_or_else(PoisonError::into_inner) = offsets_s;
    }

    fn doors(&self, access: &Access) -> &Doors {
        if access.endpoint.is_loopback() { &self.shared.near } else { &self.shared.far }
    }

    fn keys(&self, access: &Access) -> Result<Arc<Keys>, CallError> {
        self.shared.keys.keys(&access.credentials).map_err(|error| CallError {
            class: Class::Account,
            code: "no_credentials".into(),
            message: wire::clean(&error.to_string(), 512),
        })
    }

    /// Waits until this caller's next list may leave.
    async fn list_turn(&self, caller: Caller) {
        let now = self.shared.clock.now().mono;
        let at = {
            let mut lists = self.shared.lists.lock().unwrap_or_else(PoisonError::into_inner);
            // A turn that is over binds nobody, so what is kept does not grow with every key that ever was.
            lists.retain(|_, last| *last + LISTS_APART > now);
            let at = lists.get(&caller).map_or(now, |last| now.max(*last + LISTS_APART));
            lists.insert(caller, at);
            at
        };
        if at > now {
            self.shared.clock.sleep(at - now).await;
        }
    }

    async fn send(&self, door: &reqwest::Client, outgoing: Outgoing<'_>, keys: &Keys, passed: &AtomicBool) -> Incoming {
        let failed = |error| Incoming { date: None, body: Err(error) };
        let (signature, headers) = match headers(&outgoing, keys) {
            Ok(headers) => (signature(&headers), headers),
            Err(error) => return failed(error),
        };
        let request = door.post(outgoing.call.access.endpoint.url()).headers(headers).body(outgoing.body);
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return failed(transport_error(&error, passed.load(Ordering::SeqCst))),
        };
        let date = response.headers().get(DATE).and_then(|value| value.to_str().ok()).and_then(|text| DateTime::parse_from_rfc2822(text).ok());
        let date = date.map(|date| date.to_utc());
        let status = response.status().as_u16();
        if status != 200 {
            let message = format!("the gateway answered with HTTP status {status}");
            return Incoming { date, body: Err(CallError { class: Class::Ambiguous, code: format!("http_{status}"), message }) };
        }
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= REPLY_MAX => body.extend_from_slice(&chunk),
                Ok(Some(_)) => {
                    let message = "the reply is longer than 8 MiB".into();
                    return Incoming { date, body: Err(CallError { class: Class::Ambiguous, code: "garbage".into(), message }) };
                }
                Ok(None) => {
                    let token = keys.token.as_ref().map_or("", |token| token.expose_secret());
                    echo::strike_out(&mut body, &[keys.secret_key.expose_secret(), keys.identity(), token, &signature]);
                    return Incoming { date, body: Ok(body) };
                }
                Err(error) => return Incoming { date, body: Err(transport_error(&error, true)) },
            }
        }
    }
}

impl<C: Clock> CdbApi for Client<C> {
    async fn create_backup(&self, create: Create) -> Reply<BackupId> {
        let begun = self.shared.clock.now().mono;
        let refused = |error| Reply { answer: Err(error), date: None, request_id: None, elapsed: Duration::ZERO };
        let keys = match self.keys(&create.call.access) {
            Ok(keys) => keys,
            Err(error) => return refused(error),
        };
        let caller = caller_of(&create.call.access, &keys);
        let gate = self.shared.gates.of(caller, begun);
        let passed = Arc::new(AtomicBool::new(false));
        let passage = Passage { gate, deadline: create.call.deadline, passed: passed.clone() };
        let outgoing = Outgoing { call: &create.call, action: "CreateBackup", body: wire::create_body(&create) };
        let sending = self.send(&self.doors(&create.call.access).creates, outgoing, &keys, &passed);
        let incoming = PASSAGE.scope(passage, sending).await;
        let (request_id, answer) = match incoming.body {
            Ok(body) => wire::created(&body),
            Err(error) => (None, Err(error)),
        };
        Reply { answer, date: incoming.date, request_id, elapsed: self.shared.clock.now().mono.saturating_sub(begun) }
    }

    async fn describe_backups(&self, list: List) -> Reply<Page> {
        let begun = self.shared.clock.now().mono;
        let keys = match self.keys(&list.call.access) {
            Ok(keys) => keys,
            Err(error) => return Reply { answer: Err(error), date: None, request_id: None, elapsed: Duration::ZERO },
        };
        self.list_turn(caller_of(&list.call.access, &keys)).await;
        if self.shared.clock.now().mono >= list.call.deadline {
            let error = CallError { class: Class::Refused, code: DEADLINE_PASSED.into(), message: gate::Shut::DeadlinePassed.to_string() };
            return Reply { answer: Err(error), date: None, request_id: None, elapsed: self.shared.clock.now().mono.saturating_sub(begun) };
        }
        let outgoing = Outgoing { call: &list.call, action: "DescribeBackups", body: wire::list_body(&list) };
        let incoming = self.send(&self.doors(&list.call.access).lists, outgoing, &keys, &AtomicBool::new(true)).await;
        let offset_s = self.shared.list_offsets_s.lock().unwrap_or_else(PoisonError::into_inner).get(&list.call.access).copied();
        let offset_s = offset_s.unwrap_or(LIST_OFFSET_S);
        let (request_id, answer) = match incoming.body {
            Ok(body) => wire::listed(&body, list.limit, offset_s),
            Err(error) => (None, Err(error)),
        };
        Reply { answer, date: incoming.date, request_id, elapsed: self.shared.clock.now().mono.saturating_sub(begun) }
    }

    fn caller(&self, access: &Access) -> Option<Caller> {
        Some(caller_of(access, &*self.shared.keys.keys(&access.credentials).ok()?))
    }

    fn reread_credentials(&self, access: &Access) {
        self.shared.keys.forget(&access.credentials);
    }
}

fn caller_of(access: &Access, keys: &Keys) -> Caller {
    let digest = Sha256::digest(format!("{}\n{}", access.endpoint.host(), keys.identity()).as_bytes());
    Caller(digest.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
}

fn headers(outgoing: &Outgoing<'_>, keys: &Keys) -> Result<HeaderMap, CallError> {
    let call = outgoing.call;
    let host = call.access.endpoint.host_header();
    let request = sign::Request {
        method: "POST",
        query: "",
        headers: &[("content-type", JSON), ("host", &host)],
        service: "cdb",
        payload: &outgoing.body,
        timestamp: call.signed_at,
    };
    let signed = sign::sign(&request, keys.secret_key.expose_secret());
    let mut authorization = value(&signed.authorization(keys.identity()))?;
    authorization.set_sensitive(true);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    headers.insert(HOST, value(&host)?);
    headers.insert(AUTHORIZATION, authorization);
    headers.insert(HeaderName::from_static("x-tc-action"), HeaderValue::from_static(outgoing.action));
    headers.insert(HeaderName::from_static("x-tc-version"), HeaderValue::from_static(wire::VERSION));
    headers.insert(HeaderName::from_static("x-tc-timestamp"), value(&call.signed_at.to_string())?);
    headers.insert(HeaderName::from_static("x-tc-region"), value(call.region.as_str())?);
    headers.insert(HeaderName::from_static("x-tc-language"), HeaderValue::from_static("en-US"));
    let client = concat!("cdb-backupd_", env!("CARGO_PKG_VERSION"));
    headers.insert(HeaderName::from_static("x-tc-requestclient"), HeaderValue::from_static(client));
    if let Some(token) = &keys.token {
        let mut token = value(token.expose_secret())?;
        token.set_sensitive(true);
        headers.insert(HeaderName::from_static("x-tc-token"), token);
    }
    Ok(headers)
}

fn value(text: &str) -> Result<HeaderValue, CallError> {
    HeaderValue::from_str(text).map_err(|_| CallError {
        class: Class::Account,
        code: "no_credentials".into(),
        message: "the keys hold characters that no header may have; read them from the console again".into(),
    })
}

/// The signature that these headers carry.
fn signature(headers: &HeaderMap) -> String {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    authorization.rsplit_once("Signature=").map_or_else(String::new, |(_, signature)| signature.to_owned())
}

/// What a failure to travel means: before the first byte nothing was started, after it anything may have been.
fn transport_error(error: &reqwest::Error, sent: bool) -> CallError {
    let mut causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let shut = causes.any(|cause| cause.downcast_ref::<gate::Shut>().is_some());
    let (class, code) = match () {
        () if shut => (Class::Refused, DEADLINE_PASSED),
        () if error.is_connect() || !sent => (Class::Refused, NO_CONNECTION),
        () if error.is_timeout() => (Class::Ambiguous, "timeout"),
        () => (Class::Ambiguous, "reset"),
    };
    // The innermost cause says most; none of them holds more than an address.
    let innermost = std::iter::successors(std::error::Error::source(error), |cause| cause.source()).last();
    let what = innermost.map_or_else(|| error.to_string(), ToString::to_string);
    CallError { class, code: code.into(), message: wire::clean(&what, 512) }
}
