//! What no decoder tells: repeated keys, merge keys, tags, a second document, depth, and how much the aliases copy.
//!
//! Run only when there is a sign of one of them. It stops at the first thing after which the rest has no meaning, and where its reader
//! (`saphyr-parser`), which is stricter than the decoder, stops. That alone makes no policy bad.

use super::{
    document::MAX_DEPTH,
    fault::{Finding, Findings, Spot},
    place::{Path, Span, Step},
    redact,
};
use saphyr_parser::{Event, Parser};
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

/// Values that a policy may mean, aliases counted as what they copy.
const MAX_VALUES: u64 = 2_000_000;
/// Values that aliases alone may copy.
const MAX_COPIES: u64 = 200_000;

/// What a survey says of the rest.
pub(super) enum Survey {
    /// It can be decoded.
    Whole,
    /// It must not be decoded, and why is told.
    Broken,
    /// The reader stopped, and what follows is not known.
    Unread(Box<Unread>),
}

/// Where and why the reader stopped.
pub(super) struct Unread {
    finding: Finding,
    /// The decoder may bear it.
    is_layout: bool,
}

impl Unread {
    /// What to tell when the decoder stopped, too; absent when the decoder's word is the better one.
    pub(super) fn agreed(self) -> Option<Finding> {
        (!self.is_layout).then_some(self.finding)
    }

    /// What to tell when the text must not be decoded as long as the rest is not known.
    pub(super) fn refused(self) -> Finding {
        if self.finding.is_hinted() {
            return self.finding;
        }
        self.finding.hint("write this line further in than the key it belongs to, or do without anchors (`&NAME`), aliases and deep nesting")
    }
}

struct Frame {
    step: Option<Step>,
    /// Keys of a map and where each stands; absent for a list.
    keys: Option<HashMap<String, Span>>,
    /// In a map: whether the next value is one, not a key.
    key_read: bool,
    /// Whether this list or map is itself a key.
    is_key: bool,
    items: usize,
    anchor: usize,
    values: u64,
}

#[derive(Default)]
struct Walk {
    frames: Vec<Frame>,
    anchors: HashMap<usize, u64>,
    values: u64,
    copies: u64,
    documents: usize,
}

/// Tells every oddity of the text's form.
pub(super) fn survey(text: &str, findings: &mut Findings) -> Survey {
    let mut walk = Walk::default();
    for event in Parser::new_from_str(&readable(text)) {
        let (event, span) = match event {
            Ok((event, span)) => (event, Span::from(span)),
            Err(e) => {
                let at = Span::at(e.marker().line(), e.marker().col() + 1);
                let is_layout = ["invalid indentation", "invalid indentation in flow construct"].contains(&e.info());
                return Survey::Unread(Box::new(Unread { finding: not_yaml(text, at, e.info()), is_layout }));
            }
        };
        if let Some(finding) = walk.step(&event, span, findings) {
            let end = finding.code();
            findings.push(finding);
            // The first document is whole, and what follows it is not looked at.
            return if end == "second-document" { Survey::Whole } else { Survey::Broken };
        }
    }
    Survey::Whole
}

