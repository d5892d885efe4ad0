//! From bytes to one value.
//!
//! Decided here: what is a YAML document at all, and that reading one is bounded in size, depth and copies. `serde_yaml` decodes; where it
//! would stop at the first oddity (a repeated key) or keep quiet about one (a tag), this reads on and leaves the telling to [`super::structure`].

use super::{
    depth,
    fault::{Finding, Findings, Spot},
    place::{Path, Span},
    redact,
    structure::{self, Survey},
};
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde_yaml::{Mapping, Value, mapping::Entry};
use std::fmt;

/// Bytes of the largest policy.
pub(super) const MAX_BYTES: usize = 16 << 20;
/// Levels of lists and maps inside each other.
pub(super) const MAX_DEPTH: usize = 64;

/// The text of a policy, without its byte order mark; absent when it is no text.
pub(super) fn text<'a>(bytes: &'a [u8], findings: &mut Findings) -> Option<&'a str> {
    if bytes.len() > MAX_BYTES {
        findings.push(Finding::error("file-too-large", Spot::File, format!("the policy has {} bytes, and {MAX_BYTES} are the most", bytes.len())));
        return None;
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let Some(odd) = first_odd(text) else { return Some(text) };
            let line = 1 + text.get(..odd).unwrap_or_default().matches('\n').count();
            let finding = Finding::error("not-text", Spot::Line(line), format!("line {line} holds a control character, so this is no policy"));
            findings.push(finding.hint("is it a binary file? A policy is YAML in UTF-8 with plain line ends"));
        }
        Err(e) => {
            let line = 1 + bytes.iter().take(e.valid_up_to()).filter(|b| **b == b'\n').count();
            let finding = Finding::error("not-text", Spot::Line(line), format!("line {line} is not UTF-8"));
            findings.push(finding.hint("save the file as UTF-8"));
        }
    }
    None
}

/// Where the first character stands that belongs in no policy.
///
/// Line ends other than `\n` and `\r\n` are among them: readers of YAML do not agree on those, and then a secret might be drawn.
fn first_odd(text: &str) -> Option<usize> {
    let is_odd = |c: char| (c.is_control() && !matches!(c, '\n' | '\r' | '\t')) || matches!(c, '\u{2028}' | '\u{2029}');
    let lone_return = text.match_indices('\r').map(|(at, _)| at).find(|at| !text.get(at + 1..).is_some_and(|rest| rest.starts_with('\n')));
    text.find(is_odd).into_iter().chain(lone_return).min()
}

/// The first document of the text; absent when it cannot be read.
pub(super) fn parse(text: &str, findings: &mut Findings) -> Option<Value> {
    let told = findings.errors();
    let (lists, blocks) = depth::most(text);
    let (is_deep, copies) = (lists > MAX_DEPTH / 2, structure::may_copy(text));
    let mut survey = (is_deep || copies || blocks > MAX_DEPTH / 2).then(|| structure::survey(text, findings));
    match survey {
        Some(Survey::Broken) => return None,
        Some(Survey::Unread(unread)) if is_deep || copies => {
            findings.push(unread.refused());
            return None;
        }
        _ => {}
    }
    let (mut read, mut signs) = decoded(text);
    if survey.is_none() && (signs.odd.is_some() || read.is_err()) {
        survey = Some(structure::survey(text, findings));
    }
    if matches!(survey, Some(Survey::Broken)) {
        return None;
    }
    if read.is_err()
        && let Some((value, signs_of_json)) = json(text)
    {
        (read, signs) = (Ok(value), signs_of_json);
    }
    let value = match read {
        Ok(value) => value,
        Err(e) => {
            findings.push(unreadable(text, &e, &signs, survey));
            return None;
        }
    };
    if let Some(odd) = signs.odd
        && findings.errors() == told
        && (matches!(survey, Some(Survey::Unread(_))) || matches!(odd, Odd::Repeated(_)))
    {
        findings.push(odd.finding());
    }
    if signs.has_id {
        redact::tell_disguised(&value, &Path::default(), &redact::shown_ids(text), findings);
    }
    Some(value)
}

fn decoded(text: &str) -> (Result<Value, serde_yaml::Error>, Signs) {
    let mut signs = Signs::default();
    let mut documents = serde_yaml::Deserializer::from_str(text);
    let value = match documents.next().map(|d| Lenient { signs: &mut signs, depth: 0 }.deserialize(d)) {
        None => Ok(Value::Null),
        Some(read) => read,
    };
    if documents.next().is_some() {
        signs.odd.get_or_insert(Odd::SecondDocument);
    }
    (value, signs)
}

/// The text as JSON, which may hold what YAML does not: a character written as two escapes.
fn json(text: &str) -> Option<(Value, Signs)> {
    if !structure::looks_like_json(text) {
        return None;
    }
    let mut signs = Signs::default();
    let mut document = serde_json::Deserializer::from_str(text);
    let value = Lenient { signs: &mut signs, depth: 0 }.deserialize(&mut document).ok()?;
    document.end().ok()?;
    Some((value, signs))
}

