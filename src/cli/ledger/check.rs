//! `ledger check`: what is wrong with a ledger, a line each.

use super::{Exit, Globals, LedgerArg};
use crate::{
    cli::{
        output::{self, Format},
        progress::{Elsewhere, Lasting},
        table::visible,
    },
    domain::now::Now,
    ledger::check::{self, Checked, Finding},
};
use serde::Serialize;

/// Read all of the ledger and tell what no ledger may say: 0 when there is nothing, 3 when there is
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  cdb-backupd ledger check\n  cdb-backupd ledger check --ledger ./copy.db -o json")]
pub(super) struct Check {
    #[command(flatten)]
    ledger: LedgerArg,
}

#[derive(Serialize)]
struct Told {
    schema_version: u8,
    ok: bool,
    runs: u64,
    pairs: u64,
    total: u64,
    items: Vec<Item>,
}

#[derive(Serialize)]
struct Item {
    code: &'static str,
    run_id: Option<i64>,
    job: Option<String>,
    instance_id: Option<String>,
    message: String,
}

impl Check {
    pub(super) fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        let path = self.ledger.path(globals, now)?;
        let lasting = Lasting::begin(globals, "checking the ledger", Elsewhere::Lines);
        let checked = check::check_telling(&path, &|done, all, next| lasting.at(done, all, next));
        drop(lasting);
        let checked = checked.map_err(|error| super::end_of(&error).because(error.to_string()))?;
        let ok = checked.findings.is_empty();
        match globals.output {
            Format::Text => output::print(&text(&checked))?,
            Format::Json | Format::Csv => output::print(&format!("{}\n", serde_json::to_string(&told(checked))?))?,
        }
        Ok(if ok { Exit::Ok } else { Exit::NotAllGood })
    }
}

fn text(checked: &Checked) -> String {
    let mut lines: Vec<String> = checked.findings.iter().map(line).collect();
    if checked.beyond > 0 {
        lines.push(format!("… and {} more", checked.beyond));
    }
    let read = format!("{} runs of {} pairs of job and instance were read", checked.runs, checked.pairs);
    let found = checked.findings.len() as u64 + checked.beyond;
    lines.push(match found {
        0 => format!("ok: {read}, and nothing is wrong"),
        1 => format!("not ok: {read}, and one thing is wrong"),
        _ => format!("not ok: {read}, and {found} things are wrong"),
    });
    lines.join("\n") + "\n"
}

fn line(finding: &Finding) -> String {
    let of = match (&finding.run_id, &finding.job, &finding.instance_id) {
        (Some(run), Some(job), Some(instance)) => format!("run {run}, {} on {}: ", visible(job), visible(instance)),
        (None, Some(job), Some(instance)) => format!("{} on {}: ", visible(job), visible(instance)),
        _ => String::new(),
    };
    format!("{}: {of}{}", finding.code, visible(&finding.message))
}

fn told(checked: Checked) -> Told {
    let total = checked.findings.len() as u64 + checked.beyond;
    let item = |it: Finding| Item { code: it.code, run_id: it.run_id, job: it.job, instance_id: it.instance_id, message: it.message };
    let items = checked.findings.into_iter().map(item).collect();
    Told { schema_version: 1, ok: total == 0, runs: checked.runs, pairs: checked.pairs, total, items }
}
