//! Which jobs and instances are meant: the same selectors for every reader.

use crate::domain::policy::Instance;

/// Which pairs are meant. Several of one kind: any of them; several kinds, or several tag keys: all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selectors {
    /// Names of jobs.
    pub jobs: Vec<String>,
    /// Names or ids of instances.
    pub instances: Vec<String>,
    /// Names of accounts.
    pub accounts: Vec<String>,
    /// Regions.
    pub regions: Vec<String>,
    /// Keys and values of tags.
    pub tags: Vec<(String, String)>,
}

impl Selectors {
    /// Whether a job is meant.
    pub fn keeps_job(&self, name: &str) -> bool {
        self.jobs.is_empty() || self.jobs.iter().any(|job| job == name)
    }

    /// Whether an instance is meant. Several values of one tag are any of them, several tags all of them.
    pub fn keeps_instance(&self, instance: &Instance) -> bool {
        let any = |given: &[String], is: &[&str]| given.is_empty() || given.iter().any(|given| is.contains(&given.as_str()));
        let tagged = |(key, _): &(String, String)| {
            let mut same_key = self.tags.iter().filter(|(other, _)| other == key);
            instance.tags.get(key).is_some_and(|is| same_key.any(|(_, value)| value == is))
        };
        any(&self.instances, &[instance.id.as_str(), instance.name.as_str()])
            && any(&self.accounts, &[instance.account.as_str()])
            && any(&self.regions, &[instance.region.as_str()])
            && self.tags.iter().all(tagged)
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
        let selectors = |instances: &[&str], tags: &[(&str, &str)]| Selectors {
            instances: instances.iter().map(|it| (*it).to_owned()).collect(),
            tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            ..Selectors::default()
        };
        assert!(selectors(&[], &[]).keeps_instance(&orders()));
        assert!(selectors(&["scratch", "cdb-c1nl9rpv"], &[("env", "test"), ("env", "prod")]).keeps_instance(&orders()));
        assert!(!selectors(&["orders"], &[("env", "prod"), ("tier", "gold")]).keeps_instance(&orders()));
        assert!(!selectors(&["scratch"], &[("env", "prod")]).keeps_instance(&orders()));
    }
}
