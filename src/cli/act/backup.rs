//! `backup`: backups now, beside every schedule.

use super::{
    super::{
        Globals,
        exit::{Exit, Refusal},
        moment::{Looking, Moment},
        selectors::Selectors,
    },
    Act, ActArgs, progress,
};
use crate::domain::{
    names::{JobName, RunId},
    now::Now,
    pause::Paused,
    plan,
    policy::{Job, Policy},
    request::{Answer, Request, RunAnswer, Wanted, by_hand},
};
use chrono::{DateTime, Utc};
use std::{sync::Arc, time::Duration};

/// Make backups now: of a job, of an instance, or of what went wrong
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cdb-backupd backup --job nightly-full --instance orders --wait\n  cdb-backupd backup --job nightly-full --not-ok --since yesterday\n  \
                  cdb-backupd backup --instance orders --method logical --table shop.orders --reason \"before the migration\"\n  \
                  cdb-backupd backup --run 4711"
)]
pub struct Backup {
    #[command(flatten)]
    selectors: Selectors,
    /// How, where no job says it
    #[arg(long, value_parser = ["logical", "physical", "snapshot"], requires = "instance", conflicts_with = "job")]
    method: Option<String>,
    /// Only this table, or this database; `logical` only, repeatable
    #[arg(long, value_name = "DB[.TABLE]", requires = "method", value_parser = table)]
    table: Vec<(String, Option<String>)>,
    /// What this run was for, once more
    #[arg(long, value_name = "RUN", conflicts_with_all = ["job", "instance", "account", "region", "tag", "method"])]
    run: Option<i64>,
    /// Only instances whose newest slot since `--since` went wrong
    #[arg(long, requires = "job", requires = "since")]
    not_ok: bool,
    /// See `--not-ok`
    #[arg(long, value_name = "TIME", requires = "not_ok")]
    since: Option<Moment>,
    /// Start it in a pause, a suspension or a blackout, too
    #[arg(long)]
    even_if_held: bool,
    /// Wait until they have ended, at most so long: 0 when all are good, else 3
    #[arg(long, value_name = "LENGTH", num_args = 0..=1, default_missing_value = "7d", value_parser = humantime::parse_duration)]
    wait: Option<Duration>,
    #[command(flatten)]
    act: ActArgs,
}

fn table(text: &str) -> Result<(String, Option<String>), &'static str> {
    let form = "write DB for a database, or DB.TABLE";
    match text.split_once('.') {
        None if !text.is_empty() => Ok((text.to_owned(), None)),
        Some((db, table)) if !db.is_empty() && !table.is_empty() => Ok((db.to_owned(), Some(table.to_owned()))),
        _ => Err(form),
    }
}

