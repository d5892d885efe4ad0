//! A terminal that is drawn on: its size, and the few words that it is told by. Nothing else writes escapes but colours (`table`).

use super::table::cut;
use rustix::termios::tcgetwinsize;
use std::io::{self, IsTerminal};
use unicode_width::UnicodeWidthChar;

/// A terminal that does not tell its size.
const UNTOLD: (usize, usize) = (80, 24);

pub(super) const HIDE_CURSOR: &str = "\u{1b}[?25l";
pub(super) const SHOW_CURSOR: &str = "\u{1b}[?25h";
/// Terminals that know it show what lies between as one picture; others ignore it.
pub(super) const BEGIN_PICTURE: &str = "\u{1b}[?2026h";
pub(super) const END_PICTURE: &str = "\u{1b}[?2026l";
/// A screen beside the one that was there, and back to that.
pub(super) const OTHER_SCREEN: &str = "\u{1b}[?1049h";
pub(super) const FIRST_SCREEN: &str = "\u{1b}[?1049l";
pub(super) const HOME: &str = "\u{1b}[H";
pub(super) const CLEAR_LINE: &str = "\u{1b}[K";
pub(super) const CLEAR_BELOW: &str = "\u{1b}[J";

/// Whether standard output is a terminal that can be drawn on.
pub(super) fn can_draw() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Columns and lines.
pub(super) fn size() -> (usize, usize) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => UNTOLD,
    }
}

/// A text as one picture in place of the last, from the upper left corner. Long lines are broken, as a terminal would; what has no room is counted.
pub(super) fn picture(text: &str, (columns, rows): (usize, usize)) -> String {
    // In the last column a terminal waits with the next character, and clearing behind it would take it away.
    let width = columns.saturating_sub(1).max(1);
    let mut lines: Vec<String> = text.lines().flat_map(|line| broken(line, width)).collect();
    if lines.len() > rows {
        let left = lines.split_off(rows.saturating_sub(1)).len();
        lines.push(cut(&format!("… and {left} lines more; without --watch all are told"), width));
    }
    let lines: Vec<String> = lines.iter().map(|line| format!("{line}{CLEAR_LINE}")).collect();
    format!("{BEGIN_PICTURE}{HOME}{}{CLEAR_BELOW}{END_PICTURE}", lines.join("\n"))
}

/// A line in pieces of at most `width` columns; colours take none.
fn broken(line: &str, width: usize) -> Vec<String> {
    let (mut used, mut in_colour, mut pieces) = (0, false, vec![String::with_capacity(line.len())]);
    for c in line.chars() {
        let is_colour = in_colour || c == '\u{1b}';
        in_colour = is_colour && c != 'm';
        let takes = if is_colour { 0 } else { c.width().unwrap_or(0) };
        if used + takes > width {
            used = 0;
            pieces.push(String::new());
        }
        used += takes;
        pieces.last_mut().into_iter().for_each(|piece| piece.push(c));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_written_over_the_last_one_and_never_clears_the_screen_first() {
        let drawn = picture("ok: all good\n  nightly\n", (80, 24));
        assert_eq!(drawn, "\u{1b}[?2026h\u{1b}[Hok: all good\u{1b}[K\n  nightly\u{1b}[K\u{1b}[J\u{1b}[?2026l");
    }

    #[test]
    fn a_long_line_is_broken_and_keeps_its_colour() {
        assert_eq!(broken("\u{1b}[31m! 订单 is late\u{1b}[0m", 6), ["\u{1b}[31m! 订单", " is la", "te\u{1b}[0m"]);
        assert_eq!(broken("", 6), [""]);
    }

    #[test]
    fn no_picture_is_larger_than_its_terminal() {
        let text = "! nightly on 订单 is late: since long\n".repeat(9);
        for (columns, rows) in [(20, 4), (60, 9), (10, 3), (1, 1)] {
            let drawn = picture(&text, (columns, rows));
            assert_eq!((drawn.lines().count(), drawn.contains('…')), (rows, rows < 9), "{drawn:?}");
        }
    }
}
