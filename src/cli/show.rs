//! `show RUN`: everything that a ledger knows of one run, and what happens to it next.

use super::{
    history::Output,
    moment::Shown,
    table::{Mark, size, visible},
};
use crate::{
    domain::{names::RunId, run::why},
    ledger::report::{AttemptLine, BackupLine, Detail, Reader, Whole, facts},
};
use std::{io::Write, path::Path};

/// The options of `show`, beside the global ones.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Of the lists that were read for the run, those that changed nothing are not kept.\n\nExamples:\n  cdb-backupd show 4711\n  cdb-backupd show 4711 -o json"
)]
pub struct ShowArgs {
    /// The run's number, as `history` has it
    #[arg(value_name = "RUN", value_parser = number)]
    pub run: i64,
}

fn number(text: &str) -> Result<i64, &'static str> {
    text.parse().ok().filter(|number| *number > 0).ok_or("write the run's number alone, such as 5; `cdb-backupd history` has it under RUN")
}

/// Writes one run. CSV is no form of it and is taken as JSON.
///
/// # Errors
/// [`crate::ledger::Error`] as it is; no such run; or `out` does not take what is written.
pub fn run(ledger: &Path, id: RunId, output: Output, out: &mut dyn Write) -> anyhow::Result<()> {
    let name = ledger.to_string_lossy();
    let Some(reader) = Reader::open(ledger)? else {
        anyhow::bail!("there is no ledger at {} yet, so no run {id}; name another with --ledger", visible(&name));
    };
    let Some(detail) = reader.detail(id)? else {
        anyhow::bail!("there is no run {id} in {}; `cdb-backupd history` lists those there are", visible(&name));
    };
    match output {
        Output::Text { colour, shown } => text(&detail, colour, &shown, out)?,
        Output::Json | Output::Csv => {
            serde_json::to_writer_pretty(&mut *out, &Whole::from(&detail))?;
            writeln!(out)?;
        }
    }
    out.flush()?;
    Ok(())
}

fn text(detail: &Detail, colour: bool, shown: &Shown, out: &mut dyn Write) -> anyhow::Result<()> {
    let Detail { item, run, attempts, backups } = detail;
    let name = if item.instance_name == item.instance_id { String::new() } else { format!(" ({})", item.instance_id) };
    let title = format!("run {}  {} on {}{name}: {}", item.run_id, item.job, item.instance_name, item.state);
    writeln!(out, "{}", Mark::of(&item.state).paint(&visible(&title), colour))?;
    writeln!(out, "  {}", visible(&item.why))?;
    writeln!(out)?;
    for (name, value) in facts(detail, |item| shown.slot(item.slot, &item.slot_local), |t| shown.stamp(t)) {
        writeln!(out, "  {name:<13}{}", visible(&value))?;
    }
    writeln!(out, "\nbackups")?;
    for line in backups {
        writeln!(out, "  {}", visible(&backup_text(line, shown)))?;
    }
    if backups.is_empty() {
        writeln!(out, "  none is known")?;
    }
    writeln!(out, "\ncalls (lists that changed nothing are not kept)")?;
    for line in attempts {
        attempt_text(line, shown, out)?;
    }
    if attempts.is_empty() {
        writeln!(out, "  none is kept")?;
    }
    writeln!(out, "\nnext")?;
    match why::next(run) {
        None => writeln!(out, "  final")?,
        Some(next) => {
            writeln!(out, "  {}{}", next.what, next.at.map_or_else(String::new, |at| format!(", not before {}", shown.stamp(at))))?;
            writeln!(out, "  this goes on until {} at the latest", shown.stamp(next.until))?;
        }
    }
    Ok(())
}

fn backup_text(line: &BackupLine, shown: &Shown) -> String {
    let bytes = line.bytes.map_or_else(String::new, |bytes| format!(", {}", size(bytes)));
    let duplicate = if line.duplicate { ", another of this run did not fail: look in the console" } else { "" };
    format!(
        "{}  {}{bytes}, generation {}, from a {} at {}{duplicate}",
        line.backup_id,
        line.status,
        line.generation,
        line.found_by,
        shown.exact(line.first_seen)
    )
}

fn attempt_text(line: &AttemptLine, shown: &Shown, out: &mut dyn Write) -> anyhow::Result<()> {
    let elapsed = line.elapsed_ms.map_or_else(|| "no answer".to_owned(), |ms| format!("{ms} ms"));
    let parts = [line.class.clone(), line.code.clone(), line.backup_id.map(|id| format!("BackupId {id}"))];
    let end = parts.into_iter().flatten().collect::<Vec<_>>().join("  ");
    let call = format!("{}  {:<15}  {elapsed:>9}  {end}", shown.exact(line.at), line.action);
    writeln!(out, "  {}", visible(call.trim_end()))?;
    for more in [line.message.clone(), line.request_id.as_ref().map(|id| format!("RequestId {id}"))].into_iter().flatten() {
        writeln!(out, "    {}", visible(&more))?;
    }
    Ok(())
}
