//! `check`: what is wrong with the policy, or what it means.

use super::{
    Globals,
    against::{Against, Compared},
    effective::Effective,
    exit::{Exit, of_load},
    keys,
    moment::Shown,
    output::{self, Format},
};
use crate::{
    config::{self, Cadence, Fault, Level, LoadError, Loaded, Machine},
    domain::{diff::Diff, now::Now, policy::Job},
};
use anyhow::Context;
use comfy_table::{CellAlignment, Table, presets::NOTHING};
use serde::Serialize;
use std::path::PathBuf;

/// Reads the policy; needs no daemon, no network and no keys.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cdb-backupd check -c ./policy.yaml\n  cdb-backupd check --effective nightly-full\n  cdb-backupd check --strict -o json\n  cdb-backupd check --against running"
)]
pub struct Check {
    /// Print a job, or all, as they are after defaults, with their instances
    #[arg(long, value_name = "JOB", num_args = 0..=1)]
    effective: Option<Option<String>>,
    /// Treat warnings as faults: exit 78
    #[arg(long)]
    strict: bool,
    /// Tell what the file would change beside the policy in force, which the ledger holds
    #[arg(long, value_name = "WHAT", value_enum, conflicts_with = "effective")]
    against: Option<Against>,
    /// The ledger that holds the policy in force; the one that the file names unless given
    #[arg(long, value_name = "PATH", requires = "against")]
    ledger: Option<PathBuf>,
}

impl Check {
    /// Prints faults, or warnings and what was understood.
    pub fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        let json = globals.output == Format::Json;
        let machine = Machine::here().judging_keys(keys::unusable);
        let loaded = match config::load_on(&globals.config, &machine, now.utc) {
            Ok(loaded) => loaded,
            Err(error) => {
                if json {
                    print_told(error.faults(), beyond(&error), None)?;
                } else {
                    output::print(&faults_text(&error, &globals.config.display().to_string()))?;
                }
                return Ok(of_load(&error));
            }
        };
        let compared = self.against.map(|Against::Running| Compared::of(&loaded, self.ledger.as_deref(), globals, &machine, now)).transpose()?;
        let refused = self.strict && !loaded.warnings.is_empty();
        let file = globals.config.display().to_string();
        let warnings = loaded.warnings.len() + loaded.beyond;
        let refusal = format!("{file} is refused: {}, and under --strict warnings are faults", counted(warnings, "warning"));
        let in_text = self.effective.is_none() && !json;
        if let Some(name) = &self.effective {
            globals.tell_faults(&loaded.warnings);
            effective(&loaded, name.as_deref(), json)?;
        } else if json {
            print_told(&loaded.warnings, loaded.beyond, compared.as_ref())?;
        } else {
            let title = if refused { format!("{file} means") } else { format!("{file} is good") };
            let shown = globals.shown()?;
            let understood = understood(&loaded, &title, &shown, now);
            let last = if refused { format!("\n{refusal}\n") } else { String::new() };
            let more = if loaded.beyond > 0 {
                format!("and {} more {}\n\n", loaded.beyond, if loaded.beyond == 1 { "warning" } else { "warnings" })
            } else {
                String::new()
            };
            let compared = compared.map_or_else(String::new, |compared| format!("\n{}", compared.text(&shown)));
            output::print(&format!("{}{more}{understood}{compared}{last}", drawn(&loaded.warnings)))?;
        }
        if refused && !in_text {
            globals.tell(Level::Error, &refusal);
        }
        Ok(if refused { Exit::PolicyFault } else { Exit::Ok })
    }
}

/// What was found, as programs read it; there may be more than is listed.
#[derive(Serialize)]
struct Told<'a> {
    schema_version: u32,
    total: usize,
    items: &'a [Fault],
    /// Only under `--against`; null when no policy is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Option<&'a Diff>>,
}

fn print_told(items: &[Fault], beyond: usize, compared: Option<&Compared>) -> anyhow::Result<()> {
    let told = Told { schema_version: 1, total: items.len() + beyond, items, changes: compared.map(|it| it.diff.as_ref()) };
    output::print(&format!("{}\n", serde_json::to_string(&told).context("the answer cannot be written as JSON")?))
}

fn beyond(error: &LoadError) -> usize {
    match error {
        LoadError::Faulty { beyond, .. } => *beyond,
        LoadError::Missing(_) | LoadError::Unreadable(_) => 0,
    }
}

fn drawn(faults: &[Fault]) -> String {
    let color = output::colored(&std::io::stdout());
    faults.iter().map(|f| format!("{}\n\n", f.draw(color))).collect()
}

