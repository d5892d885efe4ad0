//! What people read of a ledger: `history` and `show`, over one ledger with a dozen different ends.

mod books;
mod look;
mod open;
mod select;
mod show;