impl Walk {
    /// One event; the finding that ends the walk, if there is one.
    fn step(&mut self, event: &Event<'_>, span: Span, findings: &mut Findings) -> Option<Finding> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let finding = Finding::error("second-document", Spot::Span(span), "a policy is one document, and here a second begins");
                    return Some(finding.hint("take out the `---`, or keep the other document in a file of its own"));
                }
            }
            Event::Scalar(text, _, anchor, tag) => {
                if let Some(tag) = tag.as_deref().filter(|t| !t.is_yaml_core_schema()) {
                    findings.push(tag_finding(&tag.to_string(), span));
                }
                if self.is_key() {
                    self.key(text, span, findings);
                } else {
                    self.leaf(1);
                }
                if *anchor > 0 {
                    self.anchors.insert(*anchor, 1);
                }
            }
            Event::Alias(anchor) => {
                let copied = self.anchors.get(anchor).copied().unwrap_or(1);
                self.copies = self.copies.saturating_add(copied);
                if self.is_key() { self.key("*", span, findings) } else { self.leaf(copied) }
            }
            Event::MappingStart(anchor, tag) | Event::SequenceStart(anchor, tag) => {
                if let Some(tag) = tag.as_deref().filter(|t| !t.is_yaml_core_schema()) {
                    findings.push(tag_finding(&tag.to_string(), span));
                }
                if self.frames.len() >= MAX_DEPTH {
                    let message = format!("lists and maps are nested deeper than {MAX_DEPTH} levels");
                    return Some(Finding::error("too-deep", Spot::Span(span), message));
                }
                self.open(*anchor, matches!(event, Event::MappingStart(..)));
            }
            Event::MappingEnd | Event::SequenceEnd => self.close(),
            _ => {}
        }
        (self.values > MAX_VALUES || self.copies > MAX_COPIES).then(|| {
            let message = "aliases copy more here than any policy needs".to_owned();
            Finding::error("too-many-copies", Spot::Span(span), message).hint("write the entries out, or use `defaults` and `instance_defaults`")
        })
    }

    fn is_key(&self) -> bool {
        self.frames.last().is_some_and(|f| f.keys.is_some() && !f.key_read)
    }

    fn key(&mut self, text: &str, span: Span, findings: &mut Findings) {
        let above = self.frames.len().saturating_sub(1);
        let path = Path::from_steps(self.frames.iter().take(above).filter_map(|f| f.step.clone()).chain([Step::from(text.to_owned())]));
        let Some(frame) = self.frames.last_mut() else { return };
        frame.key_read = true;
        frame.step = Some(Step::from(text.to_owned()));
        if text == "<<" {
            let finding = Finding::error("merge-key", Spot::Span(span), "merge keys (`<<`) are not supported").path(path.clone());
            findings.push(finding.hint("put what is shared into `defaults` or `instance_defaults`"));
        }
        let Some(keys) = frame.keys.as_mut() else { return };
        match keys.get(text) {
            Some(first) => {
                let message = format!("{} is set twice", redact::quoted(text));
                let finding = Finding::error("repeated-key", Spot::Span(span), message).path(path).label("again here");
                findings.push(finding.also(Spot::Span(*first), "first defined here").hint("keep one of the two"));
            }
            None => {
                keys.insert(text.to_owned(), span);
            }
        }
    }

    /// A value that is worth `values` of them.
    fn leaf(&mut self, values: u64) {
        self.values = self.values.saturating_add(values);
        let Some(frame) = self.frames.last_mut() else { return };
        frame.values = frame.values.saturating_add(values);
        frame.key_read = false;
        if frame.keys.is_none() {
            frame.items += 1;
        }
    }

    fn open(&mut self, anchor: usize, is_map: bool) {
        let is_key = self.is_key();
        if let Some(parent) = self.frames.last_mut().filter(|f| f.keys.is_none()) {
            parent.step = Some(Step::Index(parent.items));
        }
        self.frames.push(Frame { step: None, keys: is_map.then(HashMap::new), key_read: false, is_key, items: 0, anchor, values: 1 });
    }

    fn close(&mut self) {
        let Some(frame) = self.frames.pop() else { return };
        if frame.anchor > 0 {
            self.anchors.insert(frame.anchor, frame.values);
        }
        // Its leaves are counted already; its parent takes them over.
        self.values = self.values.saturating_add(1);
        if let Some(parent) = self.frames.last_mut() {
            parent.values = parent.values.saturating_add(frame.values);
            // A list or a map as a key: decoding refuses it, and here it only must not confuse the count.
            parent.key_read = frame.is_key;
            parent.items += usize::from(parent.keys.is_none());
        }
    }
}

