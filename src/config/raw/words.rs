//! What stands for a value and is no plain map: texts of several meanings, a word or a map, a text or a list.

use super::CredentialKeys;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer, value::SeqAccessDeserializer},
};
use std::{borrow::Cow, fmt};

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $schema:tt) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub(in crate::config) struct $name(pub(in crate::config) String);

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

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

text!(
    /// A text of any meaning.
    Text,
    "a text (in quotes, if it looks like something else)",
    { "type": "string" }
);
text!(
    /// A length of time, not yet read.
    Length,
    "a length of time such as `90s` or `2h 30m`",
    { "type": "string", "pattern": "^\\s*(0|([0-9.]+\\s*[a-zA-Zµ]+\\s*)+)$", "examples": ["90s", "2h 30m", "7d"] }
);
text!(
    /// A moment, not yet read.
    Moment,
    "a moment such as `\"2026-11-10T20:00:00+08:00\"`",
    { "type": "string", "pattern": "^\\s*[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ].*([Zz]|[+-][0-9]{2}:?[0-9]{2})\\s*$", "examples": ["2026-11-10T20:00:00+08:00"] }
);

/// `credentials`: a word, or a map.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct Credentials {
    pub(in crate::config) word: Option<String>,
    pub(in crate::config) map: CredentialKeys,
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

impl JsonSchema for Credentials {
    fn schema_name() -> Cow<'static, str> {
        "Credentials".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let map = generator.subschema_for::<CredentialKeys>();
        json_schema!({ "oneOf": [{ "description": "From variables whose names begin with TENCENTCLOUD.", "const": "env" }, map] })
    }
}

/// A text, or a list of texts.
#[derive(Clone, Debug)]
pub(in crate::config) struct OneOrMore {
    pub(in crate::config) texts: Vec<String>,
    /// Whether it was written as a list.
    pub(in crate::config) is_list: bool,
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

impl JsonSchema for OneOrMore {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "OneOrMore".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let text = json_schema!({ "type": "string", "pattern": "^[^*?\\[]*$" });
        json_schema!({ "oneOf": [text, { "type": "array", "items": text, "minItems": 1 }] })
    }
}
