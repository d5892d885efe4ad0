//! A job's page: what it is, how its instances stand, its last 30 days, and what comes.

use super::{
    asked::{Asked, link},
    calendar,
    frame::rest,
    front, lists,
};
use crate::{
    domain::{
        names::JobName,
        policy::Job,
        prose::{local, stamp, visible},
    },
    ledger::report::{Calendar, Item, Overview, PairLine, job_facts},
};
use chrono::{DateTime, Utc};
use maud::{Markup, html};

/// So many coming slots are told.
const COMING: usize = 5;

/// All that the page tells.
pub(super) struct OfJob<'a> {
    pub(super) job: &'a Job,
    pub(super) standing: &'a Overview,
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
        @for line in &of.standing.jobs { div.stand { (front::stands(line)) @if line.last_slot.is_some() { div.last { "Last slot " (front::last(line)) } } } }
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
            dl.facts { @for (name, value) in job_facts(job, of.now) { div { dt { (name) } dd { (visible(&value)) } } } }
        }
    }
}

/// Runs that no job of the policy made.
pub(super) fn gone(name: &str, runs: &[Item]) -> Markup {
    html! {
        h1 { "Job " (visible(name)) }
        p.note { @if name == JobName::BY_HAND { "People asked for these runs by hand; no schedule makes them." } @else { "The policy has no such job any more." } }
        section aria-labelledby="runs" {
            h2 #runs { "Newest runs" }
            (lists::runs("The newest slots first", runs))
            (rest(&link("/runs", [("job", name)]), "All its runs"))
        }
    }
}
