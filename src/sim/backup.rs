//! One backup's life, laid out when it is made: when it acts, shows, ends and goes is a matter of comparing times.

use super::{
    call::{CreateAsk, Row},
    cloud::{Fate, Moment},
    faults::Fault,
    settings::{Settings, SimInstance},
};
use crate::domain::names::BackupId;
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// One backup. Times without a zone count from the cloud's start.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub id: BackupId,
    /// Absent for automatic ones.
    pub by_hand: Option<ByHand>,
    /// How it was made.
    pub kind: &'static str,
    /// How it is listed.
    pub listed_kind: &'static str,
    pub started: DateTime<Utc>,
    pub begins: Duration,
    pub ends: Duration,
    /// Whether it ends SUCCESS.
    pub good: bool,
    /// Absent: never.
    pub listed_from: Option<Duration>,
    /// Since when somebody has seen it in a list.
    pub seen: Option<Duration>,
    /// How long after it was both seen and over it is deleted.
    pub deleted_after: Option<Duration>,
    pub deleted: Option<Duration>,
    pub odd_status: bool,
    pub bytes: i64,
}

/// What only a manual backup has.
#[derive(Clone, Debug, Default)]
pub(super) struct ByHand {
    pub alias: String,
    pub partial: bool,
    pub encrypted: bool,
}

/// The method as a word that lives for ever.
fn word(method: &str) -> &'static str {
    ["physical", "logical", "snapshot"].into_iter().find(|w| *w == method).unwrap_or("physical")
}

impl Made {
    /// A manual backup that begins now. One that `lacks` a table it was asked for ends FAILED (README §7.3).
    pub(super) fn by_hand(id: i64, create: &CreateAsk, lacks: bool, settings: &Settings, fate: &mut Fate, moment: Moment) -> Self {
        let takes = fate.stream.within(&settings.durations);
        let lag = fate.stream.within(&settings.list_lag);
        let takes = fate.duration(Fault::BackupTakes).unwrap_or(takes);
        let lag = fate.duration(Fault::ListsLate).unwrap_or(lag);
        let kind = word(&create.method);
        let other = if kind == "physical" { "logical" } else { "physical" };
        Self {
            id: BackupId(id),
            by_hand: Some(ByHand { alias: create.alias.clone(), partial: !create.tables.is_empty(), encrypted: create.encrypted.unwrap_or(false) }),
            kind,
            listed_kind: if fate.has(&Fault::WrongTypeListed) { other } else { kind },
            started: moment.wall,
            begins: moment.at,
            ends: moment.at.saturating_add(takes),
            good: !lacks && !fate.has(&Fault::BackupFails),
            listed_from: (!fate.has(&Fault::NeverListed)).then_some(moment.at.saturating_add(lag)),
            seen: None,
            deleted_after: fate.duration(Fault::Deleted),
            deleted: None,
            odd_status: fate.has(&Fault::UnknownStatus),
            bytes: 1_000_000 + i64::try_from(fate.stream.bits() % 1_000_000_000).unwrap_or_default(),
        }
    }

    /// One of the instance's own.
    pub(super) fn automatic(id: i64, of: &SimInstance, begins: Duration, lasts: Duration, started: DateTime<Utc>) -> Self {
        let kind = of.edition.automatic();
        Self {
            id: BackupId(id),
            by_hand: None,
            kind,
            listed_kind: kind,
            started,
            begins,
            ends: begins.saturating_add(lasts),
            good: true,
            listed_from: Some(begins),
            seen: None,
            deleted_after: None,
            deleted: None,
            odd_status: false,
            bytes: 1_000_000 + id % 1_000_000,
        }
    }

    /// The same request's first try inside the cloud: same name, FAILED at once.
    pub(super) fn failed_twin(&self) -> Self {
        Self { ends: self.begins, good: false, deleted_after: None, odd_status: false, ..self.clone() }
    }

    /// Whether it keeps the instance busy.
    pub(super) fn runs(&self, at: Duration) -> bool {
        self.begins <= at && at < self.ends
    }

    /// Whether a list made now shows it.
    pub(super) fn shows(&self, at: Duration) -> bool {
        self.listed_from.is_some_and(|from| from <= at) && self.deleted.is_none_or(|deleted| at < deleted)
    }

    /// Takes note that a list shows it; the fault `deleted` counts from here.
    pub(super) fn see(&mut self, at: Duration) {
        self.seen.get_or_insert(at);
        if let (Some(after), None) = (self.deleted_after, self.deleted) {
            self.deleted = Some(at.max(self.ends).saturating_add(after));
        }
    }

    /// `Status` now.
    pub(super) fn status(&self, at: Duration) -> &'static str {
        match (at < self.ends, self.odd_status, self.good) {
            (true, true, _) => "CHECKING",
            (true, false, _) => "RUNNING",
            (false, _, true) => "SUCCESS",
            (false, _, false) => "FAILED",
        }
    }

    /// As a list shows it.
    pub(super) fn row(&self, of: &SimInstance, at: Duration) -> Row {
        let over = at >= self.ends;
        let took = TimeDelta::from_std(self.ends.saturating_sub(self.begins)).unwrap_or_default();
        let hand = self.by_hand.clone().unwrap_or_default();
        Row {
            id: self.id,
            instance: of.id.clone(),
            region: of.region.clone(),
            status: self.status(at),
            manual: self.by_hand.is_some(),
            kind: self.listed_kind.into(),
            partial: hand.partial,
            alias: hand.alias,
            started: self.started,
            finished: over.then(|| self.started + took),
            bytes: if over && self.good { self.bytes } else { 0 },
            encrypted: hand.encrypted,
        }
    }
}
