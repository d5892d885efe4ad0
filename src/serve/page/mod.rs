//! The page: what `status`, `history` and `show` tell, for a browser; and for programs under the same keys.
//!
//! Decided here: which address shows what, and what each reads. What is counted and said is `ledger::report`'s, so that the page and the commands
//! cannot differ; text becomes HTML in macros that escape it, and nothing else makes HTML. It works without scripts, and has none.
//!
//! In reading order: what is asked for ([`asked`]), what is around every page ([`frame`]), the lists that several show ([`lists`]), and the pages:
//! [`front`], [`job`] with its [`calendar`], [`instances`], [`runs`].

mod asked;
mod calendar;
mod frame;
mod front;
mod instances;
mod job;
mod lists;
mod runs;

use super::{Failure, State};
use crate::{
    domain::{names::RunId, policy::Policy, scope::Scope},
    ledger::report::{Calendar, Error, Filter, Item, Judged, Line, Overview, PairLine, Reader, Survey, Uncovered, Whole, uncovered},
};
use asked::Asked;
use axum::{
    Router,
    extract::{FromRequestParts, Path},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::get,
};
use chrono::{DateTime, TimeDelta, Utc};
use frame::Frame;
use front::Front;
use job::OfJob;
use maud::{Markup, html};
use serde::Serialize;
use std::collections::BTreeMap;

const STYLE: &str = include_str!("style.css");
const ICON: &str = include_str!("icon.svg");
/// So many of a job's or an instance's newest runs stand on its page.
const NEWEST: u32 = 10;

/// What the page answers.
pub(super) fn routes() -> Router<State> {
    let kept = |kind: &'static str, text: &'static str| get(move || async move { ([(header::CONTENT_TYPE, kind)], text) });
    Router::new()
        .route("/", get(overview))
        .route("/instances", get(list_instances))
        .route("/instances/{id}", get(one_instance))
        .route("/uncovered", get(list_uncovered))
        .route("/jobs/{name}", get(one_job))
        .route("/runs", get(list_runs))
        .route("/runs/{id}", get(one_run))
        .route("/style.css", kept("text/css; charset=utf-8", STYLE))
        .route("/icon.svg", kept("image/svg+xml", ICON))
}

/// One request: who answers it, and what is asked for.
struct Request {
    state: State,
    asked: Asked,
    now: DateTime<Utc>,
    /// The path that was asked.
    here: String,
}

impl FromRequestParts<State> for Request {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Response> {
        let (now, here) = (state.now().utc, parts.uri.path().to_owned());
        match Asked::read(parts.uri.query().unwrap_or_default()) {
            Ok(asked) => Ok(Self { state: state.clone(), asked, now, here }),
            Err(failure) => Err(refused(failure, &here, now)),
        }
    }
}

impl Request {
    /// Answers in the form that was asked for; what fails is told in the same form.
    fn answer<T: Serialize>(&self, told: Result<Told<T>, Failure>) -> Response {
        match told {
            Ok(told) if self.asked.json => in_json(StatusCode::OK, &told.value),
            Ok(told) => {
                let json = Some(self.asked.instead(&self.here, "format", "json"));
                let frame = Frame { title: &told.title, here: &self.here, json, now: self.now };
                in_html(StatusCode::OK, frame.around(&told.page))
            }
            Err(failure) if self.asked.json => {
                let says = failure.to_string();
                in_json(failure.into_response().status(), &Refused { schema_version: 1, error: &says })
            }
            Err(failure) => refused(failure, &self.here, self.now),
        }
    }

    async fn pairs(&self) -> Result<Pairs, Failure> {
        let now = self.now;
        let read = move |reader: &Reader| Ok(Pairs { survey: reader.survey(now)?, in_force: reader.has_policy()? });
        Ok(self.state.read(read).await?.unwrap_or_default())
    }

    fn standing(&self, read: &Pairs, policy: &Policy, meant: &Scope) -> Overview {
        let pulse = Judged::of(self.state.ledger(), self.state.pulse(read.survey.pulse.clone()), self.now);
        Overview::of(pulse, read.in_force.then_some(policy), &read.survey, meant, self.now)
    }

