//! A night in real time: a simulated cloud behind its HTTP door, a policy, a ledger, and one daemon after another on them.

use crate::{
    audit::{Row, pulse, rows},
    life::Cut,
    process::Process,
};
use anyhow::{Context, bail, ensure};
use cdb_backupd::{
    clock::{Clock, SystemClock},
    sim::{
        Cloud,
        http::HttpDoor,
        settings::{Settings, SimAccount, SimInstance},
    },
};
use chrono::{DateTime, TimeDelta, Timelike, Utc};
use rustix::process::Signal;
use std::{
    collections::BTreeSet,
    fs::File,
    net::SocketAddr,
    ops::RangeInclusive,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

/// How often a process and its ledger are looked at.
const GLANCE: Duration = Duration::from_millis(40);
/// A daemon that stops has 8 s for its calls.
const TO_STOP: Duration = Duration::from_secs(15);

/// What a night is made of.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The same seed makes the same cloud.
    pub(crate) seed: u64,
    /// How many instances there are.
    pub(crate) instances: u16,
    /// When each job's slot is, in seconds after the start; the first one leaves a slow machine time to start the daemon three times.
    pub(crate) slots_s: &'static [i64],
    /// `absence_window`: after it a call of a dead daemon has acted and is listed, which takes up to a third of it.
    pub(crate) window: &'static str,
    /// How long a backup runs.
    pub(crate) durations: RangeInclusive<Duration>,
    /// What goes wrong from the start.
    pub(crate) faults: &'static str,
    /// Where the daemon is to call; absent: the simulator's own door.
    pub(crate) front: Option<SocketAddr>,
}

/// One slot of one job on one instance, as the ledger names it.
pub(crate) type Slot = (String, String, i64);

/// One night.
pub(crate) struct Night {
    pub(crate) clock: SystemClock,
    pub(crate) cloud: Cloud<SystemClock>,
    pub(crate) daemon: Process,
    pub(crate) slots: BTreeSet<Slot>,
    door: HttpDoor,
    folder: TempDir,
}

impl Night {
    /// Opens the cloud and writes the policy; no daemon is started.
    pub(crate) async fn begin(plan: &Plan) -> anyhow::Result<Self> {
        let (clock, daemon) = (SystemClock::new(), Process::default());
        let instances: Vec<SimInstance> = (1..=plan.instances).map(|n| SimInstance::plain(&format!("cdb-sim{n:05}"))).collect();
        let ids: Vec<String> = instances.iter().map(|instance| instance.id.clone()).collect();
        let mut settings = Settings::quiet(plan.seed, instances);
        settings.faults = plan.faults.parse()?;
        settings.durations = plan.durations.clone();
        settings.latency = Duration::from_millis(5)..=Duration::from_millis(120);
        settings.list_lag = Duration::from_millis(1_200)..=Duration::from_millis(1_900);
        let victim = daemon.clone();
        let cloud = Cloud::with_kill(
            settings,
            clock,
            Some(Arc::new(move || {
                victim.signal(Signal::KILL);
            })),
        );
        let door = HttpDoor::open(cloud.clone(), "127.0.0.1:0".parse()?).await.context("open the simulated cloud")?;
        let folder = tempfile::tempdir()?;
        let begins = clock.now().utc;
        let jobs: Vec<(String, DateTime<Utc>)> =
            plan.slots_s.iter().enumerate().map(|(n, after_s)| (format!("job-{n}"), whole_second(begins + TimeDelta::seconds(*after_s)))).collect();
        let slot = |(job, at): &(String, DateTime<Utc>)| ids.iter().map(|id| (job.clone(), id.clone(), at.timestamp_millis())).collect::<Vec<_>>();
        let slots = jobs.iter().flat_map(slot).collect();
        let endpoint = plan.front.unwrap_or(door.address());
        std::fs::write(folder.path().join("policy.yaml"), policy(plan, endpoint, &folder.path().join("ledger.db"), &ids, &jobs))?;
        Ok(Self { clock, cloud, daemon, slots, door, folder })
    }

