//! How the daemon stands after a pass, in a word and in a sentence: what is wrong first, then what runs and what comes next.

use super::trouble::{self, Trouble};
use chrono::{DateTime, SecondsFormat, Utc};
use std::fmt;

/// What a pass knows of the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What is wrong, the weightiest first.
    pub troubles: Vec<Trouble>,
    /// Jobs of the policy.
    pub jobs: usize,
    /// Runs that were sent and have not ended.
    pub running: u64,
    /// The next slot of any job.
    pub next_slot: Option<DateTime<Utc>>,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = trouble::says(&self.troubles);
        if !said.is_empty() {
            write!(f, "{said}; ")?;
        }
        write!(f, "{} {}, {} running", self.jobs, if self.jobs == 1 { "job" } else { "jobs" }, self.running)?;
        match self.next_slot {
            Some(slot) => write!(f, ", next slot {}", slot.to_rfc3339_opts(SecondsFormat::Secs, true)),
            // Before the first proof nobody has looked for one.
            None if self.troubles.contains(&Trouble::Clock) => Ok(()),
            None => f.write_str(", no slot is coming"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet() -> Standing {
        Standing { jobs: 3, running: 2, next_slot: Some("2026-11-24T18:30:00Z".parse().unwrap()), troubles: Vec::new() }
    }

    #[test]
    fn a_quiet_daemon_says_what_runs_and_what_comes() {
        assert_eq!(quiet().to_string(), "3 jobs, 2 running, next slot 2026-11-24T18:30:00Z");
        let idle = Standing { jobs: 1, running: 0, next_slot: None, ..quiet() };
        assert_eq!(idle.to_string(), "1 job, 0 running, no slot is coming");
        assert!(Standing { troubles: vec![Trouble::Clock], ..idle }.to_string().ends_with("; 1 job, 0 running"));
    }

    #[test]
    fn what_is_wrong_is_said_first() {
        let held = Standing { troubles: vec![Trouble::Ledger], ..quiet() };
        assert_eq!(held.to_string(), "the ledger cannot be written, nothing starts until it can; 3 jobs, 2 running, next slot 2026-11-24T18:30:00Z");
    }
}
