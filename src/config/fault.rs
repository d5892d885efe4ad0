//! Faults: what is wrong with a policy, where, and what to write instead.
//!
//! Decided here: how a fault is collected, placed and drawn, and that nothing drawn holds a secret or a line longer than a screen. What is a
//! fault is decided where the value is read.

use super::{
    excerpt::{self, Excerpt, Lines},
    place::{Path, Places, Span},
    redact,
};
use annotate_snippets::{AnnotationKind, Group, Level as Drawn, Origin, Renderer, Snippet};
use serde::Serialize;
use std::collections::HashSet;

/// Faults that one check tells, and warnings likewise.
pub const MAX_FAULTS: usize = 50;
/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The policy cannot be used.
    Error,
    /// The policy can be used, and probably does not do what was meant.
    Warning,
}

/// One thing that is wrong, as people and programs see it. Holds no secret.
#[derive(Clone, Debug, Serialize)]
pub struct Fault {
    /// How bad it is.
    pub level: Level,
    /// The file, as it was named.
    pub file: String,
    /// From 1; absent when it concerns the file as a whole.
    pub line: Option<usize>,
    /// In characters, from 1.
    pub column: Option<usize>,
    /// `jobs[1].targets.instances[0]`; empty when it concerns no value.
    pub path: String,
    /// A stable word.
    pub code: &'static str,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
    #[serde(skip)]
    excerpts: Vec<Excerpt>,
}

impl Fault {
    /// A fault that concerns a file as a whole.
    pub(super) fn of_file(file: &str, code: &'static str, message: String, hint: Option<String>) -> Self {
        let (line, column, path, excerpts) = (None, None, String::new(), Vec::new());
        Self { level: Level::Error, file: redact::without_secrets(file), line, column, path, code, message, hint, excerpts }
    }

    /// The fault as `rustc` would draw it, without a line end.
    pub fn draw(&self, color: bool) -> String {
        let level = match self.level {
            Level::Error => Drawn::ERROR,
            Level::Warning => Drawn::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(self.message.as_str()).id(self.code));
        if self.excerpts.is_empty() {
            let origin = Origin::path(self.file.as_str());
            group = group.element(match self.line {
                Some(line) => origin.line(line),
                None => origin,
            });
        }
        if self.line.is_none() && self.path.contains(['.', '[']) {
            // Its place is not known, so the way to it is all there is.
            group = group.element(Drawn::NOTE.message(format!("at `{}`", self.path)));
        }
        for (i, excerpt) in self.excerpts.iter().enumerate() {
            let kinds = [AnnotationKind::Primary, AnnotationKind::Context];
            let kinds = kinds.iter().skip(usize::from(i > 0)).chain(kinds.iter().skip(1));
            let marks = excerpt.marked.iter().zip(kinds).map(|((range, label), kind)| kind.span(range.clone()).label(label.as_str()));
            let snippet = Snippet::source(excerpt.text.as_str()).line_start(excerpt.line).annotations(marks);
            group = group.element(snippet.path(self.file.as_str()));
        }
        if let Some(hint) = &self.hint {
            group = group.element(Drawn::HELP.message(hint.as_str()));
        }
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let drawn = renderer.term_width(excerpt::MAX_DRAWN + 40).render(&[group]);
        // Where something is hidden or cut off before the place, the column of what is drawn is not the column in the file.
        self.excerpts.iter().filter(|excerpt| excerpt.shown_column() != excerpt.column).fold(drawn, |drawn, excerpt| {
            let place = |column: usize| format!("{}:{}:{column}", self.file, excerpt.line);
            drawn.replacen(&place(excerpt.shown_column()), &place(excerpt.column), 1)
        })
    }
}

/// Where a finding is, before anybody looked for its place.
#[derive(Clone, Debug)]
pub(super) enum Spot {
    Key(Path),
    Value(Path),
    Span(Span),
    /// A line that is not drawn.
    Line(usize),
    File,
}

impl Spot {
    fn path(&self) -> Option<&Path> {
        match self {
            Self::Key(path) | Self::Value(path) => Some(path),
            Self::Span(_) | Self::Line(_) | Self::File => None,
        }
    }
}

/// A fault whose place is not known yet.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    level: Level,
    code: &'static str,
    at: Spot,
    path: Option<Path>,
    message: String,
    label: String,
    also: Option<(Spot, String)>,
    hint: Option<String>,
}

impl Finding {
    pub(super) fn error(code: &'static str, at: Spot, message: impl Into<String>) -> Self {
        let path = at.path().cloned();
        Self { level: Level::Error, code, at, path, message: message.into(), label: String::new(), also: None, hint: None }
    }
    pub(super) fn warning(code: &'static str, at: Spot, message: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::error(code, at, message) }
    }
    /// What stands under the caret.
    pub(super) fn label(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }
    /// The other of two places that disagree.
    pub(super) fn also(self, at: Spot, label: impl Into<String>) -> Self {
        Self { also: Some((at, label.into())), ..self }
    }
    /// What to write instead.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
    /// The path, where the place is known without it.
    pub(super) fn path(self, path: Path) -> Self {
        Self { path: Some(path), ..self }
    }
    /// The path that it is about.
    pub(super) fn place_path(&self) -> Option<&Path> {
        self.path.as_ref()
    }
    /// Whether it says what to write instead.
    pub(super) fn is_hinted(&self) -> bool {
        self.hint.is_some()
    }
    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    /// Whether it is a SecretId below a key that is told as a secret.
    fn is_told_by_its_key(&self, places: &Places) -> bool {
        let Spot::Span(span) = self.at else { return false };
        let start = (span.line, span.column);
        let covers = |s: &Span| (s.line, s.column) <= start && start < (s.end_line, s.end_column);
        self.code == "secret-in-policy" && places.secrets.iter().any(covers)
    }

