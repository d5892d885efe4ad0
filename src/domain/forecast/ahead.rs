//! The slots of a policy's jobs in a time that is ahead: listed once for every schedule, and where that would be too many, asked for one by one.

use crate::domain::{
    policy::{Job, Policy},
    schedule::Schedule,
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    cell::{Cell, OnceCell},
    collections::{BTreeMap, BTreeSet, HashMap},
};

/// Slots that are listed of all schedules together, as far as each has its least.
const MOST_LISTED: usize = 400_000;
/// The least and the most that are listed of one: a year of days, and a year of hours.
const LISTED: (usize, usize) = (420, 10_000);
/// Times that a schedule is asked for a slot beyond those that are listed.
const MOST_ASKED: usize = 100_000;

/// The slots of every job in `(from, until]`.
pub struct Ahead<'a> {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    most: usize,
    known: HashMap<(&'a str, &'a str), OnceCell<Known>>,
    /// How often a schedule may still be asked.
    asks: Cell<usize>,
}

/// What is listed of one schedule.
struct Known {
    slots: Vec<DateTime<Utc>>,
    /// Up to here nothing is left out.
    listed_until: DateTime<Utc>,
}

impl<'a> Ahead<'a> {
    /// Nothing is listed before it is asked for.
    pub fn of(policy: &'a Policy, from: DateTime<Utc>, until: DateTime<Utc>) -> Self {
        let known: HashMap<_, _> = policy.jobs.iter().map(|job| (key(&job.schedule), OnceCell::new())).collect();
        let most = (MOST_LISTED / known.len().max(1)).clamp(LISTED.0, LISTED.1);
        Self { from, until, most, known, asks: Cell::new(MOST_ASKED) }
    }

    /// A slot of `seldom` and one of `often` that are nearest to each other among those that may meet: how far that of `often` may lie before and
    /// after the other, both exclusive.
    pub fn first_meeting(&self, seldom: &'a Job, often: &'a Job, before: TimeDelta, after: TimeDelta) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let (seldom, known) = (self.known(&seldom.schedule)?, self.known(&often.schedule)?);
        let mut later = known.slots.as_slice();
        seldom.slots.iter().find_map(|at| {
            let (least, most) = (at.checked_sub_signed(before)?, at.checked_add_signed(after)?);
            // Both are in order, so that all steps together are no more than there are slots.
            later = later.get(later.iter().take_while(|slot| **slot <= least).count()..).unwrap_or_default();
            let listed = later.iter().copied().take_while(|slot| *slot < most).min_by_key(|slot| (*slot - *at).abs());
            let beyond =
                || (most > known.listed_until && self.may_ask()).then(|| often.schedule.slots_between(least, most - TimeDelta::milliseconds(1)));
            let near = listed.or_else(|| beyond()?.take(self.most).min_by_key(|slot| (*slot - *at).abs()))?;
            Some((*at, near))
        })
    }

    /// How many slots of the job are listed.
    pub fn listed(&self, job: &'a Job) -> usize {
        self.known(&job.schedule).map_or(0, |known| known.slots.len())
    }

    /// At which instants which of these jobs have a slot, by their place in `jobs`.
    pub(super) fn instants(&self, jobs: &[&'a Job]) -> BTreeMap<DateTime<Utc>, Vec<usize>> {
        let mut of_schedules: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
        for (place, job) in jobs.iter().enumerate() {
            of_schedules.entry(key(&job.schedule)).or_default().push(place);
        }
        let mut instants: BTreeMap<DateTime<Utc>, Vec<usize>> = BTreeMap::new();
        let of_schedules: Vec<_> = of_schedules.into_values().filter_map(|places| Some((jobs.get(*places.first()?)?, places))).collect();
        for (job, places) in &of_schedules {
            for slot in self.known(&job.schedule).into_iter().flat_map(|known| &known.slots) {
                instants.entry(*slot).or_default().extend(places);
            }
        }
        let all: BTreeSet<DateTime<Utc>> = instants.keys().copied().collect();
        for (job, places) in &of_schedules {
            let Some(known) = self.known(&job.schedule).filter(|known| known.listed_until < self.until) else { continue };
            let beyond = all.range(known.listed_until + TimeDelta::milliseconds(1)..).copied().collect();
            for slot in shared(&job.schedule, &beyond).take_while(|_| self.may_ask()) {
                instants.entry(slot).or_default().extend(places);
            }
        }
        for places in instants.values_mut() {
            places.sort_unstable();
        }
        instants
    }

    fn may_ask(&self) -> bool {
        let left = self.asks.get();
        self.asks.set(left.saturating_sub(1));
        left > 0
    }

    fn known(&self, schedule: &'a Schedule) -> Option<&Known> {
        let list = || {
            let mut slots: Vec<_> = schedule.slots_between(self.from, self.until).take(self.most).collect();
            let listed_until = slots.last().copied().filter(|_| slots.len() == self.most).unwrap_or(self.until);
            // One that comes later than all that is looked at, such as on a leap day.
            if slots.is_empty() {
                slots.extend(schedule.next_after(self.until));
            }
            Known { slots, listed_until }
        };
        self.known.get(&key(schedule)).map(|known| known.get_or_init(list))
    }
}

fn key(schedule: &Schedule) -> (&str, &str) {
    (schedule.text(), schedule.zone())
}

/// Those of the instants that are slots of the schedule. Costs as many steps as the fewer of both.
pub(super) fn shared<'a>(schedule: &'a Schedule, instants: &'a BTreeSet<DateTime<Utc>>) -> impl Iterator<Item = DateTime<Utc>> + 'a {
    let mut from = instants.first().copied();
    std::iter::from_fn(move || {
        while let Some(instant) = from {
            let next = schedule.next_after(instant - TimeDelta::milliseconds(1))?;
            from = instants.range(next.max(instant + TimeDelta::milliseconds(1))..).next().copied();
            if next == instant {
                return Some(instant);
            }
        }
        None
    })
}
