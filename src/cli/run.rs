//! `cdb-backupd run`: the daemon. Here the concrete clock, cloud, ledger and signals meet the loop.

use super::{
    Globals, LogFormat,
    door::{Answering, Door},
    exit::{self, Exit},
    hooks,
    reread::{self, Started},
};
use crate::{
    alarm,
    clock::{Clock, SystemClock},
    cloud::{
        Access,
        client::{Client, Transport, proxies_in_use},
        credentials::KeyRing,
    },
    config,
    daemon::{self, Ended, Loaded, Outside},
    domain::{
        policy::{Account, Policy},
        trouble::Trouble,
    },
    ledger::{self, Ledger, Opened},
    metrics::Gauges,
    systemd::Systemd,
    telemetry,
};
use anyhow::Context;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
    task::JoinSet,
};

/// Run the daemon until SIGTERM or SIGINT; a second one ends it at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  cdb-backupd run\n  cdb-backupd run -c ./policy.yaml --log-format json")]
pub struct Run {}

impl Run {
    /// Loads the policy, takes the ledger, and loops.
    pub fn run(self, globals: &Globals) -> anyhow::Result<Exit> {
        let clock = SystemClock::new();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().context("start the runtime")?;
        // Heard from the first moment on: a stop while it starts ends it with 0, too.
        let mut asked = runtime.block_on(async { Asked::listen() })?;
        let format = match globals.log_format {
            LogFormat::Text => telemetry::LogFormat::Text,
            LogFormat::Json => telemetry::LogFormat::Json,
        };
        telemetry::start(format, &config::log_levels(), !config::no_color());
        if let Err(error) = forbid_cores() {
            tracing::warn!(%error, "core dumps cannot be forbidden; one would hold the keys: set the limit of core dumps to 0 where this is started");
        }
        let systemd = Systemd::of(|name| std::env::var_os(name), std::process::id());
        let now = clock.now();
        let loaded = globals.policy(now)?;
        let policy = Arc::new(loaded.policy);
        let gauges = Arc::new(Gauges::new(policy.clone()));
        let ring = KeyRing::of_process();
        let told = |error: ledger::Error| exit::of_ledger(&error).because(error.to_string());
        // Whoever finds another daemon at work is told of it, and not of the port that it has.
        let first = match Ledger::open(&loaded.ledger, &random_id(), now.utc) {
            Err(error) if !error.is_passing() => return Err(told(error).into()),
            first => first,
        };
        let door = runtime.block_on(Door::take(loaded.listen, &policy, &loaded.ledger, &gauges, &ring, clock))?;
        let (place, answering) = (door.place(), runtime.block_on(async { door.open(clock) }));
        let wait = Wait { clock, systemd: &systemd, gauges: &gauges, asked: &mut asked };
        let Some(opened) = runtime.block_on(wait.for_ledger(&loaded.ledger, first)).map_err(told)? else { return Ok(Exit::Ok) };
        if opened.put_back {
            tracing::warn!("the ledger is behind its lock file: it was put back from a copy or moved; every run is looked for before it is sent");
        }
        let client = Client::new(clock, ring, transport(&policy))?;
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            policy = %globals.config.display(),
            ledger = %loaded.ledger.display(),
            listen = place,
            proxy = proxies_in_use(),
            "cdb-backupd starts"
        );
        let started = Started { ledger: loaded.ledger.clone(), listen: loaded.listen, listen_token: policy.listen_token.clone() };
        let source = reread::source(globals, started, clock, &client, &systemd);
        let hooks = hooks::of_run(&systemd, &loaded.ledger, runtime.handle());
        let outside = Outside { gauges, hooks, source, ..Outside::new(clock, client, policy.clone(), random_number()) };
        let loaded = Loaded { policy, hash: loaded.text_hash, text: loaded.text, at: now.mono };
        // The loop has the main thread to itself, so a slow fsync delays no call in flight.
        let ended = runtime.block_on(live(outside, opened.ledger, loaded, answering, asked, &systemd))?;
        runtime.shutdown_background();
        Ok(ended)
    }
}

/// A core dump would hold the keys. The limit is for files; a program that the kernel pipes dumps to is kept off by the other.
fn forbid_cores() -> rustix::io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
}

