//! `health`: whether the daemon of a ledger turns. For an image's health check and for people; no daemon is asked, its ledger is read.
//!
//! Nothing is decided here: what a pulse tells is `ledger::report::pulse`'s to say.

use super::{
    Globals,
    exit::Exit,
    output::{self, Format},
    reading::{self, LedgerArg},
};
use crate::{
    domain::now::Now,
    ledger::report::{Judged, Reader},
};

/// Tell whether a daemon works on the ledger: 0 when its last pass is less than a minute old, 1 when it is not
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  cdb-backupd health\n  cdb-backupd health --ledger ./ledger.db -o json")]
pub struct Health {
    #[command(flatten)]
    ledger: LedgerArg,
}

impl Health {
    /// Prints one line, or one object.
    pub fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        let ledger = self.ledger.path(globals, now)?;
        let pulse = match Reader::open(&ledger).and_then(|reader| reader.map_or(Ok(None), |reader| reader.pulse())) {
            Ok(pulse) => pulse,
            Err(error) => return reading::ended(Err(error.into())),
        };
        let told = Judged::of(&ledger, pulse, now.utc);
        match globals.output {
            Format::Text => output::print(&format!("{}\n", told.line()))?,
            Format::Json | Format::Csv => output::print(&format!("{}\n", serde_json::to_string(&told)?))?,
        }
        Ok(if told.ok { Exit::Ok } else { Exit::Failed })
    }
}
