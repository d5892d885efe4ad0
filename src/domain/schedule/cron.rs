//! A cron text as a calendar: which days it names, and which times of such a day, on a clock that never changes.
//!
//! Decided here: how the text is read (Vixie's rules; croner knows the fields and the days). Not decided here: when a civil time is, which is
//! [`super::place`]'s. Civil times are seconds since 1970-01-01 00:00 of the zone's own clock.

use super::ScheduleError;
use chrono::{Datelike, NaiveDate};
use croner::{
    CronPattern, Weekday,
    errors::CronError,
    parser::{CronParser, Seconds, Year},
};
use std::ops::Range;

/// Seconds of a day on a clock that never changes.
pub(super) const DAY: i64 = 86_400;
/// The calendar repeats after so many days: what does not come within them never comes.
const CYCLE_DAYS: i64 = 400 * 365 + 97;
/// Days of at least two leap years, when gaps are measured.
const MEASURED_DAYS: i64 = 8 * 366;

/// What Vixie's cron takes in place of fields; its `@reboot` is no time.
const WORDS: [(&str, [&str; 5]); 7] = [
    ("@yearly", ["0", "0", "1", "1", "*"]),
    ("@annually", ["0", "0", "1", "1", "*"]),
    ("@monthly", ["0", "0", "1", "*", "*"]),
    ("@weekly", ["0", "0", "*", "*", "0"]),
    ("@daily", ["0", "0", "*", "*", "*"]),
    ("@midnight", ["0", "0", "*", "*", "*"]),
    ("@hourly", ["0", "*", "*", "*", "*"]),
];
const MONTHS: &[&str] = &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// One of the six fields: its name, what it takes, and the words that may stand in it. croner replaces names wherever they stand.
struct Field {
    name: &'static str,
    takes: &'static str,
    words: &'static [&'static str],
}

const FIELDS: [Field; 6] = [
    Field { name: "second", takes: "0 to 59", words: &[] },
    Field { name: "minute", takes: "0 to 59", words: &[] },
    Field { name: "hour", takes: "0 to 23", words: &[] },
    Field { name: "day of the month", takes: "1 to 31, or `L` for the last", words: &["L", "W", "LW"] },
    Field { name: "month", takes: "1 to 12, or JAN to DEC", words: MONTHS },
    Field { name: "day of the week", takes: "0 to 7, SUN to SAT, `SUN#1` for the first or `5L` for the last of the month", words: WEEKDAYS },
];

/// The days and times that a cron text names.
pub(super) struct Calendar {
    pattern: CronPattern,
    times: Times,
    /// Whether the hour field starts with `*`.
    pub(super) follows_elapsed_time: bool,
    /// Whether there are six fields, and the hour is `*`.
    pub(super) hour_is_every: bool,
    /// Whether the day of the month and that of the week are both set, so that either will do.
    pub(super) either_day: bool,
}

impl Calendar {
    pub(super) fn parse(text: &str) -> Result<Self, ScheduleError> {
        let fields = fields(text)?;
        for (field, text) in FIELDS.iter().zip(fields) {
            field.admits(text).map_err(|reason| field.bad(text, reason))?;
        }
        let [_, _, hour, month_day, _, week_day] = fields;
        // Vixie: a day field that begins with `*` (`*/2` too) narrows the other one; only two that do not are alternatives.
        let either_day = !month_day.starts_with('*') && !week_day.starts_with('*');
        let read = |fields: &[&str; 6]| {
            let parser = CronParser::builder().seconds(Seconds::Required).year(Year::Disallowed).dom_and_dow(!either_day).build();
            parser.parse(&fields.join(" "))
        };
        let pattern = read(&fields).map_err(|error| blame(&fields, read, &error))?.pattern;
        let times = Times { hours: values(&pattern.hours), minutes: values(&pattern.minutes), seconds: values(&pattern.seconds) };
        let hour_is_every = hour == "*" && text.split_whitespace().count() == 6;
        let calendar = Self { pattern, times, follows_elapsed_time: hour.starts_with('*'), hour_is_every, either_day };
        // Any day will do to start from: a whole cycle is searched.
        calendar.next(0).map(|_| calendar).ok_or(ScheduleError::Never)
    }

