//! Names and numbers that identify things. A value of one of these types is valid; text becomes one once, at the edge.

use std::{fmt, path::PathBuf, sync::Arc};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name!(
    /// A job of the policy: `[a-z0-9][a-z0-9-]{0,31}`, so that an alias made from it fits in 60 characters.
    JobName
);
name!(
    /// An account of the policy: the same alphabet as a job's name.
    AccountName
);
name!(
    /// One cdb instance: `cdb-` and at least eight of `[a-z0-9]` (`cdb-api` README §2.1).
    InstanceId
);
name!(
    /// What people call an instance: any text without spaces, commas, `*`, `?` or `[`, at most 60 characters; its id when none is given.
    InstanceName
);
name!(
    /// A region such as `ap-guangzhou`: `[a-z]{2}-[a-z0-9-]+` (`cdb-api` README §6.3: no list is complete).
    Region
);

/// Why a text is not a name; reads after "the value".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A job's or an account's name outside `[a-z0-9][a-z0-9-]{0,31}`: choose another.
    #[error("must be 1 to 32 of `a-z`, `0-9` and `-`, and begin with a letter or a digit")]
    Plain,
    /// A name that the daemon keeps for itself: choose another.
    #[error("`by-hand` is reserved for runs that no job made")]
    Reserved,
    /// Not an instance id: copy it from the console.
    #[error("must be `cdb-` and at least eight of `a-z` and `0-9`")]
    Instance,
    /// A read-only instance: name its primary instead.
    #[error("is a read-only instance, and the cloud makes no backups of those; name its primary instance")]
    ReadOnlyInstance,
    /// Not an instance's name: shorten it, or take the reserved characters out.
    #[error("must be 1 to 60 characters without spaces, commas, `*`, `?` and `[`")]
    InstanceName,
    /// Not a region: write one like `ap-guangzhou`.
    #[error("must look like `ap-guangzhou`")]
    Region,
    /// A zone of a region, such as `ap-guangzhou-3`: write the region.
    #[error("names a zone; the region is what comes before the last `-`")]
    Zone,
}

fn is_plain(text: &str) -> bool {
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=32).contains(&text.len()) && text.starts_with(lower) && text.chars().all(|c| lower(c) || c == '-')
}

impl JobName {
    /// The job's name of runs that no job made.
    pub const BY_HAND: &str = "by-hand";

    /// Parses a job's name as the policy gives it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match text {
            Self::BY_HAND => Err(NameError::Reserved),
            _ if is_plain(text) => Ok(Self(text.into())),
            _ => Err(NameError::Plain),
        }
    }

    /// The reserved name of runs that no job made.
    pub fn by_hand() -> Self {
        Self(Self::BY_HAND.into())
    }

    /// Takes a name back from a ledger row, `by-hand` included.
    pub fn from_row(text: &str) -> Result<Self, NameError> {
        if text == Self::BY_HAND { Ok(Self::by_hand()) } else { Self::parse(text) }
    }
}

impl AccountName {
    /// Parses an account's name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if is_plain(text) { Ok(Self(text.into())) } else { Err(NameError::Plain) }
    }
}

impl InstanceId {
    /// Parses an instance id; `cdbro-…` is refused with its own reason.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.starts_with("cdbro-") {
            return Err(NameError::ReadOnlyInstance);
        }
        let tail = text.strip_prefix("cdb-").ok_or(NameError::Instance)?;
        let good = (8..=56).contains(&tail.len()) && tail.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if good { Ok(Self(text.into())) } else { Err(NameError::Instance) }
    }
}

impl InstanceName {
    /// Parses an instance's name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ',' | '*' | '?' | '[');
        let good = (1..=60).contains(&text.chars().count()) && !text.chars().any(odd);
        if good { Ok(Self(text.into())) } else { Err(NameError::InstanceName) }
    }
}

impl From<&InstanceId> for InstanceName {
    fn from(id: &InstanceId) -> Self {
        Self(id.0.clone())
    }
}

