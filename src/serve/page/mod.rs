//! The page: what `status`, `history` and `show` print, for a browser.

use super::State;
use axum::{Router, routing::get};

/// What the page answers.
pub(super) fn routes() -> Router<State> {
    Router::new().route("/", get(|| async { "cdb-backupd works here; `cdb-backupd status` tells how it stands\n" }))
}
