//! (a) The boundaries that come before the first hook can be set: a daemon that dies while it makes its ledger leaves one of these behind.

use anyhow::{Context, ensure};
use cdb_backupd::{
    clock::{Clock, SystemClock},
    domain::run::Restored,
    ledger::{Error, Ledger, Opened},
};
use rusqlite::Connection;
use std::{fs, path::Path, time::Duration};

/// No child takes longer from its fork to its exec.
const TO_EXEC: Duration = Duration::from_secs(10);

/// What is left of a ledger that was being made.
type Leave = fn(&Path, &Path) -> anyhow::Result<()>;

/// In the order in which a first start writes.
const LEFT: [(&str, Leave); 6] = [
    ("the lock file is made", |ledger, lock| {
        fs::remove_file(ledger)?;
        Ok(fs::write(lock, "")?)
    }),
    ("the file is made", |ledger, lock| {
        fs::write(ledger, "")?;
        Ok(fs::write(lock, "")?)
    }),
    ("its journal is chosen", |ledger, lock| {
        fs::write(ledger, "")?;
        Connection::open(ledger)?.pragma_update(None, "journal_mode", "WAL")?;
        Ok(fs::write(lock, "")?)
    }),
    ("its tables are made", |ledger, lock| {
        Connection::open(ledger)?.execute_batch("DELETE FROM meta; DELETE FROM sqlite_sequence;")?;
        Ok(fs::write(lock, "")?)
    }),
    ("it has its id", |_, lock| Ok(fs::write(lock, "")?)),
    ("half of its mark is written", |_, lock| {
        let mark = fs::read(lock)?;
        Ok(fs::write(lock, mark.split_at(mark.len() / 2).0)?)
    }),
];

/// The next start finishes it, takes it for no copy, and the start after that finds the same ledger.
pub(crate) async fn every() -> anyhow::Result<()> {
    for (died_when, leave) in LEFT {
        let folder = tempfile::tempdir()?;
        let (ledger, lock) = (folder.path().join("ledger.db"), folder.path().join("ledger.db.lock"));
        drop(opened(&ledger, "first").await?);
        leave(&ledger, &lock).context(died_when)?;
        let next = opened(&ledger, "second").await.context(died_when)?;
        ensure!(!next.put_back && next.ledger.restored() == Restored::Never, "{died_when}: it is taken for a copy");
        let id = next.ledger.id().to_owned();
        drop(next);
        let after = opened(&ledger, "third").await.context(died_when)?;
        ensure!(!after.put_back && after.ledger.id() == id, "{died_when}: {id} becomes {}", after.ledger.id());
    }
    Ok(())
}

/// A child of another test holds this process's locks between its fork and its exec, so the lock is waited for.
async fn opened(ledger: &Path, fresh_id: &str) -> anyhow::Result<Opened> {
    let clock = SystemClock::new();
    loop {
        match Ledger::open(ledger, fresh_id, clock.now().utc) {
            Err(Error::Locked(_)) if clock.now().mono < TO_EXEC => clock.sleep(Duration::from_millis(5)).await,
            opened => return Ok(opened?),
        }
    }
}
