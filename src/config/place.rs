//! Where a path of the policy stands in its text.
//!
//! Decided here: line and columns of keys and values that somebody asks for, and which stretches of the text are secrets. The decoder knows no
//! places, so a second reader (`saphyr-parser`) walks the text, only when there is a fault to draw, and stops behind the last line asked for. It is
//! stricter than the decoder: behind what it cannot read no place is known.

use super::{fault::Spot, redact, structure};
use saphyr_parser::{Event, Parser};
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    fmt,
};

/// One step down from a list or a map.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Key(Cow<'static, str>),
    Index(usize),
}

impl From<String> for Step {
    fn from(key: String) -> Self {
        Self::Key(key.into())
    }
}

/// The way from the top to a value. Keys are kept apart, so that one with dots in it is one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Path(Vec<Step>);

impl Path {
    pub(super) fn from_steps(steps: impl IntoIterator<Item = Step>) -> Self {
        Self(steps.into_iter().collect())
    }
    /// The value of a key below this one.
    pub(super) fn key(&self, key: impl Into<Cow<'static, str>>) -> Self {
        self.then(Step::Key(key.into()))
    }
    /// The values of several keys, one below the other.
    pub(super) fn keys(&self, keys: &[&'static str]) -> Self {
        keys.iter().fold(self.clone(), |path, key| path.key(*key))
    }
    /// The item of a list.
    pub(super) fn index(&self, index: usize) -> Self {
        self.then(Step::Index(index))
    }
    pub(super) fn then(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }
    pub(super) fn last(&self) -> Option<&Step> {
        self.0.last()
    }
    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }
}

impl fmt::Display for Path {
    /// `jobs[1].targets.instances[0]`; keys that are not plain stand in quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            let dot = if i == 0 { "" } else { "." };
            match step {
                Step::Index(n) => write!(f, "[{n}]")?,
                Step::Key(k) if !k.is_empty() && k.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') => write!(f, "{dot}{k}")?,
                Step::Key(k) => write!(f, "{dot}{:?}", redact::shortened(k))?,
            }
        }
        Ok(())
    }
}

/// A stretch of the text. Lines and columns begin at 1, columns count characters, and the end is the first column after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) end_line: usize,
    pub(super) end_column: usize,
}

impl Span {
    /// One character.
    pub(super) fn at(line: usize, column: usize) -> Self {
        Self { line, column, end_line: line, end_column: column + 1 }
    }
    fn up_to(self, end: Self) -> Self {
        Self { end_line: end.end_line, end_column: end.end_column, ..self }
    }
}

impl From<saphyr_parser::Span> for Span {
    fn from(s: saphyr_parser::Span) -> Self {
        Self { line: s.start.line(), column: s.start.col() + 1, end_line: s.end.line(), end_column: s.end.col() + 1 }
    }
}

/// A path that is asked for, or one above it.
#[derive(Default)]
struct Node {
    below: HashMap<Step, usize>,
    key: Option<Span>,
    value: Option<Span>,
    wanted: bool,
}

/// The places that were asked for.
pub(super) struct Places {
    nodes: Vec<Node>,
    /// Values of keys that are named like secrets, and what means a `SecretId` without showing it.
    pub(super) secrets: Vec<Span>,
    /// Values below `credentials` that may be the keys themselves.
    pub(super) pasted: Vec<Span>,
    /// Whether the walk came as far as it had to; otherwise `secrets` may lack some.
    pub(super) complete: bool,
}

