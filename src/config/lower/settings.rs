//! What a job may take from `defaults`: every key but `name`, `schedule` and `targets`. Maps are merged key by key.

use super::{
    Lowering,
    read::{DAY, HOUR, Lengths, SECOND},
};
use crate::{
    config::{
        fault::{Finding, Spot},
        length::written,
        place::Path,
        raw, redact,
    },
    domain::{
        nearest::nearest,
        policy::{ByHand, CatchUp, Overlap, Poll, Retry},
    },
};
use serde_yaml::Mapping;
use std::time::Duration;

const START_WITHIN: (Lengths, Duration) = (SECOND..=31 * DAY, Duration::from_millis(2 * HOUR));
const COMPLETE_WITHIN: (Lengths, Duration) = (SECOND..=31 * DAY, Duration::from_millis(12 * HOUR));
const SPREAD: (Lengths, Duration) = (0..=DAY, Duration::ZERO);
const CATCH_UP_WITHIN: Lengths = SECOND..=400 * DAY;
const INITIAL_BACKOFF: (Lengths, Duration) = (100..=HOUR, Duration::from_secs(2));
const MAX_BACKOFF: (Lengths, Duration) = (100..=DAY, Duration::from_secs(600));
const POLL_INITIAL: (Lengths, Duration) = (100..=HOUR, Duration::from_secs(15));
const POLL_MAX: (Lengths, Duration) = (100..=DAY, Duration::from_secs(300));
const MAX_AGE: Lengths = 60 * SECOND..=3_660 * DAY;
const DEFAULT_PRIORITY: i64 = 5;

/// A job and the defaults behind it.
pub(super) struct Layers<'a> {
    pub(super) job: &'a raw::Job,
    pub(super) at: &'a Path,
    pub(super) defaults: &'a raw::Job,
}

impl<'a> Layers<'a> {
    /// A key's value and place: the job's own, else the default.
    pub(super) fn pick<T>(&self, keys: &[&'static str], get: impl Fn(&'a raw::Job) -> Option<&'a T>) -> Option<(&'a T, Path)> {
        let own = get(self.job).map(|v| (v, self.at.keys(keys)));
        own.or_else(|| get(self.defaults).map(|v| (v, Path::default().key("defaults").keys(keys))))
    }
}

/// The settings of a job, complete.
pub(super) struct Settings {
    pub(super) spread: Duration,
    pub(super) start_within: Duration,
    pub(super) complete_within: Duration,
    pub(super) catch_up: CatchUp,
    pub(super) overlap: Overlap,
    pub(super) priority: u8,
    pub(super) retry: Retry,
    pub(super) poll: Poll,
    pub(super) max_age: Option<Duration>,
    pub(super) suspend: bool,
}

