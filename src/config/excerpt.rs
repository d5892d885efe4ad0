//! A line of the policy as it is drawn: with its marks, without its secrets, and no longer than a screen bears.

use super::{
    place::{Places, Span},
    redact,
};
use std::ops::Range;

/// Characters of a line that are drawn: all of a shorter line, and of a longer one so many before and after the place in it.
const MAX_BEFORE: usize = 60;
const MAX_AFTER: usize = 100;
/// Characters of the longest drawn line.
pub(super) const MAX_DRAWN: usize = MAX_BEFORE + MAX_AFTER;
/// Bytes of a line that are looked at on each side of the place in it.
const MAX_LOOKED_AT: usize = 4_096;

/// A line of the policy with a place in it, fit to be drawn.
#[derive(Clone, Debug)]
pub(super) struct Excerpt {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) text: String,
    /// Byte ranges of the text and what stands below each; the first is the place itself.
    pub(super) marked: Vec<(Range<usize>, String)>,
}

impl Excerpt {
    /// The column, from 1, at which the place stands in the drawn text.
    pub(super) fn shown_column(&self) -> usize {
        let start = self.marked.first().map_or(0, |(range, _)| range.start);
        1 + self.text.get(..start).map_or(0, |before| before.chars().count())
    }
}

/// The text by lines, and what of it is not drawn.
pub(super) struct Lines<'a> {
    lines: Vec<&'a str>,
    secrets: Vec<Span>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str, places: &Places) -> Self {
        let mut secrets = places.secrets.clone();
        secrets.extend(&places.pasted);
        if !places.complete {
            secrets.extend(redact::guessed(text));
        }
        Self { lines: text.split('\n').map(|l| l.strip_suffix('\r').unwrap_or(l)).collect(), secrets }
    }

    /// A line around a place, with marks in it.
    pub(super) fn excerpt(&self, around: Span, marks: &[(Span, &str)]) -> Option<Excerpt> {
        let line = self.lines.get(around.line.checked_sub(1)?)?;
        let centre = byte_of(line, around.column);
        let (from, to) = (floor(line, centre.saturating_sub(MAX_LOOKED_AT)), floor(line, centre.saturating_add(MAX_LOOKED_AT)));
        let mut window = Window { from, text: line.get(from..to)?.to_owned(), hidden: self.hidden(line, around.line, from, to) };
        window.hide();
        let mut marked: Vec<_> = marks
            .iter()
            .map(|(span, label)| {
                let start = byte_of(line, span.column);
                let end = if span.end_line == span.line { byte_of(line, span.end_column) } else { line.trim_end().len() };
                (window.shown(start)..window.shown(end.max(start)), (*label).to_owned())
            })
            .collect();
        let text = clip(&window.text, &mut marked);
        for (range, _) in &mut marked {
            range.end = ceil(&text, range.end.max(range.start + 1));
        }
        Some(Excerpt { line: around.line, column: around.column, text, marked })
    }

    /// Byte ranges of the line that are secret, in order, within the window.
    fn hidden(&self, line: &str, number: usize, from: usize, to: usize) -> Vec<Range<usize>> {
        let columns = redact::columns_of(number, &self.secrets);
        let mut ranges: Vec<Range<usize>> = columns.into_iter().map(|(a, b)| byte_of(line, a)..byte_of(line, b)).collect();
        for range in &mut ranges {
            // The blank between a key and its value stays.
            let blank = line.get(range.clone()).map_or(0, |s| s.len() - s.trim_start_matches([' ', ':', '=']).len());
            range.start += blank;
        }
        let shown = line.get(from..to).unwrap_or_default();
        let by_text = redact::secret_ids(shown).chain(redact::after_names(shown)).chain(redact::userinfo(shown));
        ranges.extend(by_text.map(|r| r.start + from..r.end + from));
        if from > 0 {
            // A word that begins before the window may be the rest of a secret.
            let rest = shown.find(|c: char| !c.is_alphanumeric()).unwrap_or(shown.len());
            let word = shown.get(..shown.find(char::is_whitespace).unwrap_or(shown.len())).unwrap_or_default();
            let rest = word.rfind('@').map_or(rest, |end| end.max(rest));
            ranges.push(from..from + rest);
        }
        ranges.retain(|r| r.start < r.end && r.end > from && r.start < to);
        ranges.sort_by_key(|r| (r.start, r.end));
        ranges
    }
}

/// A stretch of a line in which secrets are replaced.
struct Window {
    from: usize,
    text: String,
    hidden: Vec<Range<usize>>,
}

impl Window {
    fn hide(&mut self) {
        let mut merged: Vec<Range<usize>> = Vec::new();
        for range in self.hidden.drain(..) {
            let range = range.start.saturating_sub(self.from)..range.end.saturating_sub(self.from).min(self.text.len());
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        for range in merged.iter().rev() {
            self.text.replace_range(range.clone(), &redact::HIDDEN.to_string());
        }
        self.hidden = merged;
    }

    /// Where a byte of the line is now.
    fn shown(&self, at: usize) -> usize {
        let at = at.saturating_sub(self.from);
        let mut moved = at;
        for range in &self.hidden {
            if at >= range.end {
                moved = moved + redact::HIDDEN.len_utf8() - range.len();
            } else if at >= range.start {
                moved -= at - range.start;
            }
        }
        floor(&self.text, moved)
    }
}

/// Cuts a long line around its first mark, and moves the marks.
fn clip(text: &str, marked: &mut [(Range<usize>, String)]) -> String {
    if text.chars().take(MAX_DRAWN + 1).count() <= MAX_DRAWN {
        return text.to_owned();
    }
    let first = marked.first().map_or(0, |(r, _)| r.start);
    let before = text.get(..first).unwrap_or_default();
    let from = before.char_indices().rev().take(MAX_BEFORE).last().map_or(first, |(i, _)| i);
    let to = text.get(first..).unwrap_or_default().char_indices().nth(MAX_AFTER).map_or(text.len(), |(i, _)| first + i);
    let mark = redact::HIDDEN.to_string();
    let (head, tail) = (if from > 0 { mark.as_str() } else { "" }, if to < text.len() { mark.as_str() } else { "" });
    for (range, _) in marked {
        let moved = |at: usize| at.clamp(from, to) - from + head.len();
        *range = moved(range.start)..moved(range.end);
    }
    format!("{head}{}{tail}", text.get(from..to).unwrap_or_default())
}

/// The byte at which a column (from 1) of the line begins; its end when the line is shorter.
fn byte_of(line: &str, column: usize) -> usize {
    let column = column.saturating_sub(1);
    if line.is_ascii() {
        return column.min(line.len());
    }
    line.char_indices().nth(column).map_or(line.len(), |(i, _)| i)
}

/// The nearest place between two characters, at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

/// The nearest place between two characters, at or after `at`.
fn ceil(text: &str, at: usize) -> usize {
    (at..text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len())
}
