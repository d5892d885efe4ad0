//! `/healthz`: whether the loop turns. `/readyz`: whether it can do what it is there for, and if not, what it waits for.
//!
//! Decided here: how old the last finished pass may be, and what readiness takes. Both are read from memory: a full disk or a slow one keeps nobody
//! from an answer. A pass that could not write, or that waits for a proof, has finished: what helps there is no restart.

use super::State;
use crate::metrics::Standing;
use axum::{
    extract,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::time::Duration;

/// The loop turns at least once a second; sixty times in a row it has not.
const LATEST: Duration = Duration::from_secs(60);
/// Accounts that are named; the rest is counted by whoever mends these.
const MOST_NAMED: usize = 50;

#[derive(Debug, Serialize)]
struct Alive {
    schema_version: u8,
    ok: bool,
    last_pass_age_s: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Ready {
    schema_version: u8,
    ok: bool,
    items: Vec<Reason>,
}

/// Why it is not ready.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Reason {
    reason: &'static str,
    account: Option<String>,
    message: String,
}

impl Reason {
    fn new(reason: &'static str, message: &str) -> Self {
        Self { reason, account: None, message: message.to_owned() }
    }
}

/// Whether passes finish.
pub(super) fn turns(state: &State) -> bool {
    state.gauges().pass_age(state.now().mono).is_some_and(|age| age <= LATEST)
}

/// Answers 200 while a pass finished within the last minute, else 503.
pub(super) async fn alive(extract::State(state): extract::State<State>) -> Response {
    let age = state.gauges().pass_age(state.now().mono);
    let ok = age.is_some_and(|age| age <= LATEST);
    told(ok, &Alive { schema_version: 1, ok, last_pass_age_s: age.map(|age| age.as_secs_f64()) })
}

/// Answers 200 when nothing is missing, else 503 with what is.
pub(super) async fn ready(extract::State(state): extract::State<State>) -> Response {
    let items = missing(&state);
    let ok = items.is_empty();
    told(ok, &Ready { schema_version: 1, ok, items })
}

fn missing(state: &State) -> Vec<Reason> {
    let gauges = state.gauges();
    let mut reasons = Vec::new();
    match gauges.pass_age(state.now().mono) {
        None => return vec![Reason::new("starting", "the first pass has not finished yet")],
        Some(age) if age > LATEST => reasons.push(Reason::new("stuck", "no pass has finished for a minute; what follows is how it stood then")),
        Some(_) => {}
    }
    let Standing { in_force, clock_proved, ledger_writable } = gauges.standing();
    if !clock_proved {
        reasons.push(Reason::new("clock_unproved", "no reply of the cloud has proved this machine's clock yet; nothing starts until one does"));
    }
    if !ledger_writable {
        reasons.push(Reason::new("ledger_not_writable", "the ledger cannot be written; nothing starts until it can be"));
    }
    if !in_force {
        reasons.push(Reason::new("policy_not_in_force", "the policy is not recorded in the ledger yet; it is once the clock is proved"));
    }
    reasons.extend(gauges.held_accounts().iter().take(MOST_NAMED).map(|account| Reason {
        reason: "account_held",
        account: Some(account.to_string()),
        message: format!("the cloud does not accept the keys of account {account}; they are read and tried again every 30 s"),
    }));
    reasons
}

fn told(ok: bool, what: &impl Serialize) -> Response {
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match serde_json::to_string(what) {
        Ok(text) => (status, [(header::CONTENT_TYPE, "application/json")], format!("{text}\n")).into_response(),
        Err(_) => super::Failure::Broken.into_response(),
    }
}