    /// The first civil time of the pattern at or after `from`.
    pub(super) fn next(&self, from: i64) -> Option<i64> {
        let day = from.div_euclid(DAY);
        if self.names_day(day)
            && let Some(time) = self.times.nth(self.times.below(from.rem_euclid(DAY)))
        {
            return Some(day * DAY + time);
        }
        Some(self.next_day(day + 1)? * DAY + self.times.nth(0)?)
    }

    /// How many civil times of the pattern lie in `range`.
    pub(super) fn count(&self, range: &Range<i64>) -> u64 {
        let days = days_of(range).filter(|day| self.names_day(*day));
        days.map(|day| self.times.below(range.end - day * DAY) - self.times.below(range.start - day * DAY)).sum()
    }

    /// The last civil time of the pattern in `range`.
    pub(super) fn last(&self, range: &Range<i64>) -> Option<i64> {
        days_of(range).rev().filter(|day| self.names_day(*day)).find_map(|day| {
            let (low, high) = (self.times.below(range.start - day * DAY), self.times.below(range.end - day * DAY));
            if low < high { Some(day * DAY + self.times.nth(high - 1)?) } else { None }
        })
    }

    /// The longest distance of two neighbours from `from` on, measured over eight years or two days of the pattern, in seconds.
    pub(super) fn longest_gap(&self, from: i64) -> Option<i64> {
        let within = (1..self.times.len()).filter_map(|k| Some(self.times.nth(k)? - self.times.nth(k - 1)?)).max().unwrap_or(0);
        let mut day = self.next_day(from.div_euclid(DAY))?;
        let (horizon, mut days) = (day + MEASURED_DAYS, 0);
        while day <= horizon {
            let next = self.next_day(day + 1)?;
            days = days.max(next - day);
            day = next;
        }
        let over_night = days * DAY + self.times.nth(0)? - self.times.nth(self.times.len() - 1)?;
        Some(within.max(over_night))
    }

    fn next_day(&self, from: i64) -> Option<i64> {
        (from..=from + CYCLE_DAYS).find(|day| self.names_day(*day))
    }

    /// `day` counts from 1970-01-01, a Thursday.
    fn names_day(&self, day: i64) -> bool {
        let Some(date) = date(day) else { return false };
        let weekday = Weekday::from_days_from_sunday(date.weekday().num_days_from_sunday());
        self.pattern.month_match(date.month()).unwrap_or(false)
            && self.pattern.day_match(date.year(), date.month(), date.day(), weekday).unwrap_or(false)
    }
}

/// The date of a day counted from 1970-01-01.
pub(super) fn date(day: i64) -> Option<NaiveDate> {
    const EPOCH_FROM_CE: i32 = 719_163;
    NaiveDate::from_num_days_from_ce_opt(i32::try_from(day).ok()?.checked_add(EPOCH_FROM_CE)?)
}

fn days_of(range: &Range<i64>) -> std::ops::RangeInclusive<i64> {
    range.start.div_euclid(DAY)..=(range.end - 1).div_euclid(DAY)
}

fn values(component: &croner::CronComponent) -> Vec<i64> {
    component.values().into_iter().map(i64::from).collect()
}

/// Second, minute, hour, day of the month, month, day of the week.
fn fields(text: &str) -> Result<[&str; 6], ScheduleError> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    match fields.as_slice() {
        [word] if word.starts_with('@') => {
            let known = WORDS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known));
            let (_, [m, h, dom, mon, dow]) = known.ok_or(ScheduleError::Word)?;
            Ok(["0", m, h, dom, mon, dow])
        }
        [m, h, dom, mon, dow] => Ok(["0", m, h, dom, mon, dow]),
        [s, m, h, dom, mon, dow] => Ok([s, m, h, dom, mon, dow]),
        other => Err(ScheduleError::Fields(other.len())),
    }
}

impl Field {
    /// What croner would let pass, and no reader of the policy would understand.
    fn admits(&self, text: &str) -> Result<(), String> {
        let takes_days = self.words == WEEKDAYS;
        if let Some(odd) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || "*,-/".contains(*c) || (*c == '#' && takes_days))) {
            return Err(format!("`{}` has no meaning here", odd.escape_debug()));
        }
        if text.split(',').any(str::is_empty) {
            return Err("nothing stands beside a comma".to_owned());
        }
        if takes_days && text.split(',').any(|part| part.eq_ignore_ascii_case("L")) {
            return Err("`L` alone names no day".to_owned());
        }
        let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
        for word in words {
            let upper = word.to_ascii_uppercase();
            let day = if takes_days { upper.strip_suffix('L').unwrap_or(&upper) } else { &upper };
            if !(self.words.contains(&day) || (takes_days && day.is_empty())) {
                return Err("a word in it has no meaning here".to_owned());
            }
        }
        Ok(())
    }

    fn bad(&self, text: &str, reason: String) -> ScheduleError {
        ScheduleError::Field { field: self.name, text: text.to_owned(), reason, takes: self.takes }
    }
}

