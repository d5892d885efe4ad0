//! How a rebuild is told: what was written first, then what was left out and why.

use super::Refilled;
use crate::{
    domain::{
        prose::{stamp, visible},
        refound::Refound,
    },
    ledger::Fate,
};
use serde::Serialize;
use std::path::Path;

/// So many runs are told one by one as text.
const SHOWN: usize = 20;
/// So many are told as JSON.
const ITEMS_MAX: usize = 10_000;

#[derive(Serialize)]
pub(super) struct Told {
    schema_version: u8,
    dry_run: bool,
    ok: bool,
    instances: u64,
    added: usize,
    turned_good: usize,
    known: usize,
    unproved: u64,
    not_good: u64,
    other_method: u64,
    no_job: u64,
    unread: Vec<Unread>,
    items: Vec<Item>,
}

#[derive(Serialize)]
struct Unread {
    instance_id: String,
    why: String,
}

#[derive(Serialize)]
struct Item {
    job: String,
    instance_id: String,
    slot: String,
    alias: String,
    proved: bool,
    generation: u8,
    backup_id: i64,
    bytes: Option<i64>,
    fate: &'static str,
}

pub(super) fn object(refilled: &Refilled, dry_run: bool) -> Told {
    let unread = refilled.unread.iter().map(|(id, why)| Unread { instance_id: id.to_string(), why: why.clone() });
    Told {
        schema_version: 1,
        dry_run,
        ok: refilled.unread.is_empty(),
        instances: refilled.instances,
        added: count(refilled, Fate::Added),
        turned_good: count(refilled, Fate::TurnedGood),
        known: count(refilled, Fate::Known),
        unproved: refilled.unproved,
        not_good: refilled.not_good,
        other_method: refilled.other_method,
        no_job: refilled.no_job,
        unread: unread.collect(),
        items: written(refilled).take(ITEMS_MAX).map(|(run, fate)| item(run, fate)).collect(),
    }
}

pub(super) fn text(refilled: &Refilled, dry_run: bool, ledger: &Path) -> String {
    let mut lines: Vec<String> = written(refilled).take(SHOWN).map(|(run, fate)| line(run, fate)).collect();
    let (added, turned, known) = (count(refilled, Fate::Added), count(refilled, Fate::TurnedGood), count(refilled, Fate::Known));
    if added + turned > SHOWN {
        lines.push(format!("… and {} more; read all with -o json", added + turned - SHOWN));
    }
    let would = if dry_run { "would be " } else { "" };
    lines.push(format!(
        "{added} runs {would}added to {}, {turned} {would}turned good, {known} known before; {} lists were read",
        visible(&ledger.to_string_lossy()),
        refilled.instances
    ));
    let left_out = [
        (refilled.unproved, "names of its own time that it cannot prove to be its own: by hand, or another ledger's"),
        (refilled.not_good, "runs without a backup that succeeded"),
        (refilled.other_method, "backups made by another method than their job has now"),
        (refilled.no_job, "backups of jobs that do not match the instance any more"),
    ];
    lines.extend(left_out.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("left out: {n} {what}")));
    lines.extend(refilled.unread.iter().map(|(id, why)| format!("not all read: {id}: {}; run it again", visible(why))));
    lines.join("\n") + "\n"
}

/// The runs whose row was written.
fn written(refilled: &Refilled) -> impl Iterator<Item = (&Refound, Fate)> {
    refilled.runs.iter().filter(|(_, fate)| *fate != Fate::Known).map(|(run, fate)| (run, *fate))
}

fn count(refilled: &Refilled, wanted: Fate) -> usize {
    refilled.runs.iter().filter(|(_, fate)| *fate == wanted).count()
}

fn word(fate: Fate) -> &'static str {
    match fate {
        Fate::Added => "added",
        Fate::TurnedGood => "turned_good",
        Fate::Known => "known",
    }
}

fn line(run: &Refound, fate: Fate) -> String {
    let proof = if run.is_proved { "" } else { ", by its name alone" };
    let what = if fate == Fate::Added { "added" } else { "turned good" };
    format!("{what}: {} on {}, slot {}, backup {}{proof}", run.key.job, run.key.instance, stamp(run.key.slot), run.good.id)
}

fn item(run: &Refound, fate: Fate) -> Item {
    Item {
        job: run.key.job.to_string(),
        instance_id: run.key.instance.to_string(),
        slot: stamp(run.key.slot),
        alias: run.alias.clone(),
        proved: run.is_proved,
        generation: run.generation,
        backup_id: run.good.id.0,
        bytes: run.good.bytes,
        fate: word(fate),
    }
}
