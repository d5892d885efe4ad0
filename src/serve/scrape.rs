//! `/metrics`: what happened, out of memory; how it stands, out of memory and the ledger.
//!
//! Decided here: what is read of the ledger at a scrape, and in which of its two forms the text is sent. Labels are the policy's own names and words
//! of closed lists: there are as many lines as the policy makes, however long the history is. A ledger that cannot be read leaves its lines out and
//! says so; the rest is told all the same.

use super::{Failure, State, health};
use crate::{
    domain::{
        freshness::{Freshness, max_age},
        hold::Waits,
        policy::Policy,
        trouble::{self, Trouble},
    },
    ledger::report::{Holds, Pair, Says, Survey},
    metrics::PREFIX,
};
use axum::{
    extract,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, text},
    metrics::MetricType,
    registry::{Registry, Unit},
};
use std::{collections::BTreeMap, fmt, sync::Arc};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

/// One metric and its lines.
#[derive(Debug)]
struct Lines {
    name: &'static str,
    /// A sentence; the full stop is put where it is written, as the library does.
    help: &'static str,
    unit: Option<Unit>,
    lines: Vec<(Vec<(&'static str, String)>, f64)>,
}

impl Lines {
    fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help, unit: None, lines: Vec::new() }
    }

    fn seconds(name: &'static str, help: &'static str) -> Self {
        Self { unit: Some(Unit::Seconds), ..Self::new(name, help) }
    }

    fn line(&mut self, labels: Vec<(&'static str, String)>, value: f64) {
        self.lines.push((labels, value));
    }

    fn one(mut self, value: f64) -> Self {
        self.line(Vec::new(), value);
        self
    }

    fn flag(self, holds: bool) -> Self {
        self.one(f64::from(u8::from(holds)))
    }
}

impl Collector for Lines {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = format!("{}.", self.help);
        let mut metric = encoder.encode_descriptor(self.name, &help, self.unit.as_ref(), MetricType::Gauge)?;
        for (labels, value) in &self.lines {
            if labels.is_empty() { metric.encode_gauge(value)? } else { metric.encode_family(labels)?.encode_gauge(value)? }
        }
        Ok(())
    }
}

