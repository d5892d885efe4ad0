//! Instances: the list of pairs, one instance, and those without any backup.

use super::{
    asked::{Asked, MOST},
    frame::rest,
    lists,
};
use crate::{
    domain::{
        policy::{Instance, Policy},
        prose::visible,
    },
    ledger::report::{Item, PairLine, Uncovered},
};
use maud::{Markup, html};
use std::collections::BTreeSet;

/// So many values of one filter are offered.
const OFFERED: usize = 12;

/// What lists can be narrowed by. A choice that would keep all is none.
pub(super) fn choices(policy: &Policy) -> Vec<(&'static str, Vec<String>)> {
    let few = |values: BTreeSet<&str>| if values.len() > 1 { values.into_iter().take(OFFERED).map(ToOwned::to_owned).collect() } else { Vec::new() };
    vec![
        ("job", few(policy.jobs.iter().map(|job| job.name.as_str()).collect())),
        ("account", few(policy.instances.iter().map(|instance| instance.account.as_str()).collect())),
        ("region", few(policy.instances.iter().map(|instance| instance.region.as_str()).collect())),
    ]
}

/// A part of a list, and how many it has.
pub(super) fn part<'a, T>(items: &'a [T], asked: &Asked) -> &'a [T] {
    let rest = items.get(asked.skip..).unwrap_or_default();
    rest.get(..asked.limit()).unwrap_or(rest)
}

/// Where the list goes on after a part, if it does.
pub(super) fn after(count: usize, shown: usize, asked: &Asked, path: &str) -> Option<String> {
    let next = asked.skip.saturating_add(shown);
    (shown > 0 && next < count).then(|| asked.instead(path, "skip", &next.to_string()))
}

pub(super) fn list(items: &[&PairLine], policy: &Policy, asked: &Asked) -> Markup {
    let mut choices = choices(policy);
    choices.insert(0, ("not-ok", vec!["true".to_owned()]));
    let shown = part(items, asked);
    html! {
        h1 { "Instances" }
        (lists::filters(asked, "/instances", &choices))
        @if shown.is_empty() { p.empty { "No job and instance is meant. " a href="/instances" { "Show all" } } }
        @else { (lists::pairs(&counted(items.len(), shown.len(), asked.skip, "pairs of job and instance"), shown)) }
        @if let Some(next) = after(items.len(), shown.len(), asked, "/instances") { (rest(&next, "The next ones")) }
    }
}

/// What a part of a list is.
pub(super) fn counted(count: usize, shown: usize, skip: usize, of: &str) -> String {
    if shown == count { format!("{count} {of}") } else { format!("{} to {} of {count} {of}", skip + 1, skip + shown) }
}

pub(super) fn one(id: &str, instance: Option<&Instance>, pairs: &[&PairLine], runs: &[Item]) -> Markup {
    let name = instance.map(|instance| instance.name.as_str()).or_else(|| runs.first().map(|run| run.instance_name.as_str())).unwrap_or(id);
    html! {
        h1 { "Instance " (visible(name)) }
        dl.facts {
            div { dt { "id" } dd { (visible(id)) } }
            @if let Some(instance) = instance {
                div { dt { "account" } dd { (instance.account) } }
                div { dt { "region" } dd { (instance.region) } }
                @if !instance.tags.is_empty() {
                    div { dt { "tags" } dd { @for (key, value) in &instance.tags { span.chip { (visible(key)) "=" (visible(value)) } " " } } }
                }
            } @else { div { dt { "policy" } dd { "has no such instance any more" } } }
        }
        section aria-labelledby="jobs" {
            h2 #jobs { "Jobs" }
            @if pairs.is_empty() { p.empty { "No job matches it." } }
            @else { (lists::pairs("How each job stands on it", pairs.get(..usize::try_from(MOST).unwrap_or_default()).unwrap_or(pairs))) }
        }
        section aria-labelledby="runs" {
            h2 #runs { "Newest runs" }
            @if runs.is_empty() { p.empty { "It has no run yet." } }
            @else { (lists::runs("The newest slots first", runs)) (rest(&lists::all_runs("instance", id), "All its runs")) }
        }
    }
}

pub(super) fn uncovered(items: &[Uncovered], policy: &Policy, asked: &Asked) -> Markup {
    let choices: Vec<_> = choices(policy).into_iter().filter(|(name, _)| *name != "job").collect();
    let shown = part(items, asked);
    html! {
        h1 { "Without backup" }
        (lists::filters(asked, "/uncovered", &choices))
        @if items.is_empty() { p.empty { "Every instance has a good backup." } }
        @else {
            table role="table" {
                caption { (counted(items.len(), shown.len(), asked.skip, "instances without a good backup")) }
                thead role="rowgroup" {
                    tr role="row" { @for head in ["Instance", "Id", "Account", "Region", "Jobs"] { th role="columnheader" scope="col" { (head) } } }
                }
                tbody role="rowgroup" {
                    @for item in shown {
                        tr role="row" {
                            th role="rowheader" scope="row" data-label="Instance" { (lists::instance(&item.instance_id, &item.instance_name)) }
                            td role="cell" data-label="Id" { (visible(&item.instance_id)) }
                            td role="cell" data-label="Account" { (item.account) }
                            td role="cell" data-label="Region" { (item.region) }
                            td role="cell" data-label="Jobs" {
                                @if item.jobs.is_empty() { "no job matches it" }
                                @else { "no good backup yet by " @for (at, job) in item.jobs.iter().enumerate() { @if at > 0 { ", " } (lists::job(job)) } }
                            }
                        }
                    }
                }
            }
        }
        @if let Some(next) = after(items.len(), shown.len(), asked, "/uncovered") { (rest(&next, "The next ones")) }
    }
}