/// What a reader stumbled over, and what to write instead where it is one of the common slips.
pub(super) fn not_yaml(text: &str, at: Span, info: &str) -> Finding {
    let line = text.split('\n').nth(at.line.saturating_sub(1)).unwrap_or_default();
    let near = |column: &usize| (at.column.saturating_sub(1)..=at.column + 1).contains(column) || info.contains("tab");
    let tabs = line.chars().enumerate().filter(|(_, c)| *c == '\t').map(|(i, _)| i + 1).filter(near);
    if let Some(column) = tabs.min_by_key(|column| column.abs_diff(at.column)) {
        let finding = Finding::error("not-yaml", Spot::Span(Span::at(at.line, column)), "this is not YAML: a tab stands where only blanks may");
        return finding.label("a tab").hint("write blanks instead of it");
    }
    let before: String = line.chars().take(at.column.saturating_sub(1)).collect();
    // The reader stands on the first character of the value, or on the one after it.
    let starts = [before.len(), before.char_indices().last().map_or(0, |(i, _)| i)];
    let slip = starts.into_iter().find_map(|start| unquoted(line.get(start..)?));
    let finding = Finding::error("not-yaml", Spot::Span(at), format!("this is not YAML: {info}"));
    match slip {
        Some(example) => finding.hint(format!("put the value in quotes, such as `\"{example}\"`")),
        None => finding,
    }
}

/// An example of what may begin so, in quotes alone.
fn unquoted(value: &str) -> Option<&'static str> {
    let mut chars = value.chars();
    match (chars.next()?, chars.next()) {
        ('@', _) => Some("@daily"),
        ('*', Some(' ' | '/' | ',')) => Some("*/5 2 * * *"),
        ('%' | '`', _) => Some("A TEXT"),
        _ => None,
    }
}

/// Whether an anchor of the text might be copied by an alias; wrong only towards "yes".
pub(super) fn may_copy(text: &str) -> bool {
    let names = |sign: char| {
        let name = |(at, _)| {
            let rest: &str = text.get(at + 1..).unwrap_or_default();
            rest.get(..rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-')).unwrap_or(rest.len()))
        };
        text.match_indices(sign).filter_map(name).filter(|name| !name.is_empty())
    };
    let anchors: HashSet<&str> = names('&').collect();
    !anchors.is_empty() && names('*').any(|name| anchors.contains(name))
}

/// Whether the text looks like JSON rather than like YAML of many lines.
pub(super) fn looks_like_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// The text for a reader that bears no tab behind a colon, and no two escapes for one character as JSON writes them. Everything stays where it was.
pub(super) fn readable(text: &str) -> Cow<'_, str> {
    let is_json = looks_like_json(text);
    let is_readable = !text.contains('\t') && (!is_json || !text.contains("\\u"));
    if is_readable {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let (mut is_quoted, mut is_indent, mut rest) = (false, true, text);
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        let pair = if c == '\\' && is_quoted && is_json { surrogates(rest) } else { None };
        match (c, pair) {
            (_, Some((character, length))) => {
                out.push_str(&format!("\\U{:08x}  ", u32::from(character)));
                taken = length;
            }
            ('\t', _) if !is_quoted && (is_json || !is_indent) => out.push(' '),
            ('\\', _) if is_quoted => {
                taken += rest.chars().nth(1).map_or(0, char::len_utf8);
                out.extend(rest.get(..taken));
            }
            _ => out.push(c),
        }
        is_quoted ^= c == '"';
        is_indent = c == '\n' || (is_indent && matches!(c, ' ' | '\t'));
        rest = rest.get(taken..).unwrap_or_default();
    }
    Cow::Owned(out)
}

/// The character that two escapes at the text's beginning stand for, and the bytes that they take.
fn surrogates(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| u16::from_str_radix(text.get(at..)?.strip_prefix("\\u")?.get(..4)?, 16).ok();
    let character = char::decode_utf16([unit(0)?, unit(6)?]).next()?.ok()?;
    (character > '\u{ffff}').then_some((character, 12))
}

fn tag_finding(tag: &str, span: Span) -> Finding {
    Finding::error("yaml-tag", Spot::Span(span), format!("tags such as {} mean nothing in a policy", redact::quoted(tag))).hint("take the tag out")
}
