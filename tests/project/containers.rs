//! `config/compose.yaml` and `config/kubernetes.yaml`: parsed, and agreed with the image, the code and the README.

use super::sources::{read, root};
use cdb_backupd::{
    cli::{Cli, Command},
    config::{DEFAULT_LEDGER, Loaded, Machine, check_text},
    daemon::GRACE,
    domain::policy::{Listen, TokenSource},
};
use clap::{CommandFactory, Parser};
use serde::Deserialize;
use serde_yaml::Value;
use std::{path::Path, time::Duration};

const COMPOSE: &str = "config/compose.yaml";
const KUBERNETES: &str = "config/kubernetes.yaml";
/// 64 MB, as the image is tested with.
const MEMORY: [&str; 2] = ["64m", "64Mi"];

/// Every document of a file.
fn documents(path: &str) -> Vec<Value> {
    let text = read(path);
    serde_yaml::Deserializer::from_str(&text).map(|one| Value::deserialize(one).unwrap_or_else(|error| panic!("{path}: {error}"))).collect()
}

/// What stands at a path of keys and indices; null where nothing does.
fn at<'a>(from: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(from, |value, key| match key.parse::<usize>() {
        Ok(index) => value.get(index).unwrap_or(&Value::Null),
        Err(_) => value.get(key).unwrap_or(&Value::Null),
    })
}

fn text<'a>(from: &'a Value, path: &str) -> &'a str {
    at(from, path).as_str().unwrap_or_else(|| panic!("no text at {path}"))
}

fn list<'a>(from: &'a Value, path: &str) -> &'a [Value] {
    at(from, path).as_sequence().unwrap_or_else(|| panic!("no list at {path}"))
}

fn words<'a>(from: &'a Value, path: &str) -> Vec<&'a str> {
    list(from, path).iter().map(|word| word.as_str().unwrap()).collect()
}

fn object(kind: &str) -> Value {
    let mut found: Vec<Value> = documents(KUBERNETES).into_iter().filter(|document| text(document, "kind") == kind).collect();
    assert_eq!(found.len(), 1, "one {kind}");
    found.remove(0)
}

fn compose() -> Value {
    let mut found = documents(COMPOSE);
    assert_eq!(found.len(), 1);
    at(&found.remove(0), "services.cdb-backupd").clone()
}

fn pod() -> Value {
    at(&object("StatefulSet"), "spec.template.spec").clone()
}

/// What an instruction of the image's last stage says.
fn image(word: &str) -> String {
    let dockerfile = read("Dockerfile");
    let (_, stage) = dockerfile.rsplit_once("\nFROM ").unwrap();
    stage.lines().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' ')).next_back().unwrap_or_else(|| panic!("no {word}")).to_owned()
}

fn default_policy() -> String {
    let command = Cli::command();
    command.get_arguments().find(|arg| arg.get_id() == "config").unwrap().get_default_values()[0].to_str().unwrap().to_owned()
}

fn checked(text: &str, machine: &Machine) -> Loaded {
    match check_text(&default_policy(), text, machine, "2026-11-24T02:00:00Z".parse().unwrap()) {
        Ok(loaded) => loaded,
        Err(error) => panic!("{:?}", error.faults()),
    }
}

/// The number of seconds in `15s`.
fn seconds(text: &str) -> Duration {
    humantime::parse_duration(text).unwrap()
}

#[test]
fn both_run_the_image_of_this_version_as_its_own_user_and_with_nothing_to_spare() {
    let (service, pod) = (compose(), pod());
    let name = format!("cdb-backupd:{}", env!("CARGO_PKG_VERSION"));
    assert_eq!((text(&service, "image"), text(&pod, "containers.0.image")), (name.as_str(), name.as_str()));
    assert!(root().join("config").join(text(&service, "build")).join("Dockerfile").exists());

    let user = image("USER");
    assert_eq!(text(&service, "user"), user);
    let number: u64 = user.split(':').next().unwrap().parse().unwrap();
    for key in ["runAsUser", "runAsGroup", "fsGroup"] {
        assert_eq!(at(&pod, &format!("securityContext.{key}")).as_u64(), Some(number), "{key}");
    }
    assert_eq!(at(&pod, "securityContext.runAsNonRoot").as_bool(), Some(true));

    assert_eq!((at(&service, "read_only"), at(&pod, "containers.0.securityContext.readOnlyRootFilesystem")), (&true.into(), &true.into()));
    assert_eq!(words(&service, "cap_drop"), ["ALL"]);
    assert_eq!(words(&service, "security_opt"), ["no-new-privileges:true"]);
    assert_eq!(words(&pod, "containers.0.securityContext.capabilities.drop"), ["ALL"]);
    assert_eq!(at(&pod, "containers.0.securityContext.allowPrivilegeEscalation").as_bool(), Some(false));
    assert_eq!([text(&service, "mem_limit"), text(&pod, "containers.0.resources.limits.memory")], MEMORY);
}

#[test]
fn both_are_one_daemon_and_wait_for_its_end() {
    let (service, set) = (compose(), object("StatefulSet"));
    assert_eq!((at(&service, "deploy.replicas").as_u64(), at(&set, "spec.replicas").as_u64()), (Some(1), Some(1)));
    assert!(seconds(text(&service, "stop_grace_period")) > GRACE);
    assert!(at(&set, "spec.template.spec.terminationGracePeriodSeconds").as_u64().is_some_and(|s| s > GRACE.as_secs()));
    assert!(at(&service, "command").is_null() && at(&pod(), "containers.0.args").is_null(), "the image's own command");
}

