//! `ledger copy TO`: a whole copy of one moment, in a new file.

use super::{Exit, Globals, LedgerArg};
use crate::{
    cli::{
        output::{self, Format},
        progress::{Elsewhere, Lasting},
        table::visible,
    },
    domain::now::Now,
    ledger::copy,
};
use serde::Serialize;
use std::path::PathBuf;

/// Copy the ledger into a new file
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  cdb-backupd ledger copy /mnt/usb/ledger.db\n  cdb-backupd ledger copy --ledger ./ledger.db ./copy.db")]
pub(super) struct Copy {
    /// The new file; nothing that exists is replaced
    #[arg(value_name = "TO")]
    to: PathBuf,
    #[command(flatten)]
    ledger: LedgerArg,
}

#[derive(Serialize)]
struct Told<'a> {
    schema_version: u8,
    path: &'a str,
    bytes: u64,
}

impl Copy {
    pub(super) fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        let ledger = self.ledger.path(globals, now)?;
        let lasting = Lasting::begin(globals, "copying the ledger", Elsewhere::Lines);
        let copied = copy::copy(&ledger, &self.to);
        drop(lasting);
        let copied = copied.map_err(|error| super::end_of(&error).because(error.to_string()))?;
        let path = copied.path.to_string_lossy();
        match globals.output {
            Format::Text => output::print(&format!("{} bytes in {}\n", copied.bytes, visible(&path)))?,
            Format::Json | Format::Csv => {
                let told = Told { schema_version: 1, path: &path, bytes: copied.bytes };
                output::print(&format!("{}\n", serde_json::to_string(&told)?))?;
            }
        }
        Ok(Exit::Ok)
    }
}
