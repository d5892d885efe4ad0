//! `ledger rebuild`: reads the list of every instance that a job matches, and writes down the runs that it still tells of.
//!
//! Decided here: how the lists are read, one after another at their pace, and what is told. What of a list is a run is `domain::refound`'s to say,
//! what becomes of its row the ledger's.

mod told;

use super::{Exit, Globals, LedgerArg};
use crate::{
    cli::{
        exit,
        output::{self, Format},
        progress::{Elsewhere, Lasting},
        run::{random_id, transport},
    },
    clock::{Clock, SystemClock},
    cloud::{Access, Call, CdbApi, client::Client, credentials::KeyRing},
    daemon,
    domain::{
        alias::Listed,
        names::InstanceId,
        now::Now,
        pace::{LISTS_PER_SECOND, Pace},
        policy::{Account, Instance, Policy},
        refound::{self, Refound},
        reply::{CallError, Class},
        run::{due::CALL_MAX, seen::List},
    },
    ledger::{self, Fate, Finds, Ledger},
};
use std::{path::PathBuf, time::Duration};

/// So often a list is asked for that is refused, unanswered, or changed while it was read.
const TRIES: u32 = 5;
/// How long after an answer that says nothing it is asked for again.
const AGAIN: Duration = Duration::from_secs(1);

/// Refill a lost ledger from the cloud's lists: every good backup whose name is one of ours becomes a run again
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Stop the daemon first, run this as its user (sudo -u cdb-backupd …) with its keys, and start it afterwards. It may be repeated.\n\n\
                        Examples:\n  cdb-backupd ledger rebuild --dry-run\n  cdb-backupd ledger rebuild"
)]
pub struct Rebuild {
    /// Only tell what would be written; a daemon may work on the ledger meanwhile
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    ledger: LedgerArg,
}

/// What a rebuild came to.
#[derive(Clone, Debug, Default)]
pub struct Refilled {
    /// Instances whose list was read.
    pub instances: u64,
    /// Runs that were found, with what became of them.
    pub runs: Vec<(Refound, Fate)>,
    /// Names inside the time that the ledger planned itself, which it cannot prove to be its own.
    pub unproved: u64,
    /// Runs of which no backup succeeded.
    pub not_good: u64,
    /// Backups that were made in another way than their job's.
    pub other_method: u64,
    /// Backups whose name has a job that does not match the instance any more.
    pub no_job: u64,
    /// Instances whose list could not be read, and why.
    pub unread: Vec<(InstanceId, String)>,
}

impl Rebuild {
    pub(super) fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        let loaded = globals.policy(now)?;
        let path: PathBuf = self.ledger.ledger.unwrap_or(loaded.ledger);
        let opened =
            if self.dry_run { Ledger::rehearsal(&path, now.utc) } else { Ledger::open(&path, &random_id(), now.utc).map(|opened| opened.ledger) };
        let mut ledger = opened.map_err(|error| exit::of_ledger(&error).because(error.to_string()))?;
        let clock = SystemClock::new();
        let client = Client::new(clock, KeyRing::of_process(), transport(&loaded.policy))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let lasting = Lasting::begin(globals, "reading lists", Elsewhere::Lines);
        let refilled = runtime.block_on(refill(&clock, &client, &mut ledger, &loaded.policy, &|done, all, next| lasting.at(done, all, next)));
        drop(lasting);
        let refilled = refilled.map_err(|error| exit::of_ledger(&error).because(error.to_string()))?;
        match globals.output {
            Format::Text => output::print(&told::text(&refilled, self.dry_run, &path))?,
            Format::Json | Format::Csv => output::print(&format!("{}\n", serde_json::to_string(&told::object(&refilled, self.dry_run))?))?,
        }
        Ok(if refilled.unread.is_empty() { Exit::Ok } else { Exit::Failed })
    }
}

