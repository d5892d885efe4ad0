//! `ledger check`, `copy` and `rebuild` as people run them: exit codes, streams, JSON, and a lost ledger that is whole again.

use cdb_backupd::{
    clock::{Clock, SystemClock},
    sim::{
        Cloud,
        http::HttpDoor,
        settings::{Settings, SimAccount, SimInstance},
    },
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::Duration,
};

/// A cloud over loopback, and a policy whose job has a slot every two seconds.
struct Scene {
    clock: SystemClock,
    folder: tempfile::TempDir,
    _door: HttpDoor,
}

impl Scene {
    async fn open() -> Self {
        let clock = SystemClock::new();
        let mut settings = Settings::quiet(1, vec![SimInstance::plain("cdb-sim00001")]);
        settings.durations = Duration::from_millis(100)..=Duration::from_millis(200);
        let cloud = Cloud::new(settings, clock);
        let door = HttpDoor::open(cloud, "127.0.0.1:0".parse().expect("an address")).await.expect("a door");
        let folder = tempfile::tempdir().expect("a folder");
        let policy = format!(
            "version: 1\nlisten: \"off\"\nledger: ledger.db\naccounts:\n  sim: {{ credentials: env, endpoint: \"http://{}\" }}\n\
             instance_defaults: {{ account: sim, region: ap-guangzhou }}\ninstances: [ {{ id: cdb-sim00001 }} ]\n\
             jobs:\n  - {{ name: often, schedule: \"*/2 * * * * *\", time_zone: Etc/UTC, targets: {{ all: true }}, method: physical, \
             poll: {{ initial: 100ms, max: 1s }} }}\n",
            door.address()
        );
        fs::write(folder.path().join("policy.yaml"), policy).expect("a policy is written");
        Self { clock, folder, _door: door }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let account = SimAccount::example();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"));
        command.args(args).arg("--config").arg(self.path("policy.yaml")).current_dir(self.folder.path()).env_clear();
        command.env("TENCENTCLOUD_SECRET_ID", account.secret_id).env("TENCENTCLOUD_SECRET_KEY", account.secret_key);
        command
    }

    async fn run(&self, args: &[&str]) -> Output {
        let mut command = self.command(args);
        tokio::task::spawn_blocking(move || command.output()).await.expect("it ends").expect("the binary starts")
    }

    /// A daemon lives until so many runs ended well, while `life` asks it things.
    async fn live_until(&self, good: usize) {
        let mut daemon = self.command(&["run"]).stderr(Stdio::null()).spawn().expect("the daemon starts");
        let end = self.clock.now().mono + Duration::from_secs(60);
        while self.good().await < good {
            assert!(self.clock.now().mono < end, "no {good} runs ended well");
            self.clock.sleep(Duration::from_millis(100)).await;
        }
        let pid = i32::try_from(daemon.id()).ok().and_then(Pid::from_raw).expect("a pid");
        let copied = self.run(&["ledger", "copy", "beside.db"]).await;
        let refused = self.run(&["ledger", "rebuild"]).await;
        kill_process(pid, Signal::TERM).expect("the signal is sent");
        daemon.wait().expect("it ends");
        assert_eq!((copied.status.code(), refused.status.code()), (Some(0), Some(75)), "{copied:?} {refused:?}");
    }

    async fn good(&self) -> usize {
        let output = self.run(&["history", "--state", "succeeded", "-o", "json", "--limit", "1000"]).await;
        text(&output.stdout).matches("\"state\":\"succeeded\"").count()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn in_real_time<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime").block_on(test)
}

#[test]
fn a_lost_ledger_is_refilled_and_says_so_first() {
    in_real_time(async {
        let scene = Scene::open().await;
        scene.live_until(2).await;
        let good = scene.good().await;
        let check = scene.run(&["ledger", "check", "--ledger", "beside.db"]).await;
        assert_eq!(check.status.code(), Some(0), "{check:?}");
        assert!(text(&check.stdout).starts_with("ok: ") && text(&check.stdout).ends_with(", and nothing is wrong\n"), "{check:?}");
        for suffix in ["", "-wal", "-shm"] {
            drop(fs::remove_file(scene.path(&format!("ledger.db{suffix}"))));
        }
        let lost = scene.run(&["ledger", "check"]).await;
        assert_eq!((lost.status.code(), lost.stdout.as_slice()), (Some(74), [].as_slice()));
        assert!(text(&lost.stderr).contains("there is no ledger at "), "{lost:?}");
        let dry = json(&scene.run(&["ledger", "rebuild", "--dry-run", "-o", "json"]).await);
        let count = |of: &serde_json::Value, key: &str| of[key].as_u64().expect("a number");
        assert!(dry["dry_run"] == true && count(&dry, "added") >= good as u64 && !scene.path("ledger.db").exists(), "{dry}");
        let rebuilt = scene.run(&["ledger", "rebuild"]).await;
        let said = text(&rebuilt.stdout);
        assert_eq!(rebuilt.status.code(), Some(0), "{rebuilt:?}");
        assert!(said.starts_with("added: often on cdb-sim00001, slot ") && !said.contains("by its name alone"), "{said}");
        assert!(scene.good().await >= good);
        let again = json(&scene.run(&["ledger", "rebuild", "-o", "json"]).await);
        assert_eq!((count(&again, "added"), count(&again, "known")), (0, count(&dry, "added")), "{again}");
        assert_eq!(scene.run(&["ledger", "check"]).await.status.code(), Some(0));
    });
}

#[test]
fn what_is_wrong_is_data_and_ends_with_3() {
    in_real_time(async {
        let scene = Scene::open().await;
        scene.live_until(1).await;
        let conn = rusqlite::Connection::open(scene.path("ledger.db")).expect("it opens");
        conn.execute("UPDATE backups SET backup_id = backup_id + 7000000", []).expect("it is written");
        drop(conn);
        let told = scene.run(&["ledger", "check"]).await;
        assert_eq!(told.status.code(), Some(3), "{told:?}");
        assert!(text(&told.stdout).starts_with("unknown-backup: run ") && text(&told.stdout).contains("\nnot ok: "), "{told:?}");
        let told = scene.run(&["ledger", "check", "-o", "json"]).await;
        let object = json(&told);
        assert_eq!((told.status.code(), &object["schema_version"], &object["ok"]), (Some(3), &1.into(), &false.into()));
        let item = &object["items"][0];
        assert!(item["run_id"].is_i64() && item["job"] == "often" && item["instance_id"] == "cdb-sim00001" && item["message"].is_string(), "{item}");
        assert_eq!(object["total"].as_u64(), object["items"].as_array().map(|items| items.len() as u64));
    });
}

#[test]
fn a_copy_is_told_and_a_second_one_of_its_name_is_refused() {
    in_real_time(async {
        let scene = Scene::open().await;
        scene.live_until(1).await;
        let copied = json(&scene.run(&["ledger", "copy", "copy.db", "-o", "json"]).await);
        assert_eq!(copied["bytes"].as_u64(), fs::metadata(scene.path("copy.db")).ok().map(|file| file.len()));
        let again = scene.run(&["ledger", "copy", "copy.db"]).await;
        assert_eq!(again.status.code(), Some(1));
        assert!(text(&again.stderr).contains("copy.db is there already, and a copy replaces nothing; name a new file"), "{again:?}");
        assert_eq!(scene.run(&["ledger", "copy", "to.db", "--ledger", "none.db"]).await.status.code(), Some(74));
        assert_eq!(scene.run(&["ledger"]).await.status.code(), Some(2));
    });
}
