//! What lasts shows how far it is, on stderr: a bar on a terminal, plain lines elsewhere, and nothing where it was quick.

use cdb_backupd::{
    clock::SystemClock,
    sim::{
        Cloud,
        http::HttpDoor,
        settings::{Settings, SimAccount, SimInstance},
    },
};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

/// Lists are read at eight a second, so these take three seconds.
const MANY: usize = 24;

/// A cloud over loopback, and policies of many and of few of its instances.
async fn scene(folder: &Path) -> HttpDoor {
    let ids: Vec<String> = (1..=MANY).map(|n| format!("cdb-sim{n:05}")).collect();
    let mut settings = Settings::quiet(1, ids.iter().map(|id| SimInstance::plain(id)).collect());
    settings.durations = Duration::from_millis(2_800)..=Duration::from_millis(2_900);
    let door = HttpDoor::open(Cloud::new(settings, SystemClock::new()), "127.0.0.1:0".parse().expect("an address")).await.expect("a door");
    for (name, few) in [("many", MANY), ("few", 2)] {
        let instances: Vec<String> = ids.iter().take(few).map(|id| format!("{{ id: {id} }}")).collect();
        let policy = format!(
            "version: 1\nlisten: \"off\"\nledger: {name}.db\naccounts: {{ sim: {{ credentials: env, endpoint: \"http://{}\" }} }}\n\
             instance_defaults: {{ account: sim, region: ap-guangzhou }}\ninstances: [{}]\n\
             jobs: [{{ name: yearly, schedule: \"@yearly\", time_zone: Etc/UTC, targets: {{ all: true }}, method: physical, \
             poll: {{ initial: 100ms, max: 1s }} }}]\n",
            door.address(),
            instances.join(", ")
        );
        fs::write(folder.join(format!("{name}.yaml")), policy).expect("a policy is written");
    }
    door
}

/// What a command says on stderr; on a terminal, what it says there at all.
fn said(folder: &Path, line: &str, on_terminal: bool) -> String {
    let line = format!("{} {line}", env!("CARGO_BIN_EXE_cdb-backupd"));
    let mut command = Command::new(if on_terminal { "script" } else { "sh" });
    let args: &[&str] = if on_terminal { &["-qec", &line, "/dev/null"] } else { &["-c", &line] };
    let account = SimAccount::example();
    command.args(args).current_dir(folder).env("TERM", "xterm").env_remove("CDB_BACKUPD_LEDGER");
    command.env("TENCENTCLOUD_SECRET_ID", account.secret_id).env("TENCENTCLOUD_SECRET_KEY", account.secret_key);
    let output = command.stdin(Stdio::null()).output().expect("it starts");
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8_lossy(if on_terminal { &output.stdout } else { &output.stderr }).into_owned()
}

#[test]
fn a_bar_is_for_terminals_lines_are_for_others_and_what_is_quick_shows_neither() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let door = runtime.block_on(scene(folder.path()));
    let rebuild = |policy: &str| format!("ledger rebuild --dry-run -c {policy}.yaml");
    let (many, few) = (rebuild("many"), rebuild("few"));
    let backup = |n: u8| format!("backup --instance cdb-sim0000{n} --method physical --wait -c few.yaml --ledger {n}.db");
    let (one, other) = (backup(1), backup(2));
    let here = folder.path();
    let [lines, bar, quick, quick_bar, waited, waited_bar] = std::thread::scope(|scope| {
        let runs = [(&many, false), (&many, true), (&few, false), (&few, true), (&one, false), (&other, true)];
        runs.map(|(line, on_terminal)| scope.spawn(move || said(here, line, on_terminal))).map(|run| run.join().expect("it ends"))
    });
    assert!(lines.lines().any(|line| line.starts_with("cdb-backupd: reading lists: ") && line.contains(" of 24 (cdb-sim000")), "{lines}");
    assert!(bar.contains("reading lists [") && bar.contains("> ") && bar.contains(" of 24") && !bar.contains("cdb-backupd: reading"), "{bar}");
    assert!(!quick.contains("reading lists") && !quick_bar.contains("reading lists"), "{quick} {quick_bar}");
    assert!(waited.contains("run 1, by-hand on cdb-sim00001: running") && waited.contains("run 1, by-hand on cdb-sim00001: succeeded"), "{waited}");
    assert!(waited_bar.contains("backups that have ended") && waited_bar.contains("0 of 1"), "{waited_bar}");
    assert!(
        waited_bar.contains("run 1, by-hand on cdb-sim00002: succeeded")
            && !waited_bar.contains("cdb-backupd: run 1, by-hand on cdb-sim00002: running")
    );
    door.close();
}
