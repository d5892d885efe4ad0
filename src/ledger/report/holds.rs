//! What holds back a run that is due: the one place that every reader asks, so that `/metrics`, `status`, the page and `explain` cannot differ.
//!
//! Decided here: what is looked at of policy, pauses, ledger and loop, and what each hold is called by name. Not decided here: which of several
//! weighs most ([`Waits`]), nor what the loop then does (`domain::plan`).

use super::{Due, Judged, Sent, Survey};
use crate::domain::{
    blackout::{Dark, lasting},
    hold::{LoopHold, Waits},
    names::{InstanceId, JobName},
    pause::Paused,
    policy::{Instance, Job, Policy},
    prose::{local, stamp},
    schedule::Schedule,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

/// So many reasons of one job are told in its line.
const TOLD: usize = 4;

/// What the loop says of itself, which no row of a run tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Says {
    /// Its passes finish.
    pub turns: bool,
    /// A reply has proved the clock.
    pub clock_proved: bool,
    /// The last pass could write the ledger.
    pub ledger_writable: bool,
}

impl Says {
    /// As its pulse has it.
    pub fn by_pulse(pulse: &Judged) -> Self {
        let is = |waits: Waits| pulse.verdict().is_some_and(|verdict| verdict == waits.word());
        Self { turns: pulse.ok, clock_proved: !is(Waits::Clock), ledger_writable: !is(Waits::Ledger) }
    }
}

/// One thing that holds a run back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What it waits for.
    pub waits: Waits,
    /// Its name: a pause's number, a blackout's reason, an account, the run that is in the way, the code of the last answer.
    pub by: Option<String>,
    /// When it ends by itself, where that is known.
    pub until: Option<DateTime<Utc>>,
}

impl From<Dark<'_>> for Held {
    fn from(dark: Dark<'_>) -> Self {
        Self { waits: Waits::Blackout, by: (!dark.reason.is_empty()).then(|| dark.reason.to_owned()), until: Some(dark.until) }
    }
}

/// The same, for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldLine {
    /// A word of `domain::hold`.
    pub reason: &'static str,
    /// The name of what holds.
    pub by: Option<String>,
    /// When it ends by itself.
    pub until: Option<String>,
}

impl From<&Held> for HeldLine {
    fn from(held: &Held) -> Self {
        Self { reason: held.waits.word(), by: held.by.clone(), until: held.until.map(stamp) }
    }
}

/// What there is to look at, in the form in which it is looked up.
#[derive(Debug)]
pub struct Holds<'a> {
    paused: Paused,
    /// What the policy holds of each of its jobs, and of runs that none of them made.
    jobs: BTreeMap<&'a str, Vec<Held>>,
    everywhere: Vec<Held>,
    /// How many backups an account may have in progress.
    room: BTreeMap<&'a str, u32>,
    says: Says,
    accounts: BTreeMap<&'a str, &'a LoopHold>,
    unseen: BTreeMap<&'a str, &'a LoopHold>,
    at_work: BTreeMap<&'a str, &'a Sent>,
    running: BTreeMap<&'a str, u32>,
    now: DateTime<Utc>,
}

