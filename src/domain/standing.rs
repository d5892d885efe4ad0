//! How the daemon stands after a pass, in a word and in a sentence: what holds everything first, then what runs and what comes next.

use super::names::AccountName;
use chrono::{DateTime, SecondsFormat, Utc};
use std::fmt;

/// So many held accounts are named; the rest are counted.
const NAMED: usize = 5;

/// What a pass knows of the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether a reply has proved the clock, or nothing is there that needs one.
    pub clock_proved: bool,
    /// Accounts whose keys the cloud does not accept.
    pub accounts_held: Vec<AccountName>,
    /// Whether the pass could not write the ledger.
    pub ledger_held: bool,
    /// Jobs of the policy.
    pub jobs: usize,
    /// Runs that were sent and have not ended.
    pub running: u64,
    /// The next slot of any job.
    pub next_slot: Option<DateTime<Utc>>,
}

impl Standing {
    /// `ok`, or what it holds for.
    pub fn word(&self) -> &'static str {
        match self {
            Self { ledger_held: true, .. } => "ledger_not_writable",
            Self { clock_proved: false, .. } => "clock_unproved",
            Self { accounts_held, .. } if !accounts_held.is_empty() => "account_held",
            Self { .. } => "ok",
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ledger_held {
            f.write_str("the ledger cannot be written, nothing starts until it can; ")?;
        }
        if !self.clock_proved {
            f.write_str("waiting for a reply of the cloud that proves the clock, nothing starts until then; ")?;
        }
        if !self.accounts_held.is_empty() {
            let named: Vec<&str> = self.accounts_held.iter().take(NAMED).map(AccountName::as_str).collect();
            let beyond = self.accounts_held.len() - named.len();
            let more = if beyond > 0 { format!(" and {beyond} more") } else { String::new() };
            write!(f, "the cloud does not accept the keys of {}{more}; ", named.join(", "))?;
        }
        write!(f, "{} {}, {} running", self.jobs, if self.jobs == 1 { "job" } else { "jobs" }, self.running)?;
        match self.next_slot {
            Some(slot) => write!(f, ", next slot {}", slot.to_rfc3339_opts(SecondsFormat::Secs, true)),
            // Before the first proof nobody has looked for one.
            None if !self.clock_proved => Ok(()),
            None => f.write_str(", no slot is coming"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet() -> Standing {
        Standing { clock_proved: true, jobs: 3, running: 2, next_slot: Some("2026-11-24T18:30:00Z".parse().unwrap()), ..Standing::default() }
    }

    #[test]
    fn a_quiet_daemon_says_what_runs_and_what_comes() {
        assert_eq!((quiet().word(), quiet().to_string().as_str()), ("ok", "3 jobs, 2 running, next slot 2026-11-24T18:30:00Z"));
        let idle = Standing { jobs: 1, running: 0, next_slot: None, ..quiet() };
        assert_eq!(idle.to_string(), "1 job, 0 running, no slot is coming");
        assert!(Standing { clock_proved: false, ..idle }.to_string().ends_with("; 1 job, 0 running"));
    }

    #[test]
    fn what_holds_is_said_first_and_all_of_it() {
        let accounts = (1..=7).map(|n| AccountName::parse(&format!("acc{n}")).unwrap()).collect();
        let held = Standing { clock_proved: false, accounts_held: accounts, ledger_held: true, ..quiet() };
        assert_eq!(
            held.to_string(),
            "the ledger cannot be written, nothing starts until it can; waiting for a reply of the cloud that proves the clock, nothing starts until \
             then; the cloud does not accept the keys of acc1, acc2, acc3, acc4, acc5 and 2 more; 3 jobs, 2 running, next slot 2026-11-24T18:30:00Z"
        );
        assert_eq!(held.word(), "ledger_not_writable");
        assert_eq!(Standing { ledger_held: false, ..held.clone() }.word(), "clock_unproved");
        assert_eq!(Standing { ledger_held: false, clock_proved: true, ..held }.word(), "account_held");
    }
}
