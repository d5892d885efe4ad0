//! What every page has around its contents: head, ways to the others, and the foot.

use crate::domain::{
    prose::{length, local, stamp, visible},
    run::Grade,
};
use chrono::{DateTime, Utc};
use maud::{DOCTYPE, Markup, html};

/// The pages that every page leads to.
const PLACES: [(&str, &str); 4] = [("/", "Overview"), ("/instances", "Instances"), ("/runs", "Runs"), ("/uncovered", "Without backup")];

/// What a page is: its name, and where it stands.
pub(super) struct Frame<'a> {
    /// Its name.
    pub(super) title: &'a str,
    /// Its own address.
    pub(super) here: &'a str,
    /// The same as JSON; none for a page that tells nothing.
    pub(super) json: Option<String>,
    /// When it was made.
    pub(super) now: DateTime<Utc>,
}

impl Frame<'_> {
    /// The whole page.
    pub(super) fn around(&self, contents: &Markup) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (visible(self.title)) " · cdb-backupd" }
                    link rel="stylesheet" href="/style.css";
                    link rel="icon" href="/icon.svg" type="image/svg+xml";
                }
                body {
                    a.skip href="#contents" { "Skip to the contents" }
                    header {
                        div.bar {
                            a.brand href="/" { "cdb-backupd" }
                            nav aria-label="Pages" {
                                ul { @for (path, name) in PLACES { li { a href=(path) aria-current=[(path == self.here).then_some("page")] { (name) } } } }
                            }
                        }
                    }
                    main id="contents" tabindex="-1" { (contents) }
                    footer {
                        p {
                            "As of " time datetime=(stamp(self.now)) { (self.now.format("%Y-%m-%d %H:%M:%S UTC")) }
                            " · read only · cdb-backupd " (env!("CARGO_PKG_VERSION"))
                            @if let Some(json) = &self.json { " · " a href=(json) { "This page as JSON" } }
                        }
                    }
                }
            }
        };
        page.into_string()
    }
}

/// The word of a state, with a mark that is seen without colour.
pub(super) fn state(word: &str) -> Markup {
    badge(Grade::of(word), word)
}

/// The word of a freshness, marked in the same way.
pub(super) fn freshness(word: &str, wrong: bool) -> Markup {
    let grade = match (wrong, word) {
        (true, "late") => Grade::Unsure,
        (true, _) => Grade::Bad,
        (false, "fresh") => Grade::Good,
        (false, "paused") => Grade::OnPurpose,
        (false, _) => Grade::Open,
    };
    badge(grade, word)
}

fn badge(grade: Grade, word: &str) -> Markup {
    let (class, sign) = look(grade);
    html! { span class={ "badge " (class) } { span.sign aria-hidden="true" { (sign) } " " (visible(&word.replace('_', " "))) } }
}

/// The style of a grade, and a sign that is seen without colour.
pub(super) fn look(grade: Grade) -> (&'static str, &'static str) {
    match grade {
        Grade::Good => ("good", "✓"),
        Grade::Open => ("open", "›"),
        Grade::OnPurpose => ("purpose", "–"),
        Grade::Unsure => ("unsure", "?"),
        Grade::Bad => ("bad", "✗"),
    }
}

/// A slot as it was written for people, with its instant for programs.
pub(super) fn slot(slot: DateTime<Utc>, written: &str) -> Markup {
    html! { time.slot datetime=(stamp(slot)) { (visible(&local(written))) } }
}

/// A moment, and how long ago it was.
pub(super) fn moment(t: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    let age = (now - t).num_seconds();
    let distance = if age >= 0 { format!("{} ago", length(age)) } else { format!("in {}", length(age)) };
    html! { time datetime=(stamp(t)) title=(stamp(t)) { (distance) } }
}

/// Where a list goes on.
pub(super) fn rest(link: &str, says: &str) -> Markup {
    html! { p.rest { a href=(link) { (says) } } }
}