impl<'a> Holds<'a> {
    /// Of what the ledger says at `now`.
    pub fn of(policy: &'a Policy, survey: &'a Survey, says: Says, now: DateTime<Utc>) -> Self {
        let of_loop = |waits: Waits| {
            let meant = survey.loop_holds.iter().filter(move |it| it.waits == waits);
            meant.map(|it| (it.name.as_str(), it)).collect::<BTreeMap<_, _>>()
        };
        let (mut at_work, mut running) = (BTreeMap::new(), BTreeMap::<_, u32>::new());
        for run in &survey.sent {
            at_work.entry(run.instance_id.as_str()).or_insert(run);
            *running.entry(run.account.as_str()).or_default() += 1;
        }
        // Blackouts of the whole policy are looked at once, however many jobs there are.
        let everywhere: Vec<Held> = lasting(&policy.blackouts, now).map(Held::from).collect();
        let of_job = |job: &'a Arc<Job>| {
            let suspended = job.suspend.then_some(Held { waits: Waits::Suspended, by: None, until: None });
            let dark = lasting(&job.blackouts, now).map(Held::from).chain(everywhere.iter().cloned());
            (job.name.as_str(), suspended.into_iter().chain(dark).collect())
        };
        let jobs = policy.jobs.iter().map(of_job).collect();
        let room = policy.accounts.iter().filter_map(|account| Some((account.name.as_str(), account.max_running?))).collect();
        let paused = Paused::of(&survey.pauses, policy, now);
        Self { paused, jobs, everywhere, room, says, accounts: of_loop(Waits::Account), unseen: of_loop(Waits::CannotLook), at_work, running, now }
    }

    /// All that holds a run back, the weightiest first; never nothing: at least it awaits its turn.
    pub fn of_run(&self, due: &Due) -> Vec<Held> {
        let mut held = self.of_loop();
        if !due.even_if_held {
            held.extend(self.of_choice(&due.job, &due.instance_id));
        }
        held.extend(self.of_place(&due.account, &due.instance_id));
        if due.due_at > self.now {
            let refused = due.attempts > 0 && due.last_code.is_some();
            let (waits, by) = if refused { (Waits::Retry, due.last_code.clone()) } else { (Waits::Spread, None) };
            held.push(Held { waits, by, until: Some(due.due_at) });
        }
        if held.is_empty() {
            held.push(Held { waits: Waits::Pace, by: Some(due.account.clone()), until: None });
        }
        held.sort_by_key(|held| held.waits);
        held
    }

    /// All that would hold a run of a job on an instance back, if one came now.
    pub fn of_pair(&self, job: &str, instance: &Instance) -> Vec<Held> {
        let mut held = self.of_loop();
        held.extend(self.of_choice(job, instance.id.as_str()));
        held.extend(self.of_place(instance.account.as_str(), instance.id.as_str()));
        held
    }

    /// What somebody chose: pauses, the policy's `suspend`, blackouts; of several of a kind the one that ends last comes first.
    fn of_choice(&self, job: &str, instance: &str) -> Vec<Held> {
        let mut held = self.jobs.get(job).unwrap_or(&self.everywhere).clone();
        if let (Ok(job), Ok(instance)) = (JobName::from_row(job), InstanceId::parse(instance)) {
            let pauses = self.paused.holding(&job, &instance);
            held.extend(pauses.map(|it| Held { waits: Waits::Paused, by: Some(it.pause.to_string()), until: it.until }));
        }
        held.sort_by_key(|held| (held.waits, Reverse(held.until.unwrap_or(DateTime::<Utc>::MAX_UTC))));
        held
    }

    /// What the loop as a whole waits for. What one that does not turn said last says nothing of now.
    pub fn of_loop(&self) -> Vec<Held> {
        let Says { turns, clock_proved, ledger_writable } = self.says;
        let waits = [(!turns, Waits::NotRunning), (turns && !ledger_writable, Waits::Ledger), (turns && !clock_proved, Waits::Clock)];
        waits.into_iter().filter(|(is, _)| *is).map(|(_, waits)| Held { waits, by: None, until: None }).collect()
    }

    /// What is wrong with an account or an instance, and whether there is room.
    fn of_place(&self, account: &str, instance: &str) -> Vec<Held> {
        let room = self.room.get(account).copied();
        let running = self.running.get(account).copied().unwrap_or_default();
        let in_use = self.at_work.get(instance).map(|run| run.run_id.to_string());
        let places = [
            (Waits::Account, (self.says.turns && self.accounts.contains_key(account)).then(|| account.to_owned())),
            (Waits::CannotLook, (self.says.turns && self.unseen.contains_key(instance)).then(|| instance.to_owned())),
            (Waits::InUse, in_use),
            (Waits::MaxRunning, room.is_some_and(|room| running >= room).then(|| account.to_owned())),
        ];
        places.into_iter().filter_map(|(waits, by)| by.map(|by| Held { waits, by: Some(by), until: None })).collect()
    }

    /// Why the cloud does not accept an account's keys, or an instance cannot be looked at.
    pub fn loop_hold(&self, waits: Waits, name: &str) -> Option<&LoopHold> {
        let of = if waits == Waits::Account { &self.accounts } else { &self.unseen };
        of.get(name).copied()
    }

    /// The run of this number, if it is at work.
    pub fn at_work(&self, run: &str) -> Option<&Sent> {
        self.at_work.values().copied().find(|sent| sent.run_id.to_string() == run)
    }
}