/// Reads the list of each instance that a job matches, one after another, and writes down what it tells. What was written before an error stays.
///
/// `steps` hears how many lists are done, of how many, and whose is next.
pub async fn refill<C: Clock, A: CdbApi>(
    clock: &C,
    api: &A,
    ledger: &mut Ledger,
    policy: &Policy,
    steps: &dyn Fn(u64, u64, &str),
) -> Result<Refilled, ledger::Error> {
    let mut refilled = Refilled::default();
    let is_meant = |instance: &Instance| policy.jobs.iter().any(|job| job.instances.iter().any(|it| it.id == instance.id));
    let most = policy.instances.iter().filter(|instance| is_meant(instance)).count() as u64;
    let mut done = 0;
    for account in &policy.accounts {
        let mut lists = Lists { clock, api, pace: Pace::new(LISTS_PER_SECOND, Duration::ZERO) };
        for instance in policy.instances.iter().filter(|instance| instance.account == account.name) {
            let jobs: Vec<_> = policy.jobs.iter().filter(|job| job.instances.iter().any(|it| it.id == instance.id)).collect();
            if jobs.is_empty() {
                continue;
            }
            steps(done, most, instance.name.as_str());
            done += 1;
            let list = match lists.whole(account, instance).await {
                Ok(list) => list,
                Err(error) => {
                    refilled.unread.push((instance.id.clone(), error.to_string()));
                    if error.class == Class::Account {
                        // The next instance of this account would be answered alike.
                        break;
                    }
                    continue;
                }
            };
            refilled.instances += 1;
            if !list.complete {
                refilled.unread.push((instance.id.clone(), "its list changed while it was read; what was read of it is used".to_owned()));
            }
            let ours = list.items.iter().filter_map(|item| Listed::parse(&item.alias));
            refilled.no_job += ours.filter(|name| jobs.iter().all(|job| job.name != name.job)).count() as u64;
            for job in jobs {
                let since = ledger.planned_since(&job.name, &instance.id)?;
                let found = refound::found(&list.items, job, instance, ledger.id(), since);
                let fates = ledger.rebuild(&Finds { job, instance, account, runs: &found.runs }, clock.now().utc)?;
                refilled.runs.extend(found.runs.into_iter().zip(fates));
                refilled.unproved += found.unproved;
                refilled.not_good += found.not_good;
                refilled.other_method += found.other_method;
            }
        }
    }
    Ok(refilled)
}

/// The lists of one account.
struct Lists<'a, C, A> {
    clock: &'a C,
    api: &'a A,
    pace: Pace,
}

impl<C: Clock, A: CdbApi> Lists<'_, C, A> {
    /// A list that was read whole; one that never is, as far as it was read.
    async fn whole(&mut self, account: &Account, instance: &Instance) -> Result<List, CallError> {
        let access = Access { endpoint: account.endpoint.clone(), credentials: account.credentials.clone() };
        let mut last = None;
        for _ in 0..TRIES {
            while let Err(free) = self.pace.take(self.clock.now().mono) {
                let now = self.clock.now().mono;
                self.clock.sleep(free.saturating_sub(now).max(Duration::from_millis(1))).await;
            }
            let now = self.clock.now();
            let call = Call {
                access: access.clone(),
                region: instance.region.clone(),
                instance: instance.id.clone(),
                signed_at: now.utc.timestamp(),
                deadline: now.mono + CALL_MAX,
            };
            let answer = daemon::pages(self.api, self.clock, call, None, now).await.answer;
            match &answer {
                Ok(list) if list.complete => return answer,
                Ok(_) => {}
                Err(error) if error.class == Class::Throttled => self.pace.throttled(self.clock.now().mono),
                Err(error) if matches!(error.class, Class::Refused | Class::Ambiguous | Class::Busy) => self.clock.sleep(AGAIN).await,
                Err(_) => return answer,
            }
            last = Some(answer);
        }
        last.unwrap_or_else(|| Err(CallError { class: Class::Refused, code: "no_answer".into(), message: "it was never asked for".into() }))
    }
}
