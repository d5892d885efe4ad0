//! What people read of a ledger: `history` and `show`, over one ledger with a dozen different ends.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails its test")]

mod books;
mod explain;
mod look;
mod open;
mod select;
mod show;
mod status;
mod watch;
mod which;
