//! Keys that nobody has, and how they are found again: as they are, in hex, in base64 at each of its three alignments, percent-encoded, as numbers.
//!
//! A part is enough: messages are cut, so every window of a spelling is looked for.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
};

/// So long a part of a secret, in whatever spelling, is a leak.
const WINDOW: usize = 20;
const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const TOKEN_LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Keys of the real shape, drawn anew for each test.
#[derive(Clone)]
pub(crate) struct Canary {
    pub(crate) secret_id: String,
    pub(crate) secret_key: String,
    pub(crate) token: String,
}

impl Canary {
    pub(crate) fn new() -> Self {
        Self {
            secret_id: format!("AKID{}", random(LETTERS, 32)),
            secret_key: random(LETTERS, 32),
            token: format!("{}=/+", random(TOKEN_LETTERS, 229)),
        }
    }

    /// Every spelling of every secret, to look for.
    pub(crate) fn needles(&self) -> Needles {
        // The identity's first letters are everybody's.
        let parts = [("SecretId", &self.secret_id[4..]), ("SecretKey", &self.secret_key), ("Token", &self.token)];
        let mut needles = Needles::default();
        parts.iter().for_each(|(name, secret)| needles.add(name, secret.as_bytes()));
        needles
    }
}

fn random(letters: &[u8], length: usize) -> String {
    let letter = |n: usize| char::from(letters[RandomState::new().hash_one(n) as usize % letters.len()]);
    (0..length).map(letter).collect()
}

/// What must not be found anywhere.
#[derive(Default)]
pub(crate) struct Needles {
    windows: HashSet<Vec<u8>>,
    names: Vec<(Vec<u8>, &'static str)>,
}

impl Needles {
    /// Adds all spellings of a secret.
    pub(crate) fn add(&mut self, name: &'static str, secret: &[u8]) {
        for spelling in spellings(secret) {
            for window in spelling.windows(WINDOW) {
                self.windows.insert(window.to_vec());
                self.names.push((window.to_vec(), name));
            }
        }
    }

    /// The name of the first secret that these bytes hold a part of, and where.
    pub(crate) fn found_in(&self, bytes: &[u8]) -> Option<(&'static str, usize)> {
        let at = bytes.windows(WINDOW).position(|window| self.windows.contains(window))?;
        let (_, name) = self.names.iter().find(|(window, _)| bytes[at..].starts_with(window))?;
        Some((name, at))
    }
}

fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let each = |spell: &dyn Fn(&u8) -> String| secret.iter().map(spell).collect::<String>().into_bytes();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    let mut all = vec![
        secret.to_vec(),
        each(&|byte| format!("{byte:02x}")),
        each(&|byte| format!("{byte:02X}")),
        each(&|byte| if is_plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") }),
        each(&|byte| if is_plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02x}") }),
        each(&|byte| format!("%{byte:02X}")),
        each(&|byte| format!("%{byte:02x}")),
        each(&|byte| format!("{byte}, ")),
    ];
    for ahead in 0..3 {
        all.extend([base64(BASE64, ahead, secret), base64(BASE64_URL, ahead, secret)]);
    }
    all
}

/// Base64 of `ahead` other bytes and these; only the letters that these alone decide.
fn base64(letters: &[u8; 64], ahead: usize, secret: &[u8]) -> Vec<u8> {
    let bits: Vec<u8> = vec![0; ahead].iter().chain(secret).flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let whole = bits.chunks_exact(6).map(|six| letters[six.iter().fold(0, |sum, bit| sum << 1 | usize::from(*bit))]);
    whole.skip((ahead * 8).div_ceil(6)).collect()
}

#[test]
fn a_part_of_a_secret_is_found_in_every_spelling_of_it() {
    let canary = Canary::new();
    let needles = canary.needles();
    let key = &canary.secret_key[3..27];
    let hex: String = key.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = canary.token.replace('=', "%3D").replace('/', "%2F").replace('+', "%2B");
    for (text, name) in [
        (format!("the key {key} stands here"), "SecretKey"),
        (hex.to_uppercase(), "SecretKey"),
        (format!("{:?}", key.as_bytes()), "SecretKey"),
        (percent[percent.len() - 22..].to_owned(), "Token"),
        (format!("Credential={}/2026-11-24/cdb", canary.secret_id), "SecretId"),
    ] {
        assert_eq!(needles.found_in(text.as_bytes()).map(|(name, _)| name), Some(name), "{name}");
    }
    assert_eq!(needles.found_in(b"AKID is how every SecretId begins, and tells nothing"), None);
}

/// Against text that another program has encoded: `printf '<ahead>0123456789abcdefghijklmnopqrstuv' | base64`.
#[test]
fn base64_is_found_at_each_of_its_alignments() {
    let secret = b"0123456789abcdefghijklmnopqrstuv";
    let mut needles = Needles::default();
    needles.add("key", secret);
    for encoded in [
        "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=",
        "eDAxMjM0NTY3ODlhYmNkZWZnaGlqa2xtbm9wcXJzdHV2",
        "eHgwMTIzNDU2Nzg5YWJjZGVmZ2hpamtsbW5vcHFyc3R1dg==",
    ] {
        assert!(needles.found_in(encoded.as_bytes()).is_some(), "{encoded}");
    }
    assert_eq!(needles.found_in(b"MDEyMzQ1Njc4OWFi and no more"), None, "twelve bytes are a coincidence");
}
