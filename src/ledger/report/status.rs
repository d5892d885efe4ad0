//! How jobs and instances stand: the verdict, what is wrong since when, and the figures of each job.
//!
//! Decided here: what is counted, when the answer is "not all good", and its sentences. Whether a backup is fresh is `domain::freshness`' to say.

use super::{Due, Ended, Held, HeldLine, HoldLine, Holds, Judged, Pair, PauseLine, Says, Sent, Survey, holds};
use crate::domain::{
    freshness::{Freshness, max_age},
    pause::Paused,
    policy::{Instance, Job, Policy},
    prose::{length, stamp},
    scope::Scope,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// All there is to say; the fields are those of the JSON form.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Overview {
    schema_version: u8,
    /// Whether the daemon turns, nothing is wrong that somebody has to see to, and no pair is wrong.
    pub ok: bool,
    /// The daemon's.
    pub pulse: Judged,
    /// What people hold.
    pub pauses: Vec<PauseLine>,
    /// Job by job, in the order of the policy.
    pub jobs: Vec<JobLine>,
    /// Pair by pair, in the same order.
    pub items: Vec<PairLine>,
}

/// One job over its instances.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct JobLine {
    /// The job.
    pub job: String,
    /// On how many instances it is.
    pub pairs: usize,
    /// Pairs with a fresh backup.
    pub fresh: usize,
    /// Pairs whose newest slot ended without one.
    pub late: usize,
    /// Pairs whose newest one is too old.
    pub stale: usize,
    /// Pairs without one yet.
    pub never: usize,
    /// Pairs of a job that is held.
    pub paused: usize,
    /// Pairs that somebody has to look after.
    pub wrong: usize,
    /// Runs that were sent and have not ended.
    pub running: usize,
    /// Pairs whose next run is yet to be sent.
    pub waiting: usize,
    /// Those of them that something keeps; the rest have their share of the spread before them.
    pub held: usize,
    /// What they wait for.
    pub holds: Vec<HoldLine>,
    /// The newest slot that has ended on any instance.
    pub last_slot: Option<String>,
    /// The same in the job's zone.
    pub last_slot_local: Option<String>,
    /// How many of its runs ended how, by their states.
    pub last_outcomes: BTreeMap<String, usize>,
    /// The next slot.
    pub next_slot: Option<String>,
    /// The same in the job's zone.
    pub next_slot_local: Option<String>,
}

/// One job on one instance.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct PairLine {
    /// The job.
    pub job: String,
    /// The instance.
    pub instance_id: String,
    /// Its name.
    pub instance_name: String,
    /// How it stands: a word of `domain::freshness`.
    pub freshness: &'static str,
    /// Whether somebody has to look after it.
    pub wrong: bool,
    /// How old the newest good backup may be.
    pub max_age_s: u64,
    /// The newest slot with a good backup.
    pub good: Option<EndedLine>,
    /// How old that is.
    pub good_age_s: Option<i64>,
    /// The newest slot that has ended.
    pub last: Option<EndedLine>,
    /// The run that is open.
    pub open: Option<OpenLine>,
    /// What its run that is yet to be sent waits for, the weightiest first; nothing where there is no such run.
    pub held: Vec<HeldLine>,
}

/// A run that has ended.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct EndedLine {
    /// Its number.
    pub run_id: i64,
    /// Its slot.
    #[serde(serialize_with = "as_stamp")]
    pub slot: DateTime<Utc>,
    /// The same in the job's zone.
    pub slot_local: String,
    /// A word of DESIGN §4.
    pub state: String,
    /// The sentence.
    pub why: String,
    /// Whether it has a good backup. No key of the JSON form.
    #[serde(skip)]
    pub is_good: bool,
}

/// A run that is open.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct OpenLine {
    /// Its number.
    pub run_id: i64,
    /// A word of DESIGN §4.
    pub state: String,
    /// The last failed answer's code.
    pub last_code: Option<String>,
    /// Whether it is yet to be sent. No key of the JSON form.
    #[serde(skip)]
    pub waits: bool,
}

