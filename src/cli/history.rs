//! `history`: the runs of a ledger, newest slot first, as text, JSON or CSV.

use super::{
    exit::Exit,
    glance,
    moment::{Looking, Moment, Shown},
    table::visible,
};
use crate::{
    domain::{run::STATES, scope::Scope},
    ledger::{
        self,
        report::{Filter, Item, Line, NAMES, Reader, values},
    },
};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::{
    io::{self, Write},
    path::Path,
};

/// The options of `history`, beside the global ones and the selectors.
#[derive(Clone, Debug, clap::Args)]
pub struct HistoryArgs {
    /// Only runs in this state; repeatable
    #[arg(long = "state", value_name = "STATE", value_parser = clap::builder::PossibleValuesParser::new(STATES))]
    pub states: Vec<String>,
    /// Only runs that ended without a good backup
    #[arg(long)]
    pub not_ok: bool,
    /// Only slots from this time on: 2h (ago), yesterday, 2026-11-24, 02:30 (the last one), or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,
    /// Only slots before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
    /// So many at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(Filter::MOST)))]
    pub limit: u32,
}

impl HistoryArgs {
    /// The filter that they mean together with the selectors. Times are read at `now`, in `zone`.
    ///
    /// # Errors
    /// No time lies between `--since` and `--until`; or a zone that nobody knows.
    pub fn filter(self, selectors: Scope, now: DateTime<Utc>, zone: &str) -> anyhow::Result<Filter> {
        let instant = |moment: Option<Moment>| moment.map(|moment| moment.seen(now, Looking::Back, zone)).transpose();
        let (since, until) = (instant(self.since)?, instant(self.until)?);
        if since.zip(until).is_some_and(|(since, until)| until <= since) {
            return Err(Exit::Usage.because("no time lies between --since and --until; name an earlier --since").into());
        }
        Ok(Filter { selectors, states: self.states, not_ok: self.not_ok, since, until, after: None, limit: self.limit })
    }
}

/// How it is written.
#[derive(Clone, Debug)]
pub enum Output {
    /// For people, at most 120 columns.
    Text {
        /// Whether bad lines are coloured.
        colour: bool,
        /// In which zone.
        shown: Shown,
    },
    /// One object, its runs under `items`.
    Json,
    /// RFC 4180 with a header row.
    Csv,
}

/// Writes the runs that `filter` keeps. A ledger that is not there yet is an empty history, and says so on standard error.
///
/// # Errors
/// [`ledger::Error`] as it is, so that the caller can tell its kind; or `out` does not take what is written.
pub fn run(ledger: &Path, filter: Filter, output: Output, out: &mut dyn Write) -> anyhow::Result<()> {
    let reader = Reader::open(ledger)?;
    if reader.is_none() {
        writeln!(io::stderr(), "{}: no ledger here yet, so no runs", visible(&ledger.to_string_lossy()))?;
    }
    match output {
        Output::Text { colour, shown } => text(reader.as_ref(), &filter, colour, &shown, out)?,
        Output::Json => json(reader.as_ref(), &filter, out)?,
        Output::Csv => csv(reader.as_ref(), &filter, out)?,
    }
    out.flush()?;
    Ok(())
}

fn each(reader: Option<&Reader>, filter: &Filter, take: impl FnMut(Item) -> Result<(), Failure>) -> Result<bool, Failure> {
    reader.map_or(Ok(false), |reader| reader.history(filter, take))
}

/// Why nothing more is written.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    #[error("cannot write the history: {0}")]
    Out(#[from] io::Error),
    #[error("cannot write the history: {0}")]
    Json(#[from] serde_json::Error),
}

impl Failure {
    fn plain(self) -> anyhow::Error {
        match self {
            Self::Ledger(error) => error.into(),
            Self::Out(error) => error.into(),
            Self::Json(error) => error.into(),
        }
    }
}

fn json(reader: Option<&Reader>, filter: &Filter, out: &mut dyn Write) -> anyhow::Result<()> {
    write!(out, "{{\"schema_version\":1,\"items\":[")?;
    let mut between = "\n";
    let mut one = |item: Item| {
        out.write_all(between.as_bytes())?;
        between = ",\n";
        Ok(serde_json::to_writer(&mut *out, &Line(&item))?)
    };
    each(reader, filter, &mut one).map_err(Failure::plain)?;
    writeln!(out, "\n]}}")?;
    Ok(())
}

fn csv(reader: Option<&Reader>, filter: &Filter, out: &mut dyn Write) -> anyhow::Result<()> {
    let names = NAMES.join(",");
    write!(out, "{names}\r\n")?;
    each(reader, filter, |item| {
        let cells = values(&item).map(|value| match value {
            Value::Null => String::new(),
            Value::String(text) => quoted(text),
            other => other.to_string(),
        });
        Ok(write!(out, "{}\r\n", cells.join(","))?)
    })
    .map_err(Failure::plain)?;
    Ok(())
}

fn quoted(text: String) -> String {
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

fn text(reader: Option<&Reader>, filter: &Filter, colour: bool, shown: &Shown, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut page = glance::Page::new(out, colour, shown);
    let more = each(reader, filter, |item| Ok(page.take(&item)?)).map_err(Failure::plain)?;
    let count = page.end(more)?;
    if reader.is_some() && count == 0 {
        writeln!(io::stderr(), "no run matches")?;
    }
    Ok(())
}
