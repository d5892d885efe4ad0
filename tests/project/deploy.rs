//! Unit, image, example policy and README agree with the code on paths, users, limits and exit codes.

use cdb_backupd::{config, daemon::GRACE, domain::policy::Listen};
use std::{fs, path::PathBuf};

fn read(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn value(unit: &str, key: &str) -> String {
    let line = unit.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
    line.unwrap_or_else(|| panic!("the unit has no {key}")).to_owned()
}

#[test]
fn the_unit_starts_what_the_image_starts() {
    let (unit, image) = (read("systemd/cdb-backupd.service"), read("Dockerfile"));
    assert_eq!(value(&unit, "ExecStart"), "/usr/bin/cdb-backupd run --config /etc/cdb-backupd/policy.yaml");
    assert!(image.contains(r#"ENTRYPOINT ["/usr/bin/cdb-backupd"]"#) && image.contains(r#"CMD ["run", "--config", "/etc/cdb-backupd/policy.yaml"]"#));
    assert_eq!((value(&unit, "User"), value(&unit, "Group")), ("cdb-backupd".into(), "cdb-backupd".into()));
    assert!(image.contains("USER 7306:7306") && image.contains("STOPSIGNAL SIGTERM"));
}

#[test]
fn the_ledgers_folder_is_the_same_everywhere() {
    let (unit, image) = (read("systemd/cdb-backupd.service"), read("Dockerfile"));
    assert_eq!(config::DEFAULT_LEDGER, "/var/lib/cdb-backupd/ledger.db");
    assert_eq!(
        (value(&unit, "StateDirectory"), value(&unit, "StateDirectoryMode"), value(&unit, "UMask")),
        ("cdb-backupd".into(), "0750".into(), "0027".into())
    );
    assert!(image.contains("VOLUME /var/lib/cdb-backupd"));
}

#[test]
fn the_unit_does_not_restart_what_a_person_has_to_mend_and_waits_longer_than_the_grace() {
    let unit = read("systemd/cdb-backupd.service");
    assert_eq!(value(&unit, "RestartPreventExitStatus"), "77 78");
    assert!(!unit.contains("ExecStartPre"), "`run` checks the policy itself; a check before it would restart for ever");
    let wait: u64 = value(&unit, "TimeoutStopSec").parse().unwrap();
    assert!(wait > GRACE.as_secs());
}

#[test]
fn the_readme_names_every_exit_code_and_the_example_the_default_address() {
    let readme = read("README.md");
    for code in [0, 1, 2, 3, 74, 75, 77, 78] {
        assert!(readme.contains(&format!("| {code} |")), "exit code {code}");
    }
    assert!(read("config/policy.yaml").contains(Listen::DEFAULT));
}
