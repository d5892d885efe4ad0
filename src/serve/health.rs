//! `/healthz`: whether the loop turns. `/readyz`: whether it can do what it is there for, and if not, what it waits for.
//!
//! Not decided here: what is wrong, and what follows from it (`domain::trouble`). Both are read from memory: a full disk or a slow one keeps nobody
//! from an answer. A pass that could not write, or that waits for a proof, has finished: what helps there is no restart.

use super::State;
use crate::domain::trouble::{LATEST, Weight};
use axum::{
    extract,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

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

/// What is wrong; while any of it holds, it is not ready.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Reason {
    reason: &'static str,
    account: Option<String>,
    holds: bool,
    message: String,
}

impl Reason {
    fn of_loop(reason: &'static str, message: &str) -> Self {
        Self { reason, account: None, holds: true, message: message.to_owned() }
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

/// Answers 200 when all that is due can start, else 503; with what is wrong.
pub(super) async fn ready(extract::State(state): extract::State<State>) -> Response {
    let (holds, items) = missing(&state);
    told(!holds, &Ready { schema_version: 1, ok: !holds, items })
}

/// Whether something that is due cannot start, and all that is wrong.
fn missing(state: &State) -> (bool, Vec<Reason>) {
    let gauges = state.gauges();
    let mut reasons = Vec::new();
    match gauges.pass_age(state.now().mono) {
        None => return (true, vec![Reason::of_loop("starting", "the first pass has not finished yet")]),
        Some(age) if age > LATEST => reasons.push(Reason::of_loop("stuck", "no pass has finished for a minute; what follows is how it stood then")),
        Some(_) => {}
    }
    let troubles = gauges.troubles();
    let each = troubles.iter().flat_map(|trouble| trouble.each().into_iter().take(MOST_NAMED)).map(|(account, trouble)| Reason {
        reason: trouble.word(),
        account: account.map(|account| account.to_string()),
        holds: trouble.weight() == Weight::Holds,
        message: trouble.sentence(),
    });
    reasons.extend(each);
    (reasons.iter().any(|reason| reason.holds), reasons)
}

fn told(ok: bool, what: &impl Serialize) -> Response {
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match serde_json::to_string(what) {
        Ok(text) => (status, [(header::CONTENT_TYPE, "application/json")], format!("{text}\n")).into_response(),
        Err(_) => super::Failure::Broken.into_response(),
    }
}
