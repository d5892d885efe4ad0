//! The file's shape, and no meaning.
//!
//! Every key may be absent and every text is text: what must be there, and what a text means, is told by [`super::lower`], all of it at once.
//! No `flatten`, no `untagged`, no enums with data: they lose the place of a fault.

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer, value::SeqAccessDeserializer},
};
use std::{collections::BTreeMap, fmt};

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub(super) struct $name(pub(super) String);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                struct Plain;
                impl Visitor<'_> for Plain {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }
                    fn visit_str<E: Error>(self, text: &str) -> Result<$name, E> {
                        Ok($name(text.to_owned()))
                    }
                }
                d.deserialize_any(Plain)
            }
        }
    };
}

text!(
    /// A text of any meaning.
    Text,
    "a text (in quotes, if it looks like something else)"
);
text!(
    /// A length of time, not yet read.
    Length,
    "a length of time such as `90s` or `2h 30m`"
);
text!(
    /// A moment, not yet read.
    Moment,
    "a moment such as `\"2026-11-10T20:00:00+08:00\"`"
);

/// `history`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct History {
    pub(super) max_age: Option<Length>,
    pub(super) max_runs: Option<i64>,
}

/// `ledger_copies`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LedgerCopies {
    pub(super) folder: Option<Text>,
    pub(super) keep: Option<i64>,
}

/// One of `accounts`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Account {
    pub(super) credentials: Option<Credentials>,
    pub(super) endpoint: Option<Text>,
    pub(super) calls_per_second: Option<f64>,
    pub(super) max_running: Option<i64>,
    pub(super) absence_window: Option<Length>,
    pub(super) utc_offset: Option<Text>,
}

/// `credentials`: a word, or a map.
#[derive(Clone, Debug, Default)]
pub(super) struct Credentials {
    pub(super) word: Option<String>,
    pub(super) map: CredentialKeys,
}

/// The map form of `credentials`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CredentialKeys {
    pub(super) file: Option<Text>,
    pub(super) env_prefix: Option<Text>,
}

impl<'de> Deserialize<'de> for Credentials {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct WordOrMap;
        impl<'de> Visitor<'de> for WordOrMap {
            type Value = Credentials;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`env`, `{ env_prefix: NAME }` or `{ file: PATH }`")
            }
            fn visit_str<E: Error>(self, word: &str) -> Result<Credentials, E> {
                Ok(Credentials { word: Some(word.to_owned()), map: CredentialKeys::default() })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Credentials, A::Error> {
                let map = CredentialKeys::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Credentials { word: None, map })
            }
        }
        d.deserialize_any(WordOrMap)
    }
}

/// `listen_token`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TokenKeys {
    pub(super) env: Option<Text>,
    pub(super) file: Option<Text>,
}

/// One of `instances`, or `instance_defaults`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Instance {
    pub(super) id: Option<Text>,
    pub(super) name: Option<Text>,
    pub(super) account: Option<Text>,
    pub(super) region: Option<Text>,
    pub(super) tags: Option<BTreeMap<String, Text>>,
}

/// One of `jobs`, or `defaults`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Job {
    pub(super) name: Option<Text>,
    pub(super) schedule: Option<Text>,
    pub(super) targets: Option<Targets>,
    pub(super) method: Option<Text>,
    pub(super) tables: Option<Vec<Table>>,
    pub(super) encrypted: Option<bool>,
    pub(super) time_zone: Option<Text>,
    pub(super) spread: Option<Length>,
    pub(super) start_within: Option<Length>,
    pub(super) complete_within: Option<Length>,
    pub(super) catch_up: Option<Text>,
    pub(super) catch_up_within: Option<Length>,
    pub(super) overlap: Option<Text>,
    pub(super) priority: Option<i64>,
    pub(super) retry: Option<Retry>,
    pub(super) poll: Option<Poll>,
    pub(super) freshness: Option<Freshness>,
    pub(super) suspend: Option<bool>,
    pub(super) may_be_empty: Option<bool>,
    pub(super) blackouts: Option<Vec<Blackout>>,
}

/// `targets`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Targets {
    pub(super) instances: Option<Vec<Text>>,
    pub(super) tags: Option<BTreeMap<String, OneOrMore>>,
    pub(super) all: Option<bool>,
    pub(super) accounts: Option<Vec<Text>>,
    pub(super) regions: Option<Vec<Text>>,
    pub(super) except: Option<Vec<Text>>,
}

/// A text, or a list of texts.
#[derive(Clone, Debug)]
pub(super) struct OneOrMore {
    pub(super) texts: Vec<String>,
    /// Whether it was written as a list.
    pub(super) is_list: bool,
}

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct TextOrList;
        impl<'de> Visitor<'de> for TextOrList {
            type Value = OneOrMore;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts (in quotes, if they look like something else)")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<OneOrMore, E> {
                Ok(OneOrMore { texts: vec![text.to_owned()], is_list: false })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<OneOrMore, A::Error> {
                let texts = Vec::<Text>::deserialize(SeqAccessDeserializer::new(seq))?;
                Ok(OneOrMore { texts: texts.into_iter().map(|t| t.0).collect(), is_list: true })
            }
        }
        d.deserialize_any(TextOrList)
    }
}

/// One of `tables`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Table {
    pub(super) db: Option<Text>,
    pub(super) tables: Option<Vec<Text>>,
}

/// `retry`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Retry {
    pub(super) after_failed: Option<i64>,
    pub(super) max_attempts: Option<i64>,
    pub(super) initial_backoff: Option<Length>,
    pub(super) max_backoff: Option<Length>,
}

/// `poll`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Poll {
    pub(super) initial: Option<Length>,
    pub(super) max: Option<Length>,
}

/// `freshness`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Freshness {
    pub(super) max_age: Option<Length>,
}

/// One of `blackouts`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Blackout {
    pub(super) from: Option<Moment>,
    pub(super) to: Option<Moment>,
    pub(super) schedule: Option<Text>,
    pub(super) lasts: Option<Length>,
    pub(super) time_zone: Option<Text>,
    pub(super) reason: Option<Text>,
}
