//! What people hold: written with the request that asks for it, read by the loop and by `status`.

use super::{
    Error, Ledger,
    requests::answered,
    row::{instant, ms},
};
use crate::domain::{
    names::{InstanceId, JobName},
    pause::Pause,
    request::Answer,
    scope::Scope,
};
use chrono::{DateTime, Utc};
use rusqlite::{Connection, params};

/// What a pause meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// Runs that were sent, and go on.
    pub in_flight: u64,
    /// Runs that wait.
    pub waiting: u64,
    /// Of those, how many have a window that ends before the pause.
    pub closing: u64,
    /// When the first of these windows ends.
    pub first_end: Option<DateTime<Utc>>,
}

impl Ledger {
    /// Pauses that hold at `now`.
    pub fn pauses(&self, now: DateTime<Utc>) -> Result<Vec<Pause>, Error> {
        pauses_of(&self.conn, now)
    }

    /// Writes a pause.
    pub fn pause(&mut self, pause: &Pause, answer: &Answer, now: DateTime<Utc>) -> Result<(), Error> {
        let scope = serde_json::to_string(&pause.scope).map_err(|error| Error::Row(format!("a pause's scope: {error}")))?;
        self.in_one(|tx| {
            tx.execute(
                "INSERT INTO pauses (pause_id, scope, from_ms, until_ms, who, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
                params![pause.id, scope, ms(pause.from), pause.until.map(ms), pause.who, pause.reason],
            )?;
            answered(tx, pause.id, answer, now)
        })
    }

    /// Ends pauses.
    pub fn resume(&mut self, request: i64, pauses: &[i64], answer: &Answer, now: DateTime<Utc>) -> Result<(), Error> {
        self.in_one(|tx| {
            for pause in pauses {
                tx.execute("UPDATE pauses SET ended_at_ms = ?2 WHERE pause_id = ?1 AND ended_at_ms IS NULL", params![pause, ms(now)])?;
            }
            answered(tx, request, answer, now)
        })
    }

    /// What a pause up to `until` meets of the runs that `covers` says it is about.
    pub fn met(&self, until: Option<DateTime<Utc>>, covers: impl Fn(&JobName, &InstanceId) -> bool) -> Result<Met, Error> {
        let mut met = Met::default();
        let mut open = self.conn.prepare(
            "SELECT job, instance_id, state = 'due', start_by_ms FROM runs WHERE state = 'due'
             UNION ALL SELECT job, instance_id, 0, start_by_ms FROM runs WHERE finished_at_ms IS NULL AND state <> 'due'",
        )?;
        let mut rows = open.query([])?;
        while let Some(row) = rows.next()? {
            let (job, instance): (String, String) = (row.get(0)?, row.get(1)?);
            let (Ok(job), Ok(instance)) = (JobName::from_row(&job), InstanceId::parse(&instance)) else { continue };
            if !covers(&job, &instance) {
                continue;
            }
            if !row.get::<_, bool>(2)? {
                met.in_flight += 1;
                continue;
            }
            met.waiting += 1;
            let end = instant(row.get(3)?);
            if until.is_none_or(|until| end < until) {
                met.closing += 1;
                met.first_end = Some(met.first_end.map_or(end, |first| first.min(end)));
            }
        }
        Ok(met)
    }
}

/// Pauses that nobody has ended, and whose end has not come.
pub(super) fn pauses_of(conn: &Connection, now: DateTime<Utc>) -> Result<Vec<Pause>, Error> {
    let mut on = conn.prepare_cached(
        "SELECT pause_id, scope, from_ms, until_ms, who, reason FROM pauses
         WHERE ended_at_ms IS NULL AND (until_ms IS NULL OR until_ms > ?1) ORDER BY pause_id",
    )?;
    let rows = on.query_map([ms(now)], |row| {
        let scope: String = row.get(1)?;
        let until: Option<i64> = row.get(3)?;
        Ok((
            scope,
            Pause {
                id: row.get(0)?,
                scope: Scope::default(),
                from: instant(row.get(2)?),
                until: until.map(instant),
                who: row.get(4)?,
                reason: row.get(5)?,
            },
        ))
    })?;
    let read = |row: rusqlite::Result<(String, Pause)>| {
        let (scope, pause) = row?;
        // What cannot be read must not be taken for less than it says: it holds everything.
        Ok(Pause { scope: serde_json::from_str(&scope).unwrap_or_default(), ..pause })
    };
    rows.map(read).collect()
}
