//! `jobs`: a name, a schedule in a zone, and the parts that the other files read.

use super::{Lowering, settings::Layers};
use crate::{
    config::{
        decode,
        fault::{Finding, Spot},
        place::Path,
        raw, redact,
    },
    domain::{
        names::JobName,
        policy::Job,
        schedule::{Schedule, ScheduleError, is_abbreviation, nearest_zone},
    },
};
use serde_yaml::{Mapping, Value};
use std::{collections::HashMap, sync::Arc};

impl Lowering<'_> {
    /// Those of the file, in its order; absent when one is at fault.
    pub(super) fn jobs(&mut self, map: &Mapping, defaults: &raw::Job) -> Option<Vec<Arc<Job>>> {
        let before = self.findings.errors();
        let at = Path::default().key("jobs");
        let mut names = HashMap::new();
        let mut jobs = Vec::new();
        for (i, value) in self.items(map, "jobs").iter().enumerate() {
            let at = at.index(i);
            if let Some(name) = value.get("name").and_then(Value::as_str) {
                self.remember_job(name, &at, &mut names);
            }
            if let Some(raw) = decode::entry::<raw::Job>(value, &at, self.findings) {
                jobs.extend(self.job(&Layers { job: &raw, at: &at, defaults }).map(Arc::new));
            }
        }
        (self.findings.errors() == before).then_some(jobs)
    }

    fn remember_job(&mut self, name: &str, at: &Path, names: &mut HashMap<String, Path>) {
        let Some(first) = names.get(name) else {
            names.insert(name.to_owned(), at.clone());
            return;
        };
        let message = format!("two jobs are named {}", redact::quoted(name));
        let finding = Finding::error("repeated-name", Spot::Value(at.key("name")), message).label("again here");
        self.fault(finding.also(Spot::Value(first.key("name")), "first defined here").hint("give each job a name of its own"));
    }

    fn job(&mut self, layers: &Layers<'_>) -> Option<Job> {
        let (job, at) = (layers.job, layers.at);
        let name = match &job.name {
            Some(name) => self.parsed("bad-name", &name.0, at.key("name"), JobName::parse),
            None => {
                self.missing("name", at, "give the job a name, such as `name: nightly-full`");
                None
            }
        };
        if let (Some(name), Some((true, _))) = (&name, layers.pick(&["may_be_empty"], |j| j.may_be_empty.as_ref())) {
            self.may_be_empty.insert(name.clone());
        }
        let schedule = self.job_schedule(layers);
        let settings = self.settings(layers);
        let method = self.method(layers);
        let may_be_empty = layers.pick(&["may_be_empty"], |j| j.may_be_empty.as_ref()).is_some_and(|(m, _)| *m);
        let instances = match &job.targets {
            Some(targets) => self.targets(targets, &at.key("targets"), may_be_empty),
            None => {
                self.missing("targets", at, "write `targets: { instances: [NAME] }`, `{ tags: { KEY: VALUE } }` or `{ all: true }`");
                None
            }
        };
        let blackouts = self.job_blackouts(layers);
        let settings = settings?;
        Some(Job {
            name: name?,
            schedule: schedule?,
            spread: settings.spread,
            instances: instances?,
            method: method?,
            start_within: settings.start_within,
            complete_within: settings.complete_within,
            catch_up: settings.catch_up,
            overlap: settings.overlap,
            priority: settings.priority,
            retry: settings.retry,
            poll: settings.poll,
            max_age: settings.max_age,
            suspend: settings.suspend,
            blackouts: blackouts?,
        })
    }

    fn job_schedule(&mut self, layers: &Layers<'_>) -> Option<Schedule> {
        let zone = layers.pick(&["time_zone"], |j| j.time_zone.as_ref());
        if zone.is_none() {
            let hint = "write `time_zone: Asia/Shanghai` here or in `defaults`; a silent UTC would move the backups to another hour";
            self.missing_from_both("time_zone", layers.at, "defaults", hint);
        }
        let Some(text) = &layers.job.schedule else {
            self.missing("schedule", layers.at, "write five cron fields, such as `schedule: \"30 2 * * *\"`");
            return None;
        };
        let zone = zone.and_then(|(zone, at)| self.zone(&zone.0, &at));
        self.schedule(&text.0, zone.as_deref(), &layers.at.key("schedule"))
    }

    fn job_blackouts(&mut self, layers: &Layers<'_>) -> Option<Vec<crate::domain::policy::Blackout>> {
        let Some((raw, at)) = layers.pick(&["blackouts"], |j| j.blackouts.as_ref()) else { return Some(Vec::new()) };
        let zone = layers.pick(&["time_zone"], |j| j.time_zone.as_ref()).map(|(zone, _)| zone.0.as_str());
        let before = self.findings.errors();
        let blackouts = raw.iter().enumerate().filter_map(|(i, raw)| self.blackout(raw, &at.index(i), zone)).collect();
        (self.findings.errors() == before).then_some(blackouts)
    }

    /// A zone of the compiled-in data.
    pub(super) fn zone(&mut self, zone: &str, at: &Path) -> Option<String> {
        match Schedule::parse("@daily", zone) {
            Ok(_) => Some(zone.to_owned()),
            Err(_) => {
                let message = format!("{} is no IANA time zone", redact::quoted(zone));
                let finding = Finding::error("unknown-zone", Spot::Value(at.clone()), message);
                let near = nearest_zone(zone);
                self.fault(match near {
                    Some(near) => finding.label(format!("did you mean `{near}`?")).hint(format!("write `{near}`")),
                    None if is_abbreviation(zone) => {
                        finding.label("an abbreviation").hint("abbreviations mean several zones; write a zone's name, such as `Asia/Shanghai`")
                    }
                    None => finding.label("unknown").hint("write a name such as `Asia/Shanghai` or `UTC`"),
                });
                None
            }
        }
    }

    /// A cron text in a zone. Without a zone only the text is judged.
    pub(super) fn schedule(&mut self, text: &str, zone: Option<&str>, at: &Path) -> Option<Schedule> {
        match Schedule::parse(text, zone.unwrap_or("UTC")) {
            Ok(schedule) => zone.map(|_| schedule),
            Err(error) => {
                self.fault(bad_schedule(text, &error, at));
                None
            }
        }
    }
}

fn bad_schedule(text: &str, error: &ScheduleError, at: &Path) -> Finding {
    let finding = |message: String| Finding::error("bad-schedule", Spot::Value(at.clone()), message);
    match error {
        ScheduleError::Field { field, text, reason, takes } => {
            let finding = finding(format!("the {field} of this schedule, {}, cannot be read: {reason}", redact::quoted(text)));
            finding.label(format!("the {field} is wrong")).hint(format!("write {takes}; or a list, a range, or `*/N`"))
        }
        ScheduleError::Never => {
            let finding = finding(format!("{} {error}", redact::quoted(text)));
            finding.label("no such day").hint("write a day that comes, such as `0 2 L * *` for the last one of each month")
        }
        ScheduleError::Long => finding(format!("{} {error}", redact::quoted(text))).hint("shorten it, or make two jobs of it"),
        _ => {
            // Some reasons say behind a semicolon what to write instead.
            let reason = error.to_string();
            let (reason, hint) = reason.split_once("; ").unwrap_or((reason.as_str(), "write five cron fields, such as `30 2 * * *`"));
            finding(format!("{} {reason}", redact::quoted(text))).hint(hint)
        }
    }
}
