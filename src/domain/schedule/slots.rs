//! Slots from a calendar and the pieces of a zone's clock: one by one, or counted without enumerating them.

use super::{
    cron::Calendar,
    place::{Pieces, Placing},
};

/// Slots in seconds since 1970 UTC, strictly increasing.
pub(super) struct Slots<'a> {
    calendar: &'a Calendar,
    pieces: Pieces<'a>,
    piece: Option<super::place::Piece>,
    /// From where the piece is still to be searched, in civil time.
    from: i64,
    /// A search's beginning and what it found: one far away is not sought again for every piece before it.
    found: Option<(i64, i64)>,
}

impl<'a> Slots<'a> {
    pub(super) fn new(calendar: &'a Calendar, pieces: Pieces<'a>) -> Self {
        Self { calendar, pieces, piece: None, from: 0, found: None }
    }

    fn next_civil(&mut self) -> Option<i64> {
        if let Some((searched, found)) = self.found
            && (searched..=found).contains(&self.from)
        {
            return Some(found);
        }
        let found = self.calendar.next(self.from)?;
        self.found = Some((self.from, found));
        Some(found)
    }
}

impl Iterator for Slots<'_> {
    type Item = i64;

    /// Each turn but the last uses up a piece.
    fn next(&mut self) -> Option<i64> {
        loop {
            let piece = match self.piece.take() {
                Some(piece) => piece,
                None => {
                    let piece = self.pieces.next()?;
                    self.from = piece.civil.start;
                    piece
                }
            };
            let civil = self.next_civil()?;
            if civil >= piece.civil.end {
                continue;
            }
            return Some(match piece.placing {
                Placing::Jump { at } => at,
                Placing::Even { offset } => {
                    self.from = civil + 1;
                    self.piece = Some(piece);
                    civil - offset
                }
            });
        }
    }
}

/// How many slots the pieces hold, and the last of them.
pub(super) fn count_and_last(calendar: &Calendar, pieces: Pieces<'_>) -> (u64, Option<i64>) {
    pieces.fold((0, None), |(count, last), piece| {
        let Some(civil) = calendar.last(&piece.civil) else { return (count, last) };
        match piece.placing {
            Placing::Jump { at } => (count + 1, Some(at)),
            Placing::Even { offset } => (count + calendar.count(&piece.civil), Some(civil - offset)),
        }
    })
}
