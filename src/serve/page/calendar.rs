//! A job's calendar: its last days by weeks, as people of its zone count them, each slot with its outcome in colour, sign and text.
//!
//! Decided here: when a day shows its slots one by one, and when as one.

use super::{
    asked::{below, link},
    frame::look,
};
use crate::{
    domain::{
        policy::Job,
        prose::{stamp, visible},
        run::Grade,
    },
    ledger::report::{Calendar, Tally},
};
use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};
use maud::{Markup, html};
use serde::Serialize;
use std::collections::BTreeMap;

/// So many days it tells.
pub(super) const DAYS: i64 = 30;
/// So many slots of a day are told one by one.
const ONE_BY_ONE: usize = 3;
const WEEK: [(&str, &str); 7] =
    [("Mon", "Monday"), ("Tue", "Tuesday"), ("Wed", "Wednesday"), ("Thu", "Thursday"), ("Fri", "Friday"), ("Sat", "Saturday"), ("Sun", "Sunday")];

/// One slot, as programs read it.
#[derive(Serialize)]
pub(super) struct SlotLine<'a> {
    slot: String,
    slot_local: String,
    states: &'a Tally,
}

/// The slots, oldest first, as programs read them.
pub(super) fn lines<'a>(job: &Job, calendar: &'a Calendar) -> Vec<SlotLine<'a>> {
    calendar.slots.iter().map(|(slot, states)| SlotLine { slot: stamp(*slot), slot_local: job.schedule.local(*slot), states }).collect()
}

/// One or several slots of a day.
struct Cell {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// `02:30`, or how many slots there are.
    name: String,
    tally: Tally,
}

pub(super) fn table(job: &Job, calendar: &Calendar, now: DateTime<Utc>) -> Markup {
    let days = days(job, calendar);
    let today = date(job, now);
    let first = date(job, calendar.since).min(days.keys().next().copied().unwrap_or(today));
    let monday = first.checked_sub_days(Days::new(first.weekday().num_days_from_monday().into())).unwrap_or(first);
    let weeks: Vec<NaiveDate> = monday.iter_days().step_by(7).take_while(|week| *week <= today).take(7).collect();
    html! {
        table.calendar {
            caption {
                "The slots of the last " ((today - first).num_days() + 1) " days, by days in " (visible(job.schedule.zone()))
                @if (today - first).num_days() + 1 < DAYS { "; a job with so many runs shows fewer days" }
            }
            thead { tr { @for (short, whole) in WEEK { th scope="col" abbr=(whole) { (short) } } } }
            tbody {
                @for week in weeks {
                    tr { @for day in week.iter_days().take(7) { (cells(job, day, (first..=today).contains(&day), day == today, days.get(&day))) } }
                }
            }
        }
    }
}

fn cells(job: &Job, day: NaiveDate, told: bool, today: bool, cells: Option<&Vec<Cell>>) -> Markup {
    html! {
        td.outside[!told].today[today] {
            @if told {
                span.day { time datetime=(day) { (day.day()) @if day.day() == 1 || today { " " (day.format("%b")) } } @if today { span.unseen { ", today" } } }
                @for cell in cells.into_iter().flatten() { (one(job, day, cell)) }
                @if cells.is_none() { span.unseen { "no slot" } }
            }
        }
    }
}

fn one(job: &Job, day: NaiveDate, cell: &Cell) -> Markup {
    let (class, sign) = look(Calendar::grade(&cell.tally).unwrap_or(Grade::Open));
    let (all, good): (u64, u64) =
        cell.tally.iter().fold((0, 0), |(all, good), (state, count)| (all + count, good + if Grade::of(state) == Grade::Good { *count } else { 0 }));
    // Runs of one slot, from its first instant up to the one after its last.
    let until = stamp(cell.to + TimeDelta::seconds(1));
    let to = link("/runs", [("job", job.name.as_str()), ("since", stamp(cell.from).as_str()), ("until", until.as_str())]);
    let said: Vec<String> = cell.tally.iter().map(|(state, count)| format!("{count} {}", visible(&state.replace('_', " ")))).collect();
    let said = said.join(", ");
    html! {
        a class={ "cell " (class) } href=(to) title={ (day) " " (cell.name) ": " (said) } {
            span.at { (cell.name) }
            span.sign aria-hidden="true" { (sign) }
            span.sum aria-hidden="true" { @if all > 1 { (good) "/" (all) } }
            span.unseen { ": " (said) }
        }
    }
}

/// The slots by the days of the job's zone.
fn days(job: &Job, calendar: &Calendar) -> BTreeMap<NaiveDate, Vec<Cell>> {
    let mut days: BTreeMap<NaiveDate, Vec<Cell>> = BTreeMap::new();
    for (slot, tally) in &calendar.slots {
        let clock = job.schedule.local(*slot).get(11..16).unwrap_or_default().to_owned();
        days.entry(date(job, *slot)).or_default().push(Cell { from: *slot, to: *slot, name: clock, tally: tally.clone() });
    }
    for cells in days.values_mut().filter(|cells| cells.len() > ONE_BY_ONE) {
        let name = format!("{} slots", cells.len());
        let whole = cells.drain(..).reduce(|mut whole, cell| {
            whole.to = cell.to;
            for (state, count) in cell.tally {
                *whole.tally.entry(state).or_default() += count;
            }
            whole
        });
        cells.extend(whole.map(|whole| Cell { name, ..whole }));
    }
    days
}

fn date(job: &Job, t: DateTime<Utc>) -> NaiveDate {
    job.schedule.local(t).get(..10).and_then(|date| date.parse().ok()).unwrap_or_else(|| t.date_naive())
}

/// What the signs mean.
pub(super) fn legend() -> Markup {
    let kinds = [
        (Grade::Good, "a good backup"),
        (Grade::Bad, "at least one ended without"),
        (Grade::Unsure, "nobody knows"),
        (Grade::OnPurpose, "none on purpose"),
        (Grade::Open, "still open"),
    ];
    html! {
        ul.legend aria-label="What the signs mean" {
            @for (grade, says) in kinds {
                @let (class, sign) = look(grade);
                li { span class={ "badge " (class) } { (sign) } " " (says) }
            }
        }
    }
}

/// The page of the job that this is of.
pub(super) fn path(job: &Job) -> String {
    below("/jobs", job.name.as_str())
}
