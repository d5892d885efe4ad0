//! `explain`: all that bears on the next run of a job or of an instance, in words.
//!
//! It reads the ledger and the policy in force that it holds; it needs no daemon and no keys, and where there is a ledger no policy file.
//!
//! Decided here: of what it is told, and whose name was meant. What holds is `ledger::report`'s to say, when slots come `domain::forecast`'s.

mod text;
mod told;
mod words;

use super::{
    Globals,
    exit::Exit,
    output::{self, Format},
    reading::{self, LedgerArg},
    table::visible,
};
use crate::{
    config,
    domain::{
        now::Now,
        policy::{Instance, Job, Policy},
    },
    ledger::report::{Reader, Survey},
};
use clap::ValueEnum;
use std::{io, path::Path};

/// Tell in words all that bears on the next run of a job or of an instance: slots, holds, who is in the way, and the last codes
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  cdb-backupd explain nightly-full\n  cdb-backupd explain orders\n  cdb-backupd explain cdb-c1nl9rpv -o json")]
pub struct Explain {
    /// The instance, by name or id, or the job
    #[arg(value_name = "INSTANCE|JOB")]
    name: String,
    /// Which of both, where one name is both
    #[arg(long, value_enum, value_name = "KIND")]
    kind: Option<Kind>,
    #[command(flatten)]
    ledger: LedgerArg,
}

/// What a name names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A job.
    Job,
    /// An instance.
    Instance,
}

/// What is explained.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Job(&'a Job),
    Instance(&'a Instance),
}

impl Explain {
    /// Prints it.
    pub fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        if globals.output == Format::Csv {
            return Err(Exit::Usage.because("`explain` has no rows for `csv`; write `-o json`").into());
        }
        let path = self.ledger.clone().path(globals, now)?;
        let text = self.told(globals, &path, now).map_err(reading::refused)?;
        output::print(&text)?;
        Ok(Exit::Ok)
    }

    /// What it prints of the ledger at `path`.
    ///
    /// # Errors
    /// A ledger or a policy that cannot be read; a name that means nothing, with the nearest that does.
    pub fn told(&self, globals: &Globals, path: &Path, now: Now) -> anyhow::Result<String> {
        let reader = Reader::open(path)?;
        let in_force = reader.as_ref().map(|reader| reading::policy_in_force(reader, now)).transpose()?.flatten();
        // Before any daemon ran there is the file alone.
        let policy = in_force.map_or_else(|| Ok(config::load(&globals.config, now.utc)?.policy), Ok::<_, anyhow::Error>)?;
        let survey = reader.as_ref().map(|reader| reader.survey(now.utc)).transpose()?.unwrap_or_default();
        let scene = told::Scene { policy: &policy, survey: &survey, reader: reader.as_ref(), ledger: path, shown: &globals.shown()?, now: now.utc };
        let told = scene.told(self.subject(&policy, &survey)?)?;
        Ok(match globals.output {
            Format::Json => format!("{}\n", serde_json::to_string(&told)?),
            Format::Text | Format::Csv => text::of(&told, scene.shown, output::colored(&io::stdout())),
        })
    }

    /// What the name means; one that means nothing is told with the nearest that does.
    fn subject<'a>(&self, policy: &'a Policy, survey: &Survey) -> anyhow::Result<Subject<'a>> {
        let name = self.name.as_str();
        let job = policy.jobs.iter().find(|job| job.name.as_str() == name).filter(|_| self.kind != Some(Kind::Instance));
        let instance = policy.instances.iter().find(|it| it.id.as_str() == name || it.name.as_str() == name);
        let reason = match (job, instance.filter(|_| self.kind != Some(Kind::Job))) {
            (Some(job), None) => return Ok(Subject::Job(job)),
            (None, Some(instance)) => return Ok(Subject::Instance(instance)),
            (Some(_), Some(_)) => format!("`{name}` is a job and an instance; write `--kind job` or `--kind instance`"),
            (None, None) => strange(name, policy, survey),
        };
        Err(Exit::Usage.because(reason).into())
    }
}

fn strange(name: &str, policy: &Policy, survey: &Survey) -> String {
    let instances = policy.instances.iter().flat_map(|instance| [instance.name.as_str(), instance.id.as_str()]);
    let known: Vec<&str> = policy.jobs.iter().map(|job| job.name.as_str()).chain(instances).collect();
    let shown = visible(name);
    if survey.sent.iter().any(|run| run.instance_id == name || run.job == name) {
        return format!("the policy in force has no `{shown}` any more; runs of it are still at work: `cdb-backupd status --running` lists them");
    }
    match config::nearest(name, known) {
        Some(meant) => format!("the policy in force has no job and no instance `{shown}`; did you mean `{}`?", visible(meant)),
        None => format!("the policy in force has no job and no instance `{shown}`; `cdb-backupd check --effective` lists those there are"),
    }
}
