//! What is seen while the demo works: on a terminal a table that is drawn over in place, else a line for each change.
//!
//! A picture goes out in one write, each line cleared behind its text and none wider or more than the terminal has: nothing flickers or wraps. The
//! cursor comes back whatever ends the demo.

use super::{
    super::{
        output,
        table::{Mark, cut, visible},
        terminal::{self, BEGIN_PICTURE, CLEAR_BELOW, CLEAR_LINE, END_PICTURE, HIDE_CURSOR, HOME, SHOW_CURSOR, size},
    },
    audit::is_final,
};
use crate::ledger::report::Item;
use std::{collections::BTreeMap, io, time::Duration};

/// Lines of the picture that are no rows: the head, what is left out, and the tail.
const FRAME: usize = 3;

/// Where the demo's work is shown.
pub(super) enum Screen {
    /// A line for each change of a run's state.
    Lines(BTreeMap<i64, String>),
    /// A table.
    Table(Table),
}

/// A table in place.
pub(super) struct Table {
    colour: bool,
    size: (usize, usize),
    drawn: usize,
    kills: usize,
}

impl Screen {
    /// A table where standard output is a terminal that can go up a line.
    pub(super) fn open() -> anyhow::Result<Self> {
        let stdout = io::stdout();
        if !terminal::can_draw() {
            return Ok(Self::Lines(BTreeMap::new()));
        }
        output::print(HIDE_CURSOR)?;
        Ok(Self::Table(Table { colour: output::colored(&stdout), size: size(), drawn: 0, kills: 0 }))
    }

    /// Shows the runs as they are, so long after the start.
    pub(super) fn show(&mut self, items: &[Item], at: Duration) -> anyhow::Result<()> {
        match self {
            Self::Lines(shown) => {
                for item in items {
                    if shown.insert(item.run_id, item.state.clone()).as_ref() != Some(&item.state) {
                        output::print(&line(item, at))?;
                    }
                }
                Ok(())
            }
            Self::Table(table) => table.draw(items, at),
        }
    }

    /// Tells that the daemon was killed and started again.
    pub(super) fn killed(&mut self, at: Duration) -> anyhow::Result<()> {
        match self {
            Self::Lines(_) => output::print(&format!("{:>5.1} s  SIGKILL; the daemon is started again\n", at.as_secs_f64())),
            Self::Table(table) => {
                table.kills += 1;
                Ok(())
            }
        }
    }

