//! What is never shown: values of keys that are named like secrets, and `SecretId`s.
//!
//! Decided here: what counts as one, and how a line of the policy looks without it.

use super::{
    fault::{Finding, Findings, Spot},
    place::Span,
};

/// What stands for what is not shown.
pub(super) const HIDDEN: char = '…';
/// A key that holds one of these is a secret's.
const SECRET_WORDS: [&str; 3] = ["secret", "password", "token"];
/// Characters of a text of the policy that a message repeats.
const MAX_QUOTED: usize = 60;
/// Characters of such a text in which secrets are looked for.
const MAX_LOOKED_AT: usize = 4_096;

/// Whether a key's name says that its value is a secret.
pub(super) fn names_a_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| key.contains(word))
}

/// Byte ranges of the words that begin with AKID, as `SecretId`s do.
pub(super) fn secret_ids(text: &str) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
    let in_word = |c: char| c.is_alphanumeric();
    text.match_indices("AKID").filter(move |(at, _)| !text.get(..*at).is_some_and(|before| before.ends_with(in_word))).map(move |(at, _)| {
        let rest = text.get(at..).unwrap_or_default();
        at..at + rest.find(|c| !in_word(c)).unwrap_or(rest.len())
    })
}

/// Tells every SecretId in the text, also in its comments.
pub(super) fn tell_ids(text: &str, findings: &mut Findings) {
    for id in secret_ids(text).take(super::MAX_FAULTS) {
        let before = text.get(..id.start).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
        let end = column + text.get(id).map_or(0, |word| word.chars().count());
        let at = Spot::Span(Span { line, column, end_line: line, end_column: end });
        let finding =
            Finding::error("secret-in-policy", at, "this looks like a SecretId, and a policy holds no secrets").label("must not stand here");
        findings.push(finding.hint("take it out, make the key void, and write `credentials: env`, `{ env_prefix: NAME }` or `{ file: PATH }`"));
    }
}

/// Byte ranges of what stands before the `@` of a URL: a user's name and password. `user:password@host` counts without a scheme, too.
pub(super) fn userinfo(text: &str) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
    let parts_words = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>');
    let mut from = 0;
    let words = std::iter::from_fn(move || {
        let rest = text.get(from..)?;
        let word = rest.trim_start_matches(parts_words);
        let start = from + rest.len() - word.len();
        from = start + word.find(parts_words).unwrap_or(word.len());
        (start < from).then_some(start..from)
    });
    words.filter_map(|word| {
        let before = text.get(word.clone())?;
        let before = before.get(..before.rfind('@')?)?;
        let from = match before.find("://") {
            Some(scheme) => scheme + 3,
            None if before.split_once(':').is_some_and(|(_, password)| !password.is_empty()) => 0,
            None => return None,
        };
        (from < before.len()).then_some(word.start + from..word.start + before.len())
    })
}

/// The text without `SecretId`s and without the users and passwords of its URLs.
pub(super) fn without_secrets(text: &str) -> String {
    let mut ranges: Vec<_> = secret_ids(text).chain(userinfo(text)).collect();
    ranges.sort_by_key(|r| r.start);
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for range in ranges {
        if range.start >= from {
            out.extend(text.get(from..range.start));
            out.push(HIDDEN);
        }
        from = from.max(range.end);
    }
    out.extend(text.get(from..));
    out
}

/// The text, cut to what a message can bear, without control characters and secrets.
pub(super) fn shortened(text: &str) -> String {
    let plain: String = text.chars().take(MAX_LOOKED_AT).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let short = without_secrets(&plain);
    if short.chars().count() > MAX_QUOTED { short.chars().take(MAX_QUOTED).chain([HIDDEN]).collect() } else { short }
}

/// The text as a message names it: `` `shortened` ``.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", shortened(text))
}

/// Columns (from 1, end exclusive) of a line that the spans cover.
pub(super) fn columns_of(line: usize, spans: &[Span]) -> Vec<(usize, usize)> {
    let covered = spans.iter().filter(|s| s.line <= line && line <= s.end_line);
    covered.map(|s| (if s.line < line { 1 } else { s.column }, if s.end_line > line { usize::MAX } else { s.end_column })).collect()
}

