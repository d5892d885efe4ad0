//! `check --against running`: what the file would change beside the policy in force, which the ledger holds. Nothing is asked of the daemon.

use super::{Globals, moment::Shown, reading};
use crate::{
    config::{self, Loaded, Machine},
    domain::{diff::Diff, now::Now},
    ledger::report::Reader,
};
use anyhow::Context;
use clap::ValueEnum;
use std::path::{Path, PathBuf};

/// What a policy can be held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Against {
    /// The policy in force.
    Running,
}

/// What was found, and in which ledger.
#[derive(Debug)]
pub(super) struct Compared {
    ledger: PathBuf,
    /// None: no policy was ever in force there.
    pub(super) diff: Option<Diff>,
    same_bytes: bool,
}

impl Compared {
    /// Holds a policy against the one that the ledger says is in force: the file's own ledger, unless another is named.
    pub(super) fn of(loaded: &Loaded, ledger: Option<&Path>, globals: &Globals, machine: &Machine, now: Now) -> anyhow::Result<Self> {
        let ledger = ledger.unwrap_or(&loaded.ledger).to_owned();
        let text = match read(&ledger) {
            Ok(text) => text,
            Err(error) => return Err(reading::ended(Err(error)).err().unwrap_or_else(|| anyhow::anyhow!("the ledger cannot be read"))),
        };
        let Some(text) = text else { return Ok(Self { ledger, diff: None, same_bytes: false }) };
        // Relative paths in it begin where those of the file do.
        let in_force = config::check_bytes("the policy in force", text.as_bytes(), &config::beside(&globals.config), machine, now.utc);
        let in_force = in_force.context("this program cannot read the policy that the ledger holds; use the version that wrote it")?;
        let diff = Diff::of(&in_force.policy, &loaded.policy, now.utc);
        Ok(Self { ledger, diff: Some(diff), same_bytes: in_force.text_hash == loaded.text_hash })
    }

    /// For the eye, each line ended.
    pub(super) fn text(&self, shown: &Shown) -> String {
        let ledger = self.ledger.display();
        let lines = match &self.diff {
            None => return format!("no policy is in force in {ledger} yet; a daemon started with this one begins anew\n"),
            Some(_) if self.same_bytes => return format!("nothing changed beside the policy in force in {ledger}\n"),
            Some(diff) => diff.says(|slot, schedule| shown.local(slot, schedule)),
        };
        format!("beside the policy in force in {ledger}: {}\n", lines.join("\n"))
    }
}

fn read(ledger: &Path) -> anyhow::Result<Option<String>> {
    let Some(reader) = Reader::open(ledger)? else { return Ok(None) };
    Ok(reader.policy_in_force()?)
}
