//! `backfill`: slots that nobody ran, made up for.

use super::{
    super::{
        Globals,
        exit::Exit,
        moment::{Looking, Moment},
        selectors::Selectors,
    },
    Act, ActArgs,
};
use crate::{
    domain::{
        now::Now,
        policy::Job,
        request::{Answer, Request},
    },
    ledger::report::Filter,
};
use chrono::{DateTime, TimeDelta, Utc};

/// Run slots that were missed, the newest first
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cdb-backupd backfill --job nightly-full --since 3d --until today\n  cdb-backupd backfill --job hourly --since 02:00 --until 06:00 --dry-run"
)]
pub struct Backfill {
    #[command(flatten)]
    selectors: Selectors,
    /// Slots from this time on, which is included: 3d (ago), yesterday, 02:30 (the last one), a date, or RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Moment,
    /// Slots before this time; now unless given
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    #[command(flatten)]
    act: ActArgs,
}

impl Backfill {
    /// Asks for them.
    pub fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        let act = Act::on(globals, &self.act, now)?;
        let seen = |moment: Moment| moment.seen(now.utc, Looking::Back, &globals.zone());
        let (since, until) = (seen(self.since)?, self.until.map(seen).transpose()?.unwrap_or(now.utc));
        if until <= since {
            return Err(Exit::Usage.because("no time lies between --since and --until").into());
        }
        let [job] = self.selectors.job.as_slice() else {
            return Err(Exit::Usage.because("name one job: `--job JOB`").into());
        };
        let mut scope = self.selectors.scope();
        scope.jobs.clear();
        let policy = act.policy()?;
        if let Some(stranger) = self.selectors.scope().stranger(&policy) {
            return Err(Exit::Failed.because(stranger.to_string()).into());
        }
        let Some(known) = policy.jobs.iter().find(|it| it.name.as_str() == job) else {
            return Err(Exit::Failed.because(format!("the policy in force knows no job {job}")).into());
        };
        let missed = self.missed(&act, known, since, until)?;
        act.confirm(missed, "backfill up to")?;
        if self.act.dry_run {
            let says = vec![format!("{missed} slots or fewer of {job} are missed in rows of this time; nothing was done")];
            return act.tell(None, &Answer { done: true, says, ..Answer::default() });
        }
        let asked = act.ask(&Request::Backfill { job: job.clone(), scope, since, until })?;
        act.tell(Some(asked.id), &asked.answer)
    }

    /// How many slots the missed rows of this time cover.
    fn missed(&self, act: &Act<'_>, job: &Job, since: DateTime<Utc>, until: DateTime<Utc>) -> anyhow::Result<usize> {
        let before = |t: DateTime<Utc>| t - TimeDelta::milliseconds(1);
        let (most, _) = job.schedule.count_and_last(before(since), before(until));
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let filter = Filter {
            selectors: self.selectors.scope(),
            states: [crate::domain::run::Outcome::Missed.word().to_owned()].into(),
            since: Some(since),
            until: Some(until),
            limit: Filter::MOST,
            ..Filter::default()
        };
        let mut slots = 0;
        if let Some(reader) = act.reader()? {
            reader.history(&filter, |item| {
                slots += item.slots.min(most);
                anyhow::Ok(())
            })?;
        }
        Ok(usize::try_from(slots).unwrap_or(usize::MAX))
    }
}
