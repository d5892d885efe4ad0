//! `history`: the runs of a ledger, newest slot first, as text, JSON or CSV.

use super::{
    moment::{Looking, Moment},
    table::{Columns, Mark, cut, local, size, visible},
};
use crate::ledger::{
    self,
    report::{Filter, Item, Reader, Selectors},
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::Path,
};

/// The states that `--state` takes: all words of DESIGN §4.
pub const STATES: [&str; 12] =
    ["due", "calling", "uncertain", "running", "succeeded", "failed", "timed_out", "unknown", "expired", "missed", "skipped", "cancelled"];

/// So many lines are read before the columns' widths are set.
const MEASURED: usize = 500;

/// The options of `history`, beside the global ones and the selectors.
#[derive(Clone, Debug, clap::Args)]
pub struct HistoryArgs {
    /// Only runs in this state; repeatable
    #[arg(long = "state", value_name = "STATE", value_parser = clap::builder::PossibleValuesParser::new(STATES))]
    pub states: Vec<String>,
    /// Only runs that ended without a good backup
    #[arg(long)]
    pub not_ok: bool,
    /// Only slots from this time on: 2h (ago), yesterday, 02:30 (the last one), or RFC 3339
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
    /// A zone that nobody knows.
    pub fn filter(self, selectors: Selectors, now: DateTime<Utc>, zone: &str) -> anyhow::Result<Filter> {
        let instant = |moment: Option<Moment>| moment.map(|moment| moment.seen(now, Looking::Back, zone)).transpose();
        Ok(Filter {
            selectors,
            states: self.states,
            not_ok: self.not_ok,
            since: instant(self.since)?,
            until: instant(self.until)?,
            limit: self.limit,
        })
    }
}

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// For people, at most 120 columns.
    Text {
        /// Whether bad lines are coloured.
        colour: bool,
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
        Output::Text { colour } => text(reader.as_ref(), &filter, colour, out)?,
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
        Ok(serde_json::to_writer(&mut *out, &Fields(&item))?)
    };
    each(reader, filter, &mut one).map_err(Failure::plain)?;
    writeln!(out, "\n]}}")?;
    Ok(())
}

