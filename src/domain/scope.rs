//! Which jobs and instances something is about: the same words for every command, the page and what people ask for.

use super::policy::{Instance, Policy};
use serde::{Deserialize, Serialize};

/// Which jobs and instances something is about. Of one list any value may match, and each list that is not empty must.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    /// Jobs, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<String>,
    /// Instances, by name or id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<String>,
    /// Accounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// Regions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// Tags: several values of one key are any of them, several keys all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<(String, String)>,
}

impl Scope {
    /// Whether nothing is narrowed.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a job is meant; a run that no job made is, unless jobs are named.
    pub fn keeps_job(&self, job: &str) -> bool {
        self.jobs.is_empty() || self.jobs.iter().any(|name| name == job)
    }

    /// Whether an instance is meant.
    pub fn keeps_instance(&self, instance: &Instance) -> bool {
        let any = |given: &[String], is: &[&str]| given.is_empty() || given.iter().any(|it| is.contains(&it.as_str()));
        let tagged = |(key, _): &(String, String)| {
            instance.tags.get(key).is_some_and(|value| self.tags.iter().any(|(other, wanted)| other == key && wanted == value))
        };
        any(&self.instances, &[instance.id.as_str(), instance.name.as_str()])
            && any(&self.accounts, &[instance.account.as_str()])
            && any(&self.regions, &[instance.region.as_str()])
            && self.tags.iter().all(tagged)
    }

    /// The first name in it that the policy does not know, and what kind of name it is.
    pub fn stranger<'a>(&'a self, policy: &Policy) -> Option<(&'static str, &'a str)> {
        let first = |given: &'a [String], known: &dyn Fn(&str) -> bool| given.iter().map(String::as_str).find(|name| !known(name));
        let instances = &policy.instances;
        let of = |what, name: Option<&'a str>| name.map(|name| (what, name));
        of("job", first(&self.jobs, &|name| policy.jobs.iter().any(|job| job.name.as_str() == name)))
            .or(of("instance", first(&self.instances, &|name| instances.iter().any(|it| it.id.as_str() == name || it.name.as_str() == name))))
            .or(of("account", first(&self.accounts, &|name| policy.accounts.iter().any(|account| account.name.as_str() == name))))
            .or(of("region", first(&self.regions, &|name| instances.iter().any(|it| it.region.as_str() == name))))
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
        let scope = |instances: &[&str], tags: &[(&str, &str)]| Scope {
            instances: instances.iter().map(|it| (*it).to_owned()).collect(),
            tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            ..Scope::default()
        };
        assert!(scope(&[], &[]).keeps_instance(&orders()));
        assert!(scope(&["scratch", "cdb-c1nl9rpv"], &[("env", "test"), ("env", "prod")]).keeps_instance(&orders()));
        assert!(!scope(&["orders"], &[("env", "prod"), ("tier", "gold")]).keeps_instance(&orders()));
        assert!(!scope(&["scratch"], &[("env", "prod")]).keeps_instance(&orders()));
    }
}