/// Byte ranges of what follows a secret's name in a line, whatever the line is part of: a comment too.
pub(super) fn after_names(line: &str) -> Vec<std::ops::Range<usize>> {
    let lower = line.to_ascii_lowercase();
    let mut ranges = Vec::new();
    let mut from = 0;
    while let Some(name) = SECRET_WORDS.iter().filter_map(|word| lower.get(from..)?.find(word)).min() {
        let rest = lower.get(from + name..).unwrap_or_default();
        let end_of_name = rest.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.')).unwrap_or(rest.len());
        let after = rest.get(end_of_name..).unwrap_or_default();
        let value = after.trim_start_matches(['"', '\'', ' ']);
        let Some(value) = value.strip_prefix([':', '=']).map(str::trim_start) else {
            from += name + end_of_name.max(1);
            continue;
        };
        let start = line.len() - value.len();
        let length = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value.get(1..).and_then(|v| v.find(quote)).map_or(value.len(), |end| end + 2),
            // A list or a map is hidden with the values in it, by their own names or by the place of this one.
            Some('[' | '{') | None => 0,
            _ => value.find([',', '}', ']']).unwrap_or(value.len()),
        };
        let end = start + length.min(value.len());
        if start < end {
            ranges.push(start..end);
        }
        from = end;
    }
    ranges
}

/// Secrets of a text that is not YAML, found line by line; hides rather too much.
pub(super) fn guessed(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    // The indentation of the key whose value may go on, and the quote that would end it.
    let mut open: Option<(usize, Option<char>)> = None;
    for (number, line) in text.lines().enumerate().map(|(n, l)| (n + 1, l)) {
        let indent = line.len() - line.trim_start().len();
        let whole = Span { line: number, column: 1, end_line: number, end_column: usize::MAX };
        match open {
            Some((_, Some(quote))) => {
                spans.push(whole);
                if line.contains(quote) {
                    open = None;
                }
                continue;
            }
            Some((above, None)) if indent > above || line.trim().is_empty() => {
                spans.push(whole);
                continue;
            }
            _ => open = None,
        }
        let lower = line.to_ascii_lowercase();
        let Some(name) = SECRET_WORDS.iter().filter_map(|w| lower.find(w)).min() else { continue };
        let Some(colon) = line.get(name..).and_then(|rest| rest.find([':', '='])).map(|at| name + at + 1) else { continue };
        let column = 1 + line.get(..colon).unwrap_or_default().chars().count();
        spans.push(Span { column, ..whole });
        let value = line.get(colon..).unwrap_or_default().trim();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        open = Some((indent, quote.filter(|q| value.matches(*q).count() == 1)));
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_begins_with_akid_is_hidden_and_no_other() {
        assert_eq!(without_secrets("id AKIDz8krbsJ5yKBZQpn, \"AKID1\" XAKID2 akid"), "id …, \"…\" XAKID2 akid");
    }

    #[test]
    fn the_user_and_the_password_of_a_url_are_hidden() {
        for (text, hidden) in [
            ("endpoint: \"https://user:pw@example.com\"", "endpoint: \"https://…@example.com\""),
            ("user:p@w@example.com/x", "…@example.com/x"),
            ("http://token@h, schedule: @daily a:@b a@b.c 12:30", "http://…@h, schedule: @daily a:@b a@b.c 12:30"),
        ] {
            assert_eq!(without_secrets(text), hidden);
        }
        assert!(!quoted(&format!("https://user:{}@h", "pw".repeat(500))).contains("pw"));
    }

    #[test]
    fn what_follows_a_secrets_name_is_hidden_in_any_line() {
        let hidden = |line: &str| {
            after_names(line).into_iter().rev().fold(line.to_owned(), |mut text, r| {
                text.replace_range(r, "…");
                text
            })
        };
        assert_eq!(hidden("id: x # my_password: hunter2"), "id: x # my_password: …");
        assert_eq!(hidden("{ \"Secret-Id\" : \"a, b\", token=c, d: e }"), "{ \"Secret-Id\" : …, token=…, d: e }");
        assert_eq!(hidden("a secret of tokens"), "a secret of tokens");
        assert_eq!(hidden("订单_token: 订单, b: c"), "订单_token: …, b: c");
        assert_eq!(hidden("token:"), "token:");
    }

    #[test]
    fn a_quoted_text_is_short_and_plain() {
        assert_eq!(quoted("a\u{1b}[31mb"), "`a\u{fffd}[31mb`");
        assert!(shortened(&"x".repeat(1_000_000)).chars().count() <= MAX_QUOTED + 1);
        assert!(!shortened(&format!("{}AKID1234567890", "y ".repeat(25))).contains("1234567890"));
    }

    #[test]
    fn a_broken_text_hides_the_lines_that_may_belong_to_a_secret() {
        let text = "a: b\nmy_secret: |\n  one\n\n  two\nc: d\ntoken: \"three\n four\nfive\" : x\ne: f\n";
        let lines: Vec<_> = guessed(text).iter().map(|s| s.line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 7, 8, 9]);
    }
}
