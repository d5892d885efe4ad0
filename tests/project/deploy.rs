//! Unit, image and example policy agree with the code and with each other: paths, flags, port, user, limits, what ends for good.

use super::sources::{read, root};
use cdb_backupd::{
    cli::{Cli, Command, exit::Exit},
    config::{self, Machine, check_text},
    daemon::GRACE,
    domain::{
        pace::CREATES_PER_SECOND_MAX,
        policy::{Listen, Policy},
    },
};
use clap::{CommandFactory, Parser};
use std::{path::Path, time::Duration};

const USER: &str = "cdb-backupd";
/// The user's number in the image. It is the port's, so that there is one number to remember.
const UID: u16 = 7306;

/// All values of a key of the unit, in its order.
fn values(key: &str) -> Vec<String> {
    let unit = read("systemd/cdb-backupd.service");
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(str::to_owned).collect()
}

/// The one value of a key of the unit.
fn value(key: &str) -> String {
    let mut values = values(key);
    assert_eq!(values.len(), 1, "{key} stands once in the unit");
    values.remove(0)
}

/// The instructions of the image's last stage: word and rest, continued lines joined.
fn instructions() -> Vec<(String, String)> {
    let text = read("Dockerfile").replace("\\\n", " ");
    let stage = text.rsplit_once("\nFROM ").map(|(_, stage)| format!("FROM {stage}")).unwrap();
    let lines = stage.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '));
    lines.map(|(word, rest)| (word.to_owned(), rest.trim().to_owned())).collect()
}

fn instruction(word: &str) -> Option<String> {
    let mut found = instructions().into_iter().filter(|(this, _)| this == word).map(|(_, rest)| rest);
    let first = found.next();
    assert!(found.next().is_none(), "{word} stands once in the image's last stage");
    first
}

/// The words of an instruction in its form without a shell.
fn exec_words(rest: &str) -> Vec<String> {
    serde_json::from_str(rest).unwrap_or_else(|error| panic!("{rest}: {error}"))
}

fn example() -> Policy {
    let machine = Machine::pictured(&[("TENCENTCLOUD_SECRET_ID", "x"), ("TENCENTCLOUD_SECRET_KEY", "x")], &[], "");
    check_text("policy.yaml", &read("config/policy.yaml"), &machine, "2026-11-24T02:00:00Z".parse().unwrap()).unwrap().policy
}

#[test]
fn unit_and_image_start_the_daemon_as_the_program_understands_it() {
    let unit: Vec<String> = value("ExecStart").split(' ').map(str::to_owned).collect();
    let image = [exec_words(&instruction("ENTRYPOINT").unwrap()), exec_words(&instruction("CMD").unwrap())].concat();
    assert_eq!(unit, image);
    assert_eq!(unit[0], "/usr/bin/cdb-backupd");
    let cli = Cli::try_parse_from(&unit).unwrap();
    assert!(matches!(cli.command, Command::Run(_)));
    let config = Cli::command().get_arguments().find(|arg| arg.get_id() == "config").unwrap().get_default_values()[0].to_owned();
    assert_eq!(cli.globals.config, Path::new(&config), "unit and image name the policy that is the default");
}

#[test]
fn the_binary_is_copied_to_where_unit_and_image_start_it() {
    let copies: Vec<String> = instructions().into_iter().filter(|(word, _)| word == "COPY").map(|(_, rest)| rest).collect();
    assert_eq!(copies, ["--from=build /src/target/release/cdb-backupd /usr/bin/cdb-backupd"]);
}

#[test]
fn the_image_is_built_with_the_toolchain_that_the_package_asks_for() {
    let asked = env!("CARGO_PKG_RUST_VERSION");
    assert!(read("Dockerfile").starts_with(&format!("FROM rust:{asked}-slim-bookworm AS build\n")));
    assert_eq!(instruction("FROM").unwrap(), "debian:bookworm-slim");
}

#[test]
fn everything_that_the_image_is_built_of_is_there() {
    for line in read("Dockerfile").lines().filter(|line| line.starts_with("COPY ") && !line.contains("--from")) {
        let words: Vec<&str> = line.split(' ').collect();
        for path in &words[1..words.len() - 1] {
            assert!(root().join(path).exists(), "{path} is copied into the image and is not here");
            assert!(!read(".dockerignore").lines().any(|ignored| ignored == *path), "{path} is copied into the image and ignored");
        }
    }
}

