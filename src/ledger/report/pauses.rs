//! What people hold, as `status` and the page tell it.

use super::status::as_stamp;
use crate::domain::{
    pause::Pause,
    prose::{length, visible},
    scope::Scope,
};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;

/// A pause that holds longer is warned of: somebody may have forgotten it.
const LONG: TimeDelta = TimeDelta::days(1);

/// One pause that holds.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct PauseLine {
    /// Its number.
    pub pause_id: i64,
    /// What it holds; empty: everything.
    pub scope: Scope,
    /// Since when.
    #[serde(serialize_with = "as_stamp")]
    pub since: DateTime<Utc>,
    /// How long that is.
    pub age_s: i64,
    /// Up to when, in RFC 3339; none: until somebody resumes it.
    pub until: Option<String>,
    /// Who asked.
    pub who: String,
    /// Why.
    pub reason: String,
    /// Whether it is older than a day.
    pub is_long: bool,
}

impl PauseLine {
    /// A pause at `now`.
    pub fn of(pause: &Pause, now: DateTime<Utc>) -> Self {
        let age = now - pause.from;
        Self {
            pause_id: pause.id,
            scope: pause.scope.clone(),
            since: pause.from,
            age_s: age.num_seconds().max(0),
            until: pause.until.map(|until| until.to_rfc3339_opts(SecondsFormat::Secs, true)),
            who: pause.who.clone(),
            reason: pause.reason.clone(),
            is_long: age > LONG,
        }
    }

    /// What is held, until when, by whom, since when and why, in one sentence.
    pub fn sentence(&self) -> String {
        let Scope { jobs, instances, accounts, regions, tags } = &self.scope;
        let tags: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let kinds = [("job", jobs), ("instance", instances), ("account", accounts), ("region", regions), ("tag", &tags)];
        let named: Vec<String> =
            kinds.iter().filter(|(_, names)| !names.is_empty()).map(|(kind, names)| format!("{kind} {}", names.join(", "))).collect();
        let what = if named.is_empty() { "everything".to_owned() } else { named.join(" and ") };
        let end = self.until.as_ref().map_or_else(|| format!("until `resume {}`", self.pause_id), |until| format!("until {until}"));
        let ago = length(self.age_s);
        format!("{} is paused {end}, asked for {ago} ago by {}: {}", visible(&what), visible(&self.who), visible(&self.reason))
    }
}
