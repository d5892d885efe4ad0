//! The text form of `history`: which runs were bad, and why, at a glance.
//!
//! Decided here: what stands in a run's line. The why of a run that is not good is always told whole, in lines of its own where the first has no
//! room; a good run keeps to one line.

use super::{
    moment::Shown,
    table::{Columns, Mark, WIDTH, cut, size, visible, wrapped},
};
use crate::ledger::report::Item;
use std::{
    collections::BTreeMap,
    io::{self, Write},
};

/// So many runs are read before the columns' widths are set.
const MEASURED: usize = 500;
const HEAD: [&str; 7] = ["", "RUN", "SLOT", "JOB", "INSTANCE", "STATE", "WHY"];
/// A job's name has 32 characters at most, and a slot with its seconds 25.
const MOST: [usize; 7] = [1, 10, 25, 32, 20, 9, WIDTH];
/// How far in the lines below a run's own begin, and how many there are at most.
const BELOW: (usize, usize) = (6, 3);

/// A list of runs while it is written: the first [`MEASURED`] are held back, the rest follows at their widths.
pub(super) struct Page<'a> {
    out: &'a mut dyn Write,
    colour: bool,
    shown_in: &'a Shown,
    waiting: Vec<Row>,
    columns: Option<Columns>,
    count: usize,
    states: BTreeMap<String, usize>,
}

/// One run. Its last cell is all that there is to say.
struct Row {
    cells: [String; 7],
    mark: Mark,
    reason: String,
    /// What is said, the most important first; the end is left out first.
    parts: Vec<String>,
}

impl<'a> Page<'a> {
    /// An empty one.
    pub(super) fn new(out: &'a mut dyn Write, colour: bool, shown_in: &'a Shown) -> Self {
        Self { out, colour, shown_in, waiting: Vec::new(), columns: None, count: 0, states: BTreeMap::new() }
    }

    /// The next run.
    pub(super) fn take(&mut self, item: &Item) -> io::Result<()> {
        self.count += 1;
        match self.states.get_mut(&item.state) {
            Some(count) => *count += 1,
            None => drop(self.states.insert(item.state.clone(), 1)),
        }
        let row = Row::of(item, self.shown_in);
        if let Some(columns) = &self.columns {
            return row.write(self.out, columns, self.colour);
        }
        self.waiting.push(row);
        if self.waiting.len() >= MEASURED { self.set() } else { Ok(()) }
    }

    fn set(&mut self) -> io::Result<()> {
        let head = HEAD.map(str::to_owned);
        let waiting = std::mem::take(&mut self.waiting);
        let cells: Vec<_> = std::iter::once(&head).chain(waiting.iter().map(|row| &row.cells)).cloned().collect();
        let columns = Columns::fitting(&cells, MOST);
        writeln!(self.out, "{}", columns.line(&head))?;
        for row in &waiting {
            row.write(self.out, &columns, self.colour)?;
        }
        self.columns = Some(columns);
        Ok(())
    }

    /// Writes what is held back, and what a limit left out. Tells how many there were.
    pub(super) fn end(mut self, more: bool) -> io::Result<usize> {
        if self.columns.is_none() && !self.waiting.is_empty() {
            self.set()?;
        }
        if more {
            let counts: Vec<_> = self.states.iter().map(|(state, count)| format!("{count} {}", visible(state))).collect();
            let tail = "; there are more, see --limit";
            let shown = format!("{} shown: {}", self.count, counts.join(", "));
            writeln!(self.out, "{}{tail}", cut(&shown, WIDTH - tail.len()))?;
        }
        Ok(self.count)
    }
}

impl Row {
    fn of(item: &Item, shown_in: &Shown) -> Self {
        let shown = |text: &str| visible(text).into_owned();
        let (mark, parts) = (Mark::of(&item.state), parts(item));
        let cells = [
            mark.sign.to_owned(),
            item.run_id.to_string(),
            shown(&shown_in.slot(item.slot, &item.slot_local)),
            shown(&item.job),
            shown(&item.instance_name),
            shown(&item.state),
            parts.join(", "),
        ];
        Self { cells, mark, reason: shown(item.reason.as_deref().unwrap_or_default()), parts }
    }

    fn write(&self, out: &mut dyn Write, columns: &Columns, colour: bool) -> io::Result<()> {
        let said = (1..=self.parts.len()).rev().filter_map(|n| self.parts.get(..n)).map(|parts| parts.join(", "));
        let (first, below) = match said.into_iter().find(|said| columns.has_room_for(said)) {
            Some(said) => (said, Vec::new()),
            None if self.mark.is_good() => (self.parts.join(", "), Vec::new()),
            None => {
                let (inset, most) = BELOW;
                let first = if columns.has_room_for(&self.reason) { self.reason.clone() } else { String::new() };
                (first, wrapped(&self.parts.join(", "), WIDTH - inset, most))
            }
        };
        let mut cells = self.cells.clone();
        if let Some(last) = cells.last_mut() {
            *last = first;
        }
        writeln!(out, "{}", self.mark.paint(&columns.line(&cells), colour))?;
        for line in below {
            writeln!(out, "{}", self.mark.paint(&format!("{:inset$}{line}", "", inset = BELOW.0), colour))?;
        }
        Ok(())
    }
}

/// What there is to say of a run, the most important first.
fn parts(item: &Item) -> Vec<String> {
    let why = if item.slots > 1 { format!("{} slots: {}", item.slots, item.why) } else { item.why.clone() };
    let backup = [item.backup_id.map(|id| format!("BackupId {id}")), item.bytes.map(size)].into_iter().flatten();
    // Of one that turned good late the why says first what went wrong.
    let parts: Vec<String> = if item.late {
        std::iter::once("good after all".to_owned()).chain(backup).chain([why]).collect()
    } else {
        std::iter::once(why).chain(backup).collect()
    };
    parts.iter().map(|part| visible(part).into_owned()).collect()
}
