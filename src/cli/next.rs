//! `next`: the slots that are coming. Reads the policy, and out of the ledger, if there is one, what is paused; needs no daemon, no network and no
//! keys.

use super::{
    Globals,
    exit::Exit,
    moment::{Looking, Moment, Shown},
    output::{self, Format},
    selectors::no_job,
    table::{Columns, visible},
};
use crate::{
    config::Level,
    domain::{
        forecast::{Coming, coming},
        now::Now,
        policy::{Job, Policy},
    },
    ledger::report::{PauseLine, Reader},
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use std::path::Path;

/// Tell which slots are coming, and when their runs start
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cdb-backupd next\n  cdb-backupd next nightly-full --count 20\n  cdb-backupd next --from tomorrow --until 2d --tz Asia/Shanghai"
)]
pub struct Next {
    /// Only this job; all unless given
    #[arg(value_name = "JOB")]
    job: Option<String>,
    /// So many slots of each job
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    count: u16,
    /// Only slots after this time: 2h (from now), tomorrow, 2026-11-24, 02:30 (the next one), or RFC 3339; now unless given
    #[arg(long, value_name = "TIME")]
    from: Option<Moment>,
    /// Only slots up to this time, which is included
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
}

/// One slot, as programs read it.
#[derive(Serialize)]
struct Item<'a> {
    job: &'a str,
    slot: String,
    slot_local: &'a str,
    runs: usize,
    starts_from: Option<String>,
    starts_until: Option<String>,
    note: Option<String>,
}

impl Next {
    /// Prints the slots in their order, of each job as many as are asked for.
    pub fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        let loaded = globals.policy(now)?;
        let jobs = jobs(&loaded.policy, self.job.as_deref())?;
        let seen = |moment: Option<Moment>| moment.map(|moment| moment.seen(now.utc, Looking::Ahead, &globals.zone())).transpose();
        let after = seen(self.from)?.unwrap_or(now.utc);
        let until = seen(self.until)?.unwrap_or(DateTime::<Utc>::MAX_UTC);
        if until <= after {
            let reason = match (self.from, self.until) {
                (_, None) => "no time comes after --from; name an earlier one",
                (None, _) => "--until is over; name a later one, or an earlier --from",
                (Some(_), Some(_)) => "no time lies between --from and --until; name a later --until",
            };
            return Err(Exit::Usage.because(reason).into());
        }
        let of_jobs = coming(&loaded.policy, &jobs, after, until, self.count.into());
        let mut slots: Vec<_> = jobs.into_iter().zip(of_jobs).flat_map(|(job, slots)| slots.into_iter().map(move |slot| (job, slot))).collect();
        slots.sort_by_key(|(_, coming)| coming.slot);
        if globals.output == Format::Json {
            let items: Vec<Item<'_>> = slots.iter().map(|(job, coming)| Item::of(job, coming)).collect();
            output::print_items(&items)?;
        } else if slots.is_empty() {
            globals.tell(Level::Warning, "no slot comes in that time");
        } else {
            output::print(&text(&slots, &globals.shown()?))?;
            for pause in paused(&loaded.ledger, now.utc) {
                globals.tell(Level::Warning, &format!("pause {}: {}", pause.pause_id, pause.sentence()));
            }
        }
        Ok(Exit::Ok)
    }
}

/// What people hold. A ledger that cannot be read is no matter of slots: `status` tells of it.
fn paused(ledger: &Path, now: DateTime<Utc>) -> Vec<PauseLine> {
    let pauses = Reader::open(ledger).ok().flatten().and_then(|reader| reader.pauses(now).ok());
    pauses.unwrap_or_default().iter().map(|pause| PauseLine::of(pause, now)).collect()
}

/// The jobs that are meant, in the order of the file.
fn jobs<'a>(policy: &'a Policy, name: Option<&str>) -> anyhow::Result<Vec<&'a Job>> {
    let jobs: Vec<&Job> = policy.jobs.iter().map(|job| &**job).filter(|job| name.is_none_or(|name| job.name.as_str() == name)).collect();
    if let (Some(name), []) = (name, jobs.as_slice()) {
        return Err(no_job(name, policy).into());
    }
    Ok(jobs)
}

impl<'a> Item<'a> {
    fn of(job: &'a Job, coming: &'a Coming) -> Self {
        let start = |t: DateTime<Utc>| t.to_rfc3339_opts(SecondsFormat::Millis, true);
        Self {
            job: job.name.as_str(),
            slot: coming.slot.to_rfc3339_opts(SecondsFormat::Secs, true),
            slot_local: &coming.slot_local,
            runs: coming.runs,
            starts_from: coming.starts.map(|(first, _)| start(first)),
            starts_until: coming.starts.map(|(_, last)| start(last)),
            note: (!coming.notes.is_empty()).then(|| notes(coming, |until| job.schedule.local(until)).join("; ")),
        }
    }
}

/// A line for each slot, and one below it for each note.
fn text(slots: &[(&Job, Coming)], shown: &Shown) -> String {
    let head = ["SLOT", "UTC", "JOB", "RUNS", "STARTS"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(slots.iter().map(|(job, coming)| cells(job, coming, shown))).collect();
    let columns = Columns::fitting(&rows, [26, 20, 32, 6, 20]);
    let of_slots = slots.iter().map(|(job, coming)| notes(coming, |until| shown.local(until, &job.schedule)));
    let notes = std::iter::once(Vec::new()).chain(of_slots);
    let mut text = String::new();
    for (row, notes) in rows.iter().zip(notes) {
        text += &format!("{}\n", columns.line(row));
        for note in notes {
            text += &format!("  {}\n", visible(&note));
        }
    }
    text
}

fn notes(coming: &Coming, local: impl Fn(DateTime<Utc>) -> String) -> Vec<String> {
    coming.notes.iter().map(|note| note.written(&local)).collect()
}

fn cells(job: &Job, coming: &Coming, shown: &Shown) -> [String; 5] {
    // The time of the day alone: the date stands before it.
    let clock = |t: DateTime<Utc>| shown.local(t, &job.schedule).get(11..19).unwrap_or_default().to_owned();
    let starts = match coming.starts.map(|(first, last)| (clock(first), clock(last))) {
        None => "-".to_owned(),
        Some((first, last)) if first == last => first,
        Some((first, last)) => format!("{first} to {last}"),
    };
    let utc = coming.slot.format("%Y-%m-%d %H:%M:%SZ").to_string();
    [shown.local(coming.slot, &job.schedule), utc, job.name.to_string(), coming.runs.to_string(), starts]
}
