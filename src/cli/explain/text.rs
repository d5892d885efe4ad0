//! How an explanation looks: who it is, what holds, when the next runs come, and how the last ones went.

use super::told::{HoldTold, JobTold, PairTold, RunTold, Told};
use crate::{
    cli::{
        moment::Shown,
        table::{Mark, WIDTH, local, visible, wrapped},
    },
    domain::prose::length,
};

/// So many names stand behind one hold; so many holds, so many pairs are told.
const NAMED: usize = 5;
const HOLDS: usize = 20;
const PAIRS: usize = 20;
/// A sentence takes so many lines at most.
const LINES: usize = 6;

pub(super) fn of(told: &Told, shown: &Shown, colour: bool) -> String {
    let mut lines = vec![head(told), format!("daemon {}", told.pulse.line())];
    let mut section = |title: &str, of: Vec<String>| {
        lines.extend([String::new(), title.to_owned()]);
        lines.extend(of.iter().flat_map(|line| fitted(&format!("  {line}"))));
    };
    if !told.items.is_empty() || !told.holds.is_empty() {
        let none = told.holds.is_empty().then(|| "nothing: a run that came now would start at once".to_owned());
        let held = told.holds.iter().take(HOLDS).flat_map(hold).chain(more(told.holds.len(), HOLDS));
        section("what holds it now", none.into_iter().chain(held).collect());
    }
    for job in &told.jobs {
        section(&format!("next slots of {}", job.job), next(job, told.kind));
    }
    let pairs = told.items.iter().take(PAIRS).flat_map(|item| pair(item, told.kind, shown)).chain(more(told.items.len(), PAIRS));
    let pairs: Vec<String> = pairs.collect();
    if !pairs.is_empty() {
        section(if told.kind == "job" { "on each instance" } else { "of each job" }, pairs);
    }
    lines.extend([String::new(), "last runs, and those of a week that went wrong".to_owned()]);
    lines.extend(told.runs.iter().flat_map(|run| ran(run, shown, colour)));
    if told.runs.is_empty() {
        lines.push("  none yet".to_owned());
    }
    for job in &told.jobs {
        lines.extend([String::new(), format!("what {} does", job.job)]);
        lines.extend(job.facts.iter().flat_map(|fact| fitted(&format!("  {:<13}{}", fact.name, fact.value))));
    }
    lines.join("\n") + "\n"
}

fn more(all: usize, told: usize) -> Option<String> {
    (all > told).then(|| format!("… and {} more; `-o json` has them all", all - told))
}

/// A sentence in lines that fit; those below the first stand further in.
fn fitted(line: &str) -> Vec<String> {
    let line = visible(line);
    let text = line.trim_start();
    let indent = line.len() - text.len();
    let lines = wrapped(text, WIDTH - indent - 2, LINES).into_iter().enumerate();
    lines.map(|(at, piece)| format!("{:indent$}{piece}", "", indent = if at == 0 { indent } else { indent + 2 })).collect()
}

fn head(told: &Told) -> String {
    match (&told.instance_id, &told.account, &told.region) {
        (Some(id), Some(account), Some(region)) => {
            let jobs = match told.jobs.len() {
                0 => "no job matches it, so nothing backs it up by schedule".to_owned(),
                1 => "1 job matches it".to_owned(),
                n => format!("{n} jobs match it"),
            };
            format!("instance {} ({id}), account {account}, {region}: {jobs}", visible(&told.name))
        }
        _ => format!("job {}, on {} {}", told.name, told.items.len(), if told.items.len() == 1 { "instance" } else { "instances" }),
    }
}

fn hold(hold: &HoldTold) -> Vec<String> {
    let mut names: Vec<String> = hold
        .of
        .iter()
        .take(NAMED)
        .map(|of| match of.run_id {
            Some(run) => format!("{} (run {run} waits)", of.name),
            None => of.name.clone(),
        })
        .collect();
    if hold.of.len() > NAMED {
        names.push(format!("{} more", hold.of.len() - NAMED));
    }
    vec![format!("{}: {}", hold.reason, hold.says), format!("  of {}", names.join(", "))]
}

fn next(job: &JobTold, kind: &str) -> Vec<String> {
    if job.next.is_empty() {
        return vec!["none is coming".to_owned()];
    }
    let of_slot = |slot: &super::told::SlotTold| {
        let notes = slot.notes.iter().map(|note| format!("  {note}"));
        let starts = slot.starts.as_ref().filter(|_| kind == "job").map(|[first, last]| {
            let runs = if slot.runs == 1 { "1 run, which starts".to_owned() } else { format!("{} runs, which start", slot.runs) };
            if first == last { format!(": {runs} at {}", local(first)) } else { format!(": {runs} from {} to {}", local(first), local(last)) }
        });
        std::iter::once(local(&slot.slot_local) + &starts.unwrap_or_default()).chain(notes).collect::<Vec<_>>()
    };
    job.next.iter().flat_map(of_slot).collect()
}

fn pair(item: &PairTold, kind: &str, shown: &Shown) -> Vec<String> {
    let pair = &item.pair;
    let name = if kind == "job" { &pair.instance_name } else { &pair.job };
    let mut lines = vec![format!("{name}: {}; {}", pair.freshness, pair.since(|good| shown.slot(good.slot, &good.slot_local)))];
    if let Some(open) = &pair.open {
        lines.push(format!("  run {} is {}; `show {}` tells all of it", open.run_id, open.state, open.run_id));
    }
    lines.extend(item.unseen.as_ref().map(|unseen| format!("  {unseen}")));
    if let Some(next) = &item.next {
        let [from, until] = &next.starts;
        let spread = i64::try_from(next.spread_s).unwrap_or(i64::MAX);
        let spread = if spread == 0 { String::new() } else { format!(", {} of spread after its slot", length(spread)) };
        lines.push(format!("  the run of {} starts from {}{spread}, and until {} at the latest", local(&next.slot_local), local(from), local(until)));
    }
    lines
}

fn ran(run: &RunTold, shown: &Shown, colour: bool) -> Vec<String> {
    let mark = Mark::of(&run.state);
    let whose = if run.is_by_hand() { "by hand".to_owned() } else { run.job.clone() };
    let slot = shown.slot(run.slot_at, &run.slot_local);
    let first = format!("  run {}  {slot} {whose} on {} {}: {}", run.run_id, run.instance_name, run.state, run.why);
    let code = run.last_code.as_ref().zip(run.class).map(|(code, class)| format!("last code {code}, {class}: {}", run.means.unwrap_or_default()));
    let advice = run.advice.filter(|_| !mark.is_good()).map(ToOwned::to_owned);
    let mut lines = fitted(&first);
    if let Some(line) = lines.first_mut() {
        line.replace_range(..1, mark.sign);
    }
    let mut lines: Vec<String> = lines.iter().map(|line| mark.paint(line, colour)).collect();
    lines.extend(code.into_iter().chain(advice).flat_map(|line| fitted(&format!("    {line}"))));
    lines
}
