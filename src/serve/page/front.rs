//! The first page: the verdict and the pulse, what is wrong since when, each job, and what is open.

use super::{
    asked::link,
    frame::{freshness, rest, state},
    lists,
};
use crate::{
    domain::{
        prose::{local, visible},
        run::{SENT, WAITING},
    },
    ledger::report::{AtWork, JobLine, Overview, PairLine},
};
use chrono::{DateTime, Utc};
use maud::{Markup, html};

/// So many pairs that are wrong are told, so many open runs of either kind.
pub(super) const SHOWN: usize = 20;
/// So many jobs are told.
const JOBS: usize = 100;

/// All that the page tells.
pub(super) struct Front<'a> {
    pub(super) standing: &'a Overview,
    pub(super) in_force: bool,
    pub(super) at_work: &'a AtWork,
    /// How many instances have no good backup.
    pub(super) uncovered: usize,
    pub(super) now: DateTime<Utc>,
    /// So many jobs are left out before.
    pub(super) skip: usize,
}

pub(super) fn page(front: &Front<'_>) -> Markup {
    let wrong: Vec<&PairLine> = front.standing.items.iter().filter(|item| item.wrong).collect();
    html! {
        (verdict(front))
        @if !front.standing.pauses.is_empty() {
            section aria-labelledby="paused" {
                h2 #paused { "Paused" }
                ul.wrongs {
                    @for pause in &front.standing.pauses {
                        li { "Pause " (pause.pause_id) ": " (pause.sentence()) @if pause.is_long { strong { " It is older than a day: is it forgotten?" } } }
                    }
                }
            }
        }
        @if !wrong.is_empty() {
            section aria-labelledby="wrong" {
                h2 #wrong { "What is wrong" }
                ul.wrongs { @for item in wrong.iter().take(SHOWN) { (lists::wrong(item)) } }
                @if wrong.len() > SHOWN { (rest(&link("/instances", [("not-ok", "true")]), &format!("All {} that are wrong", wrong.len()))) }
            }
        }
        @if front.uncovered > 0 {
            p.note {
                a href="/uncovered" { (front.uncovered) @if front.uncovered == 1 { " instance has" } @else { " instances have" } " no good backup" }
                " yet, of any job."
            }
        }
        (jobs(&front.standing.jobs, front.skip))
        (at_work(front))
    }
}

fn verdict(front: &Front<'_>) -> Markup {
    let Front { standing, in_force, .. } = front;
    html! {
        section.verdict.good[standing.ok].bad[!standing.ok] aria-labelledby="verdict" {
            h1 #verdict {
                span.sign aria-hidden="true" { (if standing.ok { "✓" } else { "✗" }) }
                " " (if standing.ok { "ok" } else { "not ok" }) ": " (standing.stands(*in_force))
            }
            p.pulse { "Daemon " (visible(&standing.pulse.line())) }
        }
    }
}

fn jobs(jobs: &[JobLine], skip: usize) -> Markup {
    let shown: Vec<&JobLine> = jobs.iter().skip(skip).take(JOBS).collect();
    html! {
        section aria-labelledby="jobs" {
            h2 #jobs { "Jobs" }
            @if shown.is_empty() { p.empty { "There is no job here." } }
            @else {
                table role="table" {
                    caption { "Every job over its instances; its page has a calendar" }
                    thead role="rowgroup" {
                        tr role="row" {
                            @for head in ["Job", "Instances", "Running", "Waiting", "Last slot", "Next slot"] { th role="columnheader" scope="col" { (head) } }
                        }
                    }
                    tbody role="rowgroup" { @for job in &shown { (job_row(job)) } }
                }
            }
            @if jobs.len() > skip + JOBS {
                (rest(&link("/", [("skip", (skip + JOBS).to_string().as_str())]), &format!("The other {} jobs", jobs.len() - skip - JOBS)))
            }
        }
    }
}

fn job_row(job: &JobLine) -> Markup {
    let runs = |count: usize, states: &[&str]| {
        let query = std::iter::once(("job", job.job.as_str())).chain(states.iter().map(|state| ("state", *state)));
        html! { @if count == 0 { span.muted { "–" span.unseen { "none" } } } @else { a href=(link("/runs", query)) { (count) } } }
    };
    html! {
        tr role="row" {
            th role="rowheader" scope="row" data-label="Job" { (lists::job(&job.job)) }
            td role="cell" data-label="Instances" { (stands(job)) }
            td role="cell" data-label="Running" { (runs(job.running, &SENT)) }
            td role="cell" data-label="Waiting" {
                (runs(job.waiting, &[WAITING]))
                @if let Some(held) = job.held_sentence() { div.muted { (visible(&held)) } }
            }
            td role="cell" data-label="Last slot" { (last(job)) }
            td role="cell" data-label="Next slot" {
                @if let Some(next) = &job.next_slot_local { time.slot datetime=[job.next_slot.as_ref()] { (local(next)) } }
                @else { span.muted { "none" } }
            }
        }
    }
}

/// How a job's pairs stand: how many of each, the good ones first.
pub(super) fn stands(job: &JobLine) -> Markup {
    let counts = [
        ("fresh", job.fresh, false),
        ("late", job.late, true),
        ("stale", job.stale, true),
        ("never", job.never, job.wrong > job.late + job.stale),
        ("paused", job.paused, false),
    ];
    html! {
        ul.counts aria-label={ (job.pairs) @if job.pairs == 1 { " instance" } @else { " instances" } } {
            @for (word, count, wrong) in counts.into_iter().filter(|(_, count, _)| *count > 0) { li { (count) " " (freshness(word, wrong)) } }
        }
    }
}

/// The newest slot that has ended, and how its runs did.
pub(super) fn last(job: &JobLine) -> Markup {
    html! {
        @if let Some(local_slot) = &job.last_slot_local {
            div.last {
                time.slot datetime=[job.last_slot.as_ref()] { (local(local_slot)) }
                ul.counts { @for (word, count) in &job.last_outcomes { li { @if job.pairs > 1 { (count) " " } (state(word)) } } }
            }
        } @else { span.muted { "none yet" } }
    }
}

fn at_work(front: &Front<'_>) -> Markup {
    let AtWork { running, running_count, waiting, waiting_count } = front.at_work;
    let more = |shown: usize, count: u64| count > u64::try_from(shown).unwrap_or(u64::MAX);
    html! {
        section aria-labelledby="running" {
            h2 #running { "Running" @if *running_count > 0 { " (" (running_count) ")" } }
            @if running.is_empty() { p.empty { "Nothing runs now." } } @else { (lists::open("What was sent and has not ended", running, front.now)) }
            @if more(running.len(), *running_count) {
                (rest(&link("/runs", SENT.map(|state| ("state", state))), &format!("All {running_count} that run")))
            }
        }
        section aria-labelledby="waiting" {
            h2 #waiting { "Held or waiting" @if *waiting_count > 0 { " (" (waiting_count) ")" } }
            @if let Some(held) = front.standing.pulse.held() { p.note { "The daemon reports " (held) "." } }
            @if waiting.is_empty() { p.empty { "Nothing waits now." } } @else { (lists::open("What is due and not sent yet, the soonest first", waiting, front.now)) }
            @if more(waiting.len(), *waiting_count) { (rest(&link("/runs", [("state", WAITING)]), &format!("All {waiting_count} that wait"))) }
        }
    }
}
