//! What a request asks for, read from its query; and the links that ask for something else.
//!
//! Decided here: the names of the filters, which are those of the commands' options, and their bounds. A name or value that is not understood is told,
//! never ignored: a filter that does nothing would show too much.

use super::super::Failure;
use crate::{
    domain::{run::STATES, scope::Scope},
    ledger::report::Filter,
};
use chrono::{DateTime, Utc};

/// So many filters stand in a query.
const FILTERS_MAX: usize = 64;
/// So many items stand on a page for people, unless a `limit` asks for others.
pub(super) const PAGE: u32 = 50;
/// So many items an answer has at most.
pub(super) const MOST: u32 = 1_000;
/// Filters that say which pairs and runs are meant, in the order in which they are shown.
pub(super) const FILTERS: [&str; 9] = ["job", "instance", "account", "region", "tag", "state", "not-ok", "since", "until"];

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// As JSON.
    pub(super) json: bool,
    /// Of which pairs.
    pub(super) selectors: Scope,
    /// In which states.
    pub(super) states: Vec<String>,
    /// Only what is not good: runs that ended without a backup, pairs that are wrong.
    pub(super) not_ok: bool,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    /// The slot and the number of the run before the first one that is wanted.
    after: Option<(DateTime<Utc>, i64)>,
    /// So many items are left out before.
    pub(super) skip: usize,
    limit: Option<u32>,
    /// All of it as it was written.
    written: Vec<(String, String)>,
}

impl Asked {
    /// Reads the text behind a path's `?`.
    ///
    /// # Errors
    /// [`Failure::Asked`] says what is not understood.
    pub(super) fn read(query: &str) -> Result<Self, Failure> {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).take(FILTERS_MAX + 1) {
            if asked.written.len() == FILTERS_MAX {
                return Err(Failure::Asked(format!("more than {FILTERS_MAX} filters were asked for; ask for fewer")));
            }
            // A field that was left empty filters nothing.
            if !value.is_empty() {
                asked.take(&name, &value)?;
                asked.written.push((name.into_owned(), value.into_owned()));
            }
        }
        Ok(asked)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        let bad = |takes: &str| Failure::Asked(format!("`{name}` takes {takes}"));
        let moment = || DateTime::parse_from_rfc3339(value).map(|t| t.to_utc()).map_err(|_| bad("a time such as 2026-11-24T02:30:00Z"));
        match name {
            "format" if matches!(value, "json" | "html") => self.json = value == "json",
            "format" => return Err(bad("json or html")),
            "job" => self.selectors.jobs.push(value.to_owned()),
            "instance" => self.selectors.instances.push(value.to_owned()),
            "account" => self.selectors.accounts.push(value.to_owned()),
            "region" => self.selectors.regions.push(value.to_owned()),
            "tag" => {
                let (key, value) =
                    value.split_once('=').filter(|(key, value)| !key.is_empty() && !value.is_empty()).ok_or_else(|| bad("key=value"))?;
                self.selectors.tags.push((key.to_owned(), value.to_owned()));
            }
            "state" if STATES.contains(&value) => self.states.push(value.to_owned()),
            "state" => return Err(bad(&format!("one of {}", STATES.join(", ")))),
            "not-ok" if value == "true" => self.not_ok = true,
            "not-ok" => return Err(bad("true")),
            "since" => self.since = Some(moment()?),
            "until" => self.until = Some(moment()?),
            "after" => self.after = Some(place(value).ok_or_else(|| bad("what a link to older runs has"))?),
            "skip" => self.skip = value.parse().map_err(|_| bad("a number"))?,
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MOST).contains(limit));
                self.limit = Some(limit.ok_or_else(|| bad(&format!("a number from 1 to {MOST}")))?);
            }
            _ => return Err(Failure::Asked("there is a filter in this address that is not known; go back, or begin at /".to_owned())),
        }
        Ok(())
    }

    /// How many items are wanted; people turn pages, programs read many.
    pub(super) fn limit(&self) -> usize {
        let usual = if self.json { MOST } else { PAGE };
        usize::try_from(self.limit.unwrap_or(usual)).unwrap_or(usize::MAX)
    }

    /// The filter of runs that it means. As `history`, it is for 50 runs unless it says otherwise.
    pub(super) fn filter(&self) -> Filter {
        Filter {
            selectors: self.selectors.clone(),
            states: self.states.clone(),
            not_ok: self.not_ok,
            since: self.since,
            until: self.until,
            after: self.after,
            limit: self.limit.unwrap_or(PAGE),
        }
    }

    /// The filters that are set, as they were written.
    pub(super) fn filters(&self) -> impl Iterator<Item = (&str, &str)> {
        let known = |name: &str| FILTERS.contains(&name);
        self.written.iter().filter(move |(name, _)| known(name)).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether this filter is set to this.
    pub(super) fn has(&self, name: &str, value: &str) -> bool {
        self.filters().any(|(other, is)| (other, is) == (name, value))
    }

    /// The same path with one filter more, from its first page on.
    pub(super) fn with(&self, path: &str, name: &str, value: &str) -> String {
        link(path, self.filters().filter(|(other, is)| (*other, *is) != (name, value)).chain([(name, value)]))
    }

    /// The same path without one filter, from its first page on.
    pub(super) fn without(&self, path: &str, name: &str, value: &str) -> String {
        link(path, self.filters().filter(|(other, is)| (*other, *is) != (name, value)))
    }

    /// All that was asked, but this otherwise.
    pub(super) fn instead(&self, path: &str, name: &str, value: &str) -> String {
        let rest = self.written.iter().filter(|(other, _)| other != name).map(|(name, value)| (name.as_str(), value.as_str()));
        link(path, rest.chain([(name, value)]))
    }
}