impl Lowering<'_> {
    /// `defaults`, with the faults that they have without any job.
    pub(super) fn job_defaults(&mut self, map: &Mapping) -> (raw::Job, Option<ByHand>) {
        let at = Path::default().key("defaults");
        let defaults: raw::Job = self.decoded(map, "defaults").unwrap_or_default();
        let own = [("name", defaults.name.is_some()), ("schedule", defaults.schedule.is_some()), ("targets", defaults.targets.is_some())];
        for key in own.iter().filter(|(_, is_set)| *is_set).map(|(key, _)| *key) {
            let finding = Finding::error("not-a-default", Spot::Key(at.key(key)), format!("`{key}` is each job's own"));
            self.fault(finding.label("no default").hint("take it out"));
        }
        let layers = Layers { job: &raw::Job::default(), at: &at, defaults: &defaults };
        let by_hand = self.settings(&layers).map(|it| ByHand {
            start_within: it.start_within,
            complete_within: it.complete_within,
            priority: it.priority,
            retry: it.retry,
            poll: it.poll,
        });
        self.method_word(&layers);
        if let Some(tables) = &defaults.tables {
            self.tables(tables, &at.key("tables"));
        }
        if let Some(zone) = &defaults.time_zone {
            self.zone(&zone.0, &at.key("time_zone"));
        }
        (defaults, by_hand)
    }

    pub(super) fn settings(&mut self, layers: &Layers<'_>) -> Option<Settings> {
        let spread = self.setting(layers.pick(&["spread"], |j| j.spread.as_ref()), &SPREAD);
        let start_within = self.setting(layers.pick(&["start_within"], |j| j.start_within.as_ref()), &START_WITHIN);
        let complete_within = self.setting(layers.pick(&["complete_within"], |j| j.complete_within.as_ref()), &COMPLETE_WITHIN);
        let catch_up = self.catch_up(layers, start_within);
        let overlap = self.overlap(layers);
        let priority = layers.pick(&["priority"], |j| j.priority.as_ref());
        let priority = priority.map_or(Some(DEFAULT_PRIORITY), |(n, at)| self.number(*n, &at, 0..=9)).and_then(|n| u8::try_from(n).ok());
        let (retry, poll) = (self.retry(layers), self.poll(layers));
        let max_age = match layers.pick(&["freshness", "max_age"], |j| j.freshness.as_ref()?.max_age.as_ref()) {
            Some((age, at)) if age.0.trim() != "auto" => self.length(age, &at, &MAX_AGE).map(Some),
            _ => Some(None),
        };
        Some(Settings {
            spread: spread?,
            start_within: start_within?,
            complete_within: complete_within?,
            catch_up: catch_up?,
            overlap: overlap?,
            priority: priority?,
            retry: retry?,
            poll: poll?,
            max_age: max_age?,
            suspend: layers.pick(&["suspend"], |j| j.suspend.as_ref()).is_some_and(|(s, _)| *s),
        })
    }

    fn setting(&mut self, picked: Option<(&raw::Length, Path)>, (range, default): &(Lengths, Duration)) -> Option<Duration> {
        picked.map_or(Some(*default), |(raw, at)| self.length(raw, &at, range))
    }

    fn catch_up(&mut self, layers: &Layers<'_>, start_within: Option<Duration>) -> Option<CatchUp> {
        let within = layers.pick(&["catch_up_within"], |j| j.catch_up_within.as_ref());
        let within = within.map_or(start_within, |(raw, at)| self.length(raw, &at, &CATCH_UP_WITHIN));
        match layers.pick(&["catch_up"], |j| j.catch_up.as_ref()) {
            None => Some(CatchUp::Latest { within: within? }),
            Some((word, at)) => match self.word(&word.0, &at, &["latest", "none"])? {
                "none" => Some(CatchUp::Off),
                _ => Some(CatchUp::Latest { within: within? }),
            },
        }
    }

    fn overlap(&mut self, layers: &Layers<'_>) -> Option<Overlap> {
        let Some((word, at)) = layers.pick(&["overlap"], |j| j.overlap.as_ref()) else { return Some(Overlap::Skip) };
        self.word(&word.0, &at, &["skip", "queue"]).map(|word| if word == "queue" { Overlap::Queue } else { Overlap::Skip })
    }

    fn retry(&mut self, layers: &Layers<'_>) -> Option<Retry> {
        let after_failed = layers.pick(&["retry", "after_failed"], |j| j.retry.as_ref()?.after_failed.as_ref());
        let after_failed = after_failed.map_or(Some(1), |(n, at)| self.number(*n, &at, 0..=8)).and_then(|n| u8::try_from(n).ok());
        let max_attempts = match layers.pick(&["retry", "max_attempts"], |j| j.retry.as_ref()?.max_attempts.as_ref()) {
            None => Some(None),
            Some((n, at)) => self.number(*n, &at, 1..=1_000_000).and_then(|n| u32::try_from(n).ok()).map(Some),
        };
        let initial = layers.pick(&["retry", "initial_backoff"], |j| j.retry.as_ref()?.initial_backoff.as_ref());
        let max = layers.pick(&["retry", "max_backoff"], |j| j.retry.as_ref()?.max_backoff.as_ref());
        let (initial, max) = self.pair(initial, &INITIAL_BACKOFF, max, &MAX_BACKOFF);
        Some(Retry { after_failed: after_failed?, max_attempts: max_attempts?, initial_backoff: initial?, max_backoff: max? })
    }

    fn poll(&mut self, layers: &Layers<'_>) -> Option<Poll> {
        let initial = layers.pick(&["poll", "initial"], |j| j.poll.as_ref()?.initial.as_ref());
        let max = layers.pick(&["poll", "max"], |j| j.poll.as_ref()?.max.as_ref());
        let (initial, max) = self.pair(initial, &POLL_INITIAL, max, &POLL_MAX);
        Some(Poll { initial: initial?, max: max? })
    }

    /// Two lengths of which the first must not be the longer. One that is not written follows the other.
    fn pair(
        &mut self,
        least: Option<(&raw::Length, Path)>,
        least_range: &(Lengths, Duration),
        most: Option<(&raw::Length, Path)>,
        most_range: &(Lengths, Duration),
    ) -> (Option<Duration>, Option<Duration>) {
        let (least_at, most_at) = (least.as_ref().map(|(_, at)| at.clone()), most.as_ref().map(|(_, at)| at.clone()));
        let (a, b) = (self.setting(least, least_range), self.setting(most, most_range));
        let (Some(shorter), Some(longer)) = (a, b) else { return (a, b) };
        match (least_at, most_at) {
            _ if shorter <= longer => (a, b),
            (Some(at), Some(other)) => {
                let message = format!("{} is longer than its own limit, {}", written(shorter), written(longer));
                let finding = Finding::error("out-of-range", Spot::Value(at), message).label("the longer").also(Spot::Value(other), "the limit");
                self.fault(finding.hint("make the second at least as long as the first"));
                (None, None)
            }
            (Some(_), None) => (a, a),
            (None, _) => (b, b),
        }
    }

    /// One of a few words.
    pub(super) fn word(&mut self, text: &str, at: &Path, known: &[&'static str]) -> Option<&'static str> {
        if let Some(word) = known.iter().find(|k| **k == text) {
            return Some(word);
        }
        let list: Vec<String> = known.iter().map(|k| format!("`{k}`")).collect();
        let finding = Finding::error("unknown-word", Spot::Value(at.clone()), format!("{} is none of the known words", redact::quoted(text)));
        let finding = finding.label(nearest(text, known.iter().copied()).map_or("unknown".to_owned(), |m| format!("did you mean `{m}`?")));
        self.fault(finding.hint(format!("write {}", list.join(" or "))));
        None
    }
}
