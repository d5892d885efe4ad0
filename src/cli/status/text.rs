//! How `status` looks: the verdict and the pulse, then what is wrong and what to do, then a line a job.

use crate::{
    cli::{
        moment::Shown,
        table::{Columns, Mark, local, visible},
    },
    domain::run::Outcome,
    ledger::report::{Clue, JobLine, Overview, PairLine, PauseLine, Uncovered},
};

/// So many wrong pairs are told one by one.
const SHOWN: usize = 20;

pub(super) fn of(told: &Overview, in_force: bool, shown: &Shown, colour: bool) -> String {
    let mut lines = vec![told.verdict(in_force)];
    lines.extend(told.pulse.advice().map(|advice| format!("daemon not ok: {advice}")));
    if !told.pauses.is_empty() {
        lines.push(String::new());
        lines.extend(told.pauses.iter().map(|pause| paused(pause, colour)));
    }
    let wrong: Vec<&PairLine> = told.items.iter().filter(|item| item.wrong).collect();
    if !wrong.is_empty() {
        lines.push(String::new());
        for item in wrong.iter().take(SHOWN) {
            lines.extend(wrong_pair(item, shown, colour));
        }
        if wrong.len() > SHOWN {
            lines.push(format!("… and {} more; narrow with --job or --tag, or read all with -o json", wrong.len() - SHOWN));
        }
    }
    if !told.jobs.is_empty() {
        lines.push(String::new());
        lines.extend(jobs(&told.jobs));
    }
    lines.join("\n") + "\n"
}

/// One older than a day is told as what somebody may have forgotten.
fn paused(pause: &PauseLine, colour: bool) -> String {
    let mark = Mark::of(if pause.is_long { Outcome::Unknown } else { Outcome::Skipped }.word());
    let forgotten = if pause.is_long { " (older than a day; is it forgotten?)" } else { "" };
    mark.paint(&format!("{} pause {}: {}{forgotten}", mark.sign, pause.pause_id, pause.sentence()), colour)
}

/// What is wrong, since when, and what to look at: two lines.
fn wrong_pair(item: &PairLine, shown: &Shown, colour: bool) -> [String; 2] {
    let how = match item.good {
        Some(_) => format!("is {}: {}", item.freshness, item.since(|good| shown.slot(good.slot, &good.slot_local))),
        None => "has no good backup yet".to_owned(),
    };
    let mark = Mark::of(if item.freshness == "late" { "unknown" } else { "failed" });
    let first = format!("{} {} on {} {how}", mark.sign, item.job, visible(&item.instance_name));
    let last = match item.clue() {
        Clue::Ended(last) => {
            let slot = shown.slot(last.slot, &last.slot_local);
            format!("  {slot} {}: {}; `show {}` has its calls", last.state, visible(&last.why), last.run_id)
        }
        Clue::Open(open) => format!("  run {} is {}; `show {}` tells what it waits for", open.run_id, open.state, open.run_id),
        Clue::Nothing => "  no slot has ended since; `next` tells when one comes".to_owned(),
    };
    [mark.paint(&first, colour), last]
}

fn jobs(jobs: &[JobLine]) -> Vec<String> {
    let cell = |count: usize| if count == 0 { "-".to_owned() } else { count.to_string() };
    let head = ["JOB", "PAIRS", "FRESH", "LATE", "STALE", "NEVER", "PAUSED", "RUNNING", "WAITING", "NEXT SLOT"].map(ToOwned::to_owned);
    let row = |job: &JobLine| {
        let next = job.next_slot_local.as_deref().map_or_else(|| "-".to_owned(), local);
        let counts = [job.pairs, job.fresh, job.late, job.stale, job.never, job.paused, job.running, job.waiting].map(cell);
        let [pairs, fresh, late, stale, never, paused, running, waiting] = counts;
        [job.job.clone(), pairs, fresh, late, stale, never, paused, running, waiting, next]
    };
    let rows: Vec<[String; 10]> = std::iter::once(head).chain(jobs.iter().map(row)).collect();
    let columns = Columns::fitting(&rows, [32, 7, 7, 7, 7, 7, 7, 7, 7, 24]);
    let held = std::iter::once(None).chain(jobs.iter().map(JobLine::held_sentence));
    let of_row = |(row, held): (&[String; 10], Option<String>)| [Some(columns.line(row)), held.map(|held| format!("  {}", visible(&held)))];
    rows.iter().zip(held).flat_map(of_row).flatten().collect()
}

pub(super) fn uncovered(items: &[Uncovered], in_force: bool) -> String {
    if !in_force {
        return "not ok: no policy was ever in force here, so nobody knows which instances there are\n".to_owned();
    }
    if items.is_empty() {
        return "ok: every instance has a good backup\n".to_owned();
    }
    let rows: Vec<[String; 5]> = items
        .iter()
        .map(|item| {
            let jobs = if item.jobs.is_empty() { "no job matches it".to_owned() } else { format!("no good backup yet by {}", item.jobs.join(", ")) };
            [item.instance_id.clone(), visible(&item.instance_name).into_owned(), item.account.clone(), item.region.clone(), jobs]
        })
        .collect();
    let columns = Columns::fitting(&rows, [20, 24, 16, 16, 60]);
    rows.iter().map(|row| columns.line(row) + "\n").collect()
}