/// How many runs of a job wait for one thing.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct HoldLine {
    /// A word of `domain::hold`.
    pub reason: &'static str,
    /// The name of what holds them; none where each has its own.
    pub by: Option<String>,
    /// When the last of them is free again, if nothing else holds it.
    pub until: Option<String>,
    /// The same in the job's zone.
    pub until_local: Option<String>,
    /// So many.
    pub pairs: usize,
    /// What it waits for. No key of the JSON form.
    #[serde(skip)]
    pub waits: Waits,
    /// The end, without its date when that is today's. No key of the JSON form.
    #[serde(skip)]
    short: Option<String>,
}

/// Runs that wait for one thing.
struct Group<'a> {
    /// The name of what holds them; none where each has its own.
    by: Option<&'a str>,
    until: Option<DateTime<Utc>>,
    pairs: usize,
}

impl HoldLine {
    /// What each of a job's runs waits for first, counted; the weightiest first.
    pub fn counted<'a>(first: impl Iterator<Item = &'a Held>, schedule: &Schedule, now: DateTime<Utc>) -> Vec<Self> {
        let mut groups: BTreeMap<(Waits, Option<&str>), Group<'_>> = BTreeMap::new();
        for held in first {
            let each_its_own = matches!(held.waits, Waits::InUse | Waits::CannotLook);
            let by = held.by.as_deref();
            let group = groups.entry((held.waits, by.filter(|_| !each_its_own))).or_insert(Group { by, until: held.until, pairs: 0 });
            group.by = group.by.filter(|one| by == Some(*one));
            (group.until, group.pairs) = (group.until.max(held.until), group.pairs + 1);
        }
        let line = |((waits, _), Group { by, until, pairs }): ((Waits, Option<&str>), Group<'_>)| Self {
            reason: waits.word(),
            by: by.map(ToOwned::to_owned),
            until: until.map(stamp),
            until_local: until.map(|until| schedule.local(until)),
            pairs,
            waits,
            short: until.map(|until| short(&schedule.local(until), &schedule.local(now))),
        };
        groups.into_iter().map(line).collect()
    }

    /// What it is, in a few words.
    fn words(&self) -> String {
        let named = |what: &str| self.by.as_ref().map_or_else(|| what.to_owned(), |by| format!("{what} {by}"));
        let until = self.short.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
        match self.waits {
            Waits::NotRunning => "no daemon turns".to_owned(),
            Waits::Ledger => "the ledger cannot be written".to_owned(),
            Waits::Clock => "the clock is not proved".to_owned(),
            Waits::Paused => named("pause") + &until,
            Waits::Suspended => "suspended by the policy".to_owned(),
            Waits::Blackout => self.by.as_ref().map_or_else(|| "blackout".to_owned(), |by| format!("blackout `{by}`")) + &until,
            Waits::Account => named("account") + ": its keys are refused",
            Waits::CannotLook => {
                self.by.as_ref().map_or_else(|| "instances cannot be looked at".to_owned(), |by| format!("{by} cannot be looked at"))
            }
            Waits::InUse => self.by.as_ref().map_or_else(|| "instances in use".to_owned(), |by| format!("instance in use by run {by}")),
            Waits::MaxRunning => named("account") + " at its max_running",
            Waits::Retry => named("retry after") + &until,
            Waits::Spread => format!("spread{until}"),
            Waits::Pace => named("in line for the pace of account"),
        }
    }
}

