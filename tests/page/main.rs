//! The page over a real socket, behind the real door, over a ledger with a run of every kind: what it tells is what the commands tell, whatever the
//! texts in it are.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails its test")]

mod bounds;
mod browser;
mod chromium;
mod desk;
mod inert;
mod same;
mod ways;
