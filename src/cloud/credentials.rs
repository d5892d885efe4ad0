//! Where keys come from, and who may read them. No message of this file holds a secret.

use crate::domain::names::CredentialSource;
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
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others may read it: `chmod 600`.
    #[error("{0} may be read by other users; run `chmod 600` on it")]
    Open(PathBuf),
    /// It is not what it should be.
    #[error("{path}: {what}")]
    Form {
        /// Which.
        path: PathBuf,
        /// What is missing or wrong.
        what: &'static str,
    },
}

/// How a variable of the environment is read.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

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
        Self::new(Arc::new(|name| std::env::var(name).ok()))
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

    /// Forgets the keys of a source.
    pub fn forget(&self, source: &CredentialSource) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(source);
    }

    fn read(&self, source: &CredentialSource) -> Result<Keys, CredentialError> {
        match source {
            CredentialSource::Env { prefix } => Ok(Keys {
                secret_id: self.variable(&format!("{prefix}_SECRET_ID"))?.into(),
                secret_key: self.variable(&format!("{prefix}_SECRET_KEY"))?.into(),
                token: self.variable(&format!("{prefix}_TOKEN")).ok().map(Into::into),
            }),
            CredentialSource::File { path } => ini(path, &self.file(path)?),
        }
    }

    fn variable(&self, name: &str) -> Result<String, CredentialError> {
        let value = (self.environment)(name).filter(|value| !value.is_empty());
        match (value, (self.environment)(&format!("{name}_FILE"))) {
            (Some(value), _) => Ok(value),
            (None, Some(path)) => {
                let path = PathBuf::from(path);
                let text = self.file(&path)?;
                // Editors and `echo` add one newline; more is part of nobody's key.
                let value = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
                if value.is_empty() { Err(CredentialError::Form { path, what: "is empty" }) } else { Ok(value.to_owned()) }
            }
            (None, None) => Err(CredentialError::Missing(name.to_owned())),
        }
    }

    fn file(&self, path: &Path) -> Result<String, CredentialError> {
        let fault = |source| CredentialError::Unreadable { path: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(fault)?;
        let about = file.metadata().map_err(fault)?;
        if about.mode() & 0o044 != 0 && !self.is_guarded(path) {
            return Err(CredentialError::Open(path.to_owned()));
        }
        let mut text = String::new();
        file.take(FILE_MAX).read_to_string(&mut text).map_err(fault)?;
        Ok(text)
    }

    /// Folders whose own guardian keeps others out: systemd's and the container engines'.
    fn is_guarded(&self, path: &Path) -> bool {
        let credentials = (self.environment)("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty());
        path.starts_with("/run/secrets") || credentials.is_some_and(|folder| path.starts_with(folder))
    }
}

/// The official SDKs' file: `secret_id`, `secret_key` and `token` under `[default]`.
fn ini(path: &Path, text: &str) -> Result<Keys, CredentialError> {
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
        value.map(|value| SecretString::from(*value)).ok_or(CredentialError::Form { path: path.to_owned(), what })
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
