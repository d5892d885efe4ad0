//! Text for people: columns that fit the screen, marks that are seen at a glance, and nothing that drives the terminal.

pub use crate::domain::prose::{local, size, visible};

use crate::domain::run::Grade;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The widest line of any command.
pub const WIDTH: usize = 120;

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
        match Grade::of(state) {
            Grade::Good => Self { sign: " ", colour: "" },
            Grade::Bad => Self { sign: "!", colour: "\u{1b}[31m" },
            Grade::Unsure => Self { sign: "?", colour: "\u{1b}[33m" },
            Grade::OnPurpose => Self { sign: "-", colour: "\u{1b}[33m" },
            Grade::Open => Self { sign: ">", colour: "\u{1b}[2m" },
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