#[test]
fn policy_and_ledger_lie_where_the_image_looks_for_them() {
    let folder = Path::new(DEFAULT_LEDGER).parent().unwrap().to_str().unwrap();
    assert_eq!(image("VOLUME"), folder);
    let policy = default_policy();
    assert_eq!(words(&compose(), "volumes"), [format!("./policy.yaml:{policy}:ro"), format!("ledger:{folder}")]);
    assert!(documents(COMPOSE)[0]["volumes"].get("ledger").is_some());

    let pod = pod();
    let mounts = list(&pod, "containers.0.volumeMounts");
    let mounted = |name: &str| mounts.iter().find(|mount| mount["name"] == *name).unwrap_or_else(|| panic!("{name} is mounted"));
    assert_eq!(text(mounted("ledger"), "mountPath"), folder);
    let (home, file) = policy.rsplit_once('/').unwrap();
    assert_eq!((text(mounted("policy"), "mountPath"), &mounted("policy")["readOnly"]), (home, &true.into()));
    assert!(!at(&object("ConfigMap"), "data")[file].is_null(), "the ConfigMap has {file}");
    assert_eq!(list(&pod, "volumes")[0]["configMap"]["name"], object("ConfigMap")["metadata"]["name"]);
    let claims = object("StatefulSet");
    assert_eq!(text(&claims, "spec.volumeClaimTemplates.0.metadata.name"), "ledger");
}

#[test]
fn the_config_maps_policy_is_good_where_the_pod_runs() {
    let (pod, map) = (pod(), object("ConfigMap"));
    let variables: Vec<(&str, &str)> = list(&pod, "containers.0.env").iter().map(|one| (text(one, "name"), text(one, "value"))).collect();
    let mounts = list(&pod, "containers.0.volumeMounts");
    let keys = text(mounts.iter().find(|mount| mount["name"] == "keys").unwrap(), "mountPath");
    // Its head says how the Secret is made.
    let manifest = read(KUBERNETES);
    let files: Vec<String> = manifest.split("--from-literal=").skip(1).map(|rest| format!("{keys}/{}", rest.split('=').next().unwrap())).collect();
    assert_eq!(files.len(), 3, "{files:?}");
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    for (name, path) in &variables {
        assert!(name.ends_with("_FILE") && files.contains(path), "{name} names a file of the Secret");
    }
    let policy = at(&map, "data")["policy.yaml"].as_str().unwrap();
    let loaded = checked(policy, &Machine::pictured(&variables, &files, ""));
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert!(matches!(&loaded.policy.listen_token, Some(TokenSource::File { path }) if files.contains(&path.to_str().unwrap())));
    assert!(loaded.listen.is_some_and(|address| address.ip().is_unspecified()), "probes come to the pod's address");
    assert!(keys.starts_with("/run/secrets/"), "where files may be readable by their group");
}

#[test]
fn probes_ask_what_needs_no_token_at_the_port_of_the_page() {
    let pod = pod();
    let port = u64::from(Listen::DEFAULT.rsplit_once(':').unwrap().1.parse::<u16>().unwrap());
    let container = at(&pod, "containers.0");
    assert_eq!((text(container, "ports.0.name"), at(container, "ports.0.containerPort").as_u64()), ("http", Some(port)));
    assert_eq!(at(&object("Service"), "spec.ports.0.port").as_u64(), Some(port));
    for probe in ["startupProbe", "livenessProbe"] {
        let get = at(container, &format!("{probe}.httpGet"));
        // `tests/serve/access.rs` has it that /healthz, and nothing else, is told without a token.
        assert_eq!((text(get, "path"), text(get, "port")), ("/healthz", "http"), "{probe}");
    }
    let asked = words(container, "readinessProbe.exec.command");
    assert!(matches!(Cli::try_parse_from(asked).unwrap().command, Command::Health(_)));
    let start = at(container, "startupProbe");
    assert!(start["periodSeconds"].as_u64().unwrap() * start["failureThreshold"].as_u64().unwrap() >= 300, "as long as the unit waits");
}

#[test]
fn compose_opens_the_page_to_this_machine_alone_and_its_policy_is_the_example() {
    let (service, manifest) = (compose(), read(COMPOSE));
    let port = Listen::DEFAULT.rsplit_once(':').unwrap().1;
    assert_eq!(words(&service, "ports"), [format!("127.0.0.1:{port}:{port}")]);
    assert!(manifest.contains("cp examples/container.yaml policy.yaml") && words(&service, "env_file") == ["env"]);
    let environment = at(&service, "environment").as_mapping().unwrap();
    let example = read("config/examples/container.yaml");
    for name in environment.keys().map(|name| name.as_str().unwrap()) {
        assert!(example.contains(name), "{name} is named in the example's head");
    }
    for name in ["TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "CDB_BACKUPD_LISTEN_TOKEN"] {
        assert!(manifest.contains(name) && example.contains(name), "{name}");
    }
}

#[test]
fn no_manifest_has_a_key_in_it() {
    assert!(documents(KUBERNETES).iter().all(|document| text(document, "kind") != "Secret"), "a Secret in a file is a key in a repository");
    assert!(list(&pod(), "containers.0.env").iter().all(|one| text(one, "name").ends_with("_FILE")));
}
