//! What is open now: what was sent and has not ended, and what waits to be sent.

use super::{Item, Reader, query};
use crate::ledger::Error;

/// The open runs of one moment, as many as were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AtWork {
    /// What was sent and has not ended, the longest first.
    pub running: Vec<Item>,
    /// How many there are of those.
    pub running_count: u64,
    /// What is yet to be sent, the soonest first.
    pub waiting: Vec<Item>,
    /// How many there are of those.
    pub waiting_count: u64,
}

impl Reader {
    /// The open runs, at most `most` of either kind.
    pub fn at_work(&self, most: u32) -> Result<AtWork, Error> {
        let _moment = self.conn.unchecked_transaction()?;
        let count = |sql: &str| Ok::<_, Error>(self.conn.query_row(sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs());
        Ok(AtWork {
            running: self.items(query::IN_FLIGHT, most)?,
            running_count: count(query::IN_FLIGHT_COUNT)?,
            waiting: self.items(query::WAITING, most)?,
            waiting_count: count(query::WAITING_COUNT)?,
        })
    }

    fn items(&self, from: &str, most: u32) -> Result<Vec<Item>, Error> {
        let mut statement = self.conn.prepare(&format!("SELECT {} FROM {from}", query::ITEM))?;
        let (mut rows, mut items) = (statement.query([most])?, Vec::new());
        while let Some(row) = rows.next()? {
            items.push(self.item(row)?);
        }
        Ok(items)
    }
}