    /// The real binary.
    pub(crate) fn start(&self) -> anyhow::Result<()> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"));
        command.arg("run").arg("--config").arg(self.policy());
        self.started(command)
    }

    /// The daemon as this program lives it, up to a commit.
    pub(crate) fn start_until(&self, cut: Cut) -> anyhow::Result<()> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(cut.words()).arg(self.policy());
        self.started(command)
    }

    fn started(&self, mut command: Command) -> anyhow::Result<()> {
        let account = SimAccount::example();
        let log = File::options().create(true).append(true).open(self.log())?;
        command.env("TENCENTCLOUD_SECRET_ID", account.secret_id).env("TENCENTCLOUD_SECRET_KEY", account.secret_key);
        command.env_remove("CDB_BACKUPD_LEDGER").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.daemon.start(&mut command)
    }

    /// Waits until `until` says so or the daemon was killed; true when it was killed. Any other end is an error.
    pub(crate) async fn watch(&self, longest: Duration, mut until: impl FnMut(&[Row]) -> bool) -> anyhow::Result<bool> {
        let end = self.clock.now().mono + longest;
        loop {
            if let Some(status) = self.daemon.ended()? {
                ensure!(status.signal() == Some(Signal::KILL.as_raw()), "the daemon ended with {status}\n{}", self.story());
                return Ok(true);
            }
            if until(&rows(&self.ledger())?) {
                return Ok(false);
            }
            ensure!(self.clock.now().mono < end, "nothing ends after {longest:?}\n{}", self.story());
            self.clock.sleep(GLANCE).await;
        }
    }

    /// Whether every slot has a final row, and the daemon of now has seen it.
    pub(crate) fn is_over(&self, rows: &[Row]) -> bool {
        let final_ones = rows.len() >= self.slots.len() && rows.iter().all(Row::is_final);
        final_ones && pulse(&self.ledger()).is_ok_and(|pid| pid.is_some() && pid == self.daemon.pid())
    }

    /// SIGTERM; it has to end with 0 in its grace. True when it was killed before it could.
    pub(crate) async fn stop(&self) -> anyhow::Result<bool> {
        self.daemon.signal(Signal::TERM);
        let end = self.clock.now().mono + TO_STOP;
        while self.clock.now().mono < end {
            if let Some(status) = self.daemon.ended()? {
                let killed = status.signal() == Some(Signal::KILL.as_raw());
                ensure!(killed || status.success(), "asked to stop, the daemon ended with {status}\n{}", self.story());
                return Ok(killed);
            }
            self.clock.sleep(GLANCE).await;
        }
        bail!("asked to stop, the daemon lives on after {TO_STOP:?}\n{}", self.story())
    }

    /// The simulator's own door.
    pub(crate) fn address(&self) -> SocketAddr {
        self.door.address()
    }

    /// Where the ledger is.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    fn policy(&self) -> PathBuf {
        self.folder.path().join("policy.yaml")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("daemon.log")
    }

    /// Everything that happened, for a failing assertion.
    pub(crate) fn story(&self) -> String {
        let rows: Vec<String> = rows(&self.ledger()).unwrap_or_default().iter().map(|row| format!("{row:?}")).collect();
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let slots: Vec<String> = self.slots.iter().map(|slot| format!("{slot:?}")).collect();
        format!("slots:\n{}\nrows:\n{}\ncloud:\n{}\nlog:\n{log}", slots.join("\n"), rows.join("\n"), self.cloud.audit().timeline())
    }
}

impl Drop for Night {
    /// Whatever ends the night, no daemon stays behind.
    fn drop(&mut self) {
        self.daemon.clear();
    }
}

fn whole_second(at: DateTime<Utc>) -> DateTime<Utc> {
    at.with_nanosecond(0).unwrap_or(at)
}

/// Four calls a second and not five: between the daemon's gate and the cloud's count lie two busy cores, and a late first call must not look like a
/// sixth in one second.
fn policy(plan: &Plan, endpoint: SocketAddr, ledger: &Path, ids: &[String], jobs: &[(String, DateTime<Utc>)]) -> String {
    let mut text = format!(
        "version: 1\nledger: {}\nlisten: \"off\"\n\
         accounts:\n  sim: {{ credentials: env, endpoint: \"http://{endpoint}\", absence_window: {}, calls_per_second: 4 }}\n\
         instance_defaults: {{ account: sim, region: ap-guangzhou }}\ninstances:\n",
        ledger.display(),
        plan.window,
    );
    let mut put = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    ids.iter().for_each(|id| put(format!("  - {{ id: {id} }}")));
    put("defaults:\n  time_zone: Etc/UTC\n  method: physical\n  start_within: 5m\n  complete_within: 5m\n  overlap: queue".into());
    put("  poll: { initial: 200ms, max: 500ms }\n  retry: { after_failed: 8, initial_backoff: 200ms, max_backoff: 500ms }\njobs:".into());
    for (name, slot) in jobs {
        put(format!("  - {{ name: {name}, schedule: \"{} {} {} * * *\", targets: {{ all: true }} }}", slot.second(), slot.minute(), slot.hour()));
    }
    text
}
