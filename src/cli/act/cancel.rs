//! `cancel`: the end of runs that were not sent.

use super::{
    super::{Globals, exit::Exit},
    Act, ActArgs,
};
use crate::domain::{
    names::RunId,
    now::Now,
    request::{Answer, Request, RunAnswer},
};

/// End runs that wait; what the cloud works on already cannot be stopped
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  cdb-backupd cancel 4711\n  cdb-backupd cancel 4711 4712 --reason \"the instance is being moved\"")]
pub struct Cancel {
    /// The runs, by number
    #[arg(value_name = "RUN", required = true, num_args = 1..=1000)]
    runs: Vec<i64>,
    #[command(flatten)]
    act: ActArgs,
}

impl Cancel {
    /// Asks for it.
    pub fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        let act = Act::on(globals, &self.act, now)?;
        act.confirm(self.runs.len(), "cancel")?;
        if self.act.dry_run {
            return act.tell(None, &self.preview(&act)?);
        }
        let (request, answer) = act.ask(&Request::Cancel { runs: self.runs.clone() })?;
        act.tell(Some(request), &answer)
    }

    fn preview(&self, act: &Act<'_>) -> anyhow::Result<Answer> {
        let ids: Vec<RunId> = self.runs.iter().copied().map(RunId).collect();
        let found = act.reader()?.map(|reader| reader.progress(&ids)).transpose()?.unwrap_or_default();
        let runs: Vec<RunAnswer> = found
            .into_iter()
            .map(|it| RunAnswer { run_id: it.item.run_id, job: it.item.job, instance_id: it.item.instance_id, says: it.item.state })
            .collect();
        let says = vec!["would cancel those of these that have not ended; nothing was done".to_owned()];
        Ok(Answer { done: runs.len() == ids.len(), says, runs, ..Answer::default() })
    }
}
