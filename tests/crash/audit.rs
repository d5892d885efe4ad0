//! The audit: what the ledger says against what the cloud made. It reads the ledger's tables itself and believes neither side.

use crate::night::Night;
use cdb_backupd::domain::{alias::generation_of, run::Outcome};
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::{
    collections::BTreeSet,
    fmt,
    ops::{Add, AddAssign},
    path::Path,
    time::Duration,
};

/// One row of `runs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) run: i64,
    pub(crate) job: String,
    pub(crate) instance: String,
    pub(crate) slot_ms: i64,
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    pub(crate) generation: i64,
    pub(crate) attempts: i64,
    pub(crate) alias: String,
    pub(crate) backup: Option<i64>,
}

impl Row {
    /// Whether it has ended.
    pub(crate) fn is_final(&self) -> bool {
        Outcome::ALL.iter().any(|outcome| outcome.word() == self.state)
    }

    /// Whether it ended with a good backup.
    pub(crate) fn is_good(&self) -> bool {
        self.state == Outcome::Succeeded.word()
    }
}

/// Opens a ledger to read it; none while there is none, or one without tables.
pub(crate) fn open(ledger: &Path) -> rusqlite::Result<Option<Connection>> {
    if !ledger.exists() {
        return Ok(None);
    }
    let conn = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.busy_timeout(Duration::from_secs(10))?;
    let made = conn.query_row("SELECT 1 FROM sqlite_master WHERE name = 'heartbeat'", [], |_| Ok(())).optional()?;
    Ok(made.map(|()| conn))
}

/// Every row of a ledger, oldest first.
pub(crate) fn rows(ledger: &Path) -> rusqlite::Result<Vec<Row>> {
    let Some(conn) = open(ledger)? else { return Ok(Vec::new()) };
    let mut all = conn.prepare(
        "SELECT run_id, job, instance_id, slot_ms, state, reason, generation, attempts, alias, backup_id FROM runs ORDER BY slot_ms, run_id",
    )?;
    let rows = all.query_map([], |row| {
        Ok(Row {
            run: row.get(0)?,
            job: row.get(1)?,
            instance: row.get(2)?,
            slot_ms: row.get(3)?,
            state: row.get(4)?,
            reason: row.get(5)?,
            generation: row.get(6)?,
            attempts: row.get(7)?,
            alias: row.get(8)?,
            backup: row.get(9)?,
        })
    })?;
    rows.collect()
}

/// Whether a policy is in force: from then on every slot of it is owed.
pub(crate) fn in_force(ledger: &Path) -> rusqlite::Result<bool> {
    let Some(conn) = open(ledger)? else { return Ok(false) };
    conn.query_row("SELECT count(*) FROM policies", [], |row| row.get::<_, i64>(0)).map(|policies| policies > 0)
}

/// Whose the ledger's pulse is: a daemon that has made its first pass, and so hears signals.
pub(crate) fn pulse(ledger: &Path) -> rusqlite::Result<Option<u32>> {
    let Some(conn) = open(ledger)? else { return Ok(None) };
    conn.query_row("SELECT pid FROM heartbeat", [], |row| row.get(0)).optional()
}

/// What was found, of one night or of many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// How often a daemon was killed.
    pub(crate) kills: usize,
    /// Slots that were owed.
    pub(crate) slots: usize,
    /// Rows that have ended.
    pub(crate) finals: usize,
    /// Of these, with a good backup.
    pub(crate) good: usize,
    /// Rows that no slot asked for, and aliases with two backups that did not fail.
    pub(crate) doubled: usize,
    /// Slots without a final row, backups that the ledger does not know, and successes without a backup.
    pub(crate) lost: usize,
    /// The most creates in any second.
    pub(crate) peak: u32,
}

impl Found {
    /// Compares a night's ledger with its cloud.
    pub(crate) fn of(night: &Night, kills: usize) -> anyhow::Result<Self> {
        let (rows, cloud) = (rows(&night.ledger())?, night.cloud.audit());
        let known = known(&night.ledger())?;
        let ended: BTreeSet<_> = rows.iter().filter(|row| row.is_final()).map(slot_of).collect();
        let made: Vec<_> = cloud.backups.iter().filter(|backup| !backup.alias.is_empty()).collect();
        let unknown = made.iter().filter(|backup| {
            let of_a_row = rows.iter().any(|row| row.instance == backup.instance && generation_of(&row.alias, &backup.alias).is_some());
            !of_a_row || !known.contains(&(backup.instance.clone(), backup.id.0))
        });
        let hollow = rows.iter().filter(|row| row.is_good()).filter(|row| {
            let is_its = |id: i64, alias: &str| Some(id) == row.backup && generation_of(&row.alias, alias).is_some();
            !made.iter().any(|backup| !backup.fails && backup.instance == row.instance && is_its(backup.id.0, &backup.alias))
        });
        let unasked = rows.len() - rows.iter().map(slot_of).filter(|slot| night.slots.contains(slot)).collect::<BTreeSet<_>>().len();
        Ok(Self {
            kills,
            slots: night.slots.len(),
            finals: rows.iter().filter(|row| row.is_final()).count(),
            good: rows.iter().filter(|row| row.is_good()).count(),
            doubled: cloud.doubled.len() + unasked,
            lost: night.slots.difference(&ended).count() + unknown.count() + hollow.count(),
            peak: cloud.peak_creates(),
        })
    }

    /// Whether the promise was kept.
    pub(crate) fn holds(&self) -> bool {
        self.slots > 0 && self.finals == self.slots && self.doubled == 0 && self.lost == 0 && self.peak <= 5
    }
}

fn slot_of(row: &Row) -> (String, String, i64) {
    (row.job.clone(), row.instance.clone(), row.slot_ms)
}

fn known(ledger: &Path) -> rusqlite::Result<BTreeSet<(String, i64)>> {
    let Some(conn) = open(ledger)? else { return Ok(BTreeSet::new()) };
    let mut all = conn.prepare("SELECT instance_id, backup_id FROM backups")?;
    all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

impl Add for Found {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            kills: self.kills + other.kills,
            slots: self.slots + other.slots,
            finals: self.finals + other.finals,
            good: self.good + other.good,
            doubled: self.doubled + other.doubled,
            lost: self.lost + other.lost,
            peak: self.peak.max(other.peak),
        }
    }
}

impl AddAssign for Found {
    fn add_assign(&mut self, other: Self) {
        *self = self.clone() + other;
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, slots, finals, good, doubled, lost, peak } = self;
        write!(f, "kills {kills}, slots {slots}, final rows {finals} ({good} good), doubled {doubled}, lost {lost}, most creates in a second {peak}")
    }
}
