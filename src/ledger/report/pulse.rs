//! The daemon's pulse, and what is to be said of it.
//!
//! Decided here: what is said of a pulse that is old or of the future. A pass that holds counts; what is wrong then stands in the pulse itself, and how
//! old one may be, and what follows from a trouble, is `domain::trouble`'s to say.

use super::Reader;
use crate::{
    domain::{
        prose::{length, stamp, visible},
        trouble::{self, LATEST, Weight},
    },
    ledger::{Error, row::instant},
};
use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{OptionalExtension, Row};
use serde::Serialize;
use std::path::Path;

/// The last finished pass of a daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// When it was written, by the daemon's clock.
    pub at: DateTime<Utc>,
    /// The daemon's process.
    pub pid: i64,
    /// `ok`, or the word of the weightiest trouble.
    pub verdict: String,
    /// All that is wrong, in one line; empty when nothing is.
    pub says: String,
}

/// What there is to say of a pulse; the fields are those of the JSON form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judged {
    schema_version: u8,
    /// Whether a daemon works on the ledger.
    pub ok: bool,
    last_pass_at: Option<String>,
    last_pass_age_s: Option<i64>,
    verdict: Option<String>,
    says: Option<String>,
    pid: Option<i64>,
    advice: Option<String>,
}

impl Reader {
    /// The last finished pass; none when no daemon has finished one.
    pub fn pulse(&self) -> Result<Option<Pulse>, Error> {
        let sql = "SELECT at_ms, pid, verdict, says FROM heartbeat";
        let pulse = |found: &Row<'_>| Ok(Pulse { at: instant(found.get(0)?), pid: found.get(1)?, verdict: found.get(2)?, says: found.get(3)? });
        Ok(self.conn.query_row(sql, [], pulse).optional()?)
    }
}

impl Judged {
    /// Of the pulse of the ledger at this path, none when no pass ever finished.
    pub fn of(ledger: &Path, pulse: Option<Pulse>, now: DateTime<Utc>) -> Self {
        let age = pulse.as_ref().map(|pulse| now - pulse.at);
        let latest = TimeDelta::from_std(LATEST).unwrap_or_default();
        let advice = match age {
            None => Some(format!(
                "no pass has finished in {} yet; start the daemon with `cdb-backupd run`, or name its ledger with --ledger",
                visible(&ledger.to_string_lossy())
            )),
            Some(age) if age > latest => {
                Some("its daemon hangs, cannot write, or is gone: read its log, mend what it says, and start it again".to_owned())
            }
            Some(age) if age < -latest => Some("that is ahead of this clock: set the clock, and see whether the daemon is still there".to_owned()),
            Some(_) => None,
        };
        Self {
            schema_version: 1,
            ok: advice.is_none(),
            last_pass_at: pulse.as_ref().map(|pulse| stamp(pulse.at)),
            last_pass_age_s: age.map(|age| age.num_seconds()),
            pid: pulse.as_ref().map(|pulse| pulse.pid),
            says: pulse.as_ref().map(|pulse| pulse.says.clone()).filter(|says| !says.is_empty()),
            verdict: pulse.map(|pulse| pulse.verdict),
            advice,
        }
    }

    /// Whether the daemon turns, and somebody has to see to something all the same.
    pub fn is_in_trouble(&self) -> bool {
        self.ok && self.verdict().is_some_and(|verdict| trouble::weight(verdict) != Weight::Passes)
    }

    /// The word of what was wrong at the last pass, or that nothing was.
    pub(super) fn verdict(&self) -> Option<&str> {
        self.verdict.as_deref()
    }

    /// Whether another says the same, the moment of the pass aside.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.ok, &self.verdict, &self.says, self.pid, &self.advice) == (other.ok, &other.verdict, &other.says, other.pid, &other.advice)
    }

    /// What is wrong though the daemon turns.
    pub fn held(&self) -> Option<String> {
        let verdict = self.verdict.as_deref().filter(|verdict| self.ok && *verdict != trouble::NONE)?;
        Some(format!("{}: {}", visible(verdict), visible(self.says.as_deref().unwrap_or("see its log"))))
    }

    /// What to do; none while all is well.
    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }

    /// How long ago the last pass was.
    pub fn last_pass(&self) -> Option<String> {
        self.last_pass_age_s.map(|age| match age {
            ..-1 => format!("last pass in {}", length(-age)),
            -1..=0 => "last pass just now".to_owned(),
            _ => format!("last pass {} ago", length(age)),
        })
    }

    /// The verdict, the pulse, and what to do.
    pub fn line(&self) -> String {
        let said: Vec<String> = [self.last_pass(), self.held(), self.advice.clone()].into_iter().flatten().collect();
        format!("{}: {}", if self.ok { "ok" } else { "not ok" }, said.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    fn told(age: TimeDelta, verdict: &str) -> String {
        let says = if verdict == "ok" { "" } else { "what is wrong" };
        let pulse = Pulse { at: now() - age, pid: 7, verdict: verdict.into(), says: says.into() };
        Judged::of(Path::new("/x/ledger.db"), Some(pulse), now()).line()
    }

    #[test]
    fn a_pass_of_the_last_minute_is_good_though_it_held() {
        assert_eq!(told(TimeDelta::seconds(3), "ok"), "ok: last pass 3 s ago");
        assert_eq!(told(TimeDelta::seconds(60), "clock_unproved"), "ok: last pass 60 s ago; clock_unproved: what is wrong");
        assert_eq!(told(TimeDelta::milliseconds(-900), "ok"), "ok: last pass just now");
    }

    #[test]
    fn an_older_one_says_what_to_do() {
        let text = told(TimeDelta::milliseconds(60_001), "account_held");
        assert_eq!(
            text,
            "not ok: last pass 60 s ago; its daemon hangs, cannot write, or is gone: read its log, mend what it says, and start it again"
        );
        assert!(told(TimeDelta::days(400), "ok").starts_with("not ok: last pass 1year 1month"));
        assert!(told(TimeDelta::seconds(3_599), "ok").starts_with("not ok: last pass 59m ago"));
    }

    #[test]
    fn one_of_the_future_is_no_sign_of_life() {
        assert!(told(TimeDelta::minutes(-10), "ok").starts_with("not ok: last pass in 10m; that is ahead of this clock"));
    }

    #[test]
    fn none_at_all_names_the_ledger_that_was_read() {
        let told = Judged::of(Path::new("/x/ledger.db"), None, now());
        assert_eq!((told.ok, told.last_pass_at.is_none()), (false, true));
        assert!(told.line().starts_with("not ok: no pass has finished in /x/ledger.db yet; start the daemon"));
    }
}
