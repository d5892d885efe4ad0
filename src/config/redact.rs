//! What is never shown: values of keys that are named like secrets, and `SecretId`s.
//!
//! Decided here: what counts as one, in comments too, and how a line of the policy looks without it.

use super::{
    fault::{Finding, Findings, Spot},
    place::{Path, Span, Step},
};
use serde_yaml::Value;
use std::collections::HashSet;

/// What stands for what is not shown.
pub(super) const HIDDEN: char = '…';
/// A key that holds one of these is a secret's.
const SECRET_WORDS: [&str; 3] = ["secret", "password", "token"];
/// Characters of a text of the policy that a message repeats.
const MAX_QUOTED: usize = 60;
/// Characters of such a text in which secrets are looked for.
const MAX_LOOKED_AT: usize = 4_096;
/// Characters of the shortest word that a comment may not hold as a secret, of one that no sentence holds, and of the longest that is looked at.
const LEAST_SECRET: usize = 6;
const LONG_WORD: usize = 20;
const MAX_WORD: usize = 64;

/// Letters of the longest name that is no secret below `credentials`.
const MOST_NAME: usize = 16;

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

/// Tells every secret that the text shows whatever it means: `SecretId`s, and secrets in comments.
pub(super) fn tell_shown(text: &str, findings: &mut Findings) {
    for id in secret_ids(text).take(super::MAX_FAULTS) {
        let before = text.get(..id.start).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let shown = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        findings.push(told(span_in(line, shown, &(id.start - start..id.end - start)), "this looks like a SecretId"));
    }
    let comments = text.lines().enumerate().filter(|(_, line)| line.contains('#'));
    let values = comments.flat_map(|(number, line)| in_comment(line).map(move |value| span_in(number + 1, line, &value)));
    values.take(super::MAX_FAULTS).for_each(|at| findings.push(told(at, "this comment holds what looks like a secret")));
}

fn told(at: Spot, what: &str) -> Finding {
    Finding::error("secret-in-policy", at, format!("{what}, and a policy holds no secrets"))
        .label("must not stand here")
        .hint("take it out, make the key void, and write `credentials: env`, `{ env_prefix: NAME }` or `{ file: PATH }`")
}

fn span_in(line: usize, text: &str, bytes: &std::ops::Range<usize>) -> Spot {
    let column = |byte: usize| 1 + text.get(..byte).map_or(0, |before| before.chars().count());
    Spot::Span(Span { line, column: column(bytes.start), end_line: line, end_column: column(bytes.end) })
}

/// Byte ranges of the words in a line's comment that follow a secret's name and `:` or `=`, and look like a secret.
fn in_comment(line: &str) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
    let begins = |at: usize| line.get(..at).is_some_and(|before| before.is_empty() || before.ends_with(char::is_whitespace));
    let start = line.match_indices('#').map(|(at, _)| at).find(|at| begins(*at)).unwrap_or(line.len());
    line.match_indices([':', '=']).filter_map(move |(at, _)| {
        let before = line.get(start..at)?.trim_end_matches([' ', '\t', '"', '\'', '`']);
        let name = before.rsplit(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.')).next()?;
        let is_path = ["file", "path"].iter().any(|end| name.to_ascii_lowercase().ends_with(end));
        if is_path || !names_a_secret(name) {
            return None;
        }
        let value = line.get(at..)?.trim_start_matches([' ', '\t', ':', '=', '>', '"', '\'', '`']);
        let word = first_word(value);
        let rest = value.get(word.len()..)?.trim_start_matches(['"', '\'', '`']).trim_start();
        // More words make it a sentence, unless the first is too long for one.
        let next = first_word(rest);
        let is_alone = rest.is_empty() || rest.starts_with([',', ';', '}', ']', ')', '(', '#']) || next.contains('=') || next.ends_with(':');
        let from = line.len() - value.len();
        ((is_alone || word.len() >= LONG_WORD) && looks_like_a_secret(word)).then_some(from..from + word.len())
    })
}

/// Bounded: what is longer is no less a secret.
fn first_word(text: &str) -> &str {
    let ends = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '}' | ']' | ')' | '"' | '\'' | '`');
    let end = text.char_indices().take(MAX_WORD).find(|(_, c)| ends(*c)).map(|(at, _)| at);
    let most = || text.char_indices().nth(MAX_WORD).map_or(text.len(), |(at, _)| at);
    text.get(..end.unwrap_or_else(most)).unwrap_or_default()
}

