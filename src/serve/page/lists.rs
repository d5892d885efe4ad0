//! The lists that several pages show: pairs, runs, and what is open.

use super::{
    asked::{Asked, below, link},
    frame::{freshness, moment, slot, state},
};
use crate::{
    domain::prose::{length, size, visible},
    ledger::report::{Clue, Item, PairLine},
};
use chrono::{DateTime, Utc};
use maud::{Markup, html};

/// The pages of single things.
pub(super) fn job(name: &str) -> Markup {
    html! { a href=(below("/jobs", name)) { (visible(name)) } }
}

pub(super) fn instance(id: &str, name: &str) -> Markup {
    html! { a href=(below("/instances", id)) { (visible(name)) } }
}

fn run(id: i64) -> Markup {
    html! { a href={ "/runs/" (id) } { "run " (id) } }
}

/// What is wrong with a pair, since when, and what to look at: as `status` says it.
pub(super) fn wrong(item: &PairLine) -> Markup {
    html! {
        li.wrong {
            p.what {
                (freshness(item.freshness, item.wrong)) " "
                strong { (job(&item.job)) " on " (instance(&item.instance_id, &item.instance_name)) }
            }
            p { "It is " (item.freshness) ": " (item.since(|good| crate::domain::prose::local(&good.slot_local))) "." }
            p.clue {
                @match item.clue() {
                    Clue::Ended(last) => {
                        (slot(last.slot, &last.slot_local)) " " (state(&last.state)) " " (visible(&last.why)) "; " (run(last.run_id)) " has its calls."
                    }
                    Clue::Open(open) => { (run(open.run_id)) " is " (state(&open.state)) " and tells what it waits for." }
                    Clue::Nothing => { "No slot has ended since; " (job(&item.job)) " tells when one comes." }
                }
            }
        }
    }
}

/// Pairs of job and instance.
pub(super) fn pairs(caption: &str, items: &[&PairLine]) -> Markup {
    html! {
        table role="table" {
            caption { (caption) }
            thead role="rowgroup" {
                tr role="row" {
                    @for head in ["Instance", "Job", "Stands", "Newest good backup", "Last ended", "Open run"] {
                        th role="columnheader" scope="col" { (head) }
                    }
                }
            }
            tbody role="rowgroup" {
                @for item in items {
                    tr role="row" {
                        th role="rowheader" scope="row" data-label="Instance" { (instance(&item.instance_id, &item.instance_name)) }
                        td role="cell" data-label="Job" { (job(&item.job)) }
                        td role="cell" data-label="Stands" { (freshness(item.freshness, item.wrong)) }
                        td role="cell" data-label="Newest good backup" {
                            @match (&item.good, item.good_age_s) {
                                (Some(good), Some(age)) => {
                                    a href={ "/runs/" (good.run_id) } { (slot(good.slot, &good.slot_local)) } " " span.muted { (length(age)) " old" }
                                }
                                _ => { span.muted { "none yet" } }
                            }
                        }
                        td role="cell" data-label="Last ended" {
                            @if let Some(last) = &item.last { a href={ "/runs/" (last.run_id) } { (slot(last.slot, &last.slot_local)) } " " (state(&last.state)) }
                            @else { span.muted { "none yet" } }
                        }
                        td role="cell" data-label="Open run" {
                            @if let Some(open) = &item.open { a href={ "/runs/" (open.run_id) } { (state(&open.state)) } }
                            @else { span.muted { "none" } }
                        }
                    }
                }
            }
        }
    }
}

/// Runs, as `history` tells them.
pub(super) fn runs(caption: &str, items: &[Item]) -> Markup {
    html! {
        table role="table" {
            caption { (caption) }
            thead role="rowgroup" {
                tr role="row" {
                    @for head in ["Run", "Slot", "Job", "Instance", "State", "Why"] { th role="columnheader" scope="col" { (head) } }
                }
            }
            tbody role="rowgroup" {
                @for item in items {
                    tr role="row" {
                        th role="rowheader" scope="row" data-label="Run" { a href={ "/runs/" (item.run_id) } { (item.run_id) } }
                        td role="cell" data-label="Slot" { (slot(item.slot, &item.slot_local)) }
                        td role="cell" data-label="Job" { (job(&item.job)) }
                        td role="cell" data-label="Instance" { (instance(&item.instance_id, &item.instance_name)) }
                        td role="cell" data-label="State" { (state(&item.state)) }
                        td.why role="cell" data-label="Why" { (why(item)) }
                    }
                }
            }
        }
    }
}