impl Region {
    /// Parses a region; a zone of one (`ap-guangzhou-3`) is refused with its own reason.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let (head, tail) = text.split_once('-').ok_or(NameError::Region)?;
        let head_good = head.len() == 2 && head.chars().all(|c| c.is_ascii_lowercase());
        let tail_good = (1..=40).contains(&tail.len()) && tail.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !head_good || !tail_good || tail.ends_with('-') {
            return Err(NameError::Region);
        }
        let last = tail.rsplit('-').next().unwrap_or_default();
        if tail.contains('-') && last.chars().all(|c| c.is_ascii_digit()) { Err(NameError::Zone) } else { Ok(Self(text.into())) }
    }
}

/// The number of a run in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The cloud's number of a backup: positive and below 2^63 (`cdb-api` README §2.2: uint64 when made, int64 when listed).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackupId(pub i64);

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Where an account's calls go: `https`, or plain `http` to a loopback address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Endpoint {
    host: Arc<str>,
    port: Option<u16>,
    plain: bool,
}

/// Why a text is not an endpoint; reads after "the value".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Plain HTTP to a host that is not loopback: use `https`.
    #[error("sends keys' signatures in the clear; plain http is for loopback addresses only")]
    PlainHttp,
    /// Not a host: write one like `cdb.tencentcloudapi.com`.
    #[error("must be a host such as `cdb.tencentcloudapi.com`, with `:port` if need be and no path")]
    Form,
}

impl Endpoint {
    /// The nearest access point of the public cloud (`cdb-api` README §6.2).
    pub const DEFAULT: &str = "cdb.tencentcloudapi.com";

    /// Parses `host`, `host:port`, `https://host[:port]` or `http://<loopback>[:port]`.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let (plain, rest) = match text.strip_prefix("http://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("https://").unwrap_or(text)),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') => (host, Some(port.parse::<u16>().map_err(|_| EndpointError::Form)?)),
            _ => (rest, None),
        };
        let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let good = match inner {
            Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                (1..=253).contains(&host.len())
                    && host.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
                    && host.starts_with(|c: char| c.is_ascii_alphanumeric())
                    && host.ends_with(|c: char| c.is_ascii_alphanumeric())
            }
        };
        if !good || port == Some(0) {
            return Err(EndpointError::Form);
        }
        let endpoint = Self { host: host.to_ascii_lowercase().into(), port, plain };
        if plain && !endpoint.is_loopback() { Err(EndpointError::PlainHttp) } else { Ok(endpoint) }
    }

    /// The host without its port; the first half of the key that the cloud counts calls by.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The `Host` header: the port stands in it only when it is not the scheme's own.
    pub fn host_header(&self) -> String {
        match self.port {
            Some(port) if port != if self.plain { 80 } else { 443 } => format!("{}:{port}", self.host),
            _ => self.host.to_string(),
        }
    }

    /// Whether the host can only be this machine: `localhost`, a name below it, or a loopback address.
    pub fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        &*self.host == "localhost" || self.host.ends_with(".localhost") || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// The address that requests are sent to.
    pub fn url(&self) -> String {
        format!("{}://{}/", if self.plain { "http" } else { "https" }, self.host_header())
    }
}

impl fmt::Display for Endpoint {
    /// The shortest text that parses back to this endpoint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.plain { write!(f, "http://{}", self.host_header()) } else { f.write_str(&self.host_header()) }
    }
}

/// Where an account's keys are read from. Never the keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CredentialSource {
    /// `<prefix>_SECRET_ID`, `_SECRET_KEY`, `_TOKEN`, or a path in `<prefix>_SECRET_ID_FILE` and so on.
    Env {
        /// `TENCENTCLOUD` unless the policy names another.
        prefix: String,
    },
    /// An ini file as the official SDKs read it (`cdb-api` README §6.1).
    File {
        /// As resolved when the policy was loaded.
        path: PathBuf,
    },
}

impl CredentialSource {
    /// The environment's own prefix.
    pub const DEFAULT_PREFIX: &str = "TENCENTCLOUD";

    /// Reads back what `Display` wrote.
    pub fn from_row(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("env", prefix) => Some(Self::Env { prefix: prefix.into() }),
            ("file", path) => Some(Self::File { path: path.into() }),
            _ => None,
        }
    }
}

impl fmt::Display for CredentialSource {
    /// `env:PREFIX` or `file:PATH`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env { prefix } => write!(f, "env:{prefix}"),
            Self::File { path } => write!(f, "file:{}", path.display()),
        }
    }
}