/// Letters and digits, and neither a path, nor a variable's name, nor what stands for a value.
fn looks_like_a_secret(word: &str) -> bool {
    let word = word.trim_end_matches(['.', ':', '!', '?']);
    let is_variable = word.contains('_') && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    word.chars().count() >= LEAST_SECRET
        && word.contains(char::is_alphabetic)
        && word.contains(|c: char| c.is_ascii_digit())
        && !word.starts_with(['{', '[', '(', '<', '$', '%', '~'])
        && !word.contains('/')
        && !word.contains("AKID")
        && !is_variable
}

/// The `SecretId`s that stand in the text as they are.
pub(super) fn shown_ids(text: &str) -> HashSet<&str> {
    secret_ids(text).filter_map(|id| text.get(id)).collect()
}

/// Whether a scalar means a `SecretId` that the text does not show: it is written with escapes, or over several lines.
pub(super) fn holds_disguised_id(scalar: &str, shown: &HashSet<&str>) -> bool {
    secret_ids(scalar).any(|id| scalar.get(id).is_some_and(|word| !shown.contains(word)))
}

/// Tells every such key and value.
pub(super) fn tell_disguised(value: &Value, at: &Path, shown: &HashSet<&str>, findings: &mut Findings) {
    const WHAT: &str = "read as YAML, this is a SecretId";
    match value {
        Value::String(text) if holds_disguised_id(text, shown) => findings.push(told(Spot::Value(at.clone()), WHAT)),
        Value::Sequence(items) => items.iter().enumerate().for_each(|(i, item)| tell_disguised(item, &at.index(i), shown, findings)),
        Value::Mapping(map) => {
            for (key, value) in map {
                let key = key.as_str().unwrap_or_default();
                let at = at.key(key.to_owned());
                if holds_disguised_id(key, shown) {
                    findings.push(told(Spot::Key(at.clone()), WHAT));
                }
                tell_disguised(value, &at, shown, findings);
            }
        }
        _ => {}
    }
}

/// Whether what stands below `credentials` may be a key that was pasted there: everything but `env` and the beginnings of variables' names.
pub(super) fn may_be_pasted(scalar: &str) -> bool {
    scalar != "env" && !scalar.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// Whether a key's name there may be one, too: no short plain word, as the names of keys and slips in them are, and not the name of a secret, which is
/// told as such.
pub(super) fn may_be_pasted_name(name: &str) -> bool {
    let is_plain = name.len() <= MOST_NAME && name.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '-'));
    !is_plain && !names_a_secret(name)
}

/// Whether the last key of a path may be a secret that was pasted below `credentials` or `listen_token`.
pub(super) fn ends_in_pasted(path: &Path) -> bool {
    let mut steps = path.steps().iter().rev();
    let is_odd = matches!(steps.next(), Some(Step::Key(name)) if may_be_pasted_name(name));
    is_odd && steps.any(|step| matches!(step, Step::Key(key) if key == "credentials" || key == "listen_token"))
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
        let pasted = lower.find("credentials").filter(|at| {
            let value = lower.get(at + "credentials".len()..).unwrap_or_default().trim_start_matches([' ', '\t', ':', '"', '\'']);
            value.split(|c: char| !c.is_alphanumeric()).next() != Some("env")
        });
        let Some(name) = SECRET_WORDS.iter().filter_map(|w| lower.find(w)).chain(pasted).min() else { continue };
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
    fn a_secret_in_a_comment_is_told_from_a_sentence() {
        let found = |line: &str| in_comment(line).filter_map(|r| line.get(r)).map(str::to_owned).collect::<Vec<_>>();
        for (line, secrets) in [
            ("a: b # secret_key: Gu5t9xGARNpq86cd98joQYCN3EXAMPLE", &["Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"][..]),
            ("# password = hunter2 (the old one)", &["hunter2"]),
            ("# { \"my_token\": \"hunter2\", user: x1 }", &["hunter2"]),
            ("# password=hunter2 token=hunter3", &["hunter2", "hunter3"]),
            ("# secretKey: Gu5t9xGARNpq86cd98joQYCN3EXAMPLE was the old one", &["Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"]),
        ] {
            assert_eq!(found(line), secrets, "{line}");
        }
        for line in [
            "# TENCENTCLOUD_SECRET_KEY_FILE=/run/secrets/key1 and PAY2_SECRET_KEY=PAY2_SECRET_KEY",
            "# the password: ask ops, room 12; tokens: sha256 of the file; secret: none",
            "# secret_file: pay2.ini, token: ${TOKEN1}, token: <token1>, token: { a1b2c3 }, token: 2026-11-24",
            "password: hunter2",
            "a: b#password: hunter2",
        ] {
            assert_eq!(found(line), [""; 0], "{line}");
        }
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