    fn place(self, file: &str, lines: &Lines<'_>, places: &Places) -> Fault {
        let span = places.span(&self.at);
        let drawn = span.filter(|_| !matches!(self.at, Spot::Line(_)));
        let mut excerpts: Vec<Excerpt> = drawn.and_then(|s| lines.excerpt(s, &[(s, self.label.as_str())])).into_iter().collect();
        if let (Some(span), Some((other, label))) = (drawn, &self.also)
            && let Some(other) = places.span(other).filter(|o| *o != span)
        {
            if other.line == span.line {
                excerpts = lines.excerpt(span, &[(span, self.label.as_str()), (other, label)]).into_iter().collect();
            } else {
                excerpts.extend(lines.excerpt(other, &[(other, label)]));
            }
        }
        Fault {
            level: self.level,
            file: redact::without_secrets(file),
            line: span.map(|s| s.line),
            column: span.map(|s| s.column),
            path: redact::without_secrets(&self.path.map(|p| p.to_string()).unwrap_or_default()),
            code: self.code,
            message: redact::without_secrets(&self.message),
            hint: self.hint.map(|h| redact::without_secrets(&h)),
            excerpts,
        }
    }
}

/// What was found so far, bounded.
#[derive(Default)]
pub(super) struct Findings {
    items: Vec<Finding>,
    /// Said already: defaults are looked at once for every job.
    said: HashSet<(&'static str, String)>,
    /// What is written there could not be read, so nothing that it might say is missing.
    unknown: HashSet<Path>,
    errors: usize,
    warnings: usize,
}

impl Findings {
    /// Takes one up, unless the same was found at the same place.
    pub(super) fn push(&mut self, finding: Finding) {
        let count = match finding.level {
            Level::Error => &mut self.errors,
            Level::Warning => &mut self.warnings,
        };
        if *count >= MAX_FAULTS {
            *count = count.saturating_add(1);
            return;
        }
        let key = finding.at.path().map(|p| (finding.code, format!("{p}")));
        if key.is_none_or(|key| self.said.insert(key)) {
            *count += 1;
            self.items.push(finding);
        }
    }

    /// Takes up one, if there is one.
    pub(super) fn extend(&mut self, finding: Option<Finding>) {
        if let Some(finding) = finding {
            self.push(finding);
        }
    }

    /// Whether an error was found.
    pub(super) fn is_fatal(&self) -> bool {
        self.errors > 0
    }

    /// Whether no further error is shown.
    pub(super) fn is_full(&self) -> bool {
        self.errors >= MAX_FAULTS
    }

    /// Takes up an error that is not shown.
    pub(super) fn count_one(&mut self) {
        self.errors = self.errors.saturating_add(1);
    }

    /// Takes up that something stands at the path, and nobody knows what it means.
    pub(super) fn mark_unknown(&mut self, path: Path) {
        self.unknown.insert(path);
    }

    /// Whether what stands at the path, or around it, could not be read.
    pub(super) fn is_unknown(&self, path: &Path) -> bool {
        !self.unknown.is_empty() && (1..=path.steps().len()).any(|n| self.unknown.contains(&Path::from_steps(path.steps().iter().take(n).cloned())))
    }

    /// Errors found so far, those beyond the bound too.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    /// Whether something was found at exactly this path.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        self.items.iter().any(|f| f.path.as_ref() == Some(path))
    }

    /// Finds every place in the text. In the order of the text; and how many more were found beyond the bound.
    pub(super) fn place(mut self, file: &str, text: &str) -> (Vec<Fault>, usize) {
        if self.items.is_empty() {
            return (Vec::new(), 0);
        }
        let spots = self.items.iter().flat_map(|f| std::iter::once(&f.at).chain(f.also.iter().map(|(spot, _)| spot)));
        let places = Places::find(text, spots);
        let before = self.items.len();
        self.items.retain(|f| !f.is_told_by_its_key(&places));
        self.errors -= before - self.items.len();
        let lines = Lines::new(text, &places);
        let mut faults: Vec<Fault> = self.items.into_iter().map(|f| f.place(file, &lines, &places)).collect();
        faults.sort_by_key(|f| (f.line, f.column));
        let beyond = self.errors.saturating_add(self.warnings).saturating_sub(faults.len());
        (faults, beyond)
    }

    #[cfg(test)]
    pub(super) fn codes(&self) -> Vec<&'static str> {
        self.items.iter().map(|f| f.code).collect()
    }
}
