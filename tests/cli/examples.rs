//! The policies in `config/examples`: each is good on the machine that its head describes, warns of nothing that is not meant, and means what it says.

use crate::{good_policies::warnings, schema::complaints};
use cdb_backupd::{
    config::{Loaded, Machine, check_text},
    domain::policy::{Instance, Job, Method},
};
use std::{collections::BTreeMap, fs, path::Path, time::Duration};

const TODAY: &str = "2026-11-24T02:00:00Z";
const ALL: [&str; 5] = ["container", "eight-hundred-instances", "hourly-tables", "month-end-and-blackouts", "one-instance"];

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("config/examples/{name}.yaml"))).expect("an example")
}

/// An example where it belongs, on a machine with these variables and files.
fn load(name: &str, variables: &[(&str, &str)], files: &[&str]) -> Loaded {
    let machine = Machine::pictured(variables, files, "");
    match check_text("/etc/cdb-backupd/policy.yaml", &read(name), &machine, TODAY.parse().expect("a moment")) {
        Ok(loaded) => loaded,
        Err(error) => panic!("{name}:\n{}", error.faults().iter().map(|fault| fault.draw(false)).collect::<Vec<_>>().join("\n")),
    }
}

/// An example whose only keys are those of the plain variables.
fn plain(name: &str) -> Loaded {
    load(name, &[("TENCENTCLOUD_SECRET_ID", "x"), ("TENCENTCLOUD_SECRET_KEY", "x")], &[])
}

fn job<'a>(loaded: &'a Loaded, name: &str) -> &'a Job {
    loaded.policy.jobs.iter().find(|job| job.name.as_str() == name).expect("a job of that name")
}

#[test]
fn there_are_five_and_each_has_a_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples");
    let mut found: Vec<String> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
    found.sort();
    assert_eq!(found, ALL.map(|name| format!("{name}.yaml")));
    for name in ALL {
        assert!(read(name).starts_with("# "), "{name} begins with what it is");
        assert_eq!(complaints(&read(name)), Vec::<String>::new(), "an editor has nothing to say of {name}");
    }
}

#[test]
fn one_instance_is_the_least_that_a_policy_needs() {
    let loaded = plain("one-instance");
    assert_eq!(warnings(&loaded), [""; 0]);
    assert_eq!((loaded.policy.instances.len(), loaded.policy.jobs.len()), (1, 1));
    let text = read("one-instance");
    let written = text.lines().filter(|line| !line.trim_start().starts_with('#') && !line.is_empty()).count();
    assert!(written <= 15, "{written} lines, and a newcomer reads each");
}

#[test]
fn eight_hundred_instances_stand_one_in_a_line_and_each_is_backed_up() {
    let loaded = load("eight-hundred-instances", &[("CREDENTIALS_DIRECTORY", "/run/c")], &["/run/c/main.ini", "/run/c/pay.ini"]);
    assert_eq!(warnings(&loaded), [""; 0], "idle instances among them");
    let mut of: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for instance in &loaded.policy.instances {
        *of.entry((instance.account.as_str(), instance.region.as_str())).or_default() += 1;
    }
    let text = read("eight-hundred-instances");
    let told: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("  # ")).filter(|line| line.contains(", ap-")).collect();
    let counted: Vec<String> = of.iter().map(|((account, region), count)| format!("{account}, {region}: {count}")).collect();
    assert_eq!(told, counted, "what stands above each part is so");
    assert_eq!(of.values().sum::<usize>(), 800);
    let jobs = ["nightly", "noon-gold", "weekly"].map(|name| job(&loaded, name).instances.len());
    assert_eq!(jobs, [560, 80, 240], "as the comments count");
    assert!(loaded.policy.jobs.iter().all(|job| job.spread < job.start_within || job.spread < Duration::from_secs(3_600)), "they can start in time");
}

#[test]
fn hourly_tables_warn_of_their_number_and_of_nothing_else() {
    let loaded = plain("hourly-tables");
    assert_eq!(warnings(&loaded), ["piling-backups"], "which the comment explains");
    assert!(loaded.warnings[0].message.contains("8760") && read("hourly-tables").contains("8,760 a year"));
    let hourly = job(&loaded, "orders-hourly");
    assert!(matches!(&hourly.method, Method::Logical { tables } if !tables.is_empty()), "{:?}", hourly.method);
    assert!(hourly.start_within + hourly.complete_within < Duration::from_secs(3_600), "a run has ended before the next slot");
}

#[test]
fn month_end_and_blackouts_warn_of_nothing() {
    let loaded = plain("month-end-and-blackouts");
    assert_eq!(warnings(&loaded), [""; 0]);
    let names = |job: &Job| job.instances.iter().map(|instance: &std::sync::Arc<Instance>| instance.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(job(&loaded, "month-end")), ["ledger"]);
    assert_eq!((loaded.policy.blackouts.len(), job(&loaded, "first-saturday").blackouts.len()), (2, 1));
}

/// The names of variables that a text has in its comments.
fn named(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
    words.filter(|word| ["TENCENTCLOUD_", "PAY_", "CDB_BACKUPD_"].iter().any(|start| word.starts_with(start) && word.len() > start.len())).collect()
}

#[test]
fn a_container_takes_all_else_from_the_variables_that_the_example_names() {
    let text = read("container");
    let (head, _) = text.split_once("\nversion:").expect("a head before the policy");
    let value = |name: &&str| match *name {
        "CDB_BACKUPD_LISTEN" => "0.0.0.0:7306",
        "CDB_BACKUPD_LEDGER" => "/var/lib/cdb-backupd/ledger.db",
        _ => "0123456789abcdef",
    };
    let variables: Vec<(&str, &str)> = named(head).into_iter().filter(|name| !name.ends_with("_FILE")).map(|name| (name, value(&name))).collect();
    let loaded = load("container", &variables, &[]);
    assert_eq!(warnings(&loaded), [""; 0]);
    assert_eq!(loaded.listen.map(|address| address.to_string()).as_deref(), Some("0.0.0.0:7306"));
    assert_eq!(loaded.ledger, Path::new("/var/lib/cdb-backupd/ledger.db"));
    assert_eq!(loaded.policy.ledger, None, "the file leaves it to the environment");
}
