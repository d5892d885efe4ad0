//! A night in real time: some accounts whose instances are all due at one second, and the cloud's account of it.

use cdb_backupd::{
    clock::{Clock, SystemClock},
    cloud::{
        client::{Client, Transport},
        credentials::KeyRing,
    },
    config::{self, Machine},
    daemon::{self, Loaded, Outside},
    domain::now::later,
    ledger::Ledger,
    sim::{
        Cloud,
        audit::Audit,
        http::HttpDoor,
        settings::{Settings, SimAccount, SimInstance},
    },
};
use chrono::{DateTime, Timelike, Utc};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::runtime::{Builder, Runtime};

/// From the policy's load to the slot: by then the clock is proved and the policy recorded.
const AHEAD: Duration = Duration::from_secs(5);
/// How often the cloud is asked whether all have called.
const GLANCE: Duration = Duration::from_millis(250);
/// A night ends by itself, whatever happens.
const LONGEST: Duration = Duration::from_secs(60);
const SECRET_KEY: &str = "rate-secret-key-EXAMPLE";

/// How much is due at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Night {
    pub(crate) accounts: usize,
    /// Of each account.
    pub(crate) instances: usize,
}

impl Night {
    /// Lets it pass, with polls and ends of backups among the starts.
    pub(crate) fn pass(self) -> Audit {
        let elsewhere = runtime();
        let cloud = Cloud::new(self.settings(), SystemClock::new());
        let door = elsewhere.block_on(HttpDoor::open(cloud.clone(), "127.0.0.1:0".parse().unwrap())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        runtime().block_on(self.daemon(door.address(), &folder.path().join("ledger.db"), &cloud));
        cloud.audit()
    }

    async fn daemon(self, address: SocketAddr, ledger: &Path, cloud: &Cloud<SystemClock>) {
        let clock = SystemClock::new();
        let now = clock.now();
        let text = self.policy(address, later(now.utc, AHEAD));
        let loaded = config::check_text("policy.yaml", &text, &Machine::pictured(&[], &[], ""), now.utc).unwrap();
        let keys = KeyRing::new(Arc::new(|name| {
            let id = name.strip_suffix("_SECRET_ID").map(|account| format!("AKID{account}"));
            id.or_else(|| name.ends_with("_SECRET_KEY").then(|| SECRET_KEY.to_owned()))
        }));
        let api = Client::new(clock, keys, Transport::default()).unwrap();
        let ledger = Ledger::open(ledger, "rate", now.utc).unwrap().ledger;
        let loaded = Loaded { policy: Arc::new(loaded.policy), hash: loaded.text_hash, text: loaded.text, at: now.mono };
        let outside = Outside::new(clock, api, loaded.policy.clone(), 1);
        let all_called = async {
            let all = self.accounts * self.instances;
            while cloud.audit().creates().map(|traffic| traffic.calls).sum::<u64>() < all as u64 && clock.now().mono < LONGEST {
                clock.sleep(GLANCE).await;
            }
        };
        daemon::run(outside, ledger, loaded, all_called).await.unwrap();
    }

    fn settings(self) -> Settings {
        let instances = (0..self.accounts * self.instances).map(|n| SimInstance { account: n / self.instances, ..SimInstance::plain(&id(n)) });
        let mut settings = Settings::quiet(1, instances.collect());
        settings.accounts = (0..self.accounts).map(account).collect();
        settings.durations = Duration::from_secs(2)..=Duration::from_secs(20);
        settings
    }

    fn policy(self, address: SocketAddr, slot: DateTime<Utc>) -> String {
        let account = |n| format!("  a{n}: {{ credentials: {{ env_prefix: A{n} }}, endpoint: \"http://{address}\", absence_window: 60s }}\n");
        let instance = |n| format!("  - {{ id: {}, account: a{}, region: ap-guangzhou }}\n", id(n), n / self.instances);
        let accounts: String = (0..self.accounts).map(account).collect();
        let instances: String = (0..self.accounts * self.instances).map(instance).collect();
        let cron = format!("{} {} {} * * *", slot.second(), slot.minute(), slot.hour());
        format!(
            "version: 1\nlisten: \"off\"\naccounts:\n{accounts}instances:\n{instances}\
             defaults: {{ time_zone: Etc/UTC, start_within: 10m, complete_within: 10m, poll: {{ initial: 1s, max: 15s }} }}\n\
             jobs: [ {{ name: nightly, schedule: \"{cron}\", targets: {{ all: true }}, method: physical }} ]\n"
        )
    }
}

fn id(n: usize) -> String {
    format!("cdb-sim{n:05}")
}

fn account(n: usize) -> SimAccount {
    SimAccount { secret_id: format!("AKIDA{n}"), secret_key: SECRET_KEY.into(), ..SimAccount::example() }
}

/// The cloud has threads of its own; the loop has the thread that waits for it, as in `run`.
fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}