impl Places {
    /// Finds every spot's place in one walk.
    pub(super) fn find<'a>(text: &str, spots: impl Iterator<Item = &'a Spot>) -> Self {
        let mut places = Self { nodes: vec![Node::default()], secrets: Vec::new(), pasted: Vec::new(), complete: true };
        let (mut missing, mut last_line) = (0_usize, 0_usize);
        for spot in spots {
            match spot {
                Spot::Key(path) | Spot::Value(path) => missing += usize::from(places.want(path)),
                Spot::Span(span) => last_line = last_line.max(span.end_line),
                Spot::Line(line) => last_line = last_line.max(*line),
                Spot::File => {}
            }
        }
        let shown = redact::shown_ids(text);
        let mut walk =
            Walk { places: &mut places, shown, frames: Vec::new(), missing, last_line, secret_depth: None, credentials: None, is_file: false };
        for event in Parser::new_from_str(&structure::readable(text)) {
            let Ok((event, span)) = event else {
                walk.places.complete = false;
                break;
            };
            let span = Span::from(span);
            if walk.missing == 0 && span.line > walk.last_line {
                break;
            }
            walk.step(&event, span);
        }
        if let Some((_, from)) = walk.secret_depth {
            // Its end was not looked for.
            places.secrets.push(Span { end_line: usize::MAX, end_column: usize::MAX, ..from });
        }
        places
    }

    /// Whether the path is new.
    fn want(&mut self, path: &Path) -> bool {
        let mut at = 0;
        for step in path.steps() {
            let next = self.nodes.len();
            let below = self.nodes.get_mut(at).map(|n| *n.below.entry(step.clone()).or_insert(next));
            at = below.unwrap_or(0);
            if at == next {
                self.nodes.push(Node::default());
            }
        }
        self.nodes.get_mut(at).is_some_and(|n| !std::mem::replace(&mut n.wanted, true))
    }

    /// Where a spot stands: itself, or the nearest thing above it that has a place. Absent where the walk did not come so far.
    pub(super) fn span(&self, spot: &Spot) -> Option<Span> {
        let (path, of_key) = match spot {
            Spot::Span(span) => return Some(*span),
            Spot::Line(line) => return Some(Span::at(*line, 1)),
            Spot::File => return None,
            Spot::Key(path) => (path, true),
            Spot::Value(path) => (path, false),
        };
        let (mut node, mut best) = (self.nodes.first()?, None);
        let mut is_known = self.complete;
        for (depth, step) in path.steps().iter().enumerate() {
            let Some(next) = node.below.get(step).and_then(|n| self.nodes.get(*n)) else { break };
            node = next;
            let is_last = depth + 1 == path.steps().len();
            // What was read to its end hides nothing; of the rest only the place itself counts.
            is_known |= node.value.is_some() || (is_last && node.key.is_some());
            let place = if is_last && !of_key { node.value.or(node.key) } else { node.key.or(node.value) };
            best = place.or(best);
        }
        best.filter(|_| is_known)
    }
}

struct Frame {
    node: Option<usize>,
    opened: Span,
    is_map: bool,
    is_key: bool,
    /// In a map: the node of the key that was just read.
    key: Option<Option<usize>>,
    items: usize,
}

struct Walk<'a> {
    places: &'a mut Places,
    /// The `SecretId`s that the text shows; their words are hidden wherever they are drawn.
    shown: HashSet<&'a str>,
    frames: Vec<Frame>,
    missing: usize,
    last_line: usize,
    /// How many frames were open where the value of a secret's key begins, and where.
    secret_depth: Option<(usize, Span)>,
    /// How many frames were open where the value of `credentials` begins, and whether the last key below it was `file`.
    credentials: Option<usize>,
    is_file: bool,
}

