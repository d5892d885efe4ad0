//! A job as it is after defaults, for `check --effective`: an entry of `jobs` that means the same in the same policy.

use crate::{
    config::written_length,
    domain::policy::{Blackout, BlackoutSpan, CatchUp, Instance, Job, Method, Overlap, Policy, Table},
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use std::collections::BTreeMap;

/// A job after defaults. What it serializes to is of the policy's form, but for `instances`, which only programs get.
#[derive(Serialize)]
pub(super) struct Effective {
    #[serde(flatten)]
    entry: Entry,
    instances: Vec<EffectiveInstance>,
}

/// An entry of `jobs`, complete.
#[derive(Serialize)]
struct Entry {
    name: String,
    schedule: String,
    time_zone: String,
    targets: Targets,
    method: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tables: Vec<Tables>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted: Option<bool>,
    spread: String,
    start_within: String,
    complete_within: String,
    catch_up: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    catch_up_within: Option<String>,
    overlap: &'static str,
    priority: u8,
    retry: Retry,
    poll: Poll,
    freshness: Freshness,
    suspend: bool,
    may_be_empty: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    blackouts: Vec<EffectiveBlackout>,
}

/// The instances that are matched, by name. No form of `targets` names none, so there all are named and left out.
#[derive(Serialize)]
#[serde(untagged)]
enum Targets {
    Named { instances: Vec<String> },
    None { all: bool, except: Vec<String> },
}

#[derive(Serialize)]
struct Tables {
    db: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tables: Vec<String>,
}

#[derive(Serialize)]
struct Retry {
    after_failed: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    initial_backoff: String,
    max_backoff: String,
}

#[derive(Serialize)]
struct Poll {
    initial: String,
    max: String,
}

#[derive(Serialize)]
struct Freshness {
    max_age: String,
}

#[derive(PartialEq, Serialize)]
struct EffectiveBlackout {
    #[serde(flatten)]
    span: Span,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
}

#[derive(PartialEq, Serialize)]
#[serde(untagged)]
enum Span {
    Once { from: String, to: String },
    Recurring { schedule: String, lasts: String, time_zone: String },
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
    pub(super) fn of(job: &Job, policy: &Policy, may_be_empty: bool) -> Self {
        let names = |instances: &[std::sync::Arc<Instance>]| instances.iter().map(|i| i.name.to_string()).collect();
        let targets = match job.instances.as_slice() {
            [] => Targets::None { all: true, except: names(&policy.instances) },
            matched => Targets::Named { instances: names(matched) },
        };
        let (tables, encrypted) = match &job.method {
            Method::Logical { tables } => (by_database(tables), None),
            Method::Physical { encrypted } => (Vec::new(), *encrypted),
            Method::Snapshot => (Vec::new(), None),
        };
        let (catch_up, catch_up_within) = match job.catch_up {
            CatchUp::Off => ("none", None),
            CatchUp::Latest { within } => ("latest", Some(written_length(within))),
        };
        let (retry, poll) = (&job.retry, &job.poll);
        let entry = Entry {
            name: job.name.to_string(),
            schedule: job.schedule.text().to_owned(),
            time_zone: job.schedule.zone().to_owned(),
            targets,
            method: job.method.word(),
            tables,
            encrypted,
            spread: written_length(job.spread),
            start_within: written_length(job.start_within),
            complete_within: written_length(job.complete_within),
            catch_up,
            catch_up_within,
            overlap: match job.overlap {
                Overlap::Skip => "skip",
                Overlap::Queue => "queue",
            },
            priority: job.priority,
            retry: Retry {
                after_failed: retry.after_failed,
                max_attempts: retry.max_attempts,
                initial_backoff: written_length(retry.initial_backoff),
                max_backoff: written_length(retry.max_backoff),
            },
            poll: Poll { initial: written_length(poll.initial), max: written_length(poll.max) },
            freshness: Freshness { max_age: job.max_age.map_or("auto".to_owned(), written_length) },
            suspend: job.suspend,
            may_be_empty,
            blackouts: blackouts(policy.blackouts.iter().chain(&job.blackouts)),
        };
        Self { entry, instances: job.instances.iter().map(|i| EffectiveInstance::from(&**i)).collect() }
    }

    /// The entry as YAML, behind a comment that says which instances it means.
    pub(super) fn entry(&self) -> Result<String, serde_yaml::Error> {
        let mut text = String::new();
        for i in &self.instances {
            let tags: Vec<String> = i.tags.iter().map(|(key, value)| format!(", {key}: {value}")).collect();
            text += &format!("# {} is {} of account {} in {}{}\n", i.name, i.id, i.account, i.region, tags.concat());
        }
        Ok(text + &serde_yaml::to_string(&[&self.entry])?)
    }
}

impl From<&Instance> for EffectiveInstance {
    fn from(i: &Instance) -> Self {
        let (id, name, account, region) = (i.id.to_string(), i.name.to_string(), i.account.to_string(), i.region.to_string());
        Self { id, name, account, region, tags: i.tags.clone() }
    }
}

/// One entry for each database, in the order of the first table of each.
fn by_database(tables: &[Table]) -> Vec<Tables> {
    let mut entries: Vec<Tables> = Vec::new();
    let mut number_of: BTreeMap<&str, usize> = BTreeMap::new();
    for table in tables {
        let number = *number_of.entry(&table.db).or_insert(entries.len());
        if number == entries.len() {
            entries.push(Tables { db: table.db.clone(), tables: Vec::new() });
        }
        if let (Some(entry), Some(name)) = (entries.get_mut(number), &table.table) {
            entry.tables.push(name.clone());
        }
    }
    entries
}

/// Each once: one that stands at the job and at the top of the policy is one.
fn blackouts<'a>(all: impl Iterator<Item = &'a Blackout>) -> Vec<EffectiveBlackout> {
    let mut entries = Vec::new();
    for blackout in all.map(EffectiveBlackout::from) {
        if !entries.contains(&blackout) {
            entries.push(blackout);
        }
    }
    entries
}

impl From<&Blackout> for EffectiveBlackout {
    fn from(blackout: &Blackout) -> Self {
        let moment = |t: &DateTime<Utc>| t.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let span = match &blackout.span {
            BlackoutSpan::Once { from, to } => Span::Once { from: moment(from), to: moment(to) },
            BlackoutSpan::Recurring { schedule, lasts } => {
                let (text, zone) = (schedule.text().to_owned(), schedule.zone().to_owned());
                Span::Recurring { schedule: text, lasts: written_length(*lasts), time_zone: zone }
            }
        };
        Self { span, reason: blackout.reason.clone() }
    }
}