/// Answers with all of it.
pub(super) async fn metrics(extract::State(state): extract::State<State>, headers: HeaderMap) -> Result<Response, Failure> {
    let of = state.clone();
    let read = state
        .read(move |reader| {
            let now = of.now().utc;
            Ok(Book { survey: reader.survey(now)?, policy: of.policy(), now }.lines(&of))
        })
        .await;
    let mut metrics = memory(&state);
    metrics.push(Lines::new("ledger_readable", "Whether the ledger could be read for this answer").flag(read.is_ok()));
    if let Ok(book) = read {
        metrics.extend(book.into_iter().flatten());
    }
    let text = written(&state, metrics).map_err(|_| Failure::Broken)?;
    let wants_open =
        headers.get_all(header::ACCEPT).iter().any(|value| value.to_str().is_ok_and(|text| text.contains("application/openmetrics-text")));
    let (kind, text) = if wants_open { (OPEN_METRICS, text + "# EOF\n") } else { (CLASSIC, classic(&text)) };
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

fn written(state: &State, metrics: Vec<Lines>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix(PREFIX);
    metrics.into_iter().for_each(|lines| registry.register_collector(Box::new(lines)));
    let mut text = String::new();
    state.gauges().events.write(&mut text)?;
    text::encode_registry(&mut text, &registry)?;
    Ok(text)
}

/// How the loop stands, and who this is.
fn memory(state: &State) -> Vec<Lines> {
    let gauges = state.gauges();
    let troubles = gauges.troubles();
    let mut build = Lines::new("build_info", "Which program this is; always 1");
    build.line(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1.0);
    let mut held = Lines::new("account_held", "Whether the cloud does not accept the keys of an account");
    let accounts = trouble::held_accounts(&troubles);
    for account in &state.policy().accounts {
        held.line(vec![("account", account.name.to_string())], f64::from(u8::from(accounts.contains(&account.name))));
    }
    let mut wrong = Lines::new("trouble", "What is wrong with the daemon as a whole; 1 while it is");
    for word in Trouble::WORDS {
        wrong.line(vec![("reason", word.to_owned())], f64::from(u8::from(troubles.iter().any(|it| it.word() == word))));
    }
    let age = gauges.pass_age(state.now().mono).map_or(f64::INFINITY, |age| age.as_secs_f64());
    vec![
        build,
        Lines::seconds("pulse_age", "How long ago the loop's last pass finished; +Inf before the first").one(age),
        Lines::new("policy_in_force", "Whether the policy is recorded in the ledger").flag(!troubles.contains(&Trouble::Unrecorded)),
        Lines::new("clock_proved", "Whether a reply of the cloud has proved this machine's clock").flag(!troubles.contains(&Trouble::Clock)),
        Lines::new("ledger_writable", "Whether the last pass could write the ledger").flag(!troubles.contains(&Trouble::Ledger)),
        held,
        wrong,
    ]
}

/// What the ledger says of each job of the policy in force.
struct Book {
    survey: Survey,
    policy: Arc<Policy>,
    now: DateTime<Utc>,
}

impl Book {
    fn lines(&self, state: &State) -> Vec<Lines> {
        let of_job = self.by_job();
        let mut stands = Lines::new("pairs", "Instances of a job, by the freshness of their newest good backup");
        let mut wrong = Lines::new("pairs_wrong", "Instances of a job that somebody has to look after");
        let mut running = Lines::new("pairs_in_flight", "Instances of a job whose run has been sent and has not ended");
        let mut oldest = Lines::seconds("oldest_backup_age", "Age of the slot of the newest good backup, on the instance where it is oldest");
        let mut most = Lines::seconds("backup_max_age", "How old that may become before it is stale");
        for job in &self.policy.jobs {
            let name = || vec![("job", job.name.to_string())];
            let pairs = of_job.get(job.name.as_str()).map_or(&[][..], Vec::as_slice);
            let max_age = max_age(job, self.now);
            let freshness: Vec<Freshness> = pairs.iter().map(|pair| Freshness::within(max_age, job.suspend, pair.evidence(), self.now)).collect();
            for word in Freshness::WORDS {
                let labels = vec![("job", job.name.to_string()), ("freshness", word.to_owned())];
                stands.line(labels, count(freshness.iter().filter(|it| it.word() == word)));
            }
            wrong.line(name(), count(freshness.iter().filter(|it| it.is_wrong())));
            running.line(name(), count(pairs.iter().filter(|pair| pair.sent.is_some())));
            if let Some(good) = pairs.iter().filter_map(|pair| pair.good.as_ref()).map(|good| good.slot).min() {
                oldest.line(name(), (self.now - good).as_seconds_f64());
            }
            most.line(name(), max_age.as_secs_f64());
        }
        vec![stands, wrong, running, oldest, most, self.held(state, &of_job)]
    }

    fn by_job(&self) -> BTreeMap<&str, Vec<&Pair>> {
        let mut of_job: BTreeMap<&str, Vec<&Pair>> = BTreeMap::new();
        for pair in &self.survey.pairs {
            of_job.entry(&pair.job).or_default().push(pair);
        }
        of_job
    }

    /// How many pairs have a run that waits, by why.
    fn held(&self, state: &State, of_job: &BTreeMap<&str, Vec<&Pair>>) -> Lines {
        let holds = Holds::of(&self.policy, &self.survey, says(state), self.now);
        let first = |pair: &&Pair| pair.due.as_ref().and_then(|due| holds.of_run(due).first().map(|held| held.waits));
        let of_policy = self.policy.jobs.iter().filter_map(|job| of_job.get(job.name.as_str())).flatten();
        let waits: Vec<Waits> = of_policy.filter_map(first).collect();
        let mut lines = Lines::new("pairs_held", "Instances of a job whose run waits, by what it waits for");
        for reason in Waits::ALL {
            lines.line(vec![("reason", reason.word().to_owned())], count(waits.iter().filter(|it| **it == reason)));
        }
        lines
    }
}

/// How the loop stands, by its own word of now.
fn says(state: &State) -> Says {
    let gauges = state.gauges();
    let troubles = gauges.troubles();
    Says { turns: health::turns(state), clock_proved: !troubles.contains(&Trouble::Clock), ledger_writable: !troubles.contains(&Trouble::Ledger) }
}

fn count(items: impl Iterator) -> f64 {
    u32::try_from(items.count()).map_or(f64::INFINITY, f64::from)
}

/// The older form: a counter bears its whole name in its heading, and neither units nor the end are marked.
fn classic(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let heading = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' '));
        let counter = heading.filter(|(name, _)| lines.peek().is_some_and(|next| *next == format!("# TYPE {name} counter")));
        match counter {
            Some((name, help)) => {
                lines.next();
                out.push_str(&format!("# HELP {name}_total {help}\n# TYPE {name}_total counter\n"));
            }
            None if line.starts_with("# UNIT ") => {}
            None => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}
