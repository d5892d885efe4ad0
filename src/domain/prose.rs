//! How figures, moments and text from elsewhere are written: the same for every reader.
//!
//! Decided here: units, roundings, and what text of the cloud may do where it is shown: nothing. Not decided here: what is told.

use chrono::{DateTime, SecondsFormat, Utc};
use std::{borrow::Cow, time::Duration};

/// Makes control characters, and those that turn the direction of writing, visible: text of the cloud never drives a terminal.
pub fn visible(text: &str) -> Cow<'_, str> {
    let hides = |c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    if !text.contains(hides) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().flat_map(|c| if hides(c) { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect())
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

/// Seconds while there are few, else the two largest units.
pub fn length(seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    if seconds < 120 {
        return format!("{seconds} s");
    }
    let whole = if seconds < 86_400 { seconds - seconds % 60 } else { seconds - seconds % 3_600 };
    humantime::format_duration(Duration::from_secs(whole)).to_string()
}

/// Whole seconds, as the ledger's view has them: `fromdate` of jq takes no others.
pub fn stamp(t: DateTime<Utc>) -> String {
    t.to_rfc3339_opts(SecondsFormat::Secs, true)
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