#[test]
fn the_ledger_lies_in_the_folder_that_unit_and_image_make() {
    let folder = Path::new(config::DEFAULT_LEDGER).parent().unwrap();
    assert_eq!(Path::new("/var/lib").join(value("StateDirectory")), folder);
    assert_eq!((value("StateDirectoryMode").as_str(), value("UMask").as_str()), ("0750", "0027"));
    assert_eq!(Path::new(&instruction("VOLUME").unwrap()), folder);
    let made = format!("install --directory --owner={USER} --group={USER} --mode=0750 {}", folder.display());
    assert!(instruction("RUN").unwrap().contains(&made), "the image makes the folder with the unit's mode");
    assert_eq!(example().ledger.as_deref(), Some(Path::new(config::DEFAULT_LEDGER)));
}

#[test]
fn the_daemon_is_a_user_that_is_not_root_and_can_be_named() {
    assert_eq!((value("User"), value("Group")), (USER.into(), USER.into()));
    assert!(values("DynamicUser").is_empty(), "a dynamic user hides the ledger from the person on call");
    assert_eq!(instruction("USER").unwrap(), format!("{UID}:{UID}"));
    let made = instruction("RUN").unwrap();
    assert!(made.contains(&format!("groupadd --gid {UID} {USER}")) && made.contains(&format!("useradd --uid {UID} --gid {UID} ")));
}

#[test]
fn what_a_person_has_to_mend_is_not_started_again() {
    assert_eq!(value("RestartPreventExitStatus"), format!("{} {}", Exit::NotPermitted as u8, Exit::PolicyFault as u8));
    assert_eq!(value("Restart"), "on-failure");
    assert!(values("ExecStartPre").is_empty(), "systemd would start a policy at fault again for ever; `run` checks it itself");
}

#[test]
fn whoever_stops_the_daemon_waits_longer_than_its_grace() {
    let unit = Duration::from_secs(value("TimeoutStopSec").parse().unwrap());
    let docker = Duration::from_secs(10);
    assert!(GRACE < docker && docker <= unit);
    assert_eq!(instruction("STOPSIGNAL").unwrap(), "SIGTERM");
    assert!(values("KillSignal").is_empty(), "the default is SIGTERM");
}

#[test]
fn the_unit_bounds_what_the_daemon_may_take() {
    assert_eq!((value("MemoryMax"), value("TasksMax"), value("LimitNOFILE")), ("512M".into(), "128".into(), "4096".into()));
}

#[test]
fn the_unit_does_not_wait_for_a_word_that_this_program_does_not_send() {
    let tells = root().join("src/systemd.rs").exists();
    assert_eq!(value("Type"), if tells { "notify" } else { "exec" });
    assert_eq!(values("WatchdogSec").is_empty(), !tells);
}

#[test]
fn systemd_hears_the_daemon_alone_and_kills_it_no_later_than_health_calls_it_dead() {
    assert_eq!((value("NotifyAccess"), value("WatchdogSec")), ("main".into(), "60".into()));
    assert!(values("WatchdogSignal").is_empty() && values("TimeoutAbortSec").is_empty(), "SIGABRT ends it: the daemon has no answer to it");
    assert!(value("TimeoutStartSec").parse::<u64>().unwrap() > 60, "the first pass may come late, and whoever waits for the ledger asks for more");
}

#[test]
fn a_reload_is_a_hangup_of_the_daemon_itself() {
    assert_eq!(value("ExecReload"), "/bin/kill -HUP $MAINPID");
}

#[test]
fn the_image_asks_the_program_for_its_health() {
    let check = instruction("HEALTHCHECK").unwrap();
    let (options, asked) = check.split_once("CMD ").unwrap();
    assert_eq!(options.trim(), "--interval=30s --timeout=5s --start-period=20s");
    let asked = exec_words(asked);
    assert_eq!(asked, ["/usr/bin/cdb-backupd", "health"], "no shell, and the policy that CMD names by default");
    assert!(matches!(Cli::try_parse_from(asked).unwrap().command, Command::Health(_)));
}

#[test]
fn the_example_has_the_address_and_the_limits_of_the_code() {
    let policy = example();
    assert_eq!(policy.listen, Listen::On(Listen::DEFAULT.parse().unwrap()));
    assert!(Listen::DEFAULT.ends_with(":7306"));
    assert!(policy.accounts.iter().all(|account| account.calls_per_second == CREATES_PER_SECOND_MAX));
}
