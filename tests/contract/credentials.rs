//! Where keys come from, who may read them, and that no message holds one.

use cdb_backupd::{
    cloud::credentials::{CredentialError, Environment, KeyRing},
    domain::names::CredentialSource,
};
use proptest::prelude::*;
use secrecy::ExposeSecret;
use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

fn environment(pairs: &[(&str, &str)]) -> Environment {
    let pairs: BTreeMap<String, String> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Arc::new(move |name| pairs.get(name).cloned())
}

fn env(prefix: &str) -> CredentialSource {
    CredentialSource::Env { prefix: prefix.into() }
}

fn file(folder: &Path, name: &str, text: &str, mode: u32) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn keys_are_read_from_variables_of_any_prefix() {
    let ring = KeyRing::new(environment(&[("PAY_SECRET_ID", "id"), ("PAY_SECRET_KEY", "key"), ("PAY_TOKEN", "token")]));
    let keys = ring.keys(&env("PAY")).unwrap();
    assert_eq!((keys.identity(), keys.secret_key.expose_secret()), ("id", "key"));
    assert_eq!(keys.token.as_ref().map(|token| token.expose_secret()), Some("token"));
}

#[test]
fn a_variable_may_name_a_file_and_one_trailing_newline_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (id, key) = (file(folder.path(), "id", "id\n", 0o600), file(folder.path(), "key", "ke y\n\n", 0o600));
    let ring = KeyRing::new(environment(&[("T_SECRET_ID_FILE", &id), ("T_SECRET_KEY_FILE", &key)]));
    let keys = ring.keys(&env("T")).unwrap();
    assert_eq!((keys.identity(), keys.secret_key.expose_secret()), ("id", "ke y\n"));
}

#[test]
fn the_official_sdks_file_is_read_from_its_default_section() {
    let folder = tempfile::tempdir().unwrap();
    let text = "; a comment\n[other]\nsecret_id = no\n[default]\nsecret_id = id\nsecret_key= key \n";
    let path = file(folder.path(), "ini", text, 0o600);
    let keys = KeyRing::new(environment(&[])).keys(&CredentialSource::File { path: path.into() }).unwrap();
    assert_eq!((keys.identity(), keys.secret_key.expose_secret()), ("id", "key"));
}

#[test]
fn a_file_that_others_may_read_is_refused_except_where_a_guardian_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o644, 0o640, 0o604] {
        let path = file(folder.path(), "ini", "secret_id = a\nsecret_key = b", mode);
        let source = CredentialSource::File { path: path.into() };
        let refused = KeyRing::new(environment(&[])).keys(&source).unwrap_err();
        assert!(matches!(refused, CredentialError::Open(_)), "{mode:o}: {refused}");
        let guarded = environment(&[("CREDENTIALS_DIRECTORY", folder.path().to_str().unwrap())]);
        KeyRing::new(guarded).keys(&source).unwrap();
    }
}

#[test]
fn keys_are_read_again_only_when_they_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let source = CredentialSource::File { path: file(folder.path(), "ini", "secret_id = old\nsecret_key = b", 0o600).into() };
    let ring = KeyRing::new(environment(&[]));
    ring.keys(&source).unwrap();
    file(folder.path(), "ini", "secret_id = new\nsecret_key = b", 0o600);
    assert_eq!(ring.keys(&source).unwrap().identity(), "old");
    ring.forget(&source);
    assert_eq!(ring.keys(&source).unwrap().identity(), "new");
}

#[test]
fn no_message_and_no_debug_text_holds_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let canary = "CANARYsecret";
    let half = CredentialSource::File { path: file(folder.path(), "ini", &format!("secret_id = {canary}"), 0o600).into() };
    let ring = KeyRing::new(environment(&[("A_SECRET_ID", canary), ("B_SECRET_ID", canary), ("B_SECRET_KEY", canary)]));
    let texts = [
        ring.keys(&half).unwrap_err().to_string(),
        ring.keys(&env("A")).unwrap_err().to_string(),
        format!("{:?} {:?}", ring, ring.keys(&env("B")).unwrap()),
    ];
    assert!(texts.iter().all(|text| !text.contains(canary)), "{texts:?}");
}

