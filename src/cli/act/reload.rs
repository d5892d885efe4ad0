//! `reload`: the daemon reads its policy again.

use super::{
    super::{Globals, exit::Exit},
    Act, ActArgs,
};
use crate::domain::{now::Now, request::Request};

/// Have the daemon read its policy again; one at fault is refused, and the old stays
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  cdb-backupd check --against running && cdb-backupd reload\n  systemctl reload cdb-backupd")]
pub struct Reload {
    #[command(flatten)]
    act: ActArgs,
}

impl Reload {
    /// Asks for it.
    pub fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        if self.act.dry_run {
            return Err(Exit::Usage.because("write `cdb-backupd check --against running` to see what would change").into());
        }
        let act = Act::on(globals, &self.act, now)?;
        let asked = act.ask(&Request::Reload {})?;
        let told = act.tell(Some(asked.id), &asked.answer)?;
        Ok(if asked.answer.done { told } else { Exit::PolicyFault })
    }
}
