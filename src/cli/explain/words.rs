//! What holds a run, in a sentence each: what it is, since when, when it ends, and what would end it.

use super::told::Scene;
use crate::{
    domain::{
        hold::Waits,
        names::{JobName, RunId},
        policy::{Account, Job},
        prose::{local, visible},
    },
    ledger::report::{Held, Holds, Judged, Sent},
};
use chrono::{DateTime, Utc};

/// What the sentences are made of.
pub(super) struct Words<'a> {
    pub(super) scene: &'a Scene<'a>,
    /// Whose zone times are written in; none: UTC.
    pub(super) job: Option<&'a Job>,
    pub(super) holds: &'a Holds<'a>,
    pub(super) pulse: &'a Judged,
}

impl Words<'_> {
    /// The sentence, without a full stop.
    pub(super) fn says(&self, held: &Held) -> anyhow::Result<String> {
        let by = held.by.as_deref().unwrap_or_default();
        let until = held.until.map(|until| format!(" until {}", self.moment(until))).unwrap_or_default();
        Ok(match held.waits {
            Waits::NotRunning => format!("no daemon turns, so nothing starts: {}", self.pulse.advice().unwrap_or("start it")),
            Waits::Ledger => "the daemon cannot write the ledger and starts nothing until it can: look at the disk, and at its log".to_owned(),
            Waits::Clock => {
                "no reply of the cloud has proved the machine's clock, and nothing starts until one does: set the clock, or mend the way to the endpoint"
                    .to_owned()
            }
            Waits::Paused => self.pause(by, &until),
            Waits::Suspended => "the policy suspends the job: take its `suspend` out and reload".to_owned(),
            Waits::Blackout if by.is_empty() => format!("a blackout of the policy lasts{until}"),
            Waits::Blackout => format!("the blackout `{}` of the policy lasts{until}", visible(by)),
            Waits::Account => {
                let keys = self.account(by).map_or_else(String::new, |account| format!(" where {} points", account.credentials));
                let since = self.since(Waits::Account, by);
                format!("the cloud does not accept the keys of account {by}{since}: put the right ones{keys}; they are read and tried again every 30 s")
            }
            Waits::CannotLook => {
                let since = self.since(Waits::CannotLook, by);
                format!("the backups of {by} cannot be listed{since}, and nothing is made there until they can: check its id, its region and the rights of the keys")
            }
            Waits::InUse => self.in_the_way(by)?,
            Waits::MaxRunning => {
                let most = self.account(by).and_then(|account| account.max_running).unwrap_or_default();
                format!("account {by} has as many backups in progress as its max_running of {most}: it starts when one of them ends")
            }
            Waits::Retry => format!("the last call was refused with {}; it is made again from{}", visible(by), until.replacen(" until", "", 1)),
            Waits::Spread => format!("its share of the job's spread is not over: it starts from{}", until.replacen(" until", "", 1)),
            Waits::Pace => {
                let pace = self.account(by).map(|account| format!(", {} a second at most", account.calls_per_second)).unwrap_or_default();
                format!("nothing holds it: it is sent in its turn among those of account {by}{pace}")
            }
        })
    }

    fn moment(&self, t: DateTime<Utc>) -> String {
        self.job.map_or_else(|| self.scene.shown.stamp(t), |job| local(&self.scene.shown.local(t, &job.schedule)))
    }

    fn account(&self, name: &str) -> Option<&Account> {
        self.scene.policy.accounts.iter().map(AsRef::as_ref).find(|account| account.name.as_str() == name)
    }

    fn pause(&self, number: &str, until: &str) -> String {
        let pause = self.scene.survey.pauses.iter().find(|pause| pause.id.to_string() == number);
        let of = pause.map(|pause| format!(" of {} ({})", visible(&pause.who), visible(&pause.reason))).unwrap_or_default();
        let until = if until.is_empty() { " until somebody ends it" } else { until };
        format!("pause {number}{of} lasts{until}; `cdb-backupd resume {number}` ends it")
    }

    fn since(&self, waits: Waits, name: &str) -> String {
        let hold = self.holds.loop_hold(waits, name);
        hold.map(|hold| format!(" since {} ({})", self.moment(hold.since), visible(&hold.code))).unwrap_or_default()
    }

    /// The run that is at work on the instance, and whose it is.
    fn in_the_way(&self, number: &str) -> anyhow::Result<String> {
        let Some(run) = self.holds.at_work(number) else { return Ok(format!("run {number} is at work on the instance")) };
        let (since, whose) = (run.started_at.map(|at| format!(" since {}", self.moment(at))).unwrap_or_default(), self.whose(run)?);
        Ok(format!("run {number} of {whose} is {} on the instance{since}: one at a time is made there; `show {number}` tells how it goes", run.state))
    }

    fn whose(&self, run: &Sent) -> anyhow::Result<String> {
        if run.job != JobName::BY_HAND {
            return Ok(run.job.clone());
        }
        let detail = self.scene.reader.map(|reader| reader.detail(RunId(run.run_id))).transpose()?.flatten();
        let request = detail.map(|detail| detail.run.asked.request).unwrap_or_default();
        let asker = self.scene.reader.map(|reader| reader.asker(request)).transpose()?.flatten();
        Ok(match asker {
            Some((who, Some(reason))) => format!("{}, by hand ({})", visible(&who), visible(&reason)),
            Some((who, None)) => format!("{}, by hand", visible(&who)),
            None => "somebody, by hand".to_owned(),
        })
    }
}

/// What becomes of slots that have come while nobody looked.
pub(super) fn unseen(runs: Option<&str>, left: u64) -> String {
    let slots = |n: u64| if n == 1 { "1 slot".to_owned() } else { format!("{n} slots") };
    match (runs, left) {
        (Some(slot), 0) => format!("the slot of {} has come unseen, and is run if the daemon goes on now", local(slot)),
        (Some(slot), left) => {
            format!("{} have come unseen: if the daemon goes on now, that of {} is run and the rest are not", slots(left + 1), local(slot))
        }
        (None, left) => format!("{} {} come unseen, and will not be run", slots(left), if left == 1 { "has" } else { "have" }),
    }
}
