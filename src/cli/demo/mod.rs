//! `cdb-backupd demo`: the real daemon against a simulated cloud over loopback, in real time, for under a minute; then the audit.
//!
//! The daemon is this same program, started as `run` in a process of its own. With `--crash` it is killed again and again, and the audit has to
//! hold all the same.

mod audit;
mod incidents;
mod policy;
mod screen;

use super::{
    Globals,
    exit::Exit,
    history::{self, Output},
    moment::Shown,
    output::{self, Format},
    run::random_number,
    sim::{FaultsArg, no_strangers},
};
use crate::{
    clock::{Clock, SystemClock},
    ledger::report::{Filter, Item, Reader},
    sim::{
        Cloud,
        http::HttpDoor,
        script::Faults,
        settings::{Edition, Settings, SimAccount, SimInstance},
    },
};
use anyhow::Context;
use audit::Verdict;
use rustix::process::{Pid, Signal, kill_process};
use screen::Screen;
use std::{
    fs::{DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::signal::unix::{SignalKind, signal};

/// What befalls the demo's calls when nobody says otherwise. Calls that are never answered come first, since they take longest; what slows all down
/// comes last. No instance has two, so all are seen to be got over.
const FAULTS: &str = "create#1@cdb-sim00001:lost_after_act,create#1@cdb-sim00002:lost_before_act,create#1@cdb-sim00003:http_error_after_act,\
     create#1@cdb-sim00004:backup_fails,create#1@cdb-sim00005:gateway_502,create#1@cdb-sim00006:reset_mid_body,create#1@cdb-sim00007:busy=4s,\
     create#1@cdb-sim00008:unknown_code_after_act,create#1@cdb-sim00009:busy_after_act,create#1@cdb-sim00010:throttle_burst=2s,list#9:list_throttled";
/// More instances than this are not over in time when the daemon is killed again and again.
const INSTANCES_TO_CRASH: u16 = 16;
/// The demo ends by itself, whatever happens.
const LONGEST: Duration = Duration::from_secs(55);
/// How often the ledger is looked at.
const GLANCE: Duration = Duration::from_millis(250);
/// How often `--crash` kills.
const KILLS: [Duration; 6] = [
    Duration::from_millis(3_300),
    Duration::from_millis(1_150),
    Duration::from_millis(2_050),
    Duration::from_millis(900),
    Duration::from_millis(2_700),
    Duration::from_millis(1_400),
];

/// Watch it work: a simulated cloud that refuses, throttles, hangs and loses replies, the real daemon, and an audit
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cdb-backupd demo\n  cdb-backupd demo --crash --seed 7 --instances 12\n  cdb-backupd demo --faults lost_after_act:0.2,list_throttled:0.1"
)]
pub struct Demo {
    /// The same seed makes the same cloud
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many instances there are; at most 16 with `--crash`
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(2..=40))]
    instances: u16,
    /// What goes wrong, in the words of `cdb-backupd sim --faults help`
    #[arg(long, value_name = "FAULTS")]
    faults: Option<FaultsArg>,
    /// Kill the daemon with SIGKILL several times in mid-work
    #[arg(long)]
    crash: bool,
}

/// How watching ended.
enum Watched {
    /// Every run is final, or the time is up.
    ToTheEnd {
        /// How often the daemon was killed.
        killed: usize,
        /// How long it took.
        lasted: Duration,
    },
    /// SIGINT or SIGTERM.
    Stopped,
}

/// The daemon's process, and all that a new one needs.
struct Daemon {
    program: PathBuf,
    policy: PathBuf,
    log: PathBuf,
    account: SimAccount,
    child: Child,
}