fn csv(reader: Option<&Reader>, filter: &Filter, out: &mut dyn Write) -> anyhow::Result<()> {
    let names = NAMES.join(",");
    write!(out, "{names}\r\n")?;
    each(reader, filter, |item| {
        let cells = fields(&item).map(|value| match value {
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

const NAMES: [&str; 23] = [
    "run_id",
    "job",
    "instance_id",
    "instance_name",
    "account",
    "region",
    "method",
    "slot",
    "slot_local",
    "slots",
    "trigger",
    "state",
    "reason",
    "why",
    "backup_id",
    "bytes",
    "alias",
    "attempts",
    "last_code",
    "last_request_id",
    "started_at",
    "finished_at",
    "policy",
];

/// One run under [`NAMES`]: what JSON and CSV share.
fn fields(item: &Item) -> [Value; 23] {
    [
        item.run_id.into(),
        item.job.as_str().into(),
        item.instance_id.as_str().into(),
        item.instance_name.as_str().into(),
        item.account.as_str().into(),
        item.region.as_str().into(),
        item.method.as_str().into(),
        stamp(item.slot).into(),
        item.slot_local.as_str().into(),
        item.slots.into(),
        item.trigger.as_str().into(),
        item.state.as_str().into(),
        item.reason.as_deref().into(),
        item.why.as_str().into(),
        item.backup_id.into(),
        item.bytes.into(),
        item.alias.as_str().into(),
        item.attempts.into(),
        item.last_code.as_deref().into(),
        item.last_request_id.as_deref().into(),
        item.started_at.map(stamp).into(),
        item.finished_at.map(stamp).into(),
        item.policy.as_deref().into(),
    ]
}

/// Whole seconds, as the ledger's view has them: `fromdate` of jq takes no others.
pub(super) fn stamp(t: DateTime<Utc>) -> String {
    t.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A run as a JSON object, its keys in the order of the interface.
#[derive(Debug)]
pub(super) struct Fields<'a>(pub(super) &'a Item);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(NAMES.len()))?;
        for (name, value) in NAMES.iter().zip(fields(self.0)) {
            map.serialize_entry(name, &value)?;
        }
        map.end()
    }
}

const HEAD: [&str; 7] = ["", "RUN", "SLOT", "JOB", "INSTANCE", "STATE", "WHY"];
const MOST: [usize; 7] = [1, 10, 26, 20, 20, 9, super::table::WIDTH];

fn cells(item: &Item) -> [String; 7] {
    let shown = |text: &str| visible(text).into_owned();
    [
        Mark::of(&item.state).sign.to_owned(),
        item.run_id.to_string(),
        shown(&local(&item.slot_local)),
        shown(&item.job),
        shown(&item.instance_name),
        shown(&item.state),
        shown(&told(item)),
    ]
}

/// The sentence, after what people look for first.
fn told(item: &Item) -> String {
    let slots = (item.slots > 1).then(|| format!("{} slots", item.slots));
    let late = item.late.then(|| "late".to_owned());
    let first = [slots, late, item.bytes.map(size), item.backup_id.map(|id| format!("BackupId {id}"))];
    let first: Vec<_> = first.into_iter().flatten().collect();
    if first.is_empty() { item.why.clone() } else { format!("{}: {}", first.join(", "), item.why) }
}

/// The text form: a page is measured, the rest follows at its widths.
struct Page<'a> {
    out: &'a mut dyn Write,
    colour: bool,
    waiting: Vec<[String; 7]>,
    columns: Option<Columns>,
    shown: usize,
    states: BTreeMap<String, usize>,
}

impl Page<'_> {
    fn take(&mut self, item: &Item) -> io::Result<()> {
        self.shown += 1;
        match self.states.get_mut(&item.state) {
            Some(count) => *count += 1,
            None => drop(self.states.insert(item.state.clone(), 1)),
        }
        let row = cells(item);
        if let Some(columns) = &self.columns {
            return line(self.out, columns, self.colour, &row);
        }
        self.waiting.push(row);
        if self.waiting.len() >= MEASURED { self.set() } else { Ok(()) }
    }

    fn set(&mut self) -> io::Result<()> {
        let head = HEAD.map(str::to_owned);
        let rows: Vec<_> = std::iter::once(head).chain(std::mem::take(&mut self.waiting)).collect();
        let columns = Columns::fitting(&rows, MOST);
        for row in &rows {
            line(self.out, &columns, self.colour, row)?;
        }
        self.columns = Some(columns);
        Ok(())
    }

    fn end(&mut self, more: bool) -> io::Result<()> {
        if self.columns.is_none() && !self.waiting.is_empty() {
            self.set()?;
        }
        if more {
            let counts: Vec<_> = self.states.iter().map(|(state, count)| format!("{count} {}", visible(state))).collect();
            let tail = "; there are more, see --limit";
            let shown = format!("{} shown: {}", self.shown, counts.join(", "));
            writeln!(self.out, "{}{tail}", cut(&shown, super::table::WIDTH - tail.len()))?;
        }
        Ok(())
    }
}

fn line(out: &mut dyn Write, columns: &Columns, colour: bool, row: &[String; 7]) -> io::Result<()> {
    let mark = Mark::of(row.get(5).map_or("", String::as_str));
    let colour = colour && row.get(5).is_some_and(|word| word != HEAD[5]);
    writeln!(out, "{}", mark.paint(&columns.line(row), colour))
}

fn text(reader: Option<&Reader>, filter: &Filter, colour: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut page = Page { out, colour, waiting: Vec::new(), columns: None, shown: 0, states: BTreeMap::new() };
    let more = each(reader, filter, |item| Ok(page.take(&item)?)).map_err(Failure::plain)?;
    page.end(more)?;
    if reader.is_some() && page.shown == 0 {
        writeln!(io::stderr(), "no run matches")?;
    }
    Ok(())
}