fn faults_text(error: &LoadError, file: &str) -> String {
    let mut text = drawn(error.faults());
    if let LoadError::Faulty { faults, beyond } = error {
        let errors = faults.iter().filter(|f| f.level == Level::Error).count() + beyond;
        text += &format!("{file} cannot be used: {}", counted(errors, "fault"));
        text += &if *beyond > 0 { format!(", of which the first {} are shown\n", faults.len()) } else { "\n".to_owned() };
    }
    text
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// What the policy means, for the eye.
fn understood(loaded: &Loaded, title: &str, shown: &Shown, now: Now) -> String {
    let policy = &loaded.policy;
    let cadences: Vec<Cadence> = policy.jobs.iter().map(|j| Cadence::of(j, &policy.blackouts, now.utc)).collect();
    let runs = |job: &Job, slots: f64| if job.suspend { 0.0 } else { slots * number(job.instances.len()) };
    let a_day: f64 = policy.jobs.iter().zip(&cadences).map(|(j, c)| runs(j, c.a_day())).sum();
    let mut text = format!(
        "{title}: {}, {}, {}, {}\n",
        counted(policy.accounts.len(), "account"),
        counted(policy.instances.len(), "instance"),
        counted(policy.jobs.len(), "job"),
        calls_a_day(a_day),
    );
    let folder_is_there = loaded.ledger.parent().is_none_or(|folder| folder.as_os_str().is_empty() || folder.is_dir());
    let folder = if folder_is_there { "" } else { " (its folder is not there; `run` makes it)" };
    text += &format!("ledger {}{folder}\n", loaded.ledger.display());
    if !policy.accounts.is_empty() {
        text += &format!("\n{}\n", accounts_table(loaded));
    }
    if !policy.jobs.is_empty() {
        let mut table = table(&["job", "method", "instances", "next slot", "calls a day", "backups a year"], &[2, 4, 5]);
        for (job, cadence) in policy.jobs.iter().zip(&cadences) {
            let skipped = if cadence.next_is_skipped_until.is_some() { ", skipped: blackout" } else { "" };
            let next = cadence.next.map(|slot| format!("{} {}{skipped}", shown.local(slot, &job.schedule), shown.zone(&job.schedule)));
            let next = next.unwrap_or("none in nine years".to_owned());
            table.add_row(vec![
                job.name.to_string(),
                job.method.word().to_owned(),
                job.instances.len().to_string(),
                if job.suspend { "suspended".to_owned() } else { next },
                Some(runs(job, cadence.a_day()))
                    .filter(|n| is_seldom(*n))
                    .map_or_else(|| rounded(runs(job, cadence.a_day())), |_| "under 1".to_owned()),
                rounded(runs(job, cadence.a_year)),
            ]);
        }
        text += &format!("\n{}\n\nmanual backups never expire and cost money until somebody deletes them\n", trimmed(&table));
    }
    text
}

fn accounts_table(loaded: &Loaded) -> String {
    let mut table = table(&["account", "endpoint", "keys", "calls a second", "instances"], &[3, 4]);
    for account in &loaded.policy.accounts {
        let instances = loaded.policy.instances.iter().filter(|i| i.account == account.name).count();
        let (endpoint, keys) = (account.endpoint.to_string(), account.credentials.to_string());
        table.add_row(vec![account.name.to_string(), endpoint, keys, account.calls_per_second.to_string(), instances.to_string()]);
    }
    trimmed(&table)
}

fn table(head: &[&str], right: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(head.to_vec());
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn trimmed(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        let line = line.trim_end();
        text += line.strip_prefix(' ').unwrap_or(line);
        text.push('\n');
    }
    text.trim_end().to_owned()
}

fn number(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::MAX, f64::from)
}

/// More than nothing, and less than one even when rounded.
fn is_seldom(n: f64) -> bool {
    n > 0.0 && n < 0.95
}

/// Whole from ten on; below, one digit behind the point when there is any.
fn rounded(n: f64) -> String {
    let text = if n >= 10.0 { format!("{n:.0}") } else { format!("{n:.1}") };
    // Of nothing, the sign may be negative.
    text.strip_suffix(".0").unwrap_or(&text).trim_start_matches('-').to_owned()
}

fn calls_a_day(n: f64) -> String {
    match rounded(n).as_str() {
        _ if is_seldom(n) => "fewer than one CreateBackup call a day".to_owned(),
        "0" => "no CreateBackup calls".to_owned(),
        "1" => "about one CreateBackup call a day".to_owned(),
        many => format!("about {many} CreateBackup calls a day"),
    }
}

fn effective(loaded: &Loaded, name: Option<&str>, json: bool) -> anyhow::Result<()> {
    let jobs: Vec<Effective> = loaded
        .policy
        .jobs
        .iter()
        .filter(|job| name.is_none_or(|name| job.name.as_str() == name))
        .map(|job| Effective::of(job, &loaded.policy, loaded.may_be_empty.contains(&job.name)))
        .collect();
    if loaded.policy.jobs.is_empty() {
        output::tell("the policy has no job");
    } else if let (Some(name), []) = (name, jobs.as_slice()) {
        return Err(super::selectors::no_job(name, &loaded.policy).into());
    }
    if json {
        return output::print_items(&jobs);
    }
    if jobs.is_empty() {
        return output::print("[]\n");
    }
    let entries = jobs.iter().map(Effective::entry).collect::<Result<String, _>>();
    output::print(&entries.context("the jobs cannot be written as YAML")?)
}
