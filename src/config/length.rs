//! How a length of time is written wherever the policy is spoken of: as people write it in the policy.

use std::time::Duration;

const UNITS: [(u64, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
/// More of one unit than this reads worse than two units.
const MOST_OF_ONE: u64 = 99;

/// A length as the policy writes it: `90s`, `45m`, `2h 30m`, `2d`. What is less than a millisecond is left out.
pub fn written(length: Duration) -> String {
    let ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    if ms == 0 {
        return "0s".to_owned();
    }
    let alone = UNITS.iter().enumerate().find(|(_, (unit, _))| ms.is_multiple_of(*unit));
    if let Some((i, (unit, word))) = alone
        && (i == 0 || ms / unit <= MOST_OF_ONE)
    {
        return format!("{}{word}", ms / unit);
    }
    let mut parts = Vec::new();
    let mut rest = ms;
    for (unit, word) in UNITS.into_iter().chain([(1, "ms")]) {
        if rest >= unit {
            parts.push(format!("{}{word}", rest / unit));
            rest %= unit;
        }
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_written_as_people_write_it_and_reads_back() {
        for (text, expected) in [
            ("30days", "30d"),
            ("1day", "1d"),
            ("400d", "400d"),
            ("90s", "90s"),
            ("540s", "9m"),
            ("390s", "6m 30s"),
            ("150m", "2h 30m"),
            ("36h", "36h"),
            ("1500ms", "1s 500ms"),
            ("0s", "0s"),
        ] {
            let length = humantime::parse_duration(text).unwrap();
            assert_eq!(written(length), expected, "{text}");
            assert_eq!(humantime::parse_duration(expected).unwrap(), length, "{text}");
        }
    }
}