/// The first field that croner refuses alone, with its reason.
fn blame<T>(fields: &[&str; 6], read: impl Fn(&[&str; 6]) -> Result<T, CronError>, error: &CronError) -> ScheduleError {
    for (i, (field, text)) in FIELDS.iter().zip(fields).enumerate() {
        let mut alone = ["*"; 6];
        if let Some(place) = alone.get_mut(i) {
            *place = text;
        }
        if let Err(error) = read(&alone) {
            return field.bad(text, reason(&error));
        }
    }
    ScheduleError::Unread(reason(error))
}

/// croner's sentence as a fragment.
fn reason(error: &CronError) -> String {
    let text = match error {
        CronError::ComponentError(text) | CronError::InvalidPattern(text) | CronError::IllegalCharacters(text) => text.clone(),
        other => other.to_string(),
    };
    let mut chars = text.trim_end_matches('.').chars();
    chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars).collect()
}

/// The times of a day: every hour with every minute with every second.
struct Times {
    hours: Vec<i64>,
    minutes: Vec<i64>,
    seconds: Vec<i64>,
}

impl Times {
    fn len(&self) -> u64 {
        let [hours, minutes, seconds] = self.lens();
        hours * minutes * seconds
    }

    fn lens(&self) -> [u64; 3] {
        [&self.hours, &self.minutes, &self.seconds].map(|list| list.len() as u64)
    }

    /// How many lie before `time`, in seconds from the beginning of the day; all of them when it lies after the day.
    fn below(&self, time: i64) -> u64 {
        if time <= 0 {
            return 0;
        }
        if time >= DAY {
            return self.len();
        }
        let below = |list: &[i64], value: i64| (list.partition_point(|v| *v < value) as u64, list.binary_search(&value).is_ok());
        let (hours, same_hour) = below(&self.hours, time / 3600);
        let (minutes, same_minute) = below(&self.minutes, time / 60 % 60);
        let (seconds, _) = below(&self.seconds, time % 60);
        let [_, in_hour, in_minute] = self.lens();
        let minutes = if same_hour { minutes } else { 0 };
        let seconds = if same_hour && same_minute { seconds } else { 0 };
        (hours * in_hour + minutes) * in_minute + seconds
    }

    /// The `k`-th, counted from 0, in seconds from the beginning of the day.
    fn nth(&self, k: u64) -> Option<i64> {
        let [_, minutes, seconds] = self.lens();
        let of = |list: &[i64], k: u64| list.get(usize::try_from(k).ok()?).copied();
        let hour = of(&self.hours, k.checked_div(minutes * seconds)?)?;
        let minute = of(&self.minutes, k.checked_div(seconds)?.checked_rem(minutes)?)?;
        Some(hour * 3600 + minute * 60 + of(&self.seconds, k.checked_rem(seconds)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_finding_and_looking_back_agree_over_two_weeks() {
        for text in ["7,11 0,5 2,3,23 * * *", "30 2 * * *", "*/20 9-17 * * 1-5", "0 0 1 * *", "59 59 23 */2 * *"] {
            let calendar = Calendar::parse(text).unwrap();
            let range = 1_234_567 * 1_000..1_234_567 * 1_000 + 14 * DAY;
            let mut found = Vec::new();
            let mut from = range.start;
            while let Some(next) = calendar.next(from).filter(|next| *next < range.end) {
                found.push(next);
                from = next + 1;
            }
            for (i, at) in found.iter().enumerate() {
                assert_eq!(calendar.count(&(range.start..*at)), i as u64, "{text}");
                assert_eq!(calendar.last(&(range.start..*at + 1)), Some(*at), "{text}");
            }
            assert_eq!(calendar.last(&range), found.last().copied(), "{text}");
            assert_eq!(calendar.count(&range), found.len() as u64, "{text}");
        }
    }
}
