//! The list of runs, and one run with its calls: what `history` and `show` print.

use super::{
    asked::{Asked, place_of},
    frame::{moment, rest, slot, state},
    instances::choices,
    lists,
};
use crate::{
    domain::{
        policy::Policy,
        prose::{local, size, stamp, visible},
        run::{STATES, why},
    },
    ledger::report::{AttemptLine, BackupLine, Detail, Item, facts},
};
use chrono::{DateTime, SecondsFormat, Utc};
use maud::{Markup, html};

/// Where the list goes on, if its limit left some out.
pub(super) fn after(items: &[Item], more: bool, asked: &Asked) -> Option<String> {
    let last = items.last().filter(|_| more)?;
    Some(asked.instead("/runs", "after", &place_of(last.slot, last.run_id)))
}

pub(super) fn list(items: &[Item], more: bool, policy: &Policy, asked: &Asked) -> Markup {
    let mut choices = choices(policy);
    choices.insert(0, ("not-ok", vec!["true".to_owned()]));
    choices.push(("state", STATES.map(ToOwned::to_owned).to_vec()));
    html! {
        h1 { "Runs" }
        (lists::filters(asked, "/runs", &choices))
        @if items.is_empty() { p.empty { "No run matches. " a href="/runs" { "Show all" } } }
        @else { (lists::runs("The newest slots first", items)) }
        @if let Some(next) = after(items, more, asked) { (rest(&next, "Older runs")) }
    }
}

pub(super) fn one(detail: &Detail, now: DateTime<Utc>) -> Markup {
    let Detail { item, run, attempts, backups } = detail;
    html! {
        h1 { "Run " (item.run_id) " " (state(&item.state)) }
        p.lead { (lists::job(&item.job)) " on " (lists::instance(&item.instance_id, &item.instance_name)) ", slot " (slot(item.slot, &item.slot_local)) }
        p.why { (visible(&item.why)) "." }
        section aria-labelledby="next" {
            h2 #next { "What happens next" }
            @match why::next(run) {
                None => { p { "Nothing: it is final." } }
                Some(next) => {
                    p {
                        (next.what) @if let Some(at) = next.at { ", not before " (moment(at, now)) }
                        ". This goes on until " time datetime=(stamp(next.until)) { (stamp(next.until)) } " at the latest."
                    }
                }
            }
        }
        (calls(attempts))
        (backups_of(backups))
        section aria-labelledby="facts" {
            h2 #facts { "Facts" }
            dl.facts {
                @for (name, value) in facts(detail, |item| local(&item.slot_local), stamp) { div { dt { (name) } dd { (visible(&value)) } } }
            }
        }
    }
}

fn exact(t: DateTime<Utc>) -> Markup {
    html! { time.slot datetime=(t.to_rfc3339_opts(SecondsFormat::Millis, true)) { (t.format("%Y-%m-%d %H:%M:%S%.3fZ")) } }
}

fn calls(attempts: &[AttemptLine]) -> Markup {
    html! {
        section aria-labelledby="calls" {
            h2 #calls { "Calls" }
            @if attempts.is_empty() { p.empty { "None is kept." } }
            @else {
                table role="table" {
                    caption { "Oldest first; lists that changed nothing are not kept" }
                    thead role="rowgroup" {
                        tr role="row" { @for head in ["Begun", "Call", "Took", "Answer"] { th role="columnheader" scope="col" { (head) } } }
                    }
                    tbody role="rowgroup" {
                        @for line in attempts {
                            tr role="row" {
                                th role="rowheader" scope="row" data-label="Begun" { (exact(line.at)) }
                                td role="cell" data-label="Call" { (visible(&line.action)) @if line.generation > 1 { " " span.muted { "generation " (line.generation) } } }
                                td role="cell" data-label="Took" { @if let Some(ms) = line.elapsed_ms { (ms) " ms" } @else { "no answer" } }
                                td.why role="cell" data-label="Answer" { (answer(line)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn answer(line: &AttemptLine) -> Markup {
    html! {
        @if let Some(class) = &line.class { strong { (visible(class)) } " " }
        @if let Some(code) = &line.code { code { (visible(code)) } " " }
        @if let Some(id) = line.backup_id { "BackupId " (id) " " }
        @if let Some(message) = &line.message { span.message { (visible(message)) } " " }
        @if let Some(id) = &line.request_id { span.muted { "RequestId " (visible(id)) } }
    }
}

fn backups_of(backups: &[BackupLine]) -> Markup {
    html! {
        section aria-labelledby="backups" {
            h2 #backups { "Backups" }
            @if backups.is_empty() { p.empty { "None is known." } }
            @else {
                table role="table" {
                    caption { "What the cloud made for this run" }
                    thead role="rowgroup" {
                        tr role="row" {
                            @for head in ["BackupId", "Status", "Size", "Generation", "First seen"] { th role="columnheader" scope="col" { (head) } }
                        }
                    }
                    tbody role="rowgroup" {
                        @for line in backups {
                            tr role="row" {
                                th role="rowheader" scope="row" data-label="BackupId" { (line.backup_id) }
                                td role="cell" data-label="Status" {
                                    (visible(&line.status))
                                    @if line.duplicate { " " strong { "another of this run did not fail: look in the console" } }
                                }
                                td role="cell" data-label="Size" { @if let Some(bytes) = line.bytes { (size(bytes)) } @else { span.muted { "unknown" } } }
                                td role="cell" data-label="Generation" { (line.generation) }
                                td role="cell" data-label="First seen" { (exact(line.first_seen)) " " span.muted { "from a " (visible(&line.found_by)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
