//! The files of the project, as the other tests read them. No rule is decided here.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What a unit test module begins with; it stands at its file's end.
const TESTS: &str = "\n#[cfg(test)]\nmod tests {\n";

/// A Rust file.
pub(super) struct Source {
    /// From the root of the project.
    pub(super) path: String,
    /// Its text without the unit tests at its end.
    pub(super) code: String,
}

impl Source {
    /// Its code without the lines that are comments.
    pub(super) fn statements(&self) -> String {
        self.code.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
    }
}

/// The root of the project.
pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the project.
pub(super) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file below a folder, as paths from the root, in a fixed order. What git ignores, and git's own, are left out.
pub(super) fn paths(below: &str) -> Vec<String> {
    let mut found = Vec::new();
    walk(&root().join(below), &mut found);
    let mut paths: Vec<String> = found.iter().map(|path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()).collect();
    paths.sort();
    paths
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        match path.file_name().and_then(|name| name.to_str()) {
            Some("target" | ".git") => {}
            _ if path.is_dir() => walk(&path, found),
            _ => found.push(path),
        }
    }
}

/// The product: every Rust file below `src`, without unit tests and without files that are nothing else.
pub(super) fn product() -> Vec<Source> {
    let mut sources: Vec<Source> = rust("src");
    let tests: Vec<String> = sources.iter().flat_map(|source| test_modules(&source.path, &source.code)).collect();
    sources.retain(|source| !tests.contains(&source.path));
    assert!(sources.len() > 50, "the sources were not found");
    sources
}

/// Every Rust file below a folder.
pub(super) fn rust(below: &str) -> Vec<Source> {
    let files = paths(below).into_iter().filter(|path| path.ends_with(".rs"));
    files.map(|path| Source { code: without_tests(&path, &read(&path)), path }).collect()
}

/// A text up to its unit tests, which nothing may follow: code behind them would escape every rule.
fn without_tests(path: &str, text: &str) -> String {
    let Some(at) = text.find(TESTS) else { return text.to_owned() };
    let rest = &text[at + TESTS.len()..];
    assert!(rest.find("\n}\n").is_some_and(|end| end + 3 == rest.len()), "{path}: something stands behind the unit tests");
    text[..=at].to_owned()
}

/// The files of modules that are only compiled for tests.
fn test_modules(path: &str, code: &str) -> Vec<String> {
    let folder = path.strip_suffix("mod.rs").unwrap_or("");
    let modules = code.split("#[cfg(test)]\nmod ").skip(1).filter_map(|rest| rest.split_once(';'));
    modules.map(|(name, _)| format!("{folder}{name}.rs")).collect()
}
