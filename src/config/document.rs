//! From bytes to one value.
//!
//! Decided here: what is a YAML document at all, and that reading one is bounded in size, depth and copies. `serde_yaml` decodes; where it
//! would stop at the first oddity (a repeated key) or keep quiet about one (a tag), this reads on and leaves the telling to [`super::structure`].

use super::{
    fault::{Finding, Findings, Spot},
    place::Span,
    structure,
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
    // Readers of YAML do not agree on tabs either: what one of them would not place is refused.
    let surveyed = may_be_deep(text) || text.contains(['&', '\t']);
    if surveyed && structure::survey(text, findings).is_broken() {
        return None;
    }
    let mut odd = false;
    let mut documents = serde_yaml::Deserializer::from_str(text);
    let value = match documents.next().map(|d| Lenient { odd: &mut odd }.deserialize(d)) {
        None => Ok(Value::Null),
        Some(read) => read,
    };
    odd |= documents.next().is_some();
    if (odd || value.is_err()) && !surveyed && structure::survey(text, findings).is_broken() {
        return None;
    }
    match value {
        Ok(value) => Some(value),
        Err(e) => {
            let spot = e.location().map_or(Spot::File, |l| Spot::Span(Span::at(l.line(), l.column())));
            let message = e.to_string();
            let cause = message.split(" at line ").next().unwrap_or_default();
            findings.push(Finding::error("not-yaml", spot, format!("this is not YAML: {cause}")));
            None
        }
    }
}

/// Whether lists and maps might be nested deeper than allowed; cheap, and wrong only towards "yes".
///
/// `libyaml` takes time in the square of the depth of flow collections, so it must not see a deep one.
fn may_be_deep(text: &str) -> bool {
    let (mut open, mut deepest, mut dashes, mut indent, mut at_start) = (0_usize, 0_usize, 0_usize, 0_usize, true);
    for b in text.bytes() {
        match b {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            b'\n' => (dashes, indent, at_start) = (0, 0, true),
            b'-' | b'?' => dashes += 1,
            b' ' if at_start => indent += 1,
            _ => {}
        }
        at_start &= matches!(b, b'\n' | b' ');
        deepest = deepest.max(open).max(dashes).max(indent);
    }
    deepest > MAX_DEPTH / 2
}

/// Reads any value, keeps the first of repeated keys, drops tags, and says whether it met either.
struct Lenient<'a> {
    odd: &'a mut bool,
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
        Ok(Value::String(v.to_owned()))
    }
    fn visit_string<E: Error>(self, v: String) -> Result<Value, E> {
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
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Lenient { odd: self.odd })? {
            items.push(item);
        }
        Ok(Value::Sequence(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut out = Mapping::new();
        while let Some(key) = map.next_key_seed(Lenient { odd: self.odd })? {
            let value = map.next_value_seed(Lenient { odd: self.odd })?;
            *self.odd |= key.as_str() == Some("<<");
            match out.entry(key) {
                Entry::Occupied(_) => *self.odd = true,
                Entry::Vacant(free) => {
                    free.insert(value);
                }
            }
        }
        Ok(Value::Mapping(out))
    }
    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Value, A::Error> {
        *self.odd = true;
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