/// A path with a query.
pub(super) fn link<'a>(path: &str, query: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut written = form_urlencoded::Serializer::new(String::new());
    written.extend_pairs(query);
    match written.finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// One thing below a path, whatever its name is made of.
pub(super) fn below(path: &str, name: &str) -> String {
    // In a path a blank is no plus.
    let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
    format!("{path}/{}", name.replace('+', "%20"))
}

/// Where a page of runs ended, as [`place`] reads it.
pub(super) fn place_of(slot: DateTime<Utc>, run_id: i64) -> String {
    format!("{}.{run_id}", slot.timestamp_millis())
}

fn place(text: &str) -> Option<(DateTime<Utc>, i64)> {
    let (slot, run_id) = text.split_once('.')?;
    Some((DateTime::from_timestamp_millis(slot.parse().ok()?)?, run_id.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_added_and_taken_away_by_a_link() {
        let asked = Asked::read("job=nightly-full&state=failed&skip=50&after=1.2&instance=").unwrap();
        assert_eq!(asked.with("/runs", "region", "a b&c"), "/runs?job=nightly-full&state=failed&region=a+b%26c");
        assert_eq!(asked.without("/runs", "state", "failed"), "/runs?job=nightly-full");
        assert_eq!(asked.instead("/runs", "skip", "100"), "/runs?job=nightly-full&state=failed&after=1.2&skip=100");
        assert_eq!(below("/jobs", "a b+c/../d?é"), "/jobs/a%20b%2Bc%2F..%2Fd%3F%C3%A9");
    }

    #[test]
    fn what_is_not_understood_is_told_and_not_repeated() {
        for (query, said) in [
            ("jobb=x", "not known"),
            ("<script>=x", "not known"),
            ("state=<script>", "`state` takes one of due, "),
            ("since=yesterday", "`since` takes a time"),
            ("limit=1001", "from 1 to 1000"),
            ("skip=-1", "a number"),
            ("tag=env", "key=value"),
            ("after=x", "older runs"),
            ("format=xml", "json or html"),
            ("not-ok=1", "takes true"),
        ] {
            let error = Asked::read(query).unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains("<script>"), "{query}: {error}");
        }
        let many = "job=a&".repeat(65);
        assert!(Asked::read(&many).unwrap_err().to_string().contains("more than 64"));
    }

    #[test]
    fn where_a_page_ended_is_read_back() {
        let slot = "2026-11-24T02:30:00.007Z".parse().unwrap();
        assert_eq!(place(&place_of(slot, 5)), Some((slot, 5)));
    }
}
