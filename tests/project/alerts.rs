//! `config/alerts.yaml` and `config/grafana-dashboard.json`: what they say to people is whole, and the commands that they name are commands.
//!
//! Not here: when an alert fires and whether a query answers, which `tests/prometheus` asks Prometheus; whether the metrics are there
//! (`tests/serve/scrapes.rs`).

use super::sources::read;
use cdb_backupd::cli::{Cli, Command};
use clap::{CommandFactory, Parser};
use serde_yaml::Value;
use std::collections::BTreeSet;

/// How a text names the job, whichever label bears it.
const JOB: &str = "{{ with $labels.exported_job }}{{ . }}{{ else }}{{ $labels.job }}{{ end }}";

fn rules() -> Vec<Value> {
    let file: Value = serde_yaml::from_str(&read("config/alerts.yaml")).unwrap();
    file["groups"].as_sequence().unwrap().iter().flat_map(|group| group["rules"].as_sequence().unwrap().clone()).collect()
}

fn name(rule: &Value) -> &str {
    rule["alert"].as_str().unwrap()
}

#[test]
fn each_alert_says_what_is_wrong_what_to_do_and_with_which_command_to_begin() {
    let rules = rules();
    assert!(rules.len() > 10);
    for rule in &rules {
        let said = |key: &str| rule["annotations"][key].as_str().unwrap_or_else(|| panic!("{} has no {key}", name(rule)));
        assert!(said("summary").len() > 20 && !said("summary").ends_with('.'), "{}", name(rule));
        assert!(said("description").len() > 60 && said("description").ends_with('.'), "{}", name(rule));
        // What Prometheus puts there is the name of a job.
        let runbook = said("runbook").replace(JOB, "nightly");
        let cli = Cli::try_parse_from(runbook.split(' ')).unwrap_or_else(|error| panic!("{}: {error}", name(rule)));
        let asks = matches!(
            cli.command,
            Command::Status(_) | Command::Explain(_) | Command::History(_) | Command::Health(_) | Command::Check(_) | Command::Ledger(_)
        );
        assert!(asks, "{} begins with a question, which changes nothing", name(rule));
        assert!(matches!(rule["labels"]["severity"].as_str(), Some("critical" | "warning")), "{}", name(rule));
    }
}

#[test]
fn each_command_that_an_alert_or_a_panel_names_is_a_command() {
    let command = Cli::command();
    let mut found = 0;
    for file in ["config/alerts.yaml", "config/grafana-dashboard.json"] {
        let text = read(file);
        for quoted in text.split('`').skip(1).step_by(2).filter_map(|quoted| quoted.strip_prefix("cdb-backupd ")) {
            let word = quoted.split(' ').next().unwrap();
            assert!(command.find_subcommand(word).is_some(), "{file} names `cdb-backupd {quoted}`");
            found += 1;
        }
    }
    assert!(found > 5, "{found}");
}

#[test]
fn each_alert_has_its_own_name_and_a_story_in_which_it_fires() {
    let stories = read("tests/prometheus/alerts.test.yaml");
    let rules = rules();
    let names: BTreeSet<&str> = rules.iter().map(name).collect();
    assert_eq!(names.len(), rules.len());
    for name in names {
        assert!(stories.contains(&format!("alertname=\"{name}\"")), "no story in which {name} fires");
    }
}