/// An instance that nothing covers.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Uncovered {
    /// The instance.
    pub instance_id: String,
    /// Its name.
    pub instance_name: String,
    /// Its account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// The jobs that match it.
    pub jobs: Vec<String>,
}

/// What tells most about a pair that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clue<'a> {
    /// The newest slot that ended, which ended badly.
    Ended(&'a EndedLine),
    /// The run that is open.
    Open(&'a OpenLine),
    /// Nothing has happened since.
    Nothing,
}

impl Overview {
    /// Of the pairs that are meant; without a policy in force there is nothing to expect.
    pub fn of(pulse: Judged, policy: Option<&Policy>, survey: &Survey, meant: &Scope, now: DateTime<Utc>) -> Self {
        let known: BTreeMap<(&str, &str), &Pair> = survey.pairs.iter().map(|pair| ((pair.job.as_str(), pair.instance_id.as_str()), pair)).collect();
        let (mut lines, mut items) = (Vec::new(), Vec::new());
        if let Some(policy) = policy {
            let paused = Paused::of(&survey.pauses, policy, now);
            let holds = Holds::of(policy, survey, Says::by_pulse(&pulse), now);
            for job in policy.jobs.iter().filter(|job| meant.keeps_job(job.name.as_str())) {
                let pairs = job.instances.iter().filter(|instance| meant.keeps_instance(instance));
                let pairs = pairs.filter_map(|instance| Some((instance, *known.get(&(job.name.as_str(), instance.id.as_str()))?)));
                let (line, of_job) = JobLine::of(job, pairs, &paused, &holds, now);
                lines.extend((line.pairs > 0).then_some(line));
                items.extend(of_job);
            }
        }
        let ok = pulse.ok && !pulse.is_in_trouble() && lines.iter().all(|line| line.wrong == 0);
        let pauses = survey.pauses.iter().map(|pause| PauseLine::of(pause, now)).collect();
        Self { schema_version: 1, ok, pulse, pauses, jobs: lines, items }
    }

    /// Whether another says the same, ages and the moments of passes aside.
    pub fn is_like(&self, other: &Self) -> bool {
        let pauses = |it: &Self| it.pauses.iter().map(|pause| (pause.pause_id, pause.until.clone(), pause.is_long)).collect::<Vec<_>>();
        let is_like = |(a, b): (&PairLine, &PairLine)| {
            (&a.job, &a.instance_id, a.freshness, a.wrong) == (&b.job, &b.instance_id, b.freshness, b.wrong)
                && (&a.good, &a.last, &a.open, &a.held) == (&b.good, &b.last, &b.open, &b.held)
        };
        (self.ok, pauses(self), &self.jobs, self.items.len()) == (other.ok, pauses(other), &other.jobs, other.items.len())
            && self.pulse.is_like(&other.pulse)
            && self.items.iter().zip(&other.items).all(is_like)
    }

    /// Only what was sent and has not ended stays among the items.
    pub fn keep_running(&mut self) {
        self.items.retain(|item| item.open.as_ref().is_some_and(|open| !open.waits));
    }

    /// The first line: how it stands, and the pulse.
    pub fn verdict(&self, in_force: bool) -> String {
        let said = [Some(self.stands(in_force)), self.pulse.last_pass(), self.pulse.held()];
        format!("{}: {}", if self.ok { "ok" } else { "not ok" }, said.into_iter().flatten().collect::<Vec<_>>().join("; "))
    }

    /// How the pairs stand, in one clause.
    pub fn stands(&self, in_force: bool) -> String {
        let count = |of: fn(&JobLine) -> usize| self.jobs.iter().map(of).sum::<usize>();
        let (pairs, wrong, never) = (count(|job| job.pairs), count(|job| job.wrong), count(|job| job.never));
        match (in_force, pairs, wrong) {
            (false, ..) => "no policy was ever in force here".to_owned(),
            (true, 0, _) => "no job and instance is meant".to_owned(),
            (true, _, 0) if never == pairs => {
                format!("{pairs} {} of job and instance {} for the first slot", plural(pairs), if pairs == 1 { "waits" } else { "wait" })
            }
            (true, _, 0) => format!("{pairs} {} of job and instance, each with a fresh backup or none expected", plural(pairs)),
            (true, _, wrong) => format!("{wrong} of {pairs} {} of job and instance {} a fresh backup", plural(pairs), lacks(wrong)),
        }
    }
}

fn plural(pairs: usize) -> &'static str {
    if pairs == 1 { "pair" } else { "pairs" }
}

