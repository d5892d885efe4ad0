//! What a command that acts reads back: the answer to its request, how its runs go, and what is paused.

use super::{Item, Reader};
use crate::{
    domain::{
        names::RunId,
        pause::Pause,
        request::Answer,
        run::{Outcome, State},
    },
    ledger::{Error, pauses::pauses_of},
};
use chrono::{DateTime, Utc};
use rusqlite::OptionalExtension;

/// How a run goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// As `history` tells it.
    pub item: Item,
    /// Whether it has ended.
    pub is_final: bool,
    /// Whether a good backup exists.
    pub is_good: bool,
}

impl Reader {
    /// The daemon's answer to a request; none while there is none.
    pub fn answer(&self, request: i64) -> Result<Option<Answer>, Error> {
        let mut answer = self.conn.prepare_cached("SELECT answer FROM requests WHERE request_id = ?1")?;
        let text: Option<Option<String>> = answer.query_row([request], |row| row.get(0)).optional()?;
        let read = |text: String| serde_json::from_str(&text).map_err(|error| Error::Row(format!("the answer to request {request}: {error}")));
        text.flatten().map(read).transpose()
    }

    /// How runs go, in the order asked for; those that exist.
    pub fn progress(&self, runs: &[RunId]) -> Result<Vec<Progress>, Error> {
        let mut all = Vec::with_capacity(runs.len());
        for id in runs {
            let (Some(item), Some(run)) = (self.item_of(*id)?, self.whole(id.0)?) else { continue };
            let is_good = matches!(&run.state, State::Closed(closed) if closed.outcome == Outcome::Succeeded);
            all.push(Progress { item, is_final: run.is_closed(), is_good });
        }
        Ok(all)
    }

    /// Who asked for it, and why.
    pub fn asker(&self, request: i64) -> Result<Option<(String, Option<String>)>, Error> {
        let mut asker = self.conn.prepare_cached("SELECT who, reason FROM requests WHERE request_id = ?1")?;
        Ok(asker.query_row([request], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }

    /// Pauses that hold at `now`, oldest first.
    pub fn pauses(&self, now: DateTime<Utc>) -> Result<Vec<Pause>, Error> {
        pauses_of(&self.conn, now)
    }
}
