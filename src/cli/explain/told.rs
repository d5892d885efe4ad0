//! What is told of a job or an instance; the fields are those of the JSON form.

use super::{Subject, words};
use crate::{
    cli::moment::Shown,
    domain::{
        blackout::dark,
        catch_up::{self, Admitted, Cursor},
        forecast::{Coming, coming},
        names::{JobName, RunId},
        policy::{Instance, Job, Policy},
        prose::{self, stamp},
        scope::Scope,
        spread::share_of_spread,
    },
    ledger::report::{Due, Filter, Held, Holds, Item, Judged, Overview, PairLine, Reader, Says, Survey, job_facts},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use std::{collections::BTreeMap, path::Path};

/// So many coming slots of a job are told.
const SLOTS: usize = 3;
/// So many of the newest runs are told, and so many of those that went wrong lately.
const RUNS: u32 = 5;
/// So many slots are looked at for one that lies in no blackout.
const LOOKED_AT: usize = 1_000;
/// How far back a run that went wrong bears on the next one.
const LATELY: TimeDelta = TimeDelta::days(7);
/// So many waiting runs of an instance are told.
const WAITING: u32 = 20;

/// All that there is to look at.
pub(super) struct Scene<'a> {
    pub(super) policy: &'a Policy,
    pub(super) survey: &'a Survey,
    pub(super) reader: Option<&'a Reader>,
    pub(super) ledger: &'a Path,
    pub(super) shown: &'a Shown,
    pub(super) now: DateTime<Utc>,
}

/// All that bears on the next run.
#[derive(Serialize)]
pub(super) struct Told {
    schema_version: u8,
    /// `job` or `instance`.
    pub(super) kind: &'static str,
    pub(super) name: String,
    /// Of an instance.
    pub(super) instance_id: Option<String>,
    pub(super) account: Option<String>,
    pub(super) region: Option<String>,
    pub(super) pulse: Judged,
    pub(super) jobs: Vec<JobTold>,
    /// What holds, each thing once; the weightiest first.
    pub(super) holds: Vec<HoldTold>,
    /// The pairs of job and instance.
    pub(super) items: Vec<PairTold>,
    /// The newest runs, and those that went wrong lately.
    pub(super) runs: Vec<RunTold>,
}

#[derive(Serialize)]
pub(super) struct JobTold {
    pub(super) job: String,
    /// What it does.
    pub(super) facts: Vec<Fact>,
    /// Its next slots.
    pub(super) next: Vec<SlotTold>,
}

#[derive(Serialize)]
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) value: String,
}

#[derive(Serialize)]
pub(super) struct SlotTold {
    slot: String,
    pub(super) slot_local: String,
    pub(super) runs: usize,
    starts_from: Option<String>,
    starts_until: Option<String>,
    pub(super) notes: Vec<String>,
    #[serde(skip)]
    pub(super) starts: Option<[String; 2]>,
}

/// One thing that holds, and whom.
#[derive(Serialize)]
pub(super) struct HoldTold {
    pub(super) reason: &'static str,
    by: Option<String>,
    until: Option<String>,
    /// What it is, and what ends it.
    pub(super) says: String,
    /// Of a job the instances, of an instance the jobs.
    pub(super) of: Vec<HeldOf>,
}

#[derive(Serialize)]
pub(super) struct HeldOf {
    pub(super) name: String,
    /// The run that waits; none: one that came now would.
    pub(super) run_id: Option<i64>,
}

#[derive(Serialize)]
pub(super) struct PairTold {
    #[serde(flatten)]
    pub(super) pair: PairLine,
    /// The run of the next slot that starts one, as it is written when it comes.
    pub(super) next: Option<NextRun>,
    /// What becomes of slots that have come and that no daemon has seen.
    pub(super) unseen: Option<String>,
}