fn lacks(wrong: usize) -> &'static str {
    if wrong == 1 { "lacks" } else { "lack" }
}

impl JobLine {
    /// A job over these instances, and each of them.
    fn of<'a>(
        job: &Job,
        pairs: impl Iterator<Item = (&'a Arc<Instance>, &'a Pair)>,
        paused: &Paused,
        holds: &Holds<'_>,
        now: DateTime<Utc>,
    ) -> (Self, Vec<PairLine>) {
        let (mut line, mut items, limit) = (Self { job: job.name.to_string(), ..Self::default() }, Vec::new(), max_age(job, now));
        let (mut last, mut first): (Option<&Ended>, Vec<Held>) = (None, Vec::new());
        for (instance, pair) in pairs {
            let freshness = Freshness::within(limit, job.suspend || paused.covers(&job.name, &instance.id), pair.evidence(), now);
            let held = pair.due.as_ref().map(|due| holds.of_run(due)).unwrap_or_default();
            line.count(freshness, pair);
            line.count_last(&mut last, pair.ended.as_ref());
            items.push(PairLine::of(pair, instance, freshness, limit, &held, now));
            first.extend(held.into_iter().next());
        }
        let next = job.schedule.next_after(now).filter(|_| !job.suspend);
        line.last_slot = last.map(|last| stamp(last.slot));
        line.last_slot_local = last.map(|last| job.schedule.local(last.slot));
        line.next_slot = next.map(stamp);
        line.next_slot_local = next.map(|next| job.schedule.local(next));
        line.held = first.iter().filter(|held| held.waits.is_hold()).count();
        line.holds = HoldLine::counted(first.iter(), &job.schedule, now);
        (line, items)
    }

    /// How many pairs are held and why, by name, in one line; none when none is.
    pub fn held_sentence(&self) -> Option<String> {
        holds::sentence(&self.holds)
    }

    /// Counts the outcomes of the newest slot alone.
    fn count_last<'a>(&mut self, last: &mut Option<&'a Ended>, ended: Option<&'a Ended>) {
        let Some(ended) = ended else { return };
        if last.is_none_or(|last| last.slot < ended.slot) {
            (*last, self.last_outcomes) = (Some(ended), BTreeMap::new());
        }
        if last.is_some_and(|last| last.slot == ended.slot) {
            *self.last_outcomes.entry(ended.state.clone()).or_default() += 1;
        }
    }

    fn count(&mut self, freshness: Freshness, pair: &Pair) {
        self.pairs += 1;
        self.wrong += usize::from(freshness.is_wrong());
        match freshness {
            Freshness::Fresh => self.fresh += 1,
            Freshness::Late => self.late += 1,
            Freshness::Stale => self.stale += 1,
            Freshness::Never | Freshness::Awaited => self.never += 1,
            Freshness::Paused => self.paused += 1,
        }
        self.running += usize::from(pair.sent.is_some());
        self.waiting += usize::from(pair.due.is_some());
    }
}

impl PairLine {
    fn of(pair: &Pair, instance: &Instance, freshness: Freshness, limit: Duration, held: &[Held], now: DateTime<Utc>) -> Self {
        Self {
            job: pair.job.clone(),
            instance_id: pair.instance_id.clone(),
            instance_name: instance.name.to_string(),
            freshness: freshness.word(),
            wrong: freshness.is_wrong(),
            max_age_s: limit.as_secs(),
            good: pair.good.as_ref().map(EndedLine::of),
            good_age_s: pair.good.as_ref().map(|good| (now - good.slot).num_seconds()),
            last: pair.ended.as_ref().map(EndedLine::of),
            open: pair.sent.as_ref().map(OpenLine::sent).or(pair.due.as_ref().map(OpenLine::due)),
            held: held.iter().map(HeldLine::from).collect(),
        }
    }