impl Walk<'_> {
    fn step(&mut self, event: &Event<'_>, span: Span) {
        let text = match event {
            Event::Scalar(text, ..) => Some(text.as_ref()),
            Event::Alias(_) => Some("*"),
            Event::MappingStart(..) | Event::SequenceStart(..) => None,
            Event::MappingEnd | Event::SequenceEnd => return self.close(span),
            _ => return,
        };
        let is_key = self.frames.last().is_some_and(|f| f.is_map && f.key.is_none());
        if let Event::Scalar(text, ..) = event {
            if redact::holds_disguised_id(text, &self.shown) {
                self.places.secrets.push(span);
            }
            let may_be_one = if is_key { redact::may_be_pasted_name(text) } else { !self.is_file && redact::may_be_pasted(text) };
            if self.credentials.is_some() && may_be_one {
                self.places.pasted.push(span);
            }
        }
        match text {
            Some(text) if is_key => self.key(text, span),
            Some(_) => {
                let node = self.enter();
                self.put(node, span);
                self.leave_secret(span);
            }
            None => {
                let node = if is_key { None } else { self.enter() };
                let is_map = matches!(event, Event::MappingStart(..));
                self.frames.push(Frame { node, opened: span, is_map, is_key, key: None, items: 0 });
            }
        }
    }

    fn key(&mut self, text: &str, span: Span) {
        let Some(frame) = self.frames.last_mut() else { return };
        let parent = frame.node.and_then(|n| self.places.nodes.get(n)).filter(|n| !n.below.is_empty());
        let node = parent.and_then(|n| n.below.get(&Step::Key(text.to_owned().into())).copied());
        frame.key = Some(node);
        if let Some(node) = node.and_then(|n| self.places.nodes.get_mut(n)) {
            node.key.get_or_insert(span);
        }
        self.is_file = text == "file";
        if self.credentials.is_none() && text == "credentials" {
            self.credentials = Some(self.frames.len());
        }
        if self.secret_depth.is_none() && redact::names_a_secret(text) {
            // From the key's end, so that whatever stands between is hidden too.
            let from = Span { line: span.end_line, column: span.end_column + 1, ..span };
            self.secret_depth = Some((self.frames.len(), from));
        }
    }

    /// The node of the value that begins here.
    fn enter(&mut self) -> Option<usize> {
        let Some(frame) = self.frames.last_mut() else { return Some(0) };
        if frame.is_map {
            return frame.key.take().flatten();
        }
        frame.items += 1;
        let parent = self.places.nodes.get(frame.node?)?;
        parent.below.get(&Step::Index(frame.items - 1)).copied()
    }

    fn put(&mut self, node: Option<usize>, span: Span) {
        let Some(node) = node.and_then(|n| self.places.nodes.get_mut(n)) else { return };
        node.value.get_or_insert(span);
        if std::mem::take(&mut node.wanted) {
            self.missing -= 1;
            self.last_line = self.last_line.max(span.line);
        }
    }

    fn close(&mut self, span: Span) {
        let Some(frame) = self.frames.pop() else { return };
        self.put(frame.node, frame.opened.up_to(span));
        if frame.is_key {
            if let Some(parent) = self.frames.last_mut() {
                parent.key = Some(None);
            }
        } else {
            self.leave_secret(span);
        }
    }

    fn leave_secret(&mut self, end: Span) {
        self.credentials = self.credentials.filter(|depth| *depth != self.frames.len());
        if let Some((depth, from)) = self.secret_depth
            && self.frames.len() == depth
        {
            self.places.secrets.push(from.up_to(end));
            self.secret_depth = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, path: Path) -> Option<(usize, usize)> {
        let spot = Spot::Value(path);
        Places::find(text, std::iter::once(&spot)).span(&spot).map(|s| (s.line, s.column))
    }

    #[test]
    fn a_key_with_dots_is_one_step() {
        let text = "a:\n  b: 1\na.b: 2\n\"c[0]\": 3\nc: [4]\n";
        assert_eq!(place(text, Path::default().key("a.b")), Some((3, 6)));
        assert_eq!(place(text, Path::default().keys(&["a", "b"])), Some((2, 6)));
        assert_eq!(place(text, Path::default().key("c[0]")), Some((4, 9)));
        assert_eq!(place(text, Path::default().key("c").index(0)), Some((5, 5)));
        assert_eq!(Path::default().key("a.b").index(3).key("c").to_string(), "\"a.b\"[3].c");
    }

    #[test]
    fn what_has_no_place_takes_the_one_above_it() {
        let text = "x-t: &t [a, b]\njobs:\n  - targets: *t\n";
        assert_eq!(place(text, Path::default().key("jobs").index(0).key("targets").index(1)), Some((3, 5)));
        assert_eq!(place(text, Path::default().key("nowhere")), None);
    }

    #[test]
    fn a_list_as_a_key_confuses_nothing() {
        assert_eq!(place("? [a, b]\n: c\nd: e\n", Path::default().key("d")), Some((3, 4)));
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(place("n: { 订单: 计费, b: c }\n", Path::default().keys(&["n", "b"])), Some((1, 17)));
    }

    #[test]
    fn a_secret_whose_end_was_not_looked_for_has_none() {
        let text = "tokens:\n  a: x\n  b: y\n  c: z\nd: e\n";
        let spot = Spot::Key(Path::default().keys(&["tokens", "a"]));
        let secrets = Places::find(text, std::iter::once(&spot)).secrets;
        assert_eq!(secrets.iter().map(|s| (s.line, s.end_line)).collect::<Vec<_>>(), [(1, usize::MAX)]);
    }

    #[test]
    fn a_secret_runs_from_its_key_to_the_end_of_its_value() {
        let text = "a: { my_token: x, b: c }\nsecret: |\n  one\n  two\nd: e\n";
        let spot = Spot::Value(Path::default().key("d"));
        let secrets = Places::find(text, std::iter::once(&spot)).secrets;
        let ends: Vec<_> = secrets.iter().map(|s| (s.line, s.column, s.end_line)).collect();
        assert_eq!(ends, [(1, 15, 1), (2, 8, 5)]);
    }
}
