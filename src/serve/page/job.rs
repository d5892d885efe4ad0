//! A job's page: what it is, how its instances stand, its last 30 days, and what comes.

use super::{
    asked::{Asked, link},
    calendar,
    frame::rest,
    front, lists,
};
use crate::{
    domain::{
        freshness::max_age,
        policy::{CatchUp, Job, Overlap},
        prose::{length, local, stamp, visible},
    },
    ledger::report::{Calendar, Item, PairLine, Standing, method},
};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use std::time::Duration;

/// So many coming slots are told.
const COMING: usize = 5;

/// All that the page tells.
pub(super) struct OfJob<'a> {
    pub(super) job: &'a Job,
    pub(super) standing: &'a Standing,
    pub(super) calendar: &'a Calendar,
    pub(super) runs: &'a [Item],
    pub(super) asked: &'a Asked,
    pub(super) now: DateTime<Utc>,
}

pub(super) fn page(of: &OfJob<'_>) -> Markup {
    let (job, name) = (of.job, of.job.name.as_str());
    let items: Vec<&PairLine> = of.standing.items.iter().collect();
    let shown = items.get(of.asked.skip..).unwrap_or_default();
    let shown = shown.get(..of.asked.limit()).unwrap_or(shown);
    let next = of.asked.skip + shown.len();
    html! {
        h1 { "Job " (visible(name)) }
        @for line in &of.standing.jobs { div.stand { (front::stands(line)) @if line.last_slot.is_some() { p { "Last slot " (front::last(line)) } } } }
        section aria-labelledby="days" {
            h2 #days { "Last 30 days" }
            (calendar::table(job, of.calendar, of.now))
            (calendar::legend())
        }
        section aria-labelledby="coming" {
            h2 #coming { "Next slots" }
            @if job.suspend { p.note { "The policy suspends this job: no slot starts a run." } }
            ol.slots {
                @for slot in job.schedule.slots_between(of.now, DateTime::<Utc>::MAX_UTC).take(COMING) {
                    li { time.slot datetime=(stamp(slot)) { (local(&job.schedule.local(slot))) } }
                }
            }
        }
        section aria-labelledby="instances" {
            h2 #instances { "Instances" }
            @if shown.is_empty() { p.empty { "There is none here." } } @else { (lists::pairs("How the job stands on each instance", shown)) }
            @if next < items.len() {
                (rest(&of.asked.instead(&calendar::path(job), "skip", &next.to_string()), &format!("The other {} instances", items.len() - next)))
            }
        }
        section aria-labelledby="runs" {
            h2 #runs { "Newest runs" }
            @if of.runs.is_empty() { p.empty { "It has no run yet." } }
            @else { (lists::runs("The newest slots first", of.runs)) (rest(&link("/runs", [("job", name)]), "All its runs")) }
        }
        section aria-labelledby="terms" {
            h2 #terms { "What it does" }
            dl.facts { @for (name, value) in facts(job, of.now) { div { dt { (name) } dd { (visible(&value)) } } } }
        }
    }
}

fn facts(job: &Job, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let time = |d: Duration| length(i64::try_from(d.as_secs()).unwrap_or(i64::MAX));
    let mut facts = vec![("schedule", format!("{} in {}", job.schedule.text(), job.schedule.zone())), ("method", method(&job.method))];
    if !job.spread.is_zero() {
        facts.push(("spread", format!("starts are spread over {}", time(job.spread))));
    }
    facts.push(("starts", format!("within {}, and is complete within {} more", time(job.start_within), time(job.complete_within))));
    facts.push(("fresh for", time(max_age(job, now))));
    facts.push(("priority", format!("{} (0 first, 9 last)", job.priority)));
    facts.push((
        "missed slots",
        match job.catch_up {
            CatchUp::Off => "are not caught up".to_owned(),
            CatchUp::Latest { within } => format!("the newest is caught up within {}", time(within)),
        },
    ));
    facts.push((
        "overlap",
        match job.overlap {
            Overlap::Skip => "a run is skipped while the one before is open".to_owned(),
            Overlap::Queue => "a run waits while the one before is open".to_owned(),
        },
    ));
    facts
}