    /// Since when it is wrong, in one clause. `slot` writes a slot as the reader wants it.
    pub fn since(&self, slot: impl FnOnce(&EndedLine) -> String) -> String {
        match (&self.good, self.good_age_s) {
            (Some(good), Some(age)) => format!("its newest good backup is of {}, {} ago", slot(good), length(age)),
            _ => "it has no good backup yet".to_owned(),
        }
    }

    /// What to look at.
    pub fn clue(&self) -> Clue<'_> {
        match (&self.last, &self.open) {
            (Some(last), _) if !last.is_good => Clue::Ended(last),
            (_, Some(open)) => Clue::Open(open),
            _ => Clue::Nothing,
        }
    }
}

impl OpenLine {
    fn sent(run: &Sent) -> Self {
        Self { run_id: run.run_id, state: run.state.clone(), last_code: run.last_code.clone(), waits: false }
    }

    fn due(run: &Due) -> Self {
        Self { run_id: run.run_id, state: run.state.clone(), last_code: run.last_code.clone(), waits: true }
    }
}

impl EndedLine {
    fn of(ended: &Ended) -> Self {
        Self {
            run_id: ended.run_id,
            slot: ended.slot,
            slot_local: ended.slot_local.clone(),
            state: ended.state.clone(),
            why: ended.why.clone(),
            is_good: ended.is_good,
        }
    }
}

/// The instances that are meant and have no good backup at all, whether a job matches them or not.
pub fn uncovered(policy: Option<&Policy>, pairs: &[Pair], meant: &Scope) -> Vec<Uncovered> {
    let mut of_instance: BTreeMap<&str, Vec<&Pair>> = BTreeMap::new();
    for pair in pairs {
        of_instance.entry(&pair.instance_id).or_default().push(pair);
    }
    let instances = policy.map_or(&[][..], |policy| &policy.instances).iter().filter(|instance| meant.keeps_instance(instance));
    let lacking = instances.filter_map(|instance| {
        let pairs = of_instance.get(instance.id.as_str()).map_or(&[][..], Vec::as_slice);
        let covered = pairs.iter().any(|pair| pair.good.is_some());
        (!covered).then(|| Uncovered {
            instance_id: instance.id.to_string(),
            instance_name: instance.name.to_string(),
            account: instance.account.to_string(),
            region: instance.region.to_string(),
            jobs: pairs.iter().map(|pair| pair.job.clone()).collect(),
        })
    });
    lacking.collect()
}

pub(super) fn as_stamp<S: serde::Serializer>(t: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&stamp(*t))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::report::Pulse;
    use std::path::Path;

    fn told(pulse_ms: i64, now_ms: i64) -> Overview {
        let at = |ms: i64| DateTime::from_timestamp_millis(1_764_000_000_000 + ms).unwrap();
        let pulse = Pulse { at: at(pulse_ms), pid: 7, verdict: "ok".into(), says: String::new() };
        let mut told = Overview::of(Judged::of(Path::new("x"), Some(pulse), at(now_ms)), None, &Survey::default(), &Scope::default(), at(now_ms));
        let good = EndedLine { run_id: 1, slot: at(0), slot_local: String::new(), state: "x".into(), why: String::new(), is_good: true };
        told.items.push(PairLine {
            job: "nightly".into(),
            instance_id: "cdb-00000001".into(),
            instance_name: "orders".into(),
            freshness: "fresh",
            wrong: false,
            max_age_s: 1,
            good: Some(good),
            good_age_s: Some(now_ms / 1_000),
            last: None,
            open: None,
            held: Vec::new(),
        });
        told
    }

    #[test]
    fn that_time_passes_is_no_news_and_that_the_daemon_is_gone_is() {
        assert!(told(0, 2_000).is_like(&told(0, 0)) && told(15_000, 16_000).is_like(&told(0, 14_000)));
        assert!(!told(0, 61_000).is_like(&told(0, 60_000)), "a minute without a pass");
        let mut late = told(0, 0);
        late.items[0].freshness = "late";
        assert!(!late.is_like(&told(0, 0)));
    }
}
