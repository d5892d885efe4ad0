//! A night of faults with the canary's keys from each source, at every log level and in both formats; then every command that reads what is left.

use crate::scene::Scene;
use cdb_backupd::ledger::report::{Filter, Reader};
use std::process::Child;

/// Everything of every crate, also where a crate is named apart: what keeps others quiet has to hold against it.
const LOUDEST: &str = "trace,hyper=trace,hyper_util=trace,hyper_util::client=trace,reqwest=trace,reqwest::connect=trace,rustls=trace,h2=trace,\
    cdb_backupd=trace,cdb_backupd::cloud=trace,hyper::proto::h1=trace,tokio_cron_scheduler=trace";

struct Night<'a> {
    credentials: String,
    variables: Vec<(String, String)>,
    format: &'a str,
    levels: &'a str,
}

/// Whether every run that the ledger has is final, and there are some.
fn is_over(scene: &Scene) -> bool {
    let (mut runs, mut open) = (0, 0);
    let Ok(Some(reader)) = Reader::open(&scene.path("ledger.db")) else { return false };
    let read = reader.history::<cdb_backupd::ledger::Error>(&Filter::default(), |item| {
        runs += 1;
        open += i32::from(item.finished_at.is_none());
        Ok(())
    });
    read.is_ok() && runs > 0 && open == 0
}

fn live(scene: &Scene, night: &Night<'_>) {
    let policy = scene.policy(&night.credentials, &format!("http://{}", scene.relay.address));
    let policy = policy.to_str().unwrap();
    let mut variables = night.variables.clone();
    variables.extend(["RUST_LOG", "CDB_BACKUPD_LOG"].map(|name| (name.to_owned(), night.levels.to_owned())));
    variables.push(("RUST_BACKTRACE".into(), "full".into()));
    let mut daemon: Child = scene.start("run", &["run", "-c", policy, "--log-format", night.format], &variables);
    scene.wait_until("every run is final", || is_over(scene));
    for (name, args) in [
        ("check", &["check"][..]),
        ("check-json", &["check", "-o", "json"]),
        ("effective", &["check", "--effective"]),
        ("next", &["next"]),
        ("next-json", &["next", "-o", "json"]),
        ("history", &["history"]),
        ("history-json", &["history", "-o", "json"]),
        ("history-csv", &["history", "-o", "csv"]),
        ("health", &["health"]),
        ("health-json", &["health", "-o", "json"]),
        ("show", &["show", "1"]),
        ("show-json", &["show", "2", "-o", "json"]),
    ] {
        let args = [args, &["-c", policy, "--log-format", night.format]].concat();
        assert_eq!(scene.ended(name, &args, &variables), Some(0), "{name}: {}", scene.said(name, "stderr"));
    }
    // While it lives the log of the ledger lies beside it.
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db.lock"] {
        assert!(scene.names().iter().any(|found| found == name), "{name} is there to be searched");
    }
    assert_eq!(scene.leaks(), []);
    assert!(scene.stop(&mut daemon).success(), "{}", scene.said("run", "stderr"));
    assert_eq!(scene.leaks(), []);
    seen(scene, night);
}

/// That there was something to leak, and something that could have leaked it.
fn seen(scene: &Scene, night: &Night<'_>) {
    let sent = scene.relay.sent();
    assert!(sent.contains(&format!("Credential={}/", scene.canary.secret_id)) && sent.contains(&scene.canary.token), "the canary's keys were used");
    assert!(scene.relay.signatures().len() > 10, "requests were signed");
    assert!(scene.cloud.audit().backups.len() > 3, "the cloud took the signatures: {}", scene.said("run", "stderr"));
    let log = scene.said("run", "stderr");
    assert!(log.contains("nightly") && log.contains("succeeded"), "{log}");
    assert_eq!(night.format == "json", log.lines().all(|line| line.starts_with('{')), "{log}");
    for code in ["InternalError.HttpError", "http_502", "RequestLimitExceeded"] {
        assert!(log.contains(code), "{code} is told: {log}");
    }
}

#[test]
fn keys_of_the_environment_are_written_nowhere() {
    let scene = Scene::new();
    let variables = scene.variables();
    live(&scene, &Night { credentials: "env".into(), variables, format: "text", levels: LOUDEST });
}

#[test]
fn keys_of_the_sdks_file_are_written_nowhere() {
    let scene = Scene::new();
    let canary = &scene.canary;
    let text = format!("[default]\nsecret_id = {}\nsecret_key = {}\ntoken = {}\n", canary.secret_id, canary.secret_key, canary.token);
    let file = scene.key_file("main.ini", &text, 0o600);
    let credentials = format!("{{ file: {} }}", file.display());
    live(&scene, &Night { credentials, variables: Vec::new(), format: "json", levels: LOUDEST });
}

#[test]
fn keys_in_files_that_variables_name_are_written_nowhere() {
    let scene = Scene::new();
    let named = scene.variables().into_iter().map(|(name, value)| {
        let file = scene.key_file(&name, &format!("{value}\n"), 0o600);
        (format!("{name}_FILE"), file.to_str().unwrap().to_owned())
    });
    let variables = named.collect();
    live(&scene, &Night { credentials: "{ env_prefix: TENCENTCLOUD }".into(), variables, format: "json", levels: "debug" });
}

#[test]
fn a_leak_into_any_file_is_found() {
    let scene = Scene::new();
    let write = |name: &str, text: &str| std::fs::write(scene.path("out").join(name), text).unwrap();
    ["a", "b", "c"].iter().for_each(|name| write(name, "nothing"));
    assert_eq!(scene.leaks(), []);
    write("b", &format!("2026-11-24T12:00:00Z ERROR the key {} is wrong", &scene.canary.secret_key[..24]));
    let leaks = scene.leaks();
    assert!(leaks.len() == 1 && leaks[0].0.ends_with("/out/b") && leaks[0].1 == "SecretKey" && leaks[0].2 == 35, "{leaks:?}");
}
