//! Where keys come from, who may read them, and that no message holds one.

use cdb_backupd::{
    cloud::credentials::{CredentialError, Environment, KeyRing},
    domain::names::CredentialSource,
};
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
