//! What a policy takes from the machine: environment variables, files and mounts. The only reader of the environment.

use crate::domain::names::CredentialSource;
use std::path::{Path, PathBuf};

type Variables = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;
type Judge = Box<dyn Fn(&CredentialSource) -> Option<String> + Send + Sync>;

/// The machine, or a picture of one.
pub struct Machine {
    variable: Variables,
    is_file: Box<dyn Fn(&Path) -> bool + Send + Sync>,
    is_folder: Box<dyn Fn(&Path) -> bool + Send + Sync>,
    unusable_keys: Judge,
    mounts: Box<dyn Fn() -> String + Send + Sync>,
}

impl Machine {
    /// The one this runs on.
    pub fn here() -> Self {
        Self {
            variable: Box::new(|name| std::env::var(name).ok().filter(|v| !v.is_empty())),
            is_file: Box::new(Path::exists),
            is_folder: Box::new(Path::is_dir),
            unusable_keys: Box::new(|_| None),
            mounts: Box::new(|| std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default()),
        }
    }

    /// A machine with these variables, these files, and these mounts in the form of `/proc/self/mountinfo`.
    pub fn pictured(variables: &[(&str, &str)], files: &[&str], mounts: &str) -> Self {
        let variables: Vec<(String, String)> = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        let mounts = mounts.to_owned();
        Self {
            variable: Box::new(move |name| variables.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone())),
            is_file: Box::new(move |path| files.iter().any(|f| f == path)),
            is_folder: Box::new(|_| false),
            unusable_keys: Box::new(|_| None),
            mounts: Box::new(move || mounts.clone()),
        }
    }

    /// The same machine with a reader of keys, which says why those of a source cannot be used; never a secret.
    pub fn judging_keys(self, unusable: impl Fn(&CredentialSource) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { unusable_keys: Box::new(unusable), ..self }
    }

    /// Whether a folder is at the path.
    pub(super) fn is_folder(&self, path: &Path) -> bool {
        (self.is_folder)(path)
    }

    /// A variable that is set to something.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name)
    }

    /// Where systemd puts credentials.
    pub(super) fn credentials_directory(&self) -> Option<PathBuf> {
        self.variable("CREDENTIALS_DIRECTORY").map(PathBuf::from)
    }

    /// Why the keys cannot be read; absent when they can. Says nothing of what the keys are worth.
    pub(super) fn missing_credentials(&self, source: &CredentialSource) -> Option<String> {
        self.absent_credentials(source).or_else(|| (self.unusable_keys)(source))
    }

    fn absent_credentials(&self, source: &CredentialSource) -> Option<String> {
        match source {
            CredentialSource::Env { prefix } => {
                let missing = |name: &str| self.variable(name).is_none() && self.variable(&format!("{name}_FILE")).is_none();
                let names = [format!("{prefix}_SECRET_ID"), format!("{prefix}_SECRET_KEY")];
                let names: Vec<&String> = names.iter().filter(|n| missing(n)).collect();
                match names.as_slice() {
                    [] => None,
                    [one] => Some(format!("{one} is not set")),
                    [one, other, ..] => Some(format!("{one} and {other} are not set")),
                }
            }
            CredentialSource::File { path } => (!(self.is_file)(path)).then(|| format!("there is no file {}", path.display())),
        }
    }

    /// The kind of the file system that a path is on; absent when nobody says.
    pub(super) fn file_system(&self, path: &Path) -> Option<String> {
        let mounts = (self.mounts)();
        let mut best: Option<(usize, &str)> = None;
        for line in mounts.lines() {
            // `36 35 98:0 /root /mount/point options … - type source options`
            let Some((before, after)) = line.split_once(" - ") else { continue };
            let (Some(point), Some(kind)) = (before.split(' ').nth(4), after.split(' ').next()) else { continue };
            let point = point.replace("\\040", " ");
            let length = Path::new(&point).components().count();
            if path.starts_with(&point) && best.is_none_or(|(longest, _)| length >= longest) {
                best = Some((length, kind));
            }
        }
        best.map(|(_, kind)| kind.to_owned())
    }
}

/// Whether the terminal asks for plain text (`NO_COLOR`, `TERM=dumb`).
pub fn no_color() -> bool {
    let machine = Machine::here();
    machine.variable("NO_COLOR").is_some() || is_dumb()
}

/// Whether the terminal can do no more than write on (`TERM=dumb`).
pub fn is_dumb() -> bool {
    Machine::here().variable("TERM").as_deref() == Some("dumb")
}

/// What is logged, in `tracing`'s filter language: `$CDB_BACKUPD_LOG`, else `info`.
pub fn log_levels() -> String {
    Machine::here().variable("CDB_BACKUPD_LOG").unwrap_or_else(|| "info".into())
}

/// The machine's own zone as an IANA name: `$TZ`, else where `/etc/localtime` points, else `UTC`.
pub fn local_zone() -> String {
    let of_link = || {
        let target = std::fs::read_link("/etc/localtime").ok()?;
        let (_, zone) = target.to_str()?.split_once("zoneinfo/")?;
        Some(zone.to_owned())
    };
    let of_variable = Machine::here().variable("TZ").map(|tz| tz.trim_start_matches(':').to_owned()).filter(|tz| !tz.starts_with('/'));
    of_variable.or_else(of_link).unwrap_or_else(|| "UTC".to_owned())
}