    /// As many of the pairs as are wanted, for programs.
    fn part(&self, mut standing: Overview) -> OverviewPart {
        let count = standing.items.len();
        standing.items = standing.items.into_iter().skip(self.asked.skip).take(self.asked.limit()).collect();
        let next = instances::after(count, standing.items.len(), &self.asked, &self.here);
        OverviewPart { standing, next, calendar: None }
    }

    async fn overview(&self) -> Result<Told<OverviewPart>, Failure> {
        let policy = self.state.policy();
        let (read, at_work) = tokio::try_join!(self.pairs(), async {
            let most = u32::try_from(front::SHOWN).unwrap_or_default();
            Ok(self.state.read(move |reader| reader.at_work(most)).await?.unwrap_or_default())
        })?;
        let standing = self.standing(&read, &policy, &self.asked.selectors);
        let uncovered = uncovered(read.in_force.then_some(&*policy), &read.survey.pairs, &self.asked.selectors).len();
        let (in_force, skip) = (read.in_force, self.asked.skip);
        let page = front::page(&Front { standing: &standing, in_force, at_work: &at_work, uncovered, now: self.now, skip });
        let title = if standing.ok { "ok" } else { "not ok" }.to_owned();
        Ok(Told { title, page, value: self.part(standing) })
    }

    async fn instances(&self) -> Result<Told<OverviewPart>, Failure> {
        let policy = self.state.policy();
        let mut standing = self.standing(&self.pairs().await?, &policy, &self.asked.selectors);
        if self.asked.not_ok {
            standing.items.retain(|item| item.wrong);
        }
        let items: Vec<&PairLine> = standing.items.iter().collect();
        let page = instances::list(&items, &policy, &self.asked);
        Ok(Told { title: "Instances".into(), page, value: self.part(standing) })
    }

    async fn instance(&self, id: String) -> Result<Told<OverviewPart>, Failure> {
        let policy = self.state.policy();
        let known = policy.instances.iter().find(|instance| instance.id.as_str() == id || instance.name.as_str() == id);
        let id = known.map_or(id, |instance| instance.id.to_string());
        let meant = Scope { instances: vec![id.clone()], ..Scope::default() };
        let runs = self.newest(meant.clone()).await?;
        if known.is_none() && runs.is_empty() {
            return Err(Failure::NotFound);
        }
        let standing = self.standing(&self.pairs().await?, &policy, &meant);
        let items: Vec<&PairLine> = standing.items.iter().collect();
        let page = instances::one(&id, known.map(|instance| &**instance), &items, &runs);
        Ok(Told { title: format!("Instance {id}"), page, value: self.part(standing) })
    }

    async fn uncovered(&self) -> Result<Told<List<Uncovered>>, Failure> {
        let policy = self.state.policy();
        let read = self.pairs().await?;
        let items = uncovered(read.in_force.then_some(&*policy), &read.survey.pairs, &self.asked.selectors);
        let page = instances::uncovered(&items, &policy, &self.asked);
        let count = items.len();
        let items: Vec<Uncovered> = items.into_iter().skip(self.asked.skip).take(self.asked.limit()).collect();
        let next = instances::after(count, items.len(), &self.asked, &self.here);
        Ok(Told { title: "Without backup".into(), page, value: List { schema_version: 1, items, next } })
    }

    async fn job(&self, name: String) -> Result<Told<OverviewPart>, Failure> {
        let policy = self.state.policy();
        let meant = Scope { jobs: vec![name.clone()], ..self.asked.selectors.clone() };
        let runs = self.newest(meant.clone()).await?;
        let Some(job) = policy.jobs.iter().find(|job| job.name.as_str() == name) else {
            return if runs.is_empty() { Err(Failure::NotFound) } else { self.gone(&name, &runs).await };
        };
        let (of, until) = (job.clone(), self.now + TimeDelta::seconds(1));
        let since = self.now - TimeDelta::days(calendar::DAYS);
        let days = self.state.read(move |reader| reader.calendar(&of, since, until)).await?;
        let days = days.unwrap_or_else(|| Calendar { since, slots: BTreeMap::new() });
        let standing = self.standing(&self.pairs().await?, &policy, &meant);
        let page = job::page(&OfJob { job, standing: &standing, calendar: &days, runs: &runs, asked: &self.asked, now: self.now });
        let calendar = serde_json::to_value(calendar::lines(job, &days)).ok();
        Ok(Told { title: format!("Job {name}"), page, value: OverviewPart { calendar, ..self.part(standing) } })
    }

