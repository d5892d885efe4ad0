//! The slots of a job's last days, and how each went over its instances.
//!
//! Decided here: how far back a calendar reaches. It is bounded by what it reads, so that a job of ten thousand instances gets fewer days, and never a
//! slow page. Good runs, which are nearly all, are counted in an index alone.

use super::{Reader, query};
use crate::{
    domain::{policy::Job, run::Grade},
    ledger::{
        Error,
        row::{instant, ms},
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{OptionalExtension, params};
use std::collections::BTreeMap;

/// So many good runs are counted.
const GOOD_MAX: u64 = 60_000;
/// So many runs of each other state are read.
const OTHERS_MAX: u32 = 20_000;

/// How the runs of one slot went: how many stand in each state.
pub type Tally = BTreeMap<String, u64>;

/// The slots of a job since a day, as far as they have rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// It tells all there is from here on.
    pub since: DateTime<Utc>,
    /// The slots, oldest first.
    pub slots: BTreeMap<DateTime<Utc>, Tally>,
}

impl Calendar {
    fn add(&mut self, slot_ms: i64, state: &str) {
        let tally = self.slots.entry(instant(slot_ms)).or_default();
        match tally.get_mut(state) {
            Some(count) => *count += 1,
            None => drop(tally.insert(state.to_owned(), 1)),
        }
    }

    /// The worst that a slot's runs came to.
    pub fn grade(tally: &Tally) -> Option<Grade> {
        tally.keys().map(|state| Grade::of(state)).max()
    }
}

impl Reader {
    /// The slots of `job` in `[since, until)`, from later on when there are too many.
    pub fn calendar(&self, job: &Job, since: DateTime<Utc>, until: DateTime<Utc>) -> Result<Calendar, Error> {
        let _moment = self.conn.unchecked_transaction()?;
        let name = job.name.as_str();
        let instances = self.good_instances(name)?;
        let mut calendar = Calendar { since: affordable(job, instances.len(), since, until), slots: BTreeMap::new() };
        let good = query::GOOD;
        let mut slots = self.conn.prepare(query::GOOD_SLOTS)?;
        for instance in &instances {
            let mut rows = slots.query(params![name, instance, ms(calendar.since), ms(until)])?;
            while let Some(row) = rows.next()? {
                calendar.add(row.get(0)?, good);
            }
        }
        for state in query::NOT_OK {
            self.add_ended(&mut calendar, job, state, until)?;
        }
        self.add_ranges(&mut calendar, job, until)?;
        for sql in query::OPEN_SLOTS {
            let mut statement = self.conn.prepare(sql)?;
            let mut rows = statement.query([OTHERS_MAX])?;
            while let Some(row) = rows.next()? {
                let slot_ms: i64 = row.get(1)?;
                if row.get::<_, String>(0)? == name && slot_ms >= ms(calendar.since) && slot_ms < ms(until) {
                    calendar.add(slot_ms, &row.get::<_, String>(2)?);
                }
            }
        }
        let since = calendar.since;
        calendar.slots.retain(|slot, _| *slot >= since);
        Ok(calendar)
    }

    /// Instances that the job ever backed up well, whether the policy still has them or not.
    fn good_instances(&self, job: &str) -> Result<Vec<String>, Error> {
        let mut next = self.conn.prepare(query::NEXT_GOOD_INSTANCE)?;
        let mut found: Vec<String> = Vec::new();
        while let Some(instance) = next.query_row(params![job, found.last().map_or("", String::as_str)], |row| row.get(0)).optional()? {
            found.push(instance);
        }
        Ok(found)
    }

    /// Where more have ended so than are read, the calendar begins with the oldest that was.
    fn add_ended(&self, calendar: &mut Calendar, job: &Job, state: &str, until: DateTime<Utc>) -> Result<(), Error> {
        let mut statement = self.conn.prepare_cached(query::ENDED_IN)?;
        let mut rows = statement.query(params![state, ms(calendar.since), ms(until), OTHERS_MAX])?;
        let (mut count, mut oldest) = (0, ms(until));
        while let Some(row) = rows.next()? {
            count += 1;
            let (slot_ms, last_ms): (i64, i64) = (row.get(1)?, row.get(2)?);
            oldest = slot_ms;
            if row.get::<_, String>(0)? != job.name.as_str() {
                continue;
            }
            calendar.add(slot_ms, state);
            // A range of missed slots counts for each of them.
            for slot in job.schedule.slots_between(instant(slot_ms), instant(last_ms).min(until)) {
                calendar.add(ms(slot), state);
            }
        }
        if count == OTHERS_MAX {
            calendar.since = calendar.since.max(instant(oldest) + TimeDelta::milliseconds(1));
        }
        Ok(())
    }

    fn add_ranges(&self, calendar: &mut Calendar, job: &Job, until: DateTime<Utc>) -> Result<(), Error> {
        let mut statement = self.conn.prepare(query::RANGES_INTO)?;
        let mut rows = statement.query(params![job.name.as_str(), ms(calendar.since), OTHERS_MAX])?;
        while let Some(row) = rows.next()? {
            let state: String = row.get(0)?;
            let last = instant(row.get(1)?).min(until);
            let before = calendar.since - TimeDelta::milliseconds(1);
            for slot in job.schedule.slots_between(before, last) {
                calendar.add(ms(slot), &state);
            }
        }
        Ok(())
    }
}

/// From when on so many instances have no more good runs than are counted; the last day at least.
fn affordable(job: &Job, instances: usize, since: DateTime<Utc>, until: DateTime<Utc>) -> DateTime<Utc> {
    let instances = u64::try_from(instances).unwrap_or(u64::MAX);
    let days = (until - since).num_days();
    let fits = |days: i64| job.schedule.count_and_last(until - TimeDelta::days(days), until).0.saturating_mul(instances) <= GOOD_MAX;
    let afforded = (1..days).rev().find(|days| fits(*days)).unwrap_or(1);
    if days < 1 || fits(days) { since } else { until - TimeDelta::days(afforded) }
}
