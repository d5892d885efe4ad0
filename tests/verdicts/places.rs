//! What a person finds at the places where one looks, each read as it is read in life.

use cdb_backupd::{
    cli::{Cli, Command},
    domain::now::Now,
};
use clap::Parser;
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    fmt,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

/// All of them at one moment; the log is read apart.
pub(crate) struct Places {
    /// What `status` prints, and its exit code.
    pub(crate) status: (String, u8),
    /// `status -o json`.
    pub(crate) status_json: Value,
    /// The page as people see it: without its marks.
    pub(crate) page: String,
    /// The page for programs.
    pub(crate) page_json: Value,
    /// The status and the answer of `/readyz`.
    pub(crate) ready: (u16, Value),
    /// The status of `/healthz`.
    pub(crate) health: u16,
    /// Each sample of `/metrics`, its name without the prefix.
    pub(crate) metrics: BTreeMap<String, f64>,
}

/// A line of the log.
#[derive(Debug)]
pub(crate) struct Line(pub(crate) Map<String, Value>);

impl Line {
    pub(crate) fn text(&self, key: &str) -> &str {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

/// How often the log says this at this level.
pub(crate) fn told(lines: &[Line], level: &str, says: &str) -> usize {
    lines.iter().filter(|line| line.text("level") == level && line.text("message").contains(says)).count()
}

/// What `status` prints of a ledger, and how it ends.
pub(crate) fn status(ledger: &Path, now: Now, more: &[&str]) -> (String, u8) {
    let words = ["cdb-backupd", "status", "--ledger"].into_iter().chain(ledger.to_str()).chain(more.iter().copied());
    let Cli { globals, command } = Cli::try_parse_from(words).unwrap();
    let Command::Status(status) = command else { panic!("it is `status`") };
    let (text, exit) = status.told(&globals, now).unwrap();
    (text, exit as u8)
}

/// What comes back for a path, to its end; nothing where nobody listens.
pub(crate) fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, page, ready, health, .. } = self;
        write!(f, "{status:?}\npage {page:?}\nready {ready:?} health {health} troubles {:?}", self.troubles())
    }
}

impl Places {
    pub(crate) fn see(address: SocketAddr, ledger: &Path, now: Now) -> Self {
        Self::of(address, status(ledger, now, &[]), &status(ledger, now, &["-o", "json"]).0)
    }

    /// Of a door, and what `status` said.
    pub(crate) fn of(address: SocketAddr, status: (String, u8), status_json: &str) -> Self {
        let get = |path: &str| get(address, path).unwrap_or_else(|| panic!("{path} is not answered"));
        let json = |text: &str| serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let (code, ready) = get("/readyz");
        let samples = get("/metrics").1;
        let samples = samples.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
        Self {
            status,
            status_json: json(status_json),
            page: plain(&get("/").1),
            page_json: json(&get("/?format=json").1),
            ready: (code, json(&ready)),
            health: get("/healthz").0,
            metrics: samples.map(|(name, value)| (name.replace("cdb_backupd_", ""), value.replace("+Inf", "inf").parse().unwrap())).collect(),
        }
    }

    /// The reasons that `/readyz` names.
    pub(crate) fn reasons(&self) -> Vec<&str> {
        self.ready.1["items"].as_array().unwrap().iter().map(|item| item["reason"].as_str().unwrap()).collect()
    }

    /// The troubles that `/metrics` shows.
    pub(crate) fn troubles(&self) -> Vec<&str> {
        let on = self.metrics.iter().filter(|(_, value)| **value == 1.0);
        on.filter_map(|(name, _)| name.strip_prefix("trouble{reason=\"")?.strip_suffix("\"}")).collect()
    }

    pub(crate) fn metric(&self, name: &str) -> f64 {
        *self.metrics.get(name).unwrap_or_else(|| panic!("{name} is not among {:?}", self.metrics.keys()))
    }

    /// Whether each place says that all is well.
    pub(crate) fn are_well(&self) -> bool {
        let all = [self.status.1 == 0, self.page_json["ok"] == true, self.ready.0 == 200 && self.reasons().is_empty(), self.troubles().is_empty()];
        all == [true; 4]
    }

    /// Every place at which the verdict can be read says this one: its word to programs, its sentence to people.
    #[track_caller]
    pub(crate) fn all_say(&self, word: &str, sentence: &str, ends: (u8, u16)) {
        let both = format!("{word}: ");
        assert!(self.status.0.lines().next().is_some_and(|line| line.contains(&both) && line.contains(sentence)), "status: {self:#?}");
        assert_eq!(self.status_json["pulse"]["verdict"], word, "status: {self:#?}");
        assert!(self.page.contains(&both) && self.page.contains(sentence), "page: {self:#?}");
        assert_eq!(self.page_json["pulse"]["verdict"], word, "page: {self:#?}");
        let item =
            self.ready.1["items"].as_array().unwrap().iter().find(|item| item["reason"] == word).unwrap_or_else(|| panic!("readyz: {self:#?}"));
        assert!(item["message"].as_str().unwrap().contains(sentence), "readyz: {self:#?}");
        assert!(self.troubles().contains(&word), "metrics: {self:#?}");
        assert_eq!((self.status.1, self.ready.0), ends, "{self:#?}");
        assert_eq!(self.status.0.starts_with("not ok: "), ends.0 != 0, "{self:#?}");
        assert_eq!((self.status_json["ok"] == true, self.page_json["ok"] == true), (ends.0 == 0, ends.0 == 0), "{self:#?}");
        assert_eq!(self.health, 200, "its loop turns: {self:#?}");
    }
}

/// The words of a page.
fn plain(html: &str) -> String {
    let mut words = String::new();
    for part in html.split('<').skip(1) {
        words.push_str(part.split_once('>').map_or("", |(_, text)| text));
    }
    words
}