/// How often a ledger that cannot be opened yet is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// The signals that end the daemon, and the one that makes it read its policy again.
struct Asked {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Asked {
    fn listen() -> anyhow::Result<Self> {
        let interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
        let terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        Ok(Self { interrupt, terminate, hangup: signal(SignalKind::hangup()).context("listen for SIGHUP")? })
    }
}

/// Who hears that the start waits.
struct Wait<'a> {
    clock: SystemClock,
    systemd: &'a Systemd,
    gauges: &'a Gauges,
    asked: &'a mut Asked,
}

impl Wait<'_> {
    /// Where another process writes the ledger, or its disk is full or can only be read, it is opened again each second: a pass that holds, as later.
    /// None when asked to stop.
    async fn for_ledger(self, path: &Path, first: Result<Opened, ledger::Error>) -> Result<Option<Opened>, ledger::Error> {
        let (mut told, mut opened) = (false, first);
        loop {
            match opened {
                Err(error) if error.is_passing() => {
                    self.gauges.passed(self.clock.now().mono, vec![Trouble::Ledger, Trouble::Clock, Trouble::Unrecorded]);
                    self.systemd.waits(&format!("waiting for the ledger: {error}"));
                    if !std::mem::replace(&mut told, true) {
                        tracing::error!(%error, "the ledger cannot be opened yet; nothing is started until it can be, tried again each second");
                    }
                }
                opened => return opened.map(Some),
            }
            tokio::select! {
                _ = self.asked.interrupt.recv() => return Ok(None),
                _ = self.asked.terminate.recv() => return Ok(None),
                () = self.clock.sleep(AGAIN) => {}
            }
            opened = Ledger::open(path, &random_id(), self.clock.now().utc);
        }
    }
}

async fn live(
    outside: Outside<SystemClock, Client<SystemClock>>,
    ledger: Ledger,
    loaded: Loaded,
    answering: Answering,
    mut asked: Asked,
    systemd: &Systemd,
) -> anyhow::Result<Exit> {
    let clock = outside.clock;
    // Not where the loop runs: it is there for a loop that hangs.
    let mut vigil = JoinSet::new();
    vigil.spawn(daemon::vigil::watch(clock, outside.gauges.clone()));
    let (first, stop) = oneshot::channel::<()>();
    let mut alarm = alarm::start(outside.ring.clone(), outside.chores.clone()).await.context("start the alarm")?;
    let (source, ring) = (outside.source.clone(), outside.ring.clone());
    let daemon = daemon::run(outside, ledger, loaded, async {
        // The sender lives as long as the loop.
        drop(stop.await);
    });
    let mut daemon = std::pin::pin!(daemon);
    let mut first = Some(first);
    let ended = loop {
        tokio::select! {
            // The loop may be busy for long; who asks it to end is heard before its next turn.
            biased;
            _ = asked.interrupt.recv() => {}
            _ = asked.terminate.recv() => {}
            _ = asked.hangup.recv() => {
                source.ask();
                ring.notify_one();
                continue;
            }
            ended = &mut daemon => break ended,
        }
        match first.take() {
            Some(first) => {
                tracing::info!("asked to stop; nothing new starts, calls in flight get up to {} s", daemon::GRACE.as_secs());
                systemd.stopping("stopping: calls in flight may end");
                // Unheard, the loop has ended by itself.
                if first.send(()).is_err() {
                    continue;
                }
            }
            None => {
                tracing::warn!("asked to stop a second time; calls in flight are left, and looked for at the next start");
                return Ok(Exit::Ok);
            }
        }
    };
    answering.close(&clock).await;
    drop(alarm.shutdown().await);
    match ended {
        Ok(()) => Ok(Exit::Ok),
        Err(Ended(error)) => {
            systemd.stopping(&error.to_string());
            Err(exit::of_ledger(&error).because(error.to_string()).into())
        }
    }
}

/// Where each account's zone-less times are read.
pub(super) fn transport(policy: &Policy) -> Transport {
    Transport { list_offsets_s: list_offsets(policy), ..Transport::default() }
}

pub(super) fn list_offsets(policy: &Policy) -> BTreeMap<Access, i32> {
    let offset = |account: &Arc<Account>| {
        let access = Access { endpoint: account.endpoint.clone(), credentials: account.credentials.clone() };
        (access, account.list_offset_s)
    };
    policy.accounts.iter().map(offset).collect()
}

/// A number that no other process draws: the standard library's hash keys are random.
pub(super) fn random_number() -> i64 {
    i64::try_from(RandomState::new().hash_one(std::process::id()) >> 1).unwrap_or(i64::MAX)
}

/// A name for a ledger that is made anew.
pub(super) fn random_id() -> String {
    format!("{:015x}{:015x}", random_number(), random_number())
}
