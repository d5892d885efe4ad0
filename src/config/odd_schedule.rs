//! Warnings of a schedule alone: it can be used, and probably fires at other times than were meant.

use super::{
    fault::{Finding, Findings, Spot},
    place::Path,
};
use crate::domain::{
    now::later,
    policy::Job,
    schedule::{ChangedNight, Effect, Schedule},
};
use chrono::{DateTime, Utc};
use std::time::Duration;

/// Each change of the clock that comes every year comes within it, on whatever day one looks.
const AHEAD: Duration = Duration::from_secs(400 * 86_400);
/// The fields of a cron text with seconds: what each counts, how many there are of it, and the first.
const FIELDS: [(&str, u32, &str); 6] =
    [("second", 60, "0"), ("minute", 60, "0"), ("hour", 24, "0"), ("day of the month", 31, "1"), ("month", 12, "1"), ("day of the week", 7, "0")];

/// Looks for everything that there is a warning for.
pub(super) fn all(job: &Job, at: &Path, now: DateTime<Utc>, findings: &mut Findings) {
    let at = Spot::Value(at.key("schedule"));
    findings.extend(hour_by_mistake(&job.schedule, &at));
    findings.extend(either_day(&job.schedule, &at));
    findings.extend(long_step(&job.schedule, &at));
    findings.extend(changed_night(&job.schedule, &at, now));
}

/// The fields with the seconds first; none of a word such as `@daily`.
fn fields(schedule: &Schedule) -> Vec<&str> {
    let written: Vec<&str> = schedule.text().split_whitespace().collect();
    match written.len() {
        5 => std::iter::once("0").chain(written).collect(),
        6 => written,
        _ => Vec::new(),
    }
}

/// Six fields where five were meant.
fn hour_by_mistake(schedule: &Schedule, at: &Spot) -> Option<Finding> {
    let fields = fields(schedule);
    let [second, minute, _, days @ ..] = fields.as_slice() else { return None };
    if !schedule.hour_is_every() {
        return None;
    }
    let number = |text: &str| text.parse::<u8>().ok();
    let days = days.join(" ");
    let daily = if days == "* * *" { "daily" } else { "on its days" };
    let (label, hint) = match (number(second), number(minute), minute.strip_prefix("*/").and_then(number)) {
        (Some(second), Some(minute), _) if minute < 24 => {
            (format!("fires every hour at :{minute:02}"), format!("for {minute:02}:{second:02} {daily} write `{second} {minute} {days}`"))
        }
        (Some(second), Some(minute), _) => {
            let hint = format!("for 02:{minute:02} {daily} write `{minute} 2 {days}`");
            (format!("fires every hour at :{minute:02}{}", if second > 0 { format!(":{second:02}") } else { String::new() }), hint)
        }
        (Some(second), None, Some(step)) => {
            let every = if step < 24 { format!("for every {step} hours write `{second} */{step} {days}`; ") } else { String::new() };
            (format!("fires every {step} minutes"), format!("{every}for every {step} minutes five fields do: `*/{step} * {days}`"))
        }
        (Some(_), None, None) if *minute == "*" => ("fires every minute".to_owned(), "for once a day write numbers for minute and hour".to_owned()),
        _ => ("fires in every hour".to_owned(), "for once a day write numbers for second, minute and hour".to_owned()),
    };
    let message = "with six fields the first is the second and the third the hour, and the hour is `*`";
    Some(Finding::warning("every-hour", at.clone(), message).label(label).hint(hint))
}

fn either_day(schedule: &Schedule, at: &Spot) -> Option<Finding> {
    schedule.day_of_month_and_week().then(|| {
        let message = "with a day of the month and a day of the week it fires on either, not on both";
        let finding = Finding::warning("either-day", at.clone(), message).label("either");
        finding.hint("write `*` for one of them; for the first Sunday write `SUN#1` as the day of the week")
    })
}

/// A step that is longer than its field: only the first of it is left.
fn long_step(schedule: &Schedule, at: &Spot) -> Option<Finding> {
    let fields = fields(schedule);
    let (name, most, first, written) = fields.iter().zip(FIELDS).find_map(|(written, (name, most, first))| {
        let step = written.split(',').filter_map(|part| part.split_once('/')?.1.parse::<u32>().ok()).find(|step| *step >= most);
        step.map(|_| (name, most, first, *written))
    })?;
    let message = format!("the step of `{written}` is longer than all {most} of its field, so it fires on one {name} alone");
    let first = written.split(['/', '-', ',']).next().filter(|begin| *begin != "*").unwrap_or(first);
    let finding = Finding::warning("long-step", at.clone(), message).label(format!("the {name} is {first} alone"));
    Some(
        finding.hint(format!("write `{first}` if that is meant; a step begins anew with each round of its field, so list the times of a longer one")),
    )
}

/// Slots that fall away, move or repeat when the clock changes: the next night on which it is put forward, and the next on which it is put back. That a job of every hour runs every hour needs no word.
fn changed_night(schedule: &Schedule, at: &Spot, now: DateTime<Utc>) -> Option<Finding> {
    let fields = fields(schedule);
    let hour = fields.get(2)?;
    if *hour == "*" || hour.strip_prefix("*/").and_then(|step| step.parse::<u32>().ok()) == Some(1) {
        return None;
    }
    let nights = schedule.changed_nights(now, later(now, AHEAD));
    let told = nights.iter().filter_map(|night| Some((night, becomes(night)?)));
    let (back, forward): (Vec<_>, Vec<_>) = told.partition(|(night, _)| matches!(night.effect, Effect::Twice | Effect::FirstOfTwo));
    let mut next: Vec<_> = forward.first().map(|told| (told, "forward")).into_iter().chain(back.first().map(|told| (told, "back"))).collect();
    next.sort_by_key(|((night, _), _)| night.at);
    let zone = schedule.zone();
    let sentences = next.iter().map(|((night, what), turns)| {
        let then = schedule.local(night.at);
        format!("on {} the clock of {zone} is put {turns} to {}: {what}", night.date, then.get(11..).unwrap_or_default())
    });
    let message = sentences.reduce(|first, second| format!("{first}; {second}"))?;
    let finding = Finding::warning("changed-night", at.clone(), message).label("in the hour that is skipped or repeated");
    Some(finding.hint("choose an hour that every night has once, or a zone without clock changes such as `UTC`"))
}

/// What becomes of the slots, where it is worth a word.
fn becomes(night: &ChangedNight) -> Option<String> {
    Some(match (night.effect, night.times) {
        (Effect::FallAway, 1) => "the slot in the skipped time falls away".to_owned(),
        (Effect::FallAway, n) => format!("the {n} slots in the skipped time fall away"),
        (Effect::Twice, 1) => "the slot in the repeated time comes twice".to_owned(),
        (Effect::Twice, n) => format!("the {n} slots in the repeated time come twice"),
        (Effect::AtTheJump, _) => "the slot in the skipped time comes at that moment".to_owned(),
        (Effect::Together, n) => format!("{n} slots, up to that moment, become one"),
        (Effect::FirstOfTwo, _) => return None,
    })
}
