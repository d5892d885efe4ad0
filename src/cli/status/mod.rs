//! `status`: did last night's backups work, what is wrong since when, and what comes next. Reads the ledger and the policy in force that it holds;
//! needs no daemon, no keys and no policy file.
//!
//! Decided here: what is counted, and when the answer is "not all good". Whether a backup is fresh is `domain::freshness`' to say, whether the
//! daemon turns `health`'s.

mod text;

use super::{
    Globals,
    exit::Exit,
    health::{self, Judged},
    history::stamp,
    output::{self, Format},
    reading::{self, LedgerArg},
    selectors::Selectors,
};
use crate::{
    config::{self, Machine},
    domain::{
        freshness::{Freshness, max_age},
        now::Now,
        policy::{Job, Policy},
    },
    ledger::report::{Ended, Pair, Reader},
};
use anyhow::Context;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::{collections::BTreeMap, io, path::Path};

/// Tell whether every job's backups are there: 0 when they are and the daemon turns, 3 when not
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  cdb-backupd status\n  cdb-backupd status --tag env=prod\n  cdb-backupd status --uncovered -o json")]
pub struct Status {
    /// Only what is running
    #[arg(long)]
    running: bool,
    /// Only instances without any good backup, or that no job matches
    #[arg(long, conflicts_with_all = ["running", "job"])]
    uncovered: bool,
    #[command(flatten)]
    selectors: Selectors,
    #[command(flatten)]
    ledger: LedgerArg,
}

/// All there is to say; the fields are those of the JSON form.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Told {
    schema_version: u8,
    ok: bool,
    pulse: Judged,
    jobs: Vec<JobLine>,
    items: Vec<PairLine>,
}

/// One job over its instances.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct JobLine {
    job: String,
    pairs: usize,
    fresh: usize,
    late: usize,
    stale: usize,
    never: usize,
    paused: usize,
    wrong: usize,
    running: usize,
    waiting: usize,
    next_slot: Option<String>,
    next_slot_local: Option<String>,
}

/// One job on one instance.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct PairLine {
    job: String,
    instance_id: String,
    instance_name: String,
    freshness: &'static str,
    wrong: bool,
    max_age_s: u64,
    good: Option<EndedLine>,
    good_age_s: Option<i64>,
    last: Option<EndedLine>,
    open: Option<OpenLine>,
}

/// A run that has ended.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct EndedLine {
    run_id: i64,
    #[serde(serialize_with = "as_stamp")]
    slot: DateTime<Utc>,
    slot_local: String,
    state: String,
    why: String,
    #[serde(skip)]
    is_good: bool,
}

/// A run that is open.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct OpenLine {
    run_id: i64,
    state: String,
    last_code: Option<String>,
}

/// An instance that nothing covers.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Uncovered {
    instance_id: String,
    instance_name: String,
    account: String,
    region: String,
    jobs: Vec<String>,
}

