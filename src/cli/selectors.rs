//! Which jobs and instances a command is about: the same options everywhere.

use super::{
    exit::{Exit, Refusal},
    table::visible,
};
use crate::domain::{nearest::nearest, policy::Policy, scope::Scope};

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

/// Why nothing is told of a job that the policy does not have.
pub(super) fn no_job(name: &str, policy: &Policy) -> Refusal {
    let known: Vec<&str> = policy.jobs.iter().map(|job| job.name.as_str()).collect();
    let meant = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the policy has: {}", known.join(", ")),
    };
    Exit::Usage.because(format!("there is no job `{}`; {meant}", visible(name)))
}

impl Selectors {
    /// Whether nothing is narrowed.
    pub fn is_everything(&self) -> bool {
        self.job.is_empty() && self.instance.is_empty() && self.account.is_empty() && self.region.is_empty() && self.tag.is_empty()
    }

    /// The same, as readers and requests take them.
    pub fn scope(&self) -> Scope {
        Scope {
            jobs: self.job.clone(),
            instances: self.instance.clone(),
            accounts: self.account.clone(),
            regions: self.region.clone(),
            tags: self.tag.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_key_and_a_value() {
        assert_eq!("env=prod".parse(), Ok(Tag { key: "env".into(), value: "prod".into() }));
        assert!("env".parse::<Tag>().is_err() && "=prod".parse::<Tag>().is_err() && "env=".parse::<Tag>().is_err());
    }
}
