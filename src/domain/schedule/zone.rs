//! Zone names and the compiled-in zone data.

use super::{super::nearest::edits, ScheduleError};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::sync::LazyLock;

/// A name is not longer; the longest there is has 32 characters.
const NAME_MAX: usize = 64;

/// Made once: it keeps the zones that were read.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

pub(super) fn find(name: &str) -> Result<TimeZone, ScheduleError> {
    // `Etc/Unknown` is a name of jiff's, not of a place.
    let found = ZONES.get(name).ok().filter(|zone| !zone.is_unknown());
    found.ok_or_else(|| ScheduleError::Zone(nearest_zone(name)))
}

/// The compiled-in zone that was probably meant, when one looks like it: the place alone (`shanghai`), or a slip.
pub fn nearest_zone(written: &str) -> Option<String> {
    let plain = |name: &str| name.to_ascii_lowercase().replace(' ', "_");
    let wanted = plain(written.get(..NAME_MAX).unwrap_or(written));
    if wanted.len() > NAME_MAX || wanted.is_empty() {
        return None;
    }
    let mut names = ZONES.available();
    // All of China keeps one time, and its zone is named for another city.
    if wanted.rsplit('/').next() == Some("beijing") {
        return names.find(|name| name.as_str() == "Asia/Shanghai").map(|name| name.to_string());
    }
    let letters: Vec<char> = wanted.chars().collect();
    let is_abbreviation = is_abbreviation(written);
    let near = |name: &str| {
        let known = plain(name);
        let is_its_place = known.rsplit_once('/').is_some_and(|(_, place)| place == wanted);
        let edits = if is_its_place { 0 } else { edits(&letters, &known) };
        let most = if is_abbreviation { 0 } else { 1 + known.len() / 4 };
        (edits <= most).then(|| (edits, name.to_owned()))
    };
    names.filter_map(|name| near(name.as_str())).min().map(|(_, name)| name)
}

/// Whether it looks like `CST`: letters that may stand for several zones, hours apart, so that none can be guessed.
pub fn is_abbreviation(written: &str) -> bool {
    let is_all = |in_case: fn(&u8) -> bool| written.as_bytes().iter().all(in_case);
    (2..=4).contains(&written.len()) && (is_all(u8::is_ascii_uppercase) || is_all(u8::is_ascii_lowercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_and_a_bare_place_find_their_zone_and_an_offset_finds_none() {
        for (written, meant) in [
            ("Asia/Shangai", Some("Asia/Shanghai")),
            ("shanghai", Some("Asia/Shanghai")),
            ("Asia/Beijing", Some("Asia/Shanghai")),
            ("New York", Some("America/New_York")),
            ("+08:00", None),
            ("Mars/Olympus", None),
            ("CST", None),
            ("pst", None),
            ("IST", None),
            ("rome", Some("Europe/Rome")),
            ("", None),
        ] {
            assert_eq!(nearest_zone(written).as_deref(), meant, "{written}");
        }
        assert_eq!(nearest_zone(&"x".repeat(1_000_000)), None);
    }
}