impl Status {
    /// Prints the verdict first.
    pub fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        if globals.output == Format::Csv {
            return Err(Exit::Usage.because("`status` has no rows for `csv`; write `-o json`").into());
        }
        let path = self.ledger.clone().path(globals, now)?;
        let (pulse, pairs, text) = match read(&path) {
            Ok(read) => read,
            Err(error) => return reading::ended(Err(error)),
        };
        let pulse = health::judge(&path, pulse, now.utc);
        // Whatever a warning says of this machine was said when the policy was loaded.
        let in_force = text.map(|text| config::check_text("the policy in force", &text, &Machine::pictured(&[], &[], ""), now.utc)).transpose();
        let policy =
            in_force.context("this program cannot read the policy that the ledger holds; use the version that wrote it")?.map(|it| it.policy);
        if self.uncovered {
            return self.tell_uncovered(globals, policy.as_ref(), &pairs);
        }
        let told = self.told(pulse, policy.as_ref(), &pairs, now.utc);
        match globals.output {
            Format::Json => output::print(&format!("{}\n", serde_json::to_string(&told)?))?,
            Format::Text | Format::Csv => output::print(&text::of(&told, policy.is_some(), &globals.shown()?, output::colored(&io::stdout())))?,
        }
        Ok(if told.ok { Exit::Ok } else { Exit::NotAllGood })
    }

    fn told(&self, pulse: Judged, policy: Option<&Policy>, pairs: &[Pair], now: DateTime<Utc>) -> Told {
        let jobs = policy.map_or(&[][..], |policy| &policy.jobs);
        let (mut lines, mut items) = (Vec::new(), Vec::new());
        for job in jobs.iter().filter(|job| self.selectors.keeps_job(job.name.as_str())) {
            let mut line = JobLine { job: job.name.to_string(), ..JobLine::default() };
            for (pair, name) in self.pairs_of(job, pairs) {
                let freshness = Freshness::of(job, pair.evidence(), now);
                line.count(freshness, pair);
                let item = pair_line(job, pair, name, freshness, now);
                if !self.running || pair.open.as_ref().is_some_and(|open| !open.waits) {
                    items.push(item);
                }
            }
            let next = job.schedule.next_after(now).filter(|_| !job.suspend);
            line.next_slot = next.map(stamp);
            line.next_slot_local = next.map(|next| job.schedule.local(next));
            if line.pairs > 0 {
                lines.push(line);
            }
        }
        let ok = pulse.ok && lines.iter().all(|line| line.wrong == 0);
        Told { schema_version: 1, ok, pulse, jobs: lines, items }
    }

    /// The pairs of a job that are meant, with the names of their instances.
    fn pairs_of<'a>(&self, job: &'a Job, pairs: &'a [Pair]) -> Vec<(&'a Pair, String)> {
        let known: BTreeMap<&str, &Pair> =
            pairs.iter().filter(|pair| pair.job == job.name.as_str()).map(|pair| (pair.instance_id.as_str(), pair)).collect();
        let meant = job.instances.iter().filter(|instance| self.selectors.keeps_instance(instance));
        meant.filter_map(|instance| Some((*known.get(instance.id.as_str())?, instance.name.to_string()))).collect()
    }

    fn tell_uncovered(&self, globals: &Globals, policy: Option<&Policy>, pairs: &[Pair]) -> anyhow::Result<Exit> {
        let instances = policy.map_or(&[][..], |policy| &policy.instances);
        let covered = |id: &str| pairs.iter().any(|pair| pair.instance_id == id && pair.good.is_some());
        let jobs_of = |id: &str| pairs.iter().filter(|pair| pair.instance_id == id).map(|pair| pair.job.clone()).collect();
        let items: Vec<Uncovered> = instances
            .iter()
            .filter(|instance| self.selectors.keeps_instance(instance) && !covered(instance.id.as_str()))
            .map(|instance| Uncovered {
                instance_id: instance.id.to_string(),
                instance_name: instance.name.to_string(),
                account: instance.account.to_string(),
                region: instance.region.to_string(),
                jobs: jobs_of(instance.id.as_str()),
            })
            .collect();
        match globals.output {
            Format::Json => output::print_items(&items)?,
            Format::Text | Format::Csv => output::print(&text::uncovered(&items))?,
        }
        Ok(if items.is_empty() { Exit::Ok } else { Exit::NotAllGood })
    }
}

type Read = (Option<crate::ledger::report::Pulse>, Vec<Pair>, Option<String>);

fn read(path: &Path) -> anyhow::Result<Read> {
    let Some(reader) = Reader::open(path)? else { return Ok((None, Vec::new(), None)) };
    Ok((reader.pulse()?, reader.pairs()?, reader.policy_in_force()?))
}

impl JobLine {
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
        match &pair.open {
            Some(open) if open.waits => self.waiting += 1,
            Some(_) => self.running += 1,
            None => {}
        }
    }
}

fn pair_line(job: &Job, pair: &Pair, instance_name: String, freshness: Freshness, now: DateTime<Utc>) -> PairLine {
    let ended = |ended: &Ended| EndedLine {
        run_id: ended.run_id,
        slot: ended.slot,
        slot_local: ended.slot_local.clone(),
        state: ended.state.clone(),
        why: ended.why.clone(),
        is_good: ended.is_good,
    };
    PairLine {
        job: pair.job.clone(),
        instance_id: pair.instance_id.clone(),
        instance_name,
        freshness: freshness.word(),
        wrong: freshness.is_wrong(),
        max_age_s: max_age(job, now).as_secs(),
        good: pair.good.as_ref().map(ended),
        good_age_s: pair.good.as_ref().map(|good| (now - good.slot).num_seconds()),
        last: pair.ended.as_ref().map(ended),
        open: pair.open.as_ref().map(|open| OpenLine { run_id: open.run_id, state: open.state.clone(), last_code: open.last_code.clone() }),
    }
}

fn as_stamp<S: serde::Serializer>(t: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&stamp(*t))
}