#[test]
fn a_token_that_is_named_but_cannot_be_read_is_a_fault_and_an_absent_one_is_none() {
    let keys = [("T_SECRET_ID", "id"), ("T_SECRET_KEY", "key")];
    assert!(KeyRing::new(environment(&keys)).keys(&env("T")).unwrap().token.is_none());
    assert!(KeyRing::new(environment(&[keys.as_slice(), &[("T_TOKEN_FILE", "")]].concat())).keys(&env("T")).unwrap().token.is_none());
    let named = [keys.as_slice(), &[("T_TOKEN_FILE", "/nowhere/token")]].concat();
    let error = KeyRing::new(environment(&named)).keys(&env("T")).unwrap_err();
    assert!(error.to_string().starts_with("the file that T_TOKEN_FILE names cannot be read"), "{error}");
}

#[test]
fn a_relative_name_begins_at_the_credentials_directory() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "id", "id\r\n", 0o644);
    let directory = folder.path().to_str().unwrap();
    let ring = KeyRing::new(environment(&[("CREDENTIALS_DIRECTORY", directory), ("T_SECRET_ID_FILE", "id"), ("T_SECRET_KEY", "key")]));
    assert_eq!(ring.keys(&env("T")).unwrap().identity(), "id");
}

#[test]
fn a_way_out_of_the_guarded_folder_is_not_guarded() {
    let folder = tempfile::tempdir().unwrap();
    let guarded = folder.path().join("guarded");
    fs::create_dir(&guarded).unwrap();
    let outside = file(folder.path(), "ini", "secret_id = a\nsecret_key = b", 0o644);
    std::os::unix::fs::symlink(&outside, guarded.join("link")).unwrap();
    let ring = KeyRing::new(environment(&[("CREDENTIALS_DIRECTORY", guarded.to_str().unwrap())]));
    for path in [guarded.join("../ini"), guarded.join("link")] {
        let refused = ring.keys(&CredentialSource::File { path }).unwrap_err();
        assert!(matches!(refused, CredentialError::Open(_)), "{refused}");
    }
}

#[test]
fn a_folder_a_pipe_an_endless_and_an_empty_file_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let long = file(folder.path(), "long", &"x".repeat(64 * 1024 + 1), 0o600);
    let empty = file(folder.path(), "empty", "\n", 0o600);
    for (path, what) in [
        (folder.path().to_str().unwrap(), "is not a regular file"),
        (pipe.to_str().unwrap(), "is not a regular file"),
        ("/dev/zero", "is not a regular file"),
        (long.as_str(), "is longer than 64 KiB"),
        (empty.as_str(), "is empty"),
    ] {
        let ring = KeyRing::new(environment(&[("T_SECRET_ID_FILE", path), ("T_SECRET_KEY", "key")]));
        let error = ring.keys(&env("T")).unwrap_err().to_string();
        assert_eq!(error, format!("the file that T_SECRET_ID_FILE names {what}"));
    }
}

#[test]
fn a_key_given_where_a_path_belongs_is_not_printed() {
    let ring = KeyRing::new(environment(&[("T_SECRET_ID", "id"), ("T_SECRET_KEY_FILE", "CANARYsecret")]));
    let error = ring.keys(&env("T")).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("CANARY"), "{error:?}");
}

proptest! {
    #[test]
    fn no_file_of_keys_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "(\\[default\\]\n|secret_id|secret_key|[=\n;# ]|\\PC){0,40}") {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in [("bytes", bytes.as_slice()), ("text", text.as_bytes())] {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let read = KeyRing::new(environment(&[])).keys(&CredentialSource::File { path });
            prop_assert!(read.map_or_else(|error| !error.to_string().is_empty(), |keys| !keys.identity().is_empty()));
        }
    }
}
