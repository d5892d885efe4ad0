//! Which jobs and instances a command is about: the same options everywhere.

use crate::{
    domain::{pause::Scope, policy::Instance},
    ledger::report,
};

/// Options that narrow; none given: everything. Of one option any value may match, and every option that is given must.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Selectors (repeatable)")]
pub struct Selectors {
    /// Only this job
    #[arg(long, value_name = "NAME")]
    pub job: Vec<String>,
    /// Only this instance, by name or id
    #[arg(long, value_name = "NAME")]
    pub instance: Vec<String>,
    /// Only this account
    #[arg(long, value_name = "NAME")]
    pub account: Vec<String>,
    /// Only this region
    #[arg(long, value_name = "REGION")]
    pub region: Vec<String>,
    /// Only instances with this tag
    #[arg(long, value_name = "KEY=VALUE")]
    pub tag: Vec<Tag>,
}

/// A tag to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl std::str::FromStr for Tag {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok(Self { key: key.into(), value: value.into() }),
            _ => Err("write KEY=VALUE, such as env=prod"),
        }
    }
}

impl Selectors {
    /// Whether nothing is narrowed.
    pub fn is_everything(&self) -> bool {
        self.job.is_empty() && self.instance.is_empty() && self.account.is_empty() && self.region.is_empty() && self.tag.is_empty()
    }

    /// The same, as a request keeps them.
    pub fn scope(&self) -> Scope {
        Scope {
            jobs: self.job.clone(),
            instances: self.instance.clone(),
            accounts: self.account.clone(),
            regions: self.region.clone(),
            tags: self.tag.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect(),
        }
    }

    /// The same, as the ledger's reader takes them.
    pub fn of_rows(self) -> report::Selectors {
        report::Selectors {
            jobs: self.job,
            instances: self.instance,
            accounts: self.account,
            regions: self.region,
            tags: self.tag.into_iter().map(|tag| (tag.key, tag.value)).collect(),
        }
    }

    /// Whether a job is meant.
    pub fn keeps_job(&self, name: &str) -> bool {
        self.scope().keeps_job(name)
    }

    /// Whether an instance is meant. Several values of one tag are any of them, several tags all of them.
    pub fn keeps_instance(&self, instance: &Instance) -> bool {
        self.scope().keeps_instance(instance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::names::{AccountName, InstanceId, InstanceName, Region};

    fn orders() -> Instance {
        Instance {
            id: InstanceId::parse("cdb-c1nl9rpv").unwrap(),
            name: InstanceName::parse("orders").unwrap(),
            account: AccountName::parse("main").unwrap(),
            region: Region::parse("ap-guangzhou").unwrap(),
            tags: [("env".to_owned(), "prod".to_owned())].into(),
        }
    }

    #[test]
    fn one_option_is_any_of_its_values_and_every_option_must_match() {
        let selectors = |instance: &[&str], tag: &[&str]| Selectors {
            instance: instance.iter().map(|s| (*s).to_owned()).collect(),
            tag: tag.iter().map(|t| t.parse().unwrap()).collect(),
            ..Selectors::default()
        };
        assert!(selectors(&[], &[]).keeps_instance(&orders()));
        assert!(selectors(&["scratch", "cdb-c1nl9rpv"], &["env=test", "env=prod"]).keeps_instance(&orders()));
        assert!(!selectors(&["orders"], &["env=prod", "tier=gold"]).keeps_instance(&orders()));
        assert!(!selectors(&["scratch"], &["env=prod"]).keeps_instance(&orders()));
        assert!("env".parse::<Tag>().is_err());
    }
}