    /// Makes room for what comes after.
    pub(super) fn close(mut self) -> anyhow::Result<()> {
        match &mut self {
            Self::Lines(_) => Ok(()),
            Self::Table(table) => output::print(&format!("{}{CLEAR_BELOW}", up(std::mem::take(&mut table.drawn)))),
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // Where it cannot be written there is no terminal any more.
        drop(output::print(SHOW_CURSOR));
    }
}

impl Table {
    fn draw(&mut self, items: &[Item], at: Duration) -> anyhow::Result<()> {
        let now = size();
        // Another width has broken the lines that stand there: begin on a clean screen.
        let start = if now == self.size { up(self.drawn) } else { format!("\u{1b}[2J{HOME}") };
        self.size = now;
        let lines = picture(items, at, self.kills, now, self.colour);
        self.drawn = lines.len();
        let text: String = lines.iter().map(|line| format!("{line}{CLEAR_LINE}\n")).collect();
        output::print(&format!("{BEGIN_PICTURE}{start}{text}{CLEAR_BELOW}{END_PICTURE}"))
    }
}

fn up(lines: usize) -> String {
    if lines == 0 { String::new() } else { format!("\u{1b}[{lines}A\r") }
}

/// The picture's lines: a head, one row for each run, and what they come to. At most one line less than `size` has, and one column less.
fn picture(items: &[Item], at: Duration, kills: usize, size: (usize, usize), colour: bool) -> Vec<String> {
    let (width, room) = (size.0.saturating_sub(1).max(1), size.1.saturating_sub(FRAME + 1));
    let mut order: Vec<(u8, usize)> = items.iter().enumerate().map(|(i, item)| (interest(item), i)).collect();
    order.sort_unstable();
    let mut shown: Vec<usize> = order.iter().take(room).map(|(_, i)| *i).collect();
    // What is chosen by interest stands in the order of the slots: a row moves as little as it can.
    shown.sort_unstable();
    let cells = ["", "JOB", "INSTANCE", "STATE", "CALLS", "BACKUPID", "LAST CODE"].map(str::to_owned);
    let mut lines = vec![cut(&row(&cells), width)];
    for item in shown.iter().filter_map(|i| items.get(*i)) {
        let mark = Mark::of(&item.state);
        lines.push(mark.paint(&cut(&row(&told(item)), width), colour));
    }
    let left = items.len() - shown.len();
    if left > 0 {
        lines.push(cut(&format!("… and {left} more; all of them come with the history"), width));
    }
    lines.push(cut(&tail(items, at, kills), width));
    lines
}

/// What moves comes first, then what waits, then what is over.
fn interest(item: &Item) -> u8 {
    match (is_final(&item.state), item.attempts) {
        (false, 1..) => 0,
        (false, _) => 1,
        (true, _) => 2,
    }
}

fn told(item: &Item) -> [String; 7] {
    let code = item.last_code.as_deref().map(|code| visible(code).into_owned());
    let id = item.backup_id.map(|id| id.to_string());
    [
        Mark::of(&item.state).sign.to_owned(),
        visible(&item.job).into_owned(),
        visible(&item.instance_id).into_owned(),
        visible(&item.state).into_owned(),
        if item.attempts == 0 { String::new() } else { item.attempts.to_string() },
        id.unwrap_or_default(),
        code.unwrap_or_default(),
    ]
}

fn row([mark, job, instance, state, calls, id, code]: &[String; 7]) -> String {
    let line = format!("{mark:<1} {job:<16} {instance:<13} {state:<10} {calls:>5}  {id:<10} {code}");
    line.trim_end().to_owned()
}

fn tail(items: &[Item], at: Duration, kills: usize) -> String {
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    for item in items {
        *states.entry(&item.state).or_default() += 1;
    }
    let mut parts: Vec<String> = states.iter().map(|(state, count)| format!("{count} {}", visible(state))).collect();
    if parts.is_empty() {
        parts.push("no slot has come yet".to_owned());
    }
    if kills > 0 {
        parts.push(format!("the daemon was killed {kills} times"));
    }
    format!("{:.0} s: {}", at.as_secs_f64(), parts.join(", "))
}

fn line(item: &Item, at: Duration) -> String {
    let id = item.backup_id.map(|id| id.to_string()).unwrap_or_default();
    let code = item.last_code.as_deref().map(|code| visible(code).into_owned()).unwrap_or_default();
    let line = format!("{:>5.1} s  {:<16} {:<13} {:<10} {id:<10} {code}", at.as_secs_f64(), item.job, item.instance_id, item.state);
    format!("{}\n", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Utc};

    fn item(run_id: i64, state: &str, attempts: i64) -> Item {
        Item {
            run_id,
            job: "nightly-full".into(),
            instance_id: format!("cdb-sim{run_id:05}"),
            instance_name: "x".into(),
            account: "sim".into(),
            region: "ap-shanghai".into(),
            method: "physical".into(),
            slot: DateTime::<Utc>::UNIX_EPOCH,
            slot_local: String::new(),
            slots: 1,
            trigger: "schedule".into(),
            state: state.into(),
            reason: None,
            why: String::new(),
            backup_id: (attempts > 0).then_some(102_996_666 + run_id),
            bytes: None,
            alias: String::new(),
            attempts,
            last_code: (attempts > 1).then(|| "FailedOperation.\u{1b}[2JStatusConflict".into()),
            last_request_id: None,
            started_at: None,
            finished_at: None,
            policy: None,
            late: false,
        }
    }

    fn drawn(items: &[Item], size: (usize, usize)) -> Vec<String> {
        picture(items, Duration::from_secs(9), 2, size, false)
    }

    #[test]
    fn a_row_tells_state_calls_number_and_code_and_drives_no_terminal() {
        let lines = drawn(&[item(1, "running", 2)], (120, 40));
        assert_eq!(lines[1], "> nightly-full     cdb-sim00001  running        2  102996667  FailedOperation.\\u{1b}[2JStatusConflict");
        assert_eq!(lines.last().unwrap(), "9 s: 1 running, the daemon was killed 2 times");
    }

    #[test]
    fn no_picture_is_larger_than_its_terminal() {
        let items: Vec<Item> = (1..=40).map(|n| item(n, if n < 30 { "succeeded" } else { "running" }, n % 3)).collect();
        for size in [(120, 50), (80, 24), (40, 10), (10, 5), (1, 1)] {
            let lines = drawn(&items, size);
            assert!(lines.len() < size.1.max(FRAME + 1), "{} lines on {size:?}", lines.len());
            assert!(lines.iter().all(|line| line.chars().count() < size.0.max(2)), "{size:?}: {lines:#?}");
        }
    }

    #[test]
    fn what_moves_is_shown_when_there_is_no_room_for_all() {
        let mut items: Vec<Item> = (1..=20).map(|n| item(n, "succeeded", 1)).collect();
        items.extend([item(21, "running", 1), item(22, "due", 0)]);
        let lines = drawn(&items, (80, 8));
        let names: Vec<_> = lines[1..5].iter().map(|line| line.split_whitespace().find(|word| word.starts_with("cdb-")).unwrap()).collect();
        assert_eq!(names, ["cdb-sim00001", "cdb-sim00002", "cdb-sim00021", "cdb-sim00022"]);
        assert_eq!(lines[5], "… and 18 more; all of them come with the history");
    }

    #[test]
    fn colour_comes_only_when_it_is_wanted() {
        let items = [item(1, "failed", 1)];
        assert!(picture(&items, Duration::ZERO, 0, (80, 24), true)[1].starts_with("\u{1b}[31m"));
        assert!(drawn(&items, (80, 24)).iter().all(|line| !line.contains('\u{1b}')));
    }
}
