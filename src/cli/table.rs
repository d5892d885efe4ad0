//! Text for people: columns that fit the screen, marks that are seen at a glance, and nothing that drives the terminal.

use std::borrow::Cow;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The widest line of any command.
pub const WIDTH: usize = 120;

/// Makes control characters, and those that turn the direction of writing, visible: text of the cloud never drives a terminal.
pub fn visible(text: &str) -> Cow<'_, str> {
    let hides = |c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    if !text.contains(hides) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().flat_map(|c| if hides(c) { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect())
}

/// At most `width` columns of a terminal, the last one `…` when something is cut.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used < width
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// The text in lines of at most `width` columns, broken between words; what goes beyond `most` lines is cut.
pub fn wrapped(text: &str, width: usize, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    if lines.len() > most {
        let rest = lines.split_off(most.saturating_sub(1)).join(" ");
        lines.push(rest);
    }
    lines.iter().map(|line| cut(line, width)).collect()
}

/// Columns of fixed widths. The last takes what is left of [`WIDTH`] and is not padded.
#[derive(Clone, Debug)]
pub struct Columns(Vec<usize>);

impl Columns {
    /// As wide as the widest cell of `rows`, at most `most` each, and two blanks between.
    pub fn fitting<const N: usize>(rows: &[[String; N]], most: [usize; N]) -> Self {
        let width = |i: usize| rows.iter().filter_map(|row| row.get(i)).map(|cell| cell.width()).max().unwrap_or(0);
        let mut widths: Vec<usize> = most.iter().enumerate().map(|(i, most)| width(i).min(*most)).collect();
        let before: usize = widths.iter().rev().skip(1).map(|width| width + 2).sum();
        if let Some(last) = widths.last_mut() {
            *last = WIDTH.saturating_sub(before).min(*last);
        }
        Self(widths)
    }

    /// Whether the last column takes this uncut.
    pub fn has_room_for(&self, last: &str) -> bool {
        self.0.last().is_some_and(|room| last.width() <= *room)
    }

    /// One line, without its end.
    pub fn line(&self, cells: &[String]) -> String {
        let padded = |(cell, width): (&String, &usize)| {
            let cell = cut(cell, *width);
            let blank = width.saturating_sub(cell.width());
            format!("{cell}{:blank$}", "")
        };
        cells.iter().zip(&self.0).map(padded).collect::<Vec<_>>().join("  ").trim_end().to_owned()
    }
}

/// How a state looks: a mark that is seen without colour, and a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// One character: blank is good, `!` ended without a good backup, `?` nobody knows, `-` on purpose, `>` still open.
    pub sign: &'static str,
    colour: &'static str,
}

impl Mark {
    /// Of a word of DESIGN §4.
    pub fn of(state: &str) -> Self {
        match state {
            "succeeded" => Self { sign: " ", colour: "" },
            "failed" | "timed_out" | "expired" | "missed" => Self { sign: "!", colour: "\u{1b}[31m" },
            "unknown" | "uncertain" => Self { sign: "?", colour: "\u{1b}[33m" },
            "skipped" | "cancelled" => Self { sign: "-", colour: "\u{1b}[33m" },
            _ => Self { sign: ">", colour: "\u{1b}[2m" },
        }
    }

    /// Whether all is well.
    pub fn is_good(self) -> bool {
        self.sign == " "
    }

    /// The line in its colour, if there is to be one.
    pub fn paint(self, line: &str, colour: bool) -> String {
        if colour && !self.colour.is_empty() { format!("{}{line}\u{1b}[0m", self.colour) } else { line.to_owned() }
    }
}

/// Whether standard output takes colour: it is a terminal, and `NO_COLOR` is not set to anything.
pub fn colour_wanted() -> bool {
    use std::io::IsTerminal;
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty())
}

/// A size with three digits and a binary unit.
pub fn size(bytes: i64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or("PiB");
    if unit == 0 || value >= 99.95 { format!("{value:.0} {name}") } else { format!("{value:.1} {name}") }
}

/// A local slot as people read it: `2026-11-24 02:30+08`; seconds and minutes of the offset only where there are any.
pub fn local(slot: &str) -> String {
    match (slot.get(..10), slot.get(10..11), slot.get(11..16), slot.get(16..19), slot.get(19..)) {
        (Some(date), Some("T" | " "), Some(minute), Some(second), Some(zone)) => {
            let (second, zone) = (if second == ":00" { "" } else { second }, zone.trim_start());
            format!("{date} {minute}{second}{}", zone.strip_suffix(":00").unwrap_or(zone))
        }
        _ => slot.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_drive_a_terminal_is_shown_as_text() {
        assert_eq!(visible("a\u{1b}[2Jb\r\n\u{9b}31m\u{202e}c"), "a\\u{1b}[2Jb\\r\\n\\u{9b}31m\\u{202e}c");
        assert_eq!(visible("实例 été"), "实例 été");
    }

    #[test]
    fn a_line_is_as_wide_as_a_terminal_shows_it() {
        let rows = [["双十一".to_owned(), "x".to_owned()], ["été".to_owned(), "y".to_owned()]];
        let columns = Columns::fitting(&rows, [5, 9]);
        assert_eq!(rows.map(|row| columns.line(&row)), ["双十…  x", "été    y"]);
    }

    #[test]
    fn a_long_text_is_broken_between_words_and_cut_at_its_last_line() {
        assert_eq!(wrapped("one two three four", 9, 3), ["one two", "three", "four"]);
        assert_eq!(wrapped("one two three four", 9, 2), ["one two", "three fo…"]);
        assert_eq!(wrapped("unbreakable", 9, 2), ["unbreaka…"]);
    }

    #[test]
    fn sizes_have_three_digits() {
        let sizes: Vec<_> = [0, 999, 1000, 1024, 102_400, 5_368_709_120, i64::MAX].map(size).into();
        assert_eq!(sizes, ["0 B", "999 B", "1.0 KiB", "1.0 KiB", "100 KiB", "5.0 GiB", "8192 PiB"]);
    }

    #[test]
    fn a_local_slot_keeps_its_offset() {
        assert_eq!(local("2026-11-24T02:30:00+08:00"), "2026-11-24 02:30+08");
        assert_eq!(local("2026-11-24T02:30:05+05:45"), "2026-11-24 02:30:05+05:45");
        assert_eq!(local("2026-11-24 22:18:00 +08:00"), "2026-11-24 22:18+08");
        assert_eq!(local("whatever"), "whatever");
    }
}