#[derive(Serialize)]
pub(super) struct NextRun {
    slot: String,
    pub(super) slot_local: String,
    /// Its share of the job's spread.
    pub(super) spread_s: u64,
    not_before: String,
    start_by: String,
    complete_by: String,
    #[serde(skip)]
    pub(super) starts: [String; 2],
}

#[derive(Serialize)]
pub(super) struct RunTold {
    pub(super) run_id: i64,
    pub(super) job: String,
    pub(super) instance_id: String,
    pub(super) instance_name: String,
    #[serde(skip)]
    pub(super) slot_at: DateTime<Utc>,
    slot: String,
    pub(super) slot_local: String,
    pub(super) state: String,
    pub(super) why: String,
    pub(super) last_code: Option<String>,
    /// What kind of code that is, what it means and what to do.
    pub(super) class: Option<&'static str>,
    pub(super) means: Option<&'static str>,
    pub(super) advice: Option<&'static str>,
}

impl Scene<'_> {
    pub(super) fn told(&self, subject: Subject<'_>) -> anyhow::Result<Told> {
        let pulse = Judged::of(self.ledger, self.survey.pulse.clone(), self.now);
        let holds = Holds::of(self.policy, self.survey, Says::by_pulse(&pulse), self.now);
        let scope = match subject {
            Subject::Job(job) => Scope { jobs: vec![job.name.to_string()], ..Scope::default() },
            Subject::Instance(instance) => Scope { instances: vec![instance.id.to_string()], ..Scope::default() },
        };
        let jobs: Vec<&Job> = match subject {
            Subject::Job(job) => vec![job],
            Subject::Instance(it) => self.policy.jobs.iter().map(AsRef::as_ref).filter(|job| job.instances.iter().any(|of| of.id == it.id)).collect(),
        };
        let pairs = Overview::of(pulse.clone(), Some(self.policy), self.survey, &scope, self.now).items;
        let items = pairs.into_iter().map(|pair| self.pair(pair, &holds)).collect::<anyhow::Result<_>>()?;
        let instance = if let Subject::Instance(instance) = subject { Some(instance) } else { None };
        Ok(Told {
            schema_version: 1,
            kind: if instance.is_some() { "instance" } else { "job" },
            name: match subject {
                Subject::Job(job) => job.name.to_string(),
                Subject::Instance(instance) => instance.name.to_string(),
            },
            instance_id: instance.map(|instance| instance.id.to_string()),
            account: instance.map(|instance| instance.account.to_string()),
            region: instance.map(|instance| instance.region.to_string()),
            holds: self.holds(subject, &jobs, &holds, &pulse)?,
            pulse,
            jobs: self.jobs(&jobs),
            items,
            runs: self.runs(&scope)?,
        })
    }

    fn jobs(&self, jobs: &[&Job]) -> Vec<JobTold> {
        let slots = coming(self.policy, jobs, self.now, DateTime::<Utc>::MAX_UTC, SLOTS);
        let told = |(job, slots): (&&Job, Vec<Coming>)| JobTold {
            job: job.name.to_string(),
            facts: job_facts(job, self.now).into_iter().map(|(name, value)| Fact { name, value }).collect(),
            next: slots.into_iter().map(|slot| self.slot(job, slot)).collect(),
        };
        jobs.iter().zip(slots).map(told).collect()
    }

    fn slot(&self, job: &Job, coming: Coming) -> SlotTold {
        let local = |t: DateTime<Utc>| self.shown.local(t, &job.schedule);
        SlotTold {
            slot: stamp(coming.slot),
            slot_local: local(coming.slot),
            runs: coming.runs,
            starts: coming.starts.map(|(first, last)| [local(first), local(last)]),
            starts_from: coming.starts.map(|(first, _)| stamp(first)),
            starts_until: coming.starts.map(|(_, last)| stamp(last)),
            notes: coming.notes.iter().map(|note| note.written(|until| prose::local(&local(until)))).collect(),
        }
    }

    fn pair(&self, pair: PairLine, holds: &Holds<'_>) -> anyhow::Result<PairTold> {
        let job = self.policy.jobs.iter().find(|job| job.name.as_str() == pair.job);
        let instance = self.policy.instances.iter().find(|instance| instance.id.as_str() == pair.instance_id);
        let Some((job, instance)) = job.zip(instance) else { return Ok(PairTold { pair, next: None, unseen: None }) };
        let slots = job.schedule.slots_between(self.now, DateTime::<Utc>::MAX_UTC).take(LOOKED_AT).filter(|_| !job.suspend);
        let next = slots.into_iter().find(|slot| dark(self.policy, Some(job), *slot).is_empty()).map(|slot| self.next_run(job, instance, slot));
        let cursor =
            if holds.of_loop().is_empty() { None } else { self.reader.map(|it| it.cursor(&pair.job, &pair.instance_id)).transpose()?.flatten() };
        let unseen = cursor.and_then(|at| self.unseen(job, instance, at));
        Ok(PairTold { pair, next, unseen })
    }

    fn next_run(&self, job: &Job, instance: &Instance, slot: DateTime<Utc>) -> NextRun {
        let windows = catch_up::windows(job, &instance.id, slot, slot);
        let local = |t: DateTime<Utc>| self.shown.local(t, &job.schedule);
        NextRun {
            slot: stamp(slot),
            slot_local: local(slot),
            spread_s: share_of_spread(&job.name, &instance.id, job.spread).as_secs(),
            not_before: stamp(windows.not_before),
            start_by: stamp(windows.start_by),
            complete_by: stamp(windows.complete_by),
            starts: [local(windows.not_before), local(windows.start_by)],
        }
    }

    /// What a daemon that saw the clock's proof now would make of the slots since `at`.
    fn unseen(&self, job: &Job, instance: &Instance, at: DateTime<Utc>) -> Option<String> {
        let cursor = Cursor { job: job.name.clone(), instance: instance.id.clone(), at, taken: Vec::new() };
        let rows = catch_up::rows(job, &cursor, &self.policy.blackouts, false, self.now);
        let runs = rows.iter().find(|row| row.admitted == Admitted::Due).map(|row| self.shown.local(row.key.slot, &job.schedule));
        let left: u64 = rows.iter().filter(|row| row.admitted != Admitted::Due).map(|row| row.slots).sum();
        (!rows.is_empty()).then(|| words::unseen(runs.as_deref(), left))
    }

    /// Each thing that holds any of it, once.
    fn holds(&self, subject: Subject<'_>, jobs: &[&Job], holds: &Holds<'_>, pulse: &Judged) -> anyhow::Result<Vec<HoldTold>> {
        let mut found: Vec<(Held, HeldOf, &Job)> = Vec::new();
        let due: BTreeMap<(&str, &str), &Due> =
            self.survey.pairs.iter().filter_map(|pair| Some(((pair.job.as_str(), pair.instance_id.as_str()), pair.due.as_ref()?))).collect();
        for job in jobs {
            let meant = job.instances.iter().filter(|it| if let Subject::Instance(instance) = subject { it.id == instance.id } else { true });
            for instance in meant {
                let run = due.get(&(job.name.as_str(), instance.id.as_str()));
                let held = run.map_or_else(|| holds.of_pair(job.name.as_str(), instance), |run| holds.of_run(run));
                let name = if matches!(subject, Subject::Job(_)) { instance.name.to_string() } else { job.name.to_string() };
                found.extend(held.into_iter().map(|held| (held, HeldOf { name: name.clone(), run_id: run.map(|run| run.run_id) }, *job)));
            }
        }
        let mut told: Vec<(Held, HoldTold)> = Vec::new();
        for (held, of, job) in found {
            // Ends of waits are each run's own; what it waits for is one thing.
            match told.iter_mut().find(|(one, _)| (one.waits, &one.by) == (held.waits, &held.by)) {
                Some((_, told)) => told.of.push(of),
                None => told.push((held.clone(), self.hold(&held, of, job, holds, pulse)?)),
            }
        }
        if let Subject::Instance(instance) = subject {
            self.others(instance, holds, pulse, &mut told)?;
        }
        told.sort_by_key(|(held, _)| held.waits);
        Ok(told.into_iter().map(|(_, told)| told).collect())
    }

    /// Waiting runs of the instance that no job of it made: by hand, or of a job that is gone.
    fn others(&self, instance: &Instance, holds: &Holds<'_>, pulse: &Judged, told: &mut Vec<(Held, HoldTold)>) -> anyhow::Result<()> {
        let due = self.reader.map(|reader| reader.due_on(instance.id.as_str(), WAITING)).transpose()?.unwrap_or_default();
        for run in due.iter().filter(|run| self.policy.jobs.iter().all(|job| job.name.as_str() != run.job)) {
            for held in holds.of_run(run) {
                let of = HeldOf { name: run.job.clone(), run_id: Some(run.run_id) };
                match told.iter_mut().find(|(one, _)| (one.waits, &one.by) == (held.waits, &held.by)) {
                    Some((_, told)) => told.of.push(of),
                    None => {
                        let says = self.words(None, holds, pulse).says(&held)?;
                        told.push((held.clone(), HoldTold::of(&held, says, of)));
                    }
                }
            }
        }
        Ok(())
    }

    fn hold(&self, held: &Held, of: HeldOf, job: &Job, holds: &Holds<'_>, pulse: &Judged) -> anyhow::Result<HoldTold> {
        Ok(HoldTold::of(held, self.words(Some(job), holds, pulse).says(held)?, of))
    }

    fn words<'b>(&'b self, job: Option<&'b Job>, holds: &'b Holds<'b>, pulse: &'b Judged) -> words::Words<'b> {
        words::Words { scene: self, job, holds, pulse }
    }

    fn runs(&self, scope: &Scope) -> anyhow::Result<Vec<RunTold>> {
        let Some(reader) = self.reader else { return Ok(Vec::new()) };
        let newest = Filter { selectors: scope.clone(), limit: RUNS, ..Filter::default() };
        let wrong = Filter { not_ok: true, since: Some(self.now - LATELY), ..newest.clone() };
        let mut items: Vec<Item> = Vec::new();
        for filter in [newest, wrong] {
            reader.history(&filter, |item| {
                if items.iter().all(|it| it.run_id != item.run_id) {
                    items.push(item);
                }
                Ok::<_, crate::ledger::Error>(())
            })?;
        }
        items.sort_by_key(|item| std::cmp::Reverse((item.slot, item.run_id)));
        items.into_iter().map(|item| RunTold::of(reader, item)).collect()
    }
}

impl HoldTold {
    fn of(held: &Held, says: String, of: HeldOf) -> Self {
        Self { reason: held.waits.word(), by: held.by.clone(), until: held.until.map(stamp), says, of: vec![of] }
    }
}

impl RunTold {
    fn of(reader: &Reader, item: Item) -> anyhow::Result<Self> {
        let class = reader.detail(RunId(item.run_id))?.and_then(|detail| detail.run.last).map(|last| last.class);
        Ok(Self {
            run_id: item.run_id,
            job: item.job,
            instance_id: item.instance_id,
            instance_name: item.instance_name,
            slot: stamp(item.slot),
            slot_at: item.slot,
            slot_local: item.slot_local,
            state: item.state,
            why: item.why,
            class: class.map(crate::domain::reply::Class::word).filter(|_| item.last_code.is_some()),
            means: class.map(crate::domain::reply::Class::means).filter(|_| item.last_code.is_some()),
            advice: class.map(crate::domain::reply::Class::advice).filter(|_| item.last_code.is_some()),
            last_code: item.last_code,
        })
    }

    /// Whether a person asked for it, and no job made it.
    pub(super) fn is_by_hand(&self) -> bool {
        self.job == JobName::BY_HAND
    }
}