impl Demo {
    /// Runs the demo; ends well only if the audit holds.
    pub fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let faults = match self.faults.clone() {
            None => self.own_faults()?,
            Some(said) => {
                let Some(faults) = said.or_help(globals.output)? else { return Ok(Exit::Ok) };
                no_strangers(&faults, &self.settings(Faults::default()).instances)?;
                faults
            }
        };
        if globals.output == Format::Json {
            let reason = "`demo` is for people and prints text only; `history --ledger PATH -o json` reads the ledger that it leaves";
            return Err(Exit::Usage.because(reason).into());
        }
        if self.crash && self.instances > INSTANCES_TO_CRASH {
            let reason = format!("with `--crash` the time suffices for `--instances {INSTANCES_TO_CRASH}` at most");
            return Err(Exit::Usage.because(reason).into());
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().context("start the runtime")?;
        let exit = runtime.block_on(self.play(faults));
        runtime.shutdown_background();
        exit
    }

    /// [`FAULTS`], as far as they mean instances that are there.
    fn own_faults(&self) -> anyhow::Result<Faults> {
        let mut faults: Faults = FAULTS.parse()?;
        let instances = self.settings(Faults::default()).instances;
        faults.script.retain(|script| script.instance.as_ref().is_none_or(|id| instances.iter().any(|it| it.id == *id)));
        Ok(faults)
    }

    async fn play(self, faults: Faults) -> anyhow::Result<Exit> {
        let clock = SystemClock::new();
        let account = SimAccount::example();
        let cloud = Cloud::new(self.settings(faults.clone()), clock);
        let door = HttpDoor::open(cloud.clone(), "127.0.0.1:0".parse()?).await.context("open the simulated cloud")?;
        let folder = std::env::temp_dir().join(format!("cdb-backupd-demo-{:015x}", random_number()));
        DirBuilder::new().mode(0o700).create(&folder).with_context(|| format!("make {}", folder.display()))?;
        let (policy, ledger) = (folder.join("policy.yaml"), folder.join("ledger.db"));
        let begins = clock.now().utc;
        let text = policy::text(door.address(), &ledger, &cloud.instances(), begins);
        std::fs::write(&policy, &text).context("write the demo's policy")?;
        output::print(&format!(
            "A simulated cloud with {} instances listens on {}; the daemon works on {} in real time.\n\n",
            self.instances,
            door.address(),
            policy.display()
        ))?;
        let mut daemon = Daemon::start(&policy, &folder.join("daemon.log"), account)?;
        let watched = self.watch(&clock, &ledger, &mut daemon).await?;
        let ended_well = daemon.stop(&clock).await?;
        let Watched::ToTheEnd { killed, lasted } = watched else {
            output::tell(&format!("stopped by hand before the runs were final, so there is no audit; what there is lies in {}", folder.display()));
            return Ok(Exit::Failed);
        };
        output::print(&format!("\nAfter {:.0} s, as `cdb-backupd history --ledger {}` tells it:\n\n", lasted.as_secs_f64(), ledger.display()))?;
        let filter = Filter { limit: 1_000, ..Filter::default() };
        let mut told = Vec::new();
        history::run(&ledger, filter, Output::Text { colour: output::colored(&io::stdout()), shown: Shown::AS_THEY_ARE }, &mut told)?;
        output::print(&String::from_utf8_lossy(&told))?;
        let audit = audit::Audit::of(&cloud.audit(), &faults.standing, &ledger, policy::slots(&text, begins)?)?;
        output::print(&audit.report(killed, ended_well, &folder))?;
        Ok(if audit.verdict() == Verdict::Holds && ended_well { Exit::Ok } else { Exit::NotAllGood })
    }

    fn settings(&self, faults: Faults) -> Settings {
        let instance = |n: u16| {
            let mut instance = SimInstance::plain(&format!("cdb-sim{n:05}"));
            instance.region = if n.is_multiple_of(2) { "ap-shanghai" } else { "ap-guangzhou" }.into();
            instance.edition = if n.is_multiple_of(5) { Edition::CloudDisk } else { Edition::LocalDisk };
            instance
        };
        let mut settings = Settings::quiet(self.seed, (1..=self.instances).map(instance).collect());
        settings.faults = faults;
        settings.durations = Duration::from_millis(1_500)..=Duration::from_secs(4);
        settings.list_lag = Duration::ZERO..=Duration::from_millis(900);
        settings
    }

