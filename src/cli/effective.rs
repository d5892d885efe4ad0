//! A job as it is after defaults, for `check --effective`.

use crate::domain::policy::{Blackout, BlackoutSpan, CatchUp, Instance, Job, Method, Overlap};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// A job after defaults. Keys are those of the policy.
#[derive(Serialize)]
pub(super) struct Effective {
    name: String,
    schedule: String,
    time_zone: String,
    spread: String,
    method: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tables: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted: Option<bool>,
    start_within: String,
    complete_within: String,
    catch_up: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    catch_up_within: Option<String>,
    overlap: &'static str,
    priority: u8,
    retry: BTreeMap<&'static str, serde_json::Value>,
    poll: BTreeMap<&'static str, String>,
    freshness: BTreeMap<&'static str, String>,
    suspend: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    blackouts: Vec<String>,
    instances: Vec<EffectiveInstance>,
}

#[derive(Serialize)]
struct EffectiveInstance {
    id: String,
    name: String,
    account: String,
    region: String,
    tags: BTreeMap<String, String>,
}

impl Effective {
    /// The job, with the blackouts that hold for every job.
    pub(super) fn of(job: &Job, for_all: &[Blackout]) -> Self {
        let length = |d: Duration| humantime::format_duration(d).to_string();
        let (tables, encrypted) = match &job.method {
            Method::Logical { tables } => (tables.iter().map(|t| format!("{}.{}", t.db, t.table.as_deref().unwrap_or("*"))).collect(), None),
            Method::Physical { encrypted } => (Vec::new(), *encrypted),
            Method::Snapshot => (Vec::new(), None),
        };
        let (catch_up, catch_up_within) = match job.catch_up {
            CatchUp::Off => ("none", None),
            CatchUp::Latest { within } => ("latest", Some(length(within))),
        };
        let retry = [
            ("after_failed", job.retry.after_failed.into()),
            ("max_attempts", job.retry.max_attempts.map_or("no limit".into(), Into::into)),
            ("initial_backoff", length(job.retry.initial_backoff).into()),
            ("max_backoff", length(job.retry.max_backoff).into()),
        ];
        Self {
            name: job.name.to_string(),
            schedule: job.schedule.text().to_owned(),
            time_zone: job.schedule.zone().to_owned(),
            spread: length(job.spread),
            method: job.method.word(),
            tables,
            encrypted,
            start_within: length(job.start_within),
            complete_within: length(job.complete_within),
            catch_up,
            catch_up_within,
            overlap: match job.overlap {
                Overlap::Skip => "skip",
                Overlap::Queue => "queue",
            },
            priority: job.priority,
            retry: retry.into(),
            poll: [("initial", length(job.poll.initial)), ("max", length(job.poll.max))].into(),
            freshness: [("max_age", job.max_age.map_or("auto".to_owned(), length))].into(),
            suspend: job.suspend,
            blackouts: for_all.iter().chain(&job.blackouts).map(blackout).collect(),
            instances: job.instances.iter().map(|i| EffectiveInstance::from(&**i)).collect(),
        }
    }
}

impl From<&Instance> for EffectiveInstance {
    fn from(i: &Instance) -> Self {
        let (id, name, account, region) = (i.id.to_string(), i.name.to_string(), i.account.to_string(), i.region.to_string());
        Self { id, name, account, region, tags: i.tags.clone() }
    }
}

fn blackout(blackout: &Blackout) -> String {
    let when = match &blackout.span {
        BlackoutSpan::Once { from, to } => format!("from {} to {}", from.to_rfc3339(), to.to_rfc3339()),
        BlackoutSpan::Recurring { schedule, lasts } => {
            format!("at `{}` {} for {}", schedule.text(), schedule.zone(), humantime::format_duration(*lasts))
        }
    };
    if blackout.reason.is_empty() { when } else { format!("{when}: {}", blackout.reason) }
}
