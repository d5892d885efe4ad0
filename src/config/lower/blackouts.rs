//! `blackouts`, of the policy and of a job.

use super::{
    Lowering,
    read::{DAY, Lengths, MINUTE},
};
use crate::{
    config::{
        decode,
        fault::{Finding, Spot},
        place::Path,
        raw,
    },
    domain::policy::{Blackout, BlackoutSpan},
};
use serde_yaml::Mapping;

const LASTS: Lengths = MINUTE..=31 * DAY;

impl Lowering<'_> {
    /// Those that hold for every job.
    pub(super) fn blackouts(&mut self, map: &Mapping, default_zone: Option<&str>) -> Option<Vec<Blackout>> {
        let before = self.findings.errors();
        let at = Path::default().key("blackouts");
        let mut blackouts = Vec::new();
        for (i, value) in self.items(map, "blackouts").iter().enumerate() {
            let at = at.index(i);
            if let Some(raw) = decode::entry::<raw::Blackout>(value, &at, self.findings) {
                blackouts.extend(self.blackout(&raw, &at, default_zone));
            }
        }
        (self.findings.errors() == before).then_some(blackouts)
    }

    /// One blackout: once from one moment to another, or again and again by a schedule.
    pub(super) fn blackout(&mut self, raw: &raw::Blackout, at: &Path, default_zone: Option<&str>) -> Option<Blackout> {
        let reason = raw.reason.as_ref().map(|r| r.0.clone()).unwrap_or_default();
        if ["from", "to", "schedule", "lasts", "time_zone"].iter().any(|key| self.findings.is_unknown(&at.key(*key))) {
            // It is told already what is wrong with it.
            return None;
        }
        let once = raw.from.is_some() || raw.to.is_some();
        let again = raw.schedule.is_some() || raw.lasts.is_some() || raw.time_zone.is_some();
        let hint = "write `{ from: MOMENT, to: MOMENT }` or `{ schedule: CRON, lasts: 10h, time_zone: ZONE }`";
        if once == again {
            let message = if once { "a blackout is once or again and again, not both" } else { "the blackout does not say when" };
            self.fault(Finding::error("bad-blackout", Spot::Value(at.clone()), message).label("this one").hint(hint));
            return None;
        }
        let span = if once { self.once(raw, at, hint) } else { self.recurring(raw, at, default_zone, hint) };
        Some(Blackout { span: span?, reason })
    }

    fn once(&mut self, raw: &raw::Blackout, at: &Path, hint: &str) -> Option<BlackoutSpan> {
        for (key, is_missing) in [("from", raw.from.is_none()), ("to", raw.to.is_none())] {
            if is_missing {
                self.missing(key, at, hint);
            }
        }
        let from = raw.from.as_ref().and_then(|m| self.moment(m, &at.key("from")));
        let to = raw.to.as_ref().and_then(|m| self.moment(m, &at.key("to")));
        let (from, to) = (from?, to?);
        if from < to {
            return Some(BlackoutSpan::Once { from, to });
        }
        let finding = Finding::error("bad-blackout", Spot::Value(at.key("to")), "the blackout ends before it begins").label("the end");
        self.fault(finding.also(Spot::Value(at.key("from")), "the beginning").hint("put the earlier moment into `from`"));
        None
    }

    fn recurring(&mut self, raw: &raw::Blackout, at: &Path, default_zone: Option<&str>, hint: &str) -> Option<BlackoutSpan> {
        let lasts = match &raw.lasts {
            Some(lasts) => self.length(lasts, &at.key("lasts"), &LASTS),
            None => {
                self.missing("lasts", at, hint);
                None
            }
        };
        let Some(text) = &raw.schedule else {
            self.missing("schedule", at, hint);
            return None;
        };
        let zone = match (&raw.time_zone, default_zone) {
            (Some(zone), _) => self.zone(&zone.0, &at.key("time_zone")),
            (None, Some(zone)) => Some(zone.to_owned()),
            (None, None) => {
                self.missing_from_both("time_zone", at, "defaults", "write `time_zone: Asia/Shanghai` here or in `defaults`");
                None
            }
        };
        let schedule = self.schedule(&text.0, zone.as_deref(), &at.key("schedule"));
        Some(BlackoutSpan::Recurring { schedule: schedule?, lasts: lasts? })
    }
}
