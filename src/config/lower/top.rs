//! The keys at the top that are no lists of things: `version`, `ledger`, `ledger_copies`, `listen` with its token, `history`.

use super::{
    Lowering,
    read::{DAY, Lengths},
};
use crate::{
    config::{
        decode,
        fault::{Finding, Spot},
        place::Path,
        raw, redact,
    },
    domain::{
        nearest::nearest,
        policy::{HistoryBounds, LedgerCopies, Listen, TokenSource, is_loopback},
    },
};
use serde_yaml::{Mapping, Value};
use std::{path::PathBuf, time::Duration};

/// How a token is given.
pub(in crate::config) const TOKEN_HINT: &str = "`listen_token: { env: NAME }` or `{ file: PATH }`";

const MAX_AGE: Lengths = DAY..=100 * 366 * DAY;
const DEFAULT_MAX_AGE: Duration = Duration::from_millis(400 * DAY);
const DEFAULT_MAX_RUNS: u64 = 10_000_000;
const DEFAULT_KEEP: u32 = 7;

impl Lowering<'_> {
    /// Keys at the top that are not of the policy; `x-` keys hold what aliases copy.
    pub(super) fn known_keys(&mut self, map: &Mapping) {
        for key in map.keys().filter_map(Value::as_str) {
            let path = Path::default().key(key.to_owned());
            if !raw::KEYS.contains(&key) && !key.starts_with("x-") && key != "<<" && !self.findings.is_at(&path) {
                if let Some(meant) = nearest(key, raw::KEYS).filter(|meant| !map.contains_key(*meant)) {
                    self.findings.mark_unknown(Path::default().key(meant));
                }
                self.fault(Finding::unknown_key(path, key, &raw::KEYS));
            }
        }
    }

    pub(super) fn version(&mut self, map: &Mapping) {
        let at = Path::default().key("version");
        match map.get("version") {
            None if self.findings.is_unknown(&at) => {}
            None => self.fault(Finding::error("missing-key", Spot::File, "`version` is missing").hint("begin the policy with `version: 1`")),
            Some(v) if v.as_u64() == Some(1) => {}
            Some(Value::Null) => {}
            Some(v) if v.as_u64().is_some() => {
                let finding = Finding::error("unknown-version", Spot::Value(at), "this version of the policy is not known");
                self.fault(finding.label("known: 1").hint("write `version: 1`, or use the release that the policy was written for"));
            }
            Some(_) => self.fault(Finding::error("unknown-version", Spot::Value(at), "`version` must be the number 1").hint("write `version: 1`")),
        }
    }

    pub(super) fn ledger(&mut self, map: &Mapping) -> Option<PathBuf> {
        let at = Path::default().key("ledger");
        let text: raw::Text = decode::entry(map.get("ledger").filter(|v| !v.is_null())?, &at, self.findings)?;
        if text.0.ends_with('/') {
            return self.bad_path(at, "`ledger` must be the path of a file", "such as /var/lib/cdb-backupd/ledger.db");
        }
        self.path(&text, at, "`ledger` must be the path of a file", "/var/lib/cdb-backupd/ledger.db")
    }

    /// Absent, and no fault, when the file says nothing.
    pub(super) fn ledger_copies(&mut self, map: &Mapping) -> Option<LedgerCopies> {
        let at = Path::default().key("ledger_copies");
        let raw: raw::LedgerCopies = decode::entry(map.get("ledger_copies").filter(|v| !v.is_null())?, &at, self.findings)?;
        let keep = match raw.keep {
            None => Some(DEFAULT_KEEP),
            Some(n) => self.number(n, &at.key("keep"), 1..=1_000).and_then(|n| u32::try_from(n).ok()),
        };
        let Some(folder) = &raw.folder else {
            self.missing("folder", &at, "name the folder of the copies, such as `folder: /var/lib/cdb-backupd/copies`");
            return None;
        };
        let folder = self.path(folder, at.key("folder"), "`folder` must be the path of a folder", "/var/lib/cdb-backupd/copies");
        Some(LedgerCopies { folder: folder?, keep: keep? })
    }

    /// Relative paths begin at the policy's directory.
    fn path(&mut self, text: &raw::Text, at: Path, what: &'static str, such_as: &str) -> Option<PathBuf> {
        if text.0.trim().is_empty() || text.0.contains('\0') {
            return self.bad_path(at, what, &format!("such as {such_as}"));
        }
        if text.0.split('/').next().is_some_and(|first| first == "~" || (first.starts_with('~') && first.len() < text.0.len())) {
            let message = format!("{} would be a folder named `~`: only shells know `~`", redact::quoted(&text.0));
            let finding = Finding::error("bad-path", Spot::Value(at), message).label("no home folder here");
            self.fault(finding.hint(format!("write the path out, such as `{such_as}`")));
            return None;
        }
        Some(self.beside.join(&text.0))
    }

    fn bad_path(&mut self, at: Path, what: &'static str, hint: &str) -> Option<PathBuf> {
        self.fault(Finding::error("bad-path", Spot::Value(at), what).hint(hint));
        None
    }

    pub(super) fn listen(&mut self, map: &Mapping) -> Option<Listen> {
        let at = Path::default().key("listen");
        let Some(value) = map.get("listen").filter(|v| !v.is_null()) else { return Some(Listen::Unsaid) };
        let text: raw::Text = decode::entry(value, &at, self.findings)?;
        if text.0 == "off" {
            return Some(Listen::Off);
        }
        match text.0.parse() {
            Ok(address) => Some(Listen::On(address)),
            Err(_) => {
                let message = format!("{} is no address to listen on", redact::quoted(&text.0));
                let finding = Finding::error("bad-listen", Spot::Value(at), message).label("not understood");
                self.fault(finding.hint(format!("write an IP address and a port, such as `{}`, or `off`", Listen::DEFAULT)));
                None
            }
        }
    }

    /// Where the token is; what stands there may be the token itself, so it is not repeated.
    pub(super) fn listen_token(&mut self, map: &Mapping) -> Option<TokenSource> {
        let at = Path::default().key("listen_token");
        let value = map.get("listen_token").filter(|v| !v.is_null())?;
        let raw: raw::TokenKeys = if value.is_mapping() { decode::entry(value, &at, self.findings)? } else { raw::TokenKeys::default() };
        match (raw.env, raw.file) {
            (Some(name), None) if is_variable(&name.0) => Some(TokenSource::Env { name: name.0 }),
            (None, Some(file)) if !file.0.trim().is_empty() && !file.0.contains('\0') => {
                let base = self.machine.credentials_directory().unwrap_or_else(|| self.beside.to_owned());
                Some(TokenSource::File { path: base.join(file.0) })
            }
            _ if self.findings.is_unknown(&at.key("env")) || self.findings.is_unknown(&at.key("file")) => None,
            _ => {
                let finding = Finding::error("bad-token", Spot::Value(at), "`listen_token` says in one way where the token is");
                self.fault(finding.label("one of two").hint("write `{ env: NAME }` or `{ file: PATH }`; never the token itself"));
                None
            }
        }
    }

    /// What is no loopback address is for those who know the token.
    pub(super) fn guarded(&mut self, map: &Mapping, listen: Option<Listen>) {
        if let Some(Listen::On(address)) = listen
            && !is_loopback(address.ip())
            && map.get("listen_token").is_none()
        {
            let at = Path::default().key("listen");
            let finding = Finding::error("listen-without-token", Spot::Value(at), format!("whoever reaches {address} could read the page"));
            self.fault(finding.label("no loopback address").hint(format!("add {TOKEN_HINT}, or listen on `{}`", Listen::DEFAULT)));
        }
    }

    pub(super) fn history(&mut self, map: &Mapping) -> Option<HistoryBounds> {
        let at = Path::default().key("history");
        let raw: raw::History = self.decoded(map, "history")?;
        let max_age = match &raw.max_age {
            None => Some(DEFAULT_MAX_AGE),
            Some(raw) => self.length(raw, &at.key("max_age"), &MAX_AGE),
        };
        let max_runs = match raw.max_runs {
            None => Some(DEFAULT_MAX_RUNS),
            Some(n) => self.number(n, &at.key("max_runs"), 1_000..=100_000_000).map(i64::unsigned_abs),
        };
        Some(HistoryBounds { max_age: max_age?, max_runs: max_runs? })
    }
}

/// In capitals, so that no token passes for a name.
fn is_variable(name: &str) -> bool {
    let good = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    (1..=100).contains(&name.len()) && name.chars().all(good) && !name.starts_with(|c: char| c.is_ascii_digit())
}
