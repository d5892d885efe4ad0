//! Which jobs and instances something is about: the same words for every command, the page and what people ask for.

use super::{
    nearest::nearest,
    policy::{Instance, Policy},
};
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

    /// The same with instances by id, and each list in order: what two people mean alike is alike, and stays so when an instance is renamed.
    pub fn settled(&self, policy: &Policy) -> Self {
        let id = |name: &String| {
            let named = policy.instances.iter().find(|instance| instance.id.as_str() == name || instance.name.as_str() == name);
            named.map_or_else(|| name.clone(), |instance| instance.id.to_string())
        };
        let mut settled = Self { instances: self.instances.iter().map(id).collect(), ..self.clone() };
        for list in [&mut settled.jobs, &mut settled.instances, &mut settled.accounts, &mut settled.regions] {
            list.sort();
            list.dedup();
        }
        settled.tags.sort();
        settled.tags.dedup();
        settled
    }

    /// The first name in it that the policy does not know.
    pub fn stranger(&self, policy: &Policy) -> Option<Stranger> {
        let jobs = || policy.jobs.iter().map(|job| job.name.as_str());
        let instances = || policy.instances.iter().flat_map(|it| [it.name.as_str(), it.id.as_str()]);
        let accounts = || policy.accounts.iter().map(|account| account.name.as_str());
        let regions = || policy.instances.iter().map(|it| it.region.as_str());
        let of_jobs = Stranger::among("job", &self.jobs, jobs);
        let of_instances = || Stranger::among("instance", &self.instances, instances);
        of_jobs
            .or_else(of_instances)
            .or_else(|| Stranger::among("account", &self.accounts, accounts))
            .or_else(|| Stranger::among("region", &self.regions, regions))
    }
}

/// A name that the policy in force does not know. Written out it is the whole reason of a refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policy in force knows no {kind} {name}{}", .meant.as_ref().map_or_else(String::new, |meant| format!("; did you mean `{meant}`?")))]
pub struct Stranger {
    /// What kind of name it is: `job`, `instance`, `account` or `region`.
    pub kind: &'static str,
    /// The name.
    pub name: String,
    /// The known name that was probably meant.
    pub meant: Option<String>,
}

impl Stranger {
    /// The first of the names given that is none of the known ones.
    fn among<'a, I: Iterator<Item = &'a str>>(kind: &'static str, given: &[String], known: impl Fn() -> I) -> Option<Self> {
        let name = given.iter().find(|name| known().all(|it| it != name.as_str()))?;
        Some(Self { kind, name: name.clone(), meant: nearest(name, known()).map(str::to_owned) })
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
