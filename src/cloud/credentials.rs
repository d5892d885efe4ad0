//! Where keys come from, and who may read them. No message of this file holds a secret.

use crate::domain::{names::CredentialSource, policy::TokenSource};
use secrecy::{ExposeSecret, SecretString};
use std::{
    collections::BTreeMap,
    fmt,
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// A file of keys is not longer.
const FILE_MAX: u64 = 64 * 1024;

/// One account's keys.
#[derive(Clone)]
pub struct Keys {
    /// `SecretId`; known to the cloud's logs, yet not printed here.
    pub secret_id: SecretString,
    /// `SecretKey`.
    pub secret_key: SecretString,
    /// Only temporary keys have one.
    pub token: Option<SecretString>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

/// Why keys could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// A variable is missing: set it, or the one with `_FILE`.
    #[error("set {0}, or {0}_FILE to the path of a file that holds it")]
    Missing(String),
    /// A file cannot be read.
    #[error("{place} cannot be read: {source}")]
    Unreadable {
        /// Which.
        place: Place,
        /// Why.
        source: std::io::Error,
    },
    /// Others may read it: `chmod 600`.
    #[error("{0} may be read by other users; run `chmod 600` on it")]
    Open(Place),
    /// It is not what it should be.
    #[error("{place} {what}")]
    Form {
        /// Which.
        place: Place,
        /// What is missing or wrong.
        what: &'static str,
    },
}

/// A file as messages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// By the path that the policy gives.
    Path(PathBuf),
    /// By the variable that holds its path, never by the value: people put the key itself there.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "the file that {name} names"),
        }
    }
}

/// How a variable of the environment is read.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The variables of this process: the one place of the cloud's client that reads them.
pub fn of_process() -> Environment {
    Arc::new(|name| std::env::var(name).ok())
}

/// Keys by source, read once and again when the cloud refuses them.
#[derive(Clone)]
pub struct KeyRing {
    environment: Environment,
    kept: Arc<Mutex<BTreeMap<CredentialSource, Arc<Keys>>>>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing(…)")
    }
}

impl KeyRing {
    /// A ring that reads variables through `environment`.
    pub fn new(environment: Environment) -> Self {
        Self { environment, kept: Arc::default() }
    }

    /// A ring over the process's environment.
    pub fn of_process() -> Self {
        Self::new(of_process())
    }

    /// The keys of a source, from memory or read now.
    pub fn keys(&self, source: &CredentialSource) -> Result<Arc<Keys>, CredentialError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = kept.get(source) {
            return Ok(keys.clone());
        }
        let keys = Arc::new(self.read(source)?);
        kept.insert(source.clone(), keys.clone());
        Ok(keys)
    }

    /// The token of the page, read now.
    ///
    /// # Errors
    /// As keys: the variable is missing, or the file cannot be read, or others may read it.
    pub fn token(&self, source: &TokenSource) -> Result<SecretString, CredentialError> {
        match source {
            TokenSource::Env { name } => self.variable(name),
            TokenSource::File { path } => self.file(path, &Place::Path(path.clone())),
        }
    }

    /// Forgets the keys of a source.
    pub fn forget(&self, source: &CredentialSource) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(source);
    }

    fn read(&self, source: &CredentialSource) -> Result<Keys, CredentialError> {
        match source {
            CredentialSource::Env { prefix } => Ok(Keys {
                secret_id: self.variable(&format!("{prefix}_SECRET_ID"))?,
                secret_key: self.variable(&format!("{prefix}_SECRET_KEY"))?,
                token: match self.variable(&format!("{prefix}_TOKEN")) {
                    Ok(token) => Some(token),
                    Err(CredentialError::Missing(_)) => None,
                    Err(error) => return Err(error),
                },
            }),
            CredentialSource::File { path } => {
                let place = Place::Path(path.clone());
                ini(&place, self.file(path, &place)?.expose_secret())
            }
        }
    }

    fn set(&self, name: &str) -> Option<String> {
        (self.environment)(name).filter(|value| !value.is_empty())
    }

    fn variable(&self, name: &str) -> Result<SecretString, CredentialError> {
        if let Some(value) = self.set(name) {
            return Ok(value.into());
        }
        let naming = format!("{name}_FILE");
        let Some(path) = self.set(&naming) else { return Err(CredentialError::Missing(name.to_owned())) };
        // An absolute path stays what it is.
        let path = self.set("CREDENTIALS_DIRECTORY").map_or_else(PathBuf::new, PathBuf::from).join(path);
        let place = Place::Variable(naming);
        let text = self.file(&path, &place)?;
        let text = text.expose_secret();
        // Editors and `echo` add one newline; more is part of nobody's key.
        let value = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
        if value.is_empty() { Err(CredentialError::Form { place, what: "is empty" }) } else { Ok(value.into()) }
    }

    fn file(&self, path: &Path, place: &Place) -> Result<SecretString, CredentialError> {
        let fault = |source| CredentialError::Unreadable { place: place.clone(), source };
        let form = |what| CredentialError::Form { place: place.clone(), what };
        // Asked before it is opened: opening a pipe waits for whoever writes into it.
        if !std::fs::metadata(path).map_err(fault)?.is_file() {
            return Err(form("is not a regular file"));
        }
        let file = std::fs::File::open(path).map_err(fault)?;
        if file.metadata().map_err(fault)?.mode() & 0o044 != 0 && !self.is_guarded(path) {
            return Err(CredentialError::Open(place.clone()));
        }
        let mut text = String::new();
        file.take(FILE_MAX + 1).read_to_string(&mut text).map_err(fault)?;
        if text.len() as u64 > FILE_MAX { Err(form("is longer than 64 KiB")) } else { Ok(text.into()) }
    }

    /// Folders whose own guardian keeps others out: systemd's and the container engines'. Judged by where the file really lies.
    fn is_guarded(&self, path: &Path) -> bool {
        let folders = self.set("CREDENTIALS_DIRECTORY").into_iter().chain(["/run/secrets".to_owned()]);
        let mut folders = folders.filter_map(|folder| Path::new(&folder).canonicalize().ok());
        path.canonicalize().is_ok_and(|path| folders.any(|folder| path.starts_with(folder)))
    }
}

/// The official SDKs' file: `secret_id`, `secret_key` and `token` under `[default]`.
fn ini(place: &Place, text: &str) -> Result<Keys, CredentialError> {
    let mut section = String::from("default");
    let mut found: BTreeMap<&str, &str> = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim().to_owned();
        } else if let Some((key, value)) = line.split_once('=')
            && section == "default"
        {
            found.insert(key.trim(), value.trim());
        }
    }
    let part = |key, what| {
        let value = found.get(key).filter(|value| !value.is_empty());
        value.map(|value| SecretString::from(*value)).ok_or_else(|| CredentialError::Form { place: place.clone(), what })
    };
    Ok(Keys {
        secret_id: part("secret_id", "has no `secret_id` under `[default]`")?,
        secret_key: part("secret_key", "has no `secret_key` under `[default]`")?,
        token: part("token", "").ok(),
    })
}

impl Keys {
    /// The identity that the cloud counts by.
    pub fn identity(&self) -> &str {
        self.secret_id.expose_secret()
    }
}