/// How many runs of a job are held and why, in one line without a full stop; none when none is.
pub(super) fn sentence(lines: &[HoldLine]) -> Option<String> {
    let held: Vec<&HoldLine> = lines.iter().filter(|line| line.waits.is_hold()).collect();
    let count = |lines: &[&HoldLine]| lines.iter().map(|line| line.pairs).sum::<usize>();
    if held.is_empty() {
        return None;
    }
    let (told, rest) = held.split_at(held.len().min(TOLD));
    let mut said: Vec<String> = match told {
        [alone] => vec![alone.words()],
        several => several.iter().map(|line| format!("{} {}", line.pairs, line.words())).collect(),
    };
    if !rest.is_empty() {
        said.push(format!("{} for other reasons", count(rest)));
    }
    Some(format!("{} held: {}", count(&held), said.join(", ")))
}

/// A moment as people of a zone write it, without its date when that is today's.
fn short(until: &str, now: &str) -> String {
    let whole = local(until);
    match whole.split_once(' ') {
        Some((date, time)) if now.starts_with(date) => time.to_owned(),
        _ => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(held: &[Held]) -> Option<String> {
        let schedule = Schedule::parse("30 2 * * *", "Asia/Shanghai").unwrap();
        sentence(&HoldLine::counted(held.iter(), &schedule, "2026-11-24T18:31:00Z".parse().unwrap()))
    }

    fn held(waits: Waits, by: &str, until: Option<&str>) -> Held {
        Held { waits, by: (!by.is_empty()).then(|| by.to_owned()), until: until.map(|until| until.parse().unwrap()) }
    }

    #[test]
    fn an_end_of_today_is_a_time_and_another_has_its_date() {
        let dark = |until| held(Waits::Blackout, "month-end", Some(until));
        assert_eq!(told(&[dark("2026-11-24T20:30:00Z")]).unwrap(), "1 held: blackout `month-end` until 04:30+08");
        assert_eq!(told(&[dark("2026-11-25T20:30:00Z")]).unwrap(), "1 held: blackout `month-end` until 2026-11-26 04:30+08");
    }

    #[test]
    fn the_weightiest_comes_first_and_what_has_one_name_each_is_counted() {
        let busy = |run| held(Waits::InUse, run, None);
        assert_eq!(told(&[busy("7")]).unwrap(), "1 held: instance in use by run 7");
        let spread = held(Waits::Spread, "", Some("2026-11-24T18:40:00Z"));
        let full = held(Waits::MaxRunning, "pay", None);
        let several = [busy("7"), full, spread.clone(), busy("8"), held(Waits::Paused, "3", None)];
        assert_eq!(told(&several).unwrap(), "4 held: 1 pause 3, 2 instances in use, 1 account pay at its max_running");
        assert_eq!(told(&[spread]), None, "it was planned so");
    }

    #[test]
    fn the_end_of_many_is_that_of_the_last_and_reasons_beyond_a_few_are_counted() {
        let retry = |code, until| held(Waits::Retry, code, Some(until));
        let later = [retry("timeout", "2026-11-24T18:32:00Z"), retry("timeout", "2026-11-24T18:35:00Z")];
        assert_eq!(told(&later).unwrap(), "2 held: retry after timeout until 02:35+08");
        let codes: Vec<String> = (1..=7).map(|n| format!("code{n}")).collect();
        let many: Vec<Held> = codes.iter().map(|code| held(Waits::Retry, code, None)).collect();
        assert!(told(&many).unwrap().ends_with("1 retry after code4, 3 for other reasons"));
    }
}