/// The sentence, and what was made.
fn why(item: &Item) -> Markup {
    let slots = if item.slots > 1 { format!("{} slots: ", item.slots) } else { String::new() };
    let made = [item.backup_id.map(|id| format!("BackupId {id}")), item.bytes.map(size)];
    let made: Vec<String> = made.into_iter().flatten().collect();
    html! {
        @if item.late { "good after all: " }
        (slots) (visible(&item.why))
        @if !made.is_empty() { " " span.muted { (made.join(", ")) } }
    }
}

/// Open runs: what was sent, or what waits.
pub(super) fn open(caption: &str, items: &[Item], now: DateTime<Utc>) -> Markup {
    html! {
        table role="table" {
            caption { (caption) }
            thead role="rowgroup" {
                tr role="row" {
                    @for head in ["Run", "Job", "Instance", "Slot", "Since", "Where it stands"] { th role="columnheader" scope="col" { (head) } }
                }
            }
            tbody role="rowgroup" {
                @for item in items {
                    tr role="row" {
                        th role="rowheader" scope="row" data-label="Run" { a href={ "/runs/" (item.run_id) } { (item.run_id) } " " (state(&item.state)) }
                        td role="cell" data-label="Job" { (job(&item.job)) }
                        td role="cell" data-label="Instance" { (instance(&item.instance_id, &item.instance_name)) }
                        td role="cell" data-label="Slot" { (slot(item.slot, &item.slot_local)) }
                        td role="cell" data-label="Since" { (moment(item.started_at.unwrap_or(item.slot), now)) }
                        td.why role="cell" data-label="Where it stands" {
                            (visible(&item.why))
                            @if let Some(code) = &item.last_code { " " span.muted { "last code " (visible(code)) } }
                        }
                    }
                }
            }
        }
    }
}

/// What a list is narrowed by, as links: those that are set can be taken away, others be added.
pub(super) fn filters(asked: &Asked, path: &str, choices: &[(&str, Vec<String>)]) -> Markup {
    html! {
        nav.filters aria-label="Filters" {
            @if asked.filters().next().is_some() {
                ul.set {
                    @for (name, value) in asked.filters() {
                        li {
                            a.chip href=(asked.without(path, name, value)) {
                                (spoken(name, value)) " " span aria-hidden="true" { "×" } span.unseen { "(remove this filter)" }
                            }
                        }
                    }
                    li { a href=(path) { "Remove all" } }
                }
            }
            details {
                summary { "Filter" }
                div.choices {
                    @for (name, values) in choices {
                        @if !values.is_empty() {
                            section {
                                h2 { (title(name)) }
                                ul { @for value in values { li { (choice(asked, path, name, value)) } } }
                            }
                        }
                    }
                    form method="get" action=(path) {
                        @for (name, value) in asked.filters().filter(|(name, _)| *name != "instance") { input type="hidden" name=(name) value=(value); }
                        label for="instance" { "Instance, by name or id" }
                        div.field { input #instance name="instance" type="text" maxlength="60" autocomplete="off"; button { "Show" } }
                    }
                }
            }
        }
    }
}

fn choice(asked: &Asked, path: &str, name: &str, value: &str) -> Markup {
    let set = asked.has(name, value);
    let to = if set { asked.without(path, name, value) } else { asked.with(path, name, value) };
    html! { a.chip href=(to) aria-current=[set.then_some("true")] { (if name == "not-ok" { "only what is not ok".into() } else { visible(value) }) } }
}

fn title(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn spoken(name: &str, value: &str) -> String {
    if name == "not-ok" { "only what is not ok".to_owned() } else { format!("{name} {}", visible(value)) }
}

/// All runs of a thing.
pub(super) fn all_runs(name: &str, value: &str) -> String {
    link("/runs", [(name, value)])
}
