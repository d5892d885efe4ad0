//! The official SDKs, unchanged, drive the simulator: what it accepts and says is what they send and understand (issue 3, §6).
//!
//! Where an SDK is neither there nor can be installed, its test proves nothing: it fails where `CI` is set, and says so on the terminal elsewhere.

#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

use cdb_backupd::{
    clock::SystemClock,
    sim::{
        Cloud,
        http::HttpDoor,
        settings::{Settings, SimAccount, SimInstance},
    },
};
use std::{
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

const FAULTS: &str = "list#1@cdb-throt001:list_throttled,create#1@cdb-ambig001:http_error_after_act,\
                      create#1@cdb-ambig002:gateway_502,create#1@cdb-ambig003:reset_mid_body";

fn settings() -> Settings {
    let ids = ["cdb-plain001", "cdb-plain002", "cdb-throt001", "cdb-ambig001", "cdb-ambig002", "cdb-ambig003"];
    let mut settings = Settings::quiet(7, ids.map(SimInstance::plain).into());
    settings.faults = FAULTS.parse().unwrap();
    settings.list_lag = Duration::ZERO..=Duration::ZERO;
    // The scripts call as fast as they can, and the rate has tests of its own.
    settings.creates_per_second = 1_000;
    settings
}

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("contract_sdk").join(name)
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract_sdk").join(name)
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// An interpreter that has the SDK: the machine's own, or one of a venv below target/.
fn python() -> Result<PathBuf, &'static str> {
    let has_sdk = |python: &Path| succeeds(Command::new(python).args(["-c", "import tencentcloud.cdb"]));
    let own = PathBuf::from("python3");
    if has_sdk(&own) {
        return Ok(own);
    }
    let venv = scratch("python");
    let python = venv.join("bin/python");
    if has_sdk(&python) {
        return Ok(python);
    }
    if !succeeds(Command::new("python3").args(["-m", "venv"]).arg(&venv)) {
        return Err("there is no python3 with venv");
    }
    let install = ["-m", "pip", "install", "--quiet", "--retries", "1", "tencentcloud-sdk-python-cdb"];
    if succeeds(Command::new(&python).args(install)) && has_sdk(&python) { Ok(python) } else { Err("pip cannot install the Python SDK") }
}

/// A directory whose `node_modules` hold the SDK.
fn node_modules() -> Result<PathBuf, &'static str> {
    let directory = scratch("node");
    let package = "tencentcloud-sdk-nodejs-common";
    if !succeeds(Command::new("node").arg("--version")) {
        return Err("there is no node");
    }
    if !directory.join("node_modules").join(package).is_dir() {
        std::fs::create_dir_all(&directory).map_err(|_| "target/ cannot be written")?;
        let install = ["install", "--no-audit", "--no-fund", "--fetch-retries=1", "--prefix", ".", package];
        if !succeeds(Command::new("npm").args(install).current_dir(&directory)) {
            return Err("npm cannot install the Node SDK");
        }
    }
    Ok(directory)
}

/// Tells that an SDK proved nothing, past libtest, which shows what a test prints only when it fails.
fn proved_nothing(sdk: &str, why: &str, in_ci: bool) {
    let told = format!("the {sdk} SDK proved nothing here, because {why}");
    assert!(!in_ci, "{told}; in CI that is a failure");
    std::io::stderr().write_all(format!("\n*** skipped: {told} ***\n\n").as_bytes()).unwrap();
}

/// Whether somebody relies on these tests.
fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

#[test]
#[should_panic(expected = "the Python SDK proved nothing here, because there is no pip; in CI that is a failure")]
fn an_sdk_that_cannot_be_installed_fails_in_ci() {
    proved_nothing("Python", "there is no pip", true);
}

async fn lines(mut command: Command) -> Vec<String> {
    let account = SimAccount::example();
    command.env("SIM_ID", account.secret_id).env("SIM_KEY", account.secret_key);
    let Output { stdout, stderr, status } = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_python_sdk_creates_lists_and_sees_each_class_of_error() {
    let python = match tokio::task::spawn_blocking(python).await.unwrap() {
        Ok(python) => python,
        Err(why) => return proved_nothing("Python", why, in_ci()),
    };
    let cloud = Cloud::new(settings(), SystemClock::new());
    let door = HttpDoor::open(cloud.clone(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new(python);
    command.arg(script("drive.py")).arg(door.address().port().to_string()).arg(closed.port().to_string());
    command.env("PYTHONIOENCODING", "utf-8");
    let expected = [
        "create 102996666",
        "list 1 [(102996666, 'manual', 'physical', '夜-1', 'RUNNING')]",
        "tables 102996667",
        "get 1 [(102996666, 'manual', 'physical', '夜-1', 'RUNNING')]",
        "busy OperationDenied.ActionInProcess",
        "throttled RequestLimitExceeded",
        "ambiguous InternalError.HttpError",
        "gateway ServerNetworkError",
        "reset broken",
        "refused broken",
        "account AuthFailure.SignatureFailure",
        "stranger AuthFailure.SecretIdNotFound",
        "rejected OperationDenied.ActionNotSupport",
        "elsewhere InvalidParameter.InstanceNotFound",
        "unknown InvalidParameter.InstanceNotFound",
    ];
    assert_eq!(lines(command).await, expected);
    let audit = cloud.audit();
    let made: Vec<_> = audit.backups.iter().map(|b| b.instance.as_str()).collect();
    assert_eq!(made, ["cdb-plain001", "cdb-plain002", "cdb-ambig001", "cdb-ambig003"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_node_sdk_creates_lists_and_sees_each_class_of_error() {
    let modules = match tokio::task::spawn_blocking(node_modules).await.unwrap() {
        Ok(modules) => modules,
        Err(why) => return proved_nothing("Node", why, in_ci()),
    };
    let cloud = Cloud::new(settings(), SystemClock::new());
    let door = HttpDoor::open(cloud.clone(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let mut command = Command::new("node");
    command.arg(script("drive.js")).arg(door.address().port().to_string()).env("NODE_PATH", modules.join("node_modules"));
    let expected = [
        "create 102996666",
        "list 夜-1",
        "busy OperationDenied.ActionInProcess",
        "throttled RequestLimitExceeded",
        "ambiguous InternalError.HttpError",
        "account AuthFailure.SignatureFailure",
        "rejected OperationDenied.ActionNotSupport",
    ];
    assert_eq!(lines(command).await, expected);
    assert_eq!(cloud.audit().backups.len(), 2);
}