    /// A job that the policy does not have, and of which there are runs.
    async fn gone(&self, name: &str, runs: &[Item]) -> Result<Told<OverviewPart>, Failure> {
        let standing = self.standing(&self.pairs().await?, &self.state.policy(), &Scope { jobs: vec![name.to_owned()], ..Scope::default() });
        Ok(Told { title: format!("Job {name}"), page: job::gone(name, runs), value: self.part(standing) })
    }

    async fn newest(&self, selectors: Scope) -> Result<Vec<Item>, Failure> {
        Ok(self.history(Filter { selectors, limit: NEWEST, ..Filter::default() }).await?.0)
    }

    async fn history(&self, filter: Filter) -> Result<(Vec<Item>, bool), Failure> {
        let read = move |reader: &Reader| {
            let mut items = Vec::new();
            let more = reader.history(&filter, |item| {
                items.push(item);
                Ok::<_, Error>(())
            })?;
            Ok((items, more))
        };
        Ok(self.state.read(read).await?.unwrap_or_default())
    }

    async fn runs(&self) -> Result<Told<List<Line<Item>>>, Failure> {
        let policy = self.state.policy();
        let (items, more) = self.history(self.asked.filter()).await?;
        let page = runs::list(&items, more, &policy, &self.asked);
        let next = runs::after(&items, more, &self.asked);
        Ok(Told { title: "Runs".into(), page, value: List { schema_version: 1, items: items.into_iter().map(Line).collect(), next } })
    }

    async fn run(&self, id: &str) -> Result<Told<serde_json::Value>, Failure> {
        let id = RunId(id.parse().map_err(|_| Failure::NotFound)?);
        let detail = self.state.read(move |reader| reader.detail(id)).await?.flatten().ok_or(Failure::NotFound)?;
        let value = serde_json::to_value(Whole::from(&detail)).map_err(|_| Failure::Broken)?;
        Ok(Told { title: format!("Run {id}"), page: runs::one(&detail, self.now), value })
    }
}

async fn overview(request: Request) -> Response {
    request.answer(request.overview().await)
}

async fn list_instances(request: Request) -> Response {
    request.answer(request.instances().await)
}

async fn one_instance(Path(id): Path<String>, request: Request) -> Response {
    request.answer(request.instance(id).await)
}

async fn list_uncovered(request: Request) -> Response {
    request.answer(request.uncovered().await)
}

async fn one_job(Path(name): Path<String>, request: Request) -> Response {
    request.answer(request.job(name).await)
}

async fn list_runs(request: Request) -> Response {
    request.answer(request.runs().await)
}

async fn one_run(Path(id): Path<String>, request: Request) -> Response {
    request.answer(request.run(&id).await)
}

fn in_html(status: StatusCode, page: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

fn in_json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => (status, [(header::CONTENT_TYPE, "application/json")], text + "\n").into_response(),
        Err(_) => Failure::Broken.into_response(),
    }
}

/// A page that says why there is no other.
fn refused(failure: Failure, here: &str, now: DateTime<Utc>) -> Response {
    let says = failure.to_string();
    let status = failure.into_response().status();
    let title = status.canonical_reason().unwrap_or("No answer");
    let page = html! { h1 { (title) } p.note { (says) "." } p { a href="/" { "Overview" } } };
    in_html(status, Frame { title, here, json: None, now }.around(&page))
}

/// What an address tells: for people, and for programs.
struct Told<T> {
    title: String,
    page: Markup,
    value: T,
}

/// What is read of the ledger for everything that stands on pairs.
#[derive(Default)]
struct Pairs {
    survey: Survey,
    in_force: bool,
}

#[derive(Serialize)]
struct Refused<'a> {
    schema_version: u8,
    error: &'a str,
}

/// A list as the commands print it, and where it goes on.
#[derive(Serialize)]
struct List<T> {
    schema_version: u8,
    items: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What `status` prints, with what a bound left out.
#[derive(Serialize)]
struct OverviewPart {
    #[serde(flatten)]
    standing: Overview,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calendar: Option<serde_json::Value>,
}
