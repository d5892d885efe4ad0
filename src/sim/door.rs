//! The door in process: the simulated cloud as a `CdbApi`, for simulated days. No sockets; a call is a task of the cloud's own.
//!
//! It is a worse client than the real one on purpose: it never drops a call whose deadline has passed, since that deadline fences nothing.

use super::{
    call::{Answer, Ask, CreateAsk, Outcome, Proof, Refusal, Request, Row, Said},
    exchange::{self, Core, Kill},
    faults::Action,
    settings::{Settings, SimAccount},
};
use crate::{
    clock::Clock,
    cloud::{Access, Backup, BackupStatus, Call, CallError, Caller, CdbApi, Class, Create, List, Page, Reply, codes::classify},
    domain::{
        names::{BackupId, CredentialSource, InstanceId},
        policy::Method,
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::oneshot, task::JoinSet};

/// A handle of one simulated cloud; all clones see the same one. Its time base `C` is its own: a caller's clock may be wrong, this one defines true time.
pub struct Cloud<C> {
    pub(super) core: Arc<Core<C>>,
    tasks: Arc<Mutex<JoinSet<()>>>,
    read_at: Arc<Mutex<BTreeMap<CredentialSource, Duration>>>,
}

impl<C> Clone for Cloud<C> {
    fn clone(&self) -> Self {
        Self { core: self.core.clone(), tasks: self.tasks.clone(), read_at: self.read_at.clone() }
    }
}

impl<C> fmt::Debug for Cloud<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cloud").finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<C: Clock> Cloud<C> {
    /// A cloud that starts now.
    pub fn new(settings: Settings, clock: C) -> Self {
        Self::with_kill(settings, clock, None)
    }

    /// A cloud whose `kill_…` faults call `kill` at their instant.
    pub fn with_kill(settings: Settings, clock: C, kill: Option<Kill>) -> Self {
        Self { core: Arc::new(Core::new(settings, clock, kill)), tasks: Arc::default(), read_at: Arc::default() }
    }

    /// Its own wall time: what a `Date` shows, before that is rounded and skewed.
    pub fn wall(&self) -> DateTime<Utc> {
        self.core.with(|_, moment| moment.wall)
    }

    /// What there is to back up.
    pub fn instances(&self) -> Vec<super::settings::SimInstance> {
        self.core.with(|state, _| state.settings.instances.clone())
    }

    /// Steps its clock away from true time, besides the skew of its settings.
    pub fn set_skew(&self, skew: TimeDelta) {
        self.core.with(|state, _| state.extra_skew = skew);
    }

    /// Changes what goes wrong from now on. Calls keep their numbers.
    pub fn set_faults(&self, faults: super::script::Faults) {
        self.core.with(|state, _| state.settings.faults = faults);
    }

    /// Sends a call; the receiver gets what the caller is to see. The call goes on when the receiver is dropped, and ends with the last handle.
    pub(super) fn send(&self, request: Request) -> oneshot::Receiver<Outcome> {
        let (reply, seen) = oneshot::channel();
        let mut tasks = locked(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(exchange::run(self.core.clone(), request, reply));
        seen
    }

    /// Refuses what did not get as far as naming its action and its key.
    pub(super) fn refuse(&self, refusal: Refusal) -> Outcome {
        self.core.with(|state, moment| Outcome::Said(state.refuse(refusal, moment)))
    }

    fn account(&self, access: &Access) -> Option<SimAccount> {
        self.core.with(|state, _| {
            let accounts = &state.settings.accounts;
            let claimed = accounts.iter().find(|a| a.source.as_ref() == Some(&access.credentials));
            claimed.or_else(|| accounts.iter().find(|a| a.source.is_none())).cloned()
        })
    }

    async fn call<T>(&self, call: &Call, action: Action, ask: Ask, take: impl FnOnce(Answer) -> Option<T>) -> Reply<T> {
        let begun = self.core.clock().now().mono;
        let Some(account) = self.account(&call.access) else {
            let error = failure(Class::Account, "no_credentials", "no account of the simulator claims these credentials");
            return Reply { answer: Err(error), date: None, request_id: None, elapsed: Duration::ZERO };
        };
        let at = self.core.with(|_, moment| moment.at);
        let read = *locked(&self.read_at).entry(call.access.credentials.clone()).or_insert(at);
        let request = Request {
            host: call.access.endpoint.host().into(),
            secret_id: account.secret_id,
            signed_at: call.signed_at,
            proof: Proof::ReadAt(read),
            region: Some(call.region.as_str().into()),
            action,
            ask: Ok(ask),
            // The real client opens a connection for each create and keeps one for lists.
            reused: action == Action::List,
        };
        let timeout = self.core.with(|state, _| state.settings.call_timeout);
        let seen = self.send(request);
        let waits = async {
            match seen.await {
                Ok(Outcome::Silence) | Err(_) => std::future::pending().await,
                Ok(outcome) => outcome,
            }
        };
        let outcome = tokio::select! {
            biased;
            outcome = waits => outcome,
            () = self.core.clock().sleep(timeout) => Outcome::Silence,
        };
        if matches!(outcome, Outcome::Half { kill: true, .. }) {
            self.core.kill();
        }
        let elapsed = self.core.clock().now().mono.saturating_sub(begun);
        reply(outcome, take, elapsed)
    }
}

impl<C: Clock> CdbApi for Cloud<C> {
    async fn create_backup(&self, create: Create) -> Reply<BackupId> {
        let (tables, encrypted) = match &create.method {
            Method::Logical { tables } => (tables.clone(), None),
            Method::Physical { encrypted } => (Vec::new(), *encrypted),
            Method::Snapshot => (Vec::new(), None),
        };
        let instance = create.call.instance.as_str().to_owned();
        let ask = CreateAsk { instance, method: create.method.word().into(), tables, encrypted, alias: create.alias };
        let take = |answer| if let Answer::Created(id) = answer { Some(id) } else { None };
        self.call(&create.call, Action::Create, Ask::Create(ask), take).await
    }

    async fn describe_backups(&self, list: List) -> Reply<Page> {
        let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let ask = Ask::List { instance: list.call.instance.as_str().into(), offset: size(list.offset), limit: size(list.limit) };
        let take = |answer| match answer {
            Answer::Listed { total, rows } => Some(Page { total, items: rows.into_iter().map(item).collect() }),
            _ => None,
        };
        self.call(&list.call, Action::List, ask, take).await
    }

    fn caller(&self, access: &Access) -> Option<Caller> {
        let id = self.account(access)?.secret_id;
        let digest: [u8; 32] = Sha256::new().chain_update(access.endpoint.host()).chain_update([0]).chain_update(id).finalize().into();
        digest.first_chunk().map(|first| Caller(u64::from_be_bytes(*first)))
    }

    fn reread_credentials(&self, access: &Access) {
        let at = self.core.with(|_, moment| moment.at);
        locked(&self.read_at).insert(access.credentials.clone(), at);
    }
}

fn failure(class: Class, code: &str, message: &str) -> CallError {
    CallError { class, code: code.into(), message: message.into() }
}

/// What the real client makes of such an outcome.
pub(super) fn reply<T>(outcome: Outcome, take: impl FnOnce(Answer) -> Option<T>, elapsed: Duration) -> Reply<T> {
    let broken = |code, message| Err(failure(Class::Ambiguous, code, message));
    let (answer, date, request_id) = match outcome {
        Outcome::Said(Said { result, date, request_id }) => {
            let answer = match result {
                Ok(answer) => take(answer).ok_or_else(|| failure(Class::Ambiguous, "garbage", "the reply answers another action")),
                Err(Refusal { code, message }) => Err(CallError { class: classify(code), code: code.into(), message }),
            };
            (answer, date, Some(request_id))
        }
        Outcome::Half { .. } | Outcome::Reset => (broken("reset", "the connection broke before the reply was whole"), None, None),
        Outcome::Garbage(date) => (broken("garbage", "the reply is not JSON"), date, None),
        Outcome::Gateway(date) => (broken("http_502", "a gateway answered in the cloud's place"), date, None),
        Outcome::Redirect(date) => (broken("http_307", "the cloud points elsewhere"), date, None),
        Outcome::Silence => (broken("timeout", "no reply in time"), None, None),
        Outcome::Unreachable => (Err(failure(Class::Refused, "connect", "no connection")), None, None),
    };
    Reply { answer, date, request_id, elapsed }
}

fn item(row: Row) -> Backup {
    Backup {
        id: row.id,
        status: match row.status {
            "SUCCESS" => BackupStatus::Success,
            "FAILED" => BackupStatus::Failed,
            _ => BackupStatus::Running,
        },
        manual: row.manual,
        kind: row.kind,
        alias: row.alias,
        instance: InstanceId::parse(&row.instance).ok(),
        bytes: Some(row.bytes),
        started: Some(row.started),
        finished: row.finished,
    }
}
