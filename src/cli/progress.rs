//! How far something is that lasts: a bar on a terminal, plain lines elsewhere, both on stderr and neither before [`QUIET`] is over.
//!
//! Decided here: when it is shown and how. What counts as a step is the caller's to say.

use super::Globals;
use crate::config::{self, Level};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::{self, IsTerminal},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

/// What ends sooner is not worth a word.
const QUIET: Duration = Duration::from_secs(2);
/// How often a bar turns.
const TURN: Duration = Duration::from_millis(120);
/// How often a line tells how far it is.
const LINE: Duration = Duration::from_secs(10);

/// What is said where there is no terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// A line now and then.
    Lines,
    /// Nothing: the caller tells what happens.
    Nothing,
}

/// Something that lasts. It is over when this is dropped.
pub(super) struct Lasting {
    bar: ProgressBar,
    over: Option<Sender<()>>,
    shown: Option<JoinHandle<()>>,
}

impl Lasting {
    /// Begins with nothing done. `what` names it in a few words.
    pub(super) fn begin(globals: &Globals, what: &str, elsewhere: Elsewhere) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()).with_prefix(what.to_owned());
        let (over, told) = mpsc::channel();
        let (seen, globals) = (bar.clone(), globals.clone());
        let shown = if on_terminal() {
            thread::Builder::new().spawn(move || draw(&seen, &told)).ok()
        } else if elsewhere == Elsewhere::Lines {
            thread::Builder::new().spawn(move || tell(&globals, &seen, &told)).ok()
        } else {
            None
        };
        Self { bar, over: Some(over), shown }
    }

    /// So many of so many steps are done; `now` says what is under way.
    pub(super) fn at(&self, done: u64, all: u64, now: &str) {
        self.done(done, all);
        self.bar.set_message(super::table::visible(now).into_owned());
    }

    /// So many of so many steps are done; what is under way stays.
    pub(super) fn done(&self, done: u64, all: u64) {
        self.bar.set_length(all);
        self.bar.set_position(done);
    }

    /// Writes something on stderr; a bar makes room for it.
    pub(super) fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        drop(self.over.take());
        // A thread that has panicked has nothing more to show.
        self.shown.take().map(JoinHandle::join);
        self.bar.finish_and_clear();
    }
}

/// Whether a bar can be drawn on stderr.
pub(super) fn on_terminal() -> bool {
    io::stderr().is_terminal() && !config::is_dumb()
}

fn is_over(told: &Receiver<()>, within: Duration) -> bool {
    !matches!(told.recv_timeout(within), Err(RecvTimeoutError::Timeout))
}

fn draw(bar: &ProgressBar, told: &Receiver<()>) {
    if is_over(told, QUIET) {
        return;
    }
    let template = if bar.length().is_some() { "{prefix} [{bar:24}] {pos} of {len}, {elapsed} {wide_msg}" } else { "{spinner} {prefix}, {elapsed}" };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> ").tick_chars("|/-\\ "));
    }
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar.enable_steady_tick(TURN);
}

fn tell(globals: &Globals, bar: &ProgressBar, told: &Receiver<()>) {
    let mut wait = QUIET;
    while !is_over(told, wait) {
        let under_way = match bar.message() {
            message if message.is_empty() => String::new(),
            message => format!(" ({message})"),
        };
        let far = bar.length().map_or_else(|| "still at it".to_owned(), |all| format!("{} of {all}", bar.position()));
        globals.tell(Level::Warning, &format!("{}: {far}{under_way}", bar.prefix()));
        wait = LINE;
    }
}