impl Backup {
    /// Asks for them.
    pub fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        let act = Act::on(globals, &self.act, now)?;
        let policy = act.policy()?;
        let wanted = self.wanted(&act, &policy)?;
        if wanted.is_empty() {
            return Err(Exit::Failed.because("nothing matches; `cdb-backupd check --effective` lists what each job matches").into());
        }
        act.confirm(wanted.len(), "start")?;
        if self.act.dry_run {
            return act.tell(None, &self.preview(&act, &policy, &wanted)?);
        }
        let asked = act.ask(&Request::Backup { wanted, even_if_held: self.even_if_held })?;
        let told = act.tell(Some(asked.id), &asked.answer)?;
        let runs: Vec<RunId> = asked.answer.runs.iter().map(|run| RunId(run.run_id)).collect();
        match self.wait {
            _ if !asked.answer.done => Ok(told),
            _ if asked.carried => progress::carried(&act, &runs),
            Some(most) => progress::wait(&act, &runs, most),
            None => Ok(told),
        }
    }

    /// What would come of it: refused as it would be, or asked for.
    fn preview(&self, act: &Act<'_>, policy: &Policy, wanted: &[Wanted]) -> anyhow::Result<Answer> {
        let now = act.now.utc;
        let pauses = act.reader()?.map(|reader| reader.pauses(now)).transpose()?.unwrap_or_default();
        let keeps = plan::keeps(policy, Arc::new(Paused::of(&pauses, policy, now)), now);
        let refused = wanted.iter().find_map(|it| by_hand(policy, it, 0, now, self.even_if_held, &keeps, now).err());
        Ok(refused.map_or_else(|| would_ask(wanted), |says| Answer::refused(format!("would be refused: {says}"))))
    }

    fn wanted(&self, act: &Act<'_>, policy: &Policy) -> anyhow::Result<Vec<Wanted>> {
        if let Some(run) = self.run {
            return once_more(act, run);
        }
        if let Some(stranger) = self.selectors.scope().stranger(policy) {
            return Err(Exit::Failed.because(stranger.to_string()).into());
        }
        if let Some(method) = &self.method {
            let meant = policy.instances.iter().filter(|instance| self.selectors.scope().keeps_instance(instance));
            let wanted = |id: &str| Wanted { job: None, instance: id.to_owned(), method: Some(method.clone()), tables: self.table.clone() };
            return Ok(meant.map(|instance| wanted(instance.id.as_str())).collect());
        }
        if self.selectors.job.is_empty() {
            return Err(Exit::Usage.because("name what to back up: `--job JOB`, `--instance NAME --method METHOD`, or `--run RUN`").into());
        }
        let jobs: Vec<&Job> = policy.jobs.iter().map(AsRef::as_ref).filter(|job| self.selectors.scope().keeps_job(job.name.as_str())).collect();
        let pairs = jobs.iter().flat_map(|job| job.instances.iter().map(move |instance| (job, instance)));
        let meant = pairs.filter(|(_, instance)| self.selectors.scope().keeps_instance(instance));
        let mut wanted: Vec<Wanted> = meant.map(|(job, instance)| of_job(&job.name, instance.id.as_str())).collect();
        if let Some(since) = self.since.filter(|_| self.not_ok) {
            let since = since.seen(act.now.utc, Looking::Back, &act.globals.zone())?;
            let bad = bad_since(act, since)?;
            wanted.retain(|it| bad.iter().any(|(job, instance)| Some(job) == it.job.as_ref() && *instance == it.instance));
        }
        Ok(wanted)
    }
}

fn of_job(job: &JobName, instance: &str) -> Wanted {
    Wanted { job: Some(job.to_string()), instance: instance.to_owned(), method: None, tables: Vec::new() }
}

/// The pairs whose newest slot that has ended since then has no good backup.
fn bad_since(act: &Act<'_>, since: DateTime<Utc>) -> anyhow::Result<Vec<(String, String)>> {
    let pairs = act.reader()?.map(|reader| reader.survey(act.now.utc)).transpose()?.unwrap_or_default().pairs;
    let is_bad = |pair: &crate::ledger::report::Pair| pair.ended.as_ref().is_some_and(|ended| !ended.is_good && ended.slot >= since);
    Ok(pairs.into_iter().filter(is_bad).map(|pair| (pair.job, pair.instance_id)).collect())
}

fn once_more(act: &Act<'_>, run: i64) -> anyhow::Result<Vec<Wanted>> {
    let none = || -> Refusal { Exit::Failed.because(format!("there is no run {run}; `cdb-backupd history` lists them")) };
    let detail = act.reader()?.ok_or_else(none)?.detail(RunId(run))?.ok_or_else(none)?;
    let key = &detail.run.key;
    if key.job.as_str() != JobName::BY_HAND {
        return Ok(vec![of_job(&key.job, key.instance.as_str())]);
    }
    let method = &detail.run.terms.method;
    let tables = match method {
        crate::domain::policy::Method::Logical { tables } => tables.iter().map(|table| (table.db.clone(), table.table.clone())).collect(),
        _ => Vec::new(),
    };
    Ok(vec![Wanted { job: None, instance: key.instance.to_string(), method: Some(method.word().to_owned()), tables }])
}

/// What would be asked for.
fn would_ask(wanted: &[Wanted]) -> Answer {
    let run = |wanted: &Wanted| RunAnswer {
        run_id: 0,
        job: wanted.job.clone().unwrap_or_else(|| JobName::BY_HAND.to_owned()),
        instance_id: wanted.instance.clone(),
        says: String::new(),
    };
    let n = wanted.len();
    let says = vec![format!("would ask for {}; nothing was done", if n == 1 { "1 run".to_owned() } else { format!("{n} runs") })];
    Answer { done: true, says, runs: wanted.iter().map(run).collect(), ..Answer::default() }
}
