//! Where civil times fall: a zone's clock, cut into pieces in which it runs evenly.
//!
//! The rule for nights on which the clock changes is decided here, once, for enumerating as for counting. A schedule that follows elapsed time has
//! a slot whenever the clock shows a time of its pattern. For any other, a civil time's slot is **the first instant at which the clock shows it or a
//! later time**: in a gap that is the jump, in a repeated hour the first of the two, and times that fall on one instant are one slot.

use jiff::{Timestamp, tz::TimeZone};
use std::ops::Range;

/// No clock has ever been put back by more; so far back begins what the clock has already shown.
const LOOK_BACK: i64 = 2 * super::cron::DAY;

/// Civil times that follow each other, and where they fall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) civil: Range<i64>,
    pub(super) placing: Placing,
}

/// Where the civil times of a piece fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placing {
    /// Each on its own instant: so many seconds before it, counted as if the civil time were UTC.
    Even {
        /// East of Greenwich.
        offset: i64,
    },
    /// All on the instant of a jump.
    Jump {
        /// In seconds since 1970 UTC.
        at: i64,
    },
}

/// The pieces whose instants lie in `(after, until]`, in order. Instants are seconds since 1970 UTC.
pub(super) struct Pieces<'a> {
    tz: &'a TimeZone,
    follows_elapsed_time: bool,
    after: i64,
    until: i64,
    /// Where the next stretch without a change begins; absent after the last.
    from: Option<i64>,
    /// What the clock has shown before `from`, exclusive.
    shown: Option<i64>,
    /// The even piece of a stretch that began with a jump.
    waiting: Option<Piece>,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(tz: &'a TimeZone, follows_elapsed_time: bool, after: i64, until: i64) -> Self {
        Self { tz, follows_elapsed_time, after, until, from: Some(after - LOOK_BACK), shown: None, waiting: None }
    }

    /// The next stretch: the piece at its jump if there is one, and its even piece. Either may be empty.
    fn stretch(&mut self, from: i64) -> Option<(Option<Piece>, Piece)> {
        let begin = Timestamp::from_second(from).ok()?;
        let offset = i64::from(self.tz.to_offset(begin).seconds());
        let change = self.tz.following(begin).map(|change| change.timestamp().as_second()).find(|change| *change > from);
        self.from = change;
        let end = change.unwrap_or(i64::MAX).min(self.until + 1);
        // What lies up to `after` is cut off, so that it need not be enumerated.
        let begin = from.max(self.after + 1) + offset;
        let even = |civil_from: i64| Piece { civil: civil_from..(end + offset).max(civil_from), placing: Placing::Even { offset } };
        if self.follows_elapsed_time {
            return Some((None, even(begin)));
        }
        let shown = self.shown.unwrap_or(from + offset);
        self.shown = Some(shown.max(end + offset));
        let first = from + offset;
        if first <= shown {
            return Some((None, even(begin.max(shown))));
        }
        let jump = (from > self.after).then(|| Piece { civil: shown..first + 1, placing: Placing::Jump { at: from } });
        Some((jump, even(begin.max(first + 1))))
    }
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    /// Each turn but the last uses up one change of the zone's clock.
    fn next(&mut self) -> Option<Piece> {
        if let Some(piece) = self.waiting.take() {
            return Some(piece);
        }
        loop {
            let from = self.from.filter(|from| *from <= self.until)?;
            let (jump, even) = self.stretch(from)?;
            let even = Some(even).filter(|piece| !piece.civil.is_empty());
            if let Some(jump) = jump {
                self.waiting = even;
                return Some(jump);
            }
            if even.is_some() {
                return even;
            }
        }
    }
}
