//! Before the compiler: which commit this is, for `--version`.
//!
//! Decided here: who knows. `CDB_BACKUPD_COMMIT` does, for whoever builds without a repository, as the image is; else `git`; else nobody, and a build
//! from an archive of the sources works all the same. The same commit always makes the same word, so that builds stay alike to the byte. A debug
//! build has no word: it would be that of the last full build, and watching the repository would compile everything again after each commit.

use std::{env, path::Path, process::Command};

/// What the repository changes when it has another commit, or files that are not in it.
const WATCHED: [&str; 5] = [".git/HEAD", ".git/logs/HEAD", "src", "Cargo.lock", "Cargo.toml"];

fn main() {
    println!("cargo:rerun-if-changed=src/build.rs");
    println!("cargo:rerun-if-env-changed=CDB_BACKUPD_COMMIT");
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let given = env::var("CDB_BACKUPD_COMMIT").ok().filter(|word| !word.is_empty());
    let commit = given.or_else(|| is_release.then(described).flatten()).filter(|word| is_word(word));
    println!("cargo:rustc-env=CDB_BACKUPD_BUILT_FROM={}", commit.map_or_else(String::new, |word| format!(" ({word})")));
}

/// What may stand in a line of `--version`.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() <= 60 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// The commit's first twelve digits, with `-dirty` when files differ from it.
fn described() -> Option<String> {
    // A folder above may be somebody else's repository.
    if !Path::new(".git").exists() {
        return None;
    }
    for path in WATCHED.into_iter().filter(|path| Path::new(path).exists()) {
        println!("cargo:rerun-if-changed={path}");
    }
    let output = Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
