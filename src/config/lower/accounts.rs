//! `accounts`: keys, an endpoint, and how hard both may be used.

use super::{
    Lowering,
    read::{DAY, SECOND, out_of_range},
};
use crate::{
    config::{
        decode,
        fault::{Finding, Spot},
        place::Path,
        raw, redact,
    },
    domain::{
        names::{AccountName, CredentialSource, Endpoint, EndpointError},
        policy::Account,
    },
};
use serde_yaml::{Mapping, Value};
use std::{sync::Arc, time::Duration};

/// `protocol.md` §2: a signature's life, until the cloud acts, and the clocks; below it the window proves nothing.
const LEAST_WINDOW: u64 = 390 * SECOND;
const DEFAULT_WINDOW: Duration = Duration::from_secs(540);
/// The cloud's own limit for CreateBackup.
const MOST_CALLS: f64 = 5.0;
const LEAST_CALLS: f64 = 0.1;
/// The cloud writes its zone-less times at +08:00 (`cdb-api` README §4).
const DEFAULT_OFFSET_S: i32 = 8 * 3_600;

impl Lowering<'_> {
    /// Those that can be read, in the order of the file. Every name is remembered.
    pub(super) fn accounts(&mut self, map: &Mapping) -> Vec<Arc<Account>> {
        let at = Path::default().key("accounts");
        let entries = match map.get("accounts") {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Mapping(entries)) => entries,
            Some(_) => {
                self.findings.mark_unknown(at.clone());
                let finding = Finding::error("wrong-type", Spot::Value(at), "`accounts` must be a map from names to accounts");
                self.fault(finding.hint("write `accounts: { main: { credentials: env } }`"));
                return Vec::new();
            }
        };
        let mut accounts = Vec::new();
        for (name, value) in entries.iter().filter_map(|(name, value)| Some((name.as_str()?, value))) {
            let account = self.account_entry(name, value, &at.key(name.to_owned())).map(Arc::new);
            accounts.extend(account.clone());
            self.accounts.insert(name.to_owned(), account);
        }
        accounts
    }

    fn account_entry(&mut self, name: &str, value: &Value, at: &Path) -> Option<Account> {
        let parsed = AccountName::parse(name);
        if let Err(e) = &parsed {
            let plain = super::plainer(name);
            let hint = if AccountName::parse(&plain).is_ok() { format!("write `{plain}`") } else { "choose another name".to_owned() };
            self.fault(Finding::error("bad-name", Spot::Key(at.clone()), format!("{} {e}", redact::quoted(name))).hint(hint));
        }
        let raw: raw::Account = decode::entry(value, at, self.findings)?;
        let endpoint = self.endpoint(&raw, at);
        let credentials = self.credentials(raw.credentials.as_ref(), &at.key("credentials"));
        let calls = self.calls_per_second(raw.calls_per_second, at);
        let max_running = match raw.max_running {
            None => Some(None),
            Some(n) => self.number(n, &at.key("max_running"), 1..=100_000).and_then(|n| u32::try_from(n).ok()).map(Some),
        };
        let window = self.window(raw.absence_window.as_ref(), endpoint.as_ref(), at);
        let offset = raw.utc_offset.as_ref().map_or(Some(DEFAULT_OFFSET_S), |o| self.offset(o, &at.key("utc_offset")));
        Some(Account {
            name: parsed.ok()?,
            endpoint: endpoint?,
            credentials: credentials?,
            calls_per_second: calls?,
            max_running: max_running?,
            absence_window: window?,
            list_offset_s: offset?,
        })
    }

    fn endpoint(&mut self, raw: &raw::Account, at: &Path) -> Option<Endpoint> {
        if self.findings.is_unknown(&at.key("endpoint")) {
            return None;
        }
        let text = raw.endpoint.as_ref().map_or(Endpoint::DEFAULT, |e| e.0.as_str());
        let code = match Endpoint::parse(text) {
            Ok(endpoint) => return Some(endpoint),
            Err(e) => (e, if e == EndpointError::PlainHttp { "plain-http" } else { "bad-endpoint" }),
        };
        let finding = Finding::error(code.1, Spot::Value(at.key("endpoint")), format!("{} {}", redact::quoted(text), code.0));
        self.fault(finding.hint(format!("write `{}`, or leave the key out", Endpoint::DEFAULT)));
        None
    }

    fn credentials(&mut self, raw: Option<&raw::Credentials>, at: &Path) -> Option<CredentialSource> {
        let from_env = CredentialSource::Env { prefix: CredentialSource::DEFAULT_PREFIX.to_owned() };
        let Some(raw) = raw else { return Some(from_env) };
        match (raw.word.as_deref(), &raw.map.file, &raw.map.env_prefix) {
            (Some("env"), ..) => Some(from_env),
            (None, Some(file), None) if !file.0.trim().is_empty() && !file.0.contains('\0') => {
                let base = self.machine.credentials_directory().unwrap_or_else(|| self.beside.to_owned());
                Some(CredentialSource::File { path: base.join(&file.0) })
            }
            (None, None, Some(prefix)) => self.env_prefix(&prefix.0, &at.key("env_prefix")),
            _ => {
                // What stands there may be a key itself, so it is not repeated, and drawn as `…`.
                let finding = Finding::error("bad-credentials", Spot::Value(at.clone()), "`credentials` says in one way where the keys are");
                self.fault(
                    finding.label("one of three").hint("write `env`, `{ env_prefix: PAY }` or `{ file: pay.ini }`; never the keys themselves"),
                );
                None
            }
        }
    }

    fn env_prefix(&mut self, prefix: &str, at: &Path) -> Option<CredentialSource> {
        let good = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if (1..=100).contains(&prefix.len())
            && prefix.chars().all(good)
            && !prefix.starts_with(|c: char| c.is_ascii_digit())
            && !prefix.ends_with('_')
        {
            return Some(CredentialSource::Env { prefix: prefix.to_owned() });
        }
        let finding = Finding::error("bad-credentials", Spot::Value(at.clone()), "`env_prefix` must be the beginning of variables' names");
        let hint = "write what stands before `_SECRET_ID`, in capitals and without the last `_`: `PAY` for `PAY_SECRET_ID`";
        self.fault(finding.label("capitals, digits and `_`").hint(hint));
        None
    }

    fn calls_per_second(&mut self, raw: Option<f64>, at: &Path) -> Option<f64> {
        let calls = raw.unwrap_or(MOST_CALLS);
        if (LEAST_CALLS..=MOST_CALLS).contains(&calls) {
            return Some(calls);
        }
        self.fault(out_of_range(format!("{calls} is out of range"), &at.key("calls_per_second"), &LEAST_CALLS.to_string(), &MOST_CALLS.to_string()));
        None
    }

    fn window(&mut self, raw: Option<&raw::Length>, endpoint: Option<&Endpoint>, at: &Path) -> Option<Duration> {
        let Some(raw) = raw else { return Some(DEFAULT_WINDOW) };
        let at = at.key("absence_window");
        // Of an endpoint that is at fault nothing is known, so the wider range holds.
        let on_loopback = endpoint.is_none_or(Endpoint::is_loopback);
        let window = self.length(raw, &at, &(SECOND..=DAY))?;
        if on_loopback || window >= Duration::from_millis(LEAST_WINDOW) {
            return Some(window);
        }
        let finding = Finding::error("absence-window", Spot::Value(at), "an absence window under 390s proves nothing: a late call could still act");
        self.fault(finding.label("at least 390s").hint("write `540s` or leave the key out; shorter ones are for loopback endpoints"));
        None
    }
}
