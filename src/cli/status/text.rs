//! How `status` looks: the verdict and the pulse, then what is wrong and what to do, then a line a job.

use super::{JobLine, PairLine, Told, Uncovered};
use crate::cli::{
    health,
    moment::Shown,
    table::{Columns, Mark, local, visible},
};

/// So many wrong pairs are told one by one.
const SHOWN: usize = 20;

pub(super) fn of(told: &Told, in_force: bool, shown: &Shown, colour: bool) -> String {
    let mut lines = vec![verdict(told, in_force)];
    if !told.pulse.ok {
        lines.push(format!("daemon {}", health::line(&told.pulse).trim_end()));
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

fn verdict(told: &Told, in_force: bool) -> String {
    let count = |of: fn(&JobLine) -> usize| told.jobs.iter().map(of).sum::<usize>();
    let (pairs, wrong, never) = (count(|job| job.pairs), count(|job| job.wrong), count(|job| job.never));
    let said = match (in_force, pairs, wrong) {
        (false, ..) => "no policy was ever in force here".to_owned(),
        (true, 0, _) => "no job and instance is meant".to_owned(),
        (true, _, 0) if never == pairs => {
            format!("{pairs} {} of job and instance {} for the first slot", plural(pairs), if pairs == 1 { "waits" } else { "wait" })
        }
        (true, _, 0) => format!("{pairs} {} of job and instance, each with a fresh backup or none expected", plural(pairs)),
        (true, _, wrong) => format!("{wrong} of {pairs} {} of job and instance {} a fresh backup", plural(pairs), lacks(wrong)),
    };
    let said: Vec<String> = [Some(said), health::last_pass(&told.pulse), health::held(&told.pulse)].into_iter().flatten().collect();
    format!("{}: {}", if told.ok { "ok" } else { "not ok" }, said.join("; "))
}

fn plural(pairs: usize) -> &'static str {
    if pairs == 1 { "pair" } else { "pairs" }
}

fn lacks(wrong: usize) -> &'static str {
    if wrong == 1 { "lacks" } else { "lack" }
}

/// What is wrong, since when, and what to look at: two lines.
fn wrong_pair(item: &PairLine, shown: &Shown, colour: bool) -> [String; 2] {
    let since = match (&item.good, item.good_age_s) {
        (Some(good), Some(age)) => format!("its newest good backup is of {}, {} ago", shown.slot(good.slot, &good.slot_local), health::length(age)),
        _ => "it has no good backup yet".to_owned(),
    };
    let mark = Mark::of(if item.freshness == "late" { "unknown" } else { "failed" });
    let first = format!("{} {} on {} is {}: {since}", mark.sign, item.job, visible(&item.instance_name), item.freshness);
    let last = match (&item.last, &item.open) {
        (Some(last), _) if !last.is_good => {
            let slot = shown.slot(last.slot, &last.slot_local);
            format!("  {slot} {}: {}; `show {}` has its calls", last.state, visible(&last.why), last.run_id)
        }
        (_, Some(open)) => format!("  run {} is {}; `show {}` tells what it waits for", open.run_id, open.state, open.run_id),
        _ => "  no slot has ended since; `next` tells when one comes".to_owned(),
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
    rows.iter().map(|row| columns.line(row)).collect()
}

pub(super) fn uncovered(items: &[Uncovered]) -> String {
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