/// Why the decoder stopped, in the words of the reader that says it better.
fn unreadable(text: &str, e: &serde_yaml::Error, signs: &Signs, survey: Option<Survey>) -> Finding {
    let spot = e.location().map(|l| Span::at(l.line(), l.column()));
    if signs.is_too_deep {
        let spot = spot.map_or(Spot::File, Spot::Span);
        return Finding::error("too-deep", spot, format!("lists and maps are nested deeper than {MAX_DEPTH} levels"));
    }
    if let Some(Survey::Unread(unread)) = survey
        && let Some(finding) = unread.agreed()
    {
        return finding;
    }
    let message = e.to_string();
    let cause = message.split(" at line ").next().unwrap_or_default();
    match spot {
        Some(at) => structure::not_yaml(text, at, cause),
        None => Finding::error("not-yaml", Spot::File, format!("this is not YAML: {cause}")),
    }
}

/// What a decoder met that a policy may not hold.
#[derive(Default)]
struct Signs {
    /// The first of them.
    odd: Option<Odd>,
    is_too_deep: bool,
    /// Whether a key or a value holds the beginning of a `SecretId`.
    has_id: bool,
}

enum Odd {
    Repeated(String),
    MergeKey,
    Tag,
    SecondDocument,
}

impl Odd {
    /// For a text that nobody else could place it in.
    fn finding(self) -> Finding {
        let (code, message, hint) = match self {
            Self::Repeated(key) => ("repeated-key", format!("{} is set twice", redact::quoted(&key)), "keep one of the two"),
            Self::MergeKey => {
                let hint = "put what is shared into `defaults` or `instance_defaults`";
                ("merge-key", "merge keys (`<<`) are not supported".to_owned(), hint)
            }
            Self::Tag => ("yaml-tag", "tags (`!NAME`) mean nothing in a policy".to_owned(), "take the tag out"),
            Self::SecondDocument => ("second-document", "a policy is one document, and a second follows".to_owned(), "take out the `---`"),
        };
        Finding::error(code, Spot::File, message).hint(hint)
    }
}

/// Reads any value, keeps the first of repeated keys, drops tags, and says whether it met either.
struct Lenient<'a> {
    signs: &'a mut Signs,
    depth: usize,
}

impl Lenient<'_> {
    /// The reader of what stands in a list or map.
    fn below(&mut self) -> Lenient<'_> {
        Lenient { signs: self.signs, depth: self.depth + 1 }
    }

    fn bounded<E: Error>(&mut self) -> Result<(), E> {
        self.signs.is_too_deep |= self.depth >= MAX_DEPTH;
        if self.depth >= MAX_DEPTH { Err(E::custom("nested too deep")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Lenient<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Lenient<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_bool<E: Error>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }
    fn visit_i64<E: Error>(self, v: i64) -> Result<Value, E> {
        Ok(Value::Number(v.into()))
    }
    fn visit_u64<E: Error>(self, v: u64) -> Result<Value, E> {
        Ok(Value::Number(v.into()))
    }
    fn visit_i128<E: Error>(self, v: i128) -> Result<Value, E> {
        Ok(Value::String(v.to_string()))
    }
    fn visit_u128<E: Error>(self, v: u128) -> Result<Value, E> {
        Ok(Value::String(v.to_string()))
    }
    fn visit_f64<E: Error>(self, v: f64) -> Result<Value, E> {
        Ok(Value::Number(v.into()))
    }
    fn visit_str<E: Error>(self, v: &str) -> Result<Value, E> {
        self.visit_string(v.to_owned())
    }
    fn visit_string<E: Error>(self, v: String) -> Result<Value, E> {
        self.signs.has_id |= v.contains("AKID");
        Ok(Value::String(v))
    }
    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        self.deserialize(d)
    }
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Value, A::Error> {
        self.bounded()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self.below())? {
            items.push(item);
        }
        Ok(Value::Sequence(items))
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        self.bounded()?;
        let mut out = Mapping::new();
        while let Some(key) = map.next_key_seed(self.below())? {
            let value = map.next_value_seed(self.below())?;
            if key.as_str() == Some("<<") {
                self.signs.odd.get_or_insert(Odd::MergeKey);
            }
            match out.entry(key) {
                Entry::Occupied(first) => {
                    let key = first.key().as_str().unwrap_or("a key").to_owned();
                    self.signs.odd.get_or_insert(Odd::Repeated(key));
                }
                Entry::Vacant(free) => {
                    free.insert(value);
                }
            }
        }
        Ok(Value::Mapping(out))
    }
    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Value, A::Error> {
        self.signs.odd.get_or_insert(Odd::Tag);
        let (_, contents) = data.variant::<String>()?;
        contents.newtype_variant_seed(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_repeated_keys_counts_and_the_second_is_told() {
        let mut findings = Findings::default();
        let value = parse("a: 1\na: 2\n", &mut findings);
        assert_eq!(value.and_then(|v| v.get("a").and_then(Value::as_u64)), Some(1));
        assert_eq!(findings.codes(), ["repeated-key"]);
    }

    #[test]
    fn a_million_brackets_end_at_once() {
        let mut findings = Findings::default();
        assert!(parse(&"[".repeat(1_000_000), &mut findings).is_none());
        assert!(findings.is_fatal());
    }

    #[test]
    fn a_small_file_that_means_a_billion_values_is_refused() {
        let mut text = String::from("x-0: &a0 [1,1,1,1,1,1,1,1,1,1]\n");
        for i in 1..9 {
            text += &format!("x-{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 10].join(","));
        }
        let mut findings = Findings::default();
        assert!(parse(&text, &mut findings).is_none());
        assert_eq!(findings.codes(), ["too-many-copies"]);
    }
}