    /// Shows the work until every run is final; kills the daemon now and then when that is asked for.
    async fn watch(&self, clock: &SystemClock, ledger: &Path, daemon: &mut Daemon) -> anyhow::Result<Watched> {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let mut screen = Screen::open()?;
        let start = clock.now().mono;
        let mut kills = KILLS.iter();
        let mut next_kill = kills.next().filter(|_| self.crash).map(|wait| start + *wait);
        let mut killed = 0;
        let mut items = Vec::new();
        loop {
            tokio::select! {
                biased;
                _ = interrupt.recv() => return Ok(Watched::Stopped),
                _ = terminate.recv() => return Ok(Watched::Stopped),
                () = clock.sleep(GLANCE) => {}
            }
            let now = clock.now().mono;
            if next_kill.is_some_and(|at| now >= at) {
                daemon.kill_and_restart()?;
                killed += 1;
                screen.killed(now - start)?;
                next_kill = kills.next().map(|wait| now + *wait);
            }
            // While it is being made, or its daemon was just killed, what was seen last stands.
            if let Ok(seen) = self::items(ledger) {
                items = seen;
            }
            screen.show(&items, now - start)?;
            let all_final = !items.is_empty() && items.iter().all(|item| audit::is_final(&item.state));
            let settled = all_final && now - start > Duration::from_secs(policy::LAST_SLOT_S + 4);
            if (settled && next_kill.is_none()) || now - start > LONGEST {
                screen.close()?;
                return Ok(Watched::ToTheEnd { killed, lasted: now - start });
            }
        }
    }
}

impl Daemon {
    fn start(policy: &Path, log: &Path, account: SimAccount) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("find this program")?;
        let child = spawn(&program, policy, log, &account)?;
        Ok(Self { program, policy: policy.into(), log: log.into(), account, child })
    }

    fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.child.kill().context("kill the daemon")?;
        self.child.wait().context("wait for the daemon")?;
        self.child = spawn(&self.program, &self.policy, &self.log, &self.account)?;
        Ok(())
    }

    /// SIGTERM; whether it ended with 0 within its grace.
    async fn stop(&mut self, clock: &SystemClock) -> anyhow::Result<bool> {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM).context("stop the daemon")?;
        }
        for _ in 0..50 {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.success());
            }
            clock.sleep(Duration::from_millis(200)).await;
        }
        self.child.kill()?;
        Ok(false)
    }
}

impl Drop for Daemon {
    /// Whatever ends the demo, no daemon stays behind.
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(program: &Path, policy: &Path, log: &Path, account: &SimAccount) -> anyhow::Result<Child> {
    let log = File::options().create(true).append(true).open(log).context("open the daemon's log")?;
    let mut command = Command::new(program);
    command.arg("run").arg("--config").arg(policy).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.env("TENCENTCLOUD_SECRET_ID", &account.secret_id).env("TENCENTCLOUD_SECRET_KEY", &account.secret_key);
    // Whoever watches may have keys of their own in the environment: none of them goes to the simulator.
    command.env_remove("TENCENTCLOUD_TOKEN").env_remove("CDB_BACKUPD_LEDGER").spawn().context("start the daemon")
}

/// Every run of the ledger, oldest first; none while it is being made.
fn items(ledger: &Path) -> anyhow::Result<Vec<Item>> {
    let mut items = Vec::new();
    if let Some(reader) = Reader::open(ledger)? {
        let filter = Filter { limit: 10_000, ..Filter::default() };
        reader.history::<crate::ledger::Error>(&filter, |item| {
            items.push(item);
            Ok(())
        })?;
    }
    items.reverse();
    Ok(items)
}
