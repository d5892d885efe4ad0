//! `health`: whether the daemon of a ledger turns. For an image's health check and for people; no daemon is asked, its ledger is read.
//!
//! Decided here: how old the last finished pass may be. A pass that holds counts: what it waits for is the log's and the history's to tell.

use super::{
    Globals,
    exit::Exit,
    history::stamp,
    output::{self, Format},
    reading::{self, LedgerArg},
    table::visible,
};
use crate::{
    domain::now::Now,
    ledger::report::{Pulse, Reader},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use std::{path::Path, time::Duration};

/// The daemon writes its pulse every 15 s; four in a row are missing.
const LATEST: Duration = Duration::from_secs(60);

/// Tell whether a daemon works on the ledger: 0 when its last pass is less than a minute old, 1 when it is not
#[derive(Clone, Debug, clap::Args)]
pub struct Health {
    #[command(flatten)]
    ledger: LedgerArg,
}

/// What there is to say of a pulse.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Judged {
    schema_version: u8,
    /// Whether a daemon works on the ledger.
    pub(super) ok: bool,
    last_pass_at: Option<String>,
    last_pass_age_s: Option<i64>,
    verdict: Option<String>,
    pid: Option<i64>,
    advice: Option<String>,
}

impl Health {
    /// Prints one line, or one object.
    pub fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        let ledger = self.ledger.path(globals, now)?;
        let pulse = match Reader::open(&ledger).and_then(|reader| reader.map_or(Ok(None), |reader| reader.pulse())) {
            Ok(pulse) => pulse,
            Err(error) => return reading::ended(Err(error.into())),
        };
        let told = judge(&ledger, pulse, now.utc);
        match globals.output {
            Format::Text => output::print(&line(&told))?,
            Format::Json | Format::Csv => output::print(&format!("{}\n", serde_json::to_string(&told)?))?,
        }
        Ok(if told.ok { Exit::Ok } else { Exit::Failed })
    }
}

pub(super) fn judge(ledger: &Path, pulse: Option<Pulse>, now: DateTime<Utc>) -> Judged {
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
    Judged {
        schema_version: 1,
        ok: advice.is_none(),
        last_pass_at: pulse.as_ref().map(|pulse| stamp(pulse.at)),
        last_pass_age_s: age.map(|age| age.num_seconds()),
        pid: pulse.as_ref().map(|pulse| pulse.pid),
        verdict: pulse.map(|pulse| pulse.verdict),
        advice,
    }
}

/// What is held though the daemon turns.
pub(super) fn held(told: &Judged) -> Option<String> {
    told.verdict.as_deref().filter(|verdict| told.ok && *verdict != "ok").map(|verdict| format!("held: {}", visible(verdict)))
}

/// How long ago the last pass was.
pub(super) fn last_pass(told: &Judged) -> Option<String> {
    told.last_pass_age_s.map(|age| match age {
        ..-1 => format!("last pass in {}", length(-age)),
        -1..=0 => "last pass just now".to_owned(),
        _ => format!("last pass {} ago", length(age)),
    })
}

/// The verdict, the pulse, and what to do.
pub(super) fn line(told: &Judged) -> String {
    let (last, held) = (last_pass(told), held(told));
    let said: Vec<String> = [last, held, told.advice.clone()].into_iter().flatten().collect();
    format!("{}: {}\n", if told.ok { "ok" } else { "not ok" }, said.join("; "))
}

/// Seconds while there are few, else the two largest units.
pub(super) fn length(seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    if seconds < 120 {
        return format!("{seconds} s");
    }
    let whole = if seconds < 86_400 { seconds - seconds % 60 } else { seconds - seconds % 3_600 };
    humantime::format_duration(Duration::from_secs(whole)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    fn told(age: TimeDelta, verdict: &str) -> String {
        let pulse = Pulse { at: now() - age, pid: 7, verdict: verdict.into() };
        line(&judge(Path::new("/x/ledger.db"), Some(pulse), now()))
    }

    #[test]
    fn a_pass_of_the_last_minute_is_good_though_it_held() {
        assert_eq!(told(TimeDelta::seconds(3), "ok"), "ok: last pass 3 s ago\n");
        assert_eq!(told(TimeDelta::seconds(60), "clock_unproved"), "ok: last pass 60 s ago; held: clock_unproved\n");
        assert_eq!(told(TimeDelta::milliseconds(-900), "ok"), "ok: last pass just now\n");
    }

    #[test]
    fn an_older_one_says_what_to_do() {
        let text = told(TimeDelta::milliseconds(60_001), "account_held");
        assert_eq!(
            text,
            "not ok: last pass 60 s ago; its daemon hangs, cannot write, or is gone: read its log, mend what it says, and start it again\n"
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
        let told = judge(Path::new("/x/ledger.db"), None, now());
        assert_eq!((told.ok, told.last_pass_at.is_none()), (false, true));
        assert!(line(&told).starts_with("not ok: no pass has finished in /x/ledger.db yet; start the daemon"));
    }
}
