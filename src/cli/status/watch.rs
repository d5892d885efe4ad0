//! `status --watch`: the same once more every two seconds, until somebody interrupts it.
//!
//! Decided here: when it is told again. A terminal is drawn over in place, on a screen of its own, and keeps the last verdict when that is left;
//! elsewhere a new block is written only when there is news, which an older age is not.

use super::Told;
use crate::{
    cli::{
        Globals,
        exit::Exit,
        output::Format,
        terminal::{self, FIRST_SCREEN, HIDE_CURSOR, OTHER_SCREEN, SHOW_CURSOR},
    },
    clock::{Clock, SystemClock},
    domain::{now::Now, prose::stamp},
};
use anyhow::Context;
use std::{
    io::{self, ErrorKind, Write},
    time::Duration,
};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often it is looked.
const EACH: Duration = Duration::from_secs(2);

/// Tells what `look` finds until interrupted; ends as the last verdict says.
pub(super) fn watch(globals: &Globals, look: impl Fn(Now) -> anyhow::Result<Told>) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(async {
        let clock = SystemClock::new();
        let mut ends = Ends::listen()?;
        let draws = globals.output == Format::Text && terminal::can_draw();
        let mut screen = if draws { Some(Screen::open()?) } else { None };
        let mut last: Option<Told> = None;
        loop {
            let now = clock.now();
            let told = look(now)?;
            let head = || format!("as of {}\n", globals.shown().map_or_else(|_| stamp(now.utc), |shown| shown.stamp(now.utc)));
            match &mut screen {
                Some(screen) => {
                    screen.draw(&format!("{}{}", head(), told.printed(globals)?))?;
                }
                None if last.as_ref().is_some_and(|last| !told.is_news(last)) => {}
                None => {
                    let head = if globals.output == Format::Text { head() } else { String::new() };
                    let between = if last.is_some() && !head.is_empty() { "\n" } else { "" };
                    // Nobody reads on: that is an end like another.
                    if !write(&format!("{between}{head}{}", told.printed(globals)?))? {
                        return Ok(told.exit());
                    }
                }
            }
            let exit = told.exit();
            last = Some(told);
            tokio::select! {
                () = ends.asked() => return Ok(exit),
                () = clock.sleep(EACH) => {}
            }
        }
    })
}

/// The signals that end it.
struct Ends {
    interrupt: Signal,
    terminate: Signal,
}

impl Ends {
    fn listen() -> anyhow::Result<Self> {
        let interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate()).context("listen for SIGTERM")? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// A screen of its own, left whatever ends the watch.
struct Screen {
    last: String,
}

impl Screen {
    fn open() -> anyhow::Result<Self> {
        write(&format!("{OTHER_SCREEN}{HIDE_CURSOR}"))?;
        Ok(Self { last: String::new() })
    }

    fn draw(&mut self, text: &str) -> anyhow::Result<()> {
        text.clone_into(&mut self.last);
        write(&terminal::picture(text, terminal::size()))?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Where it cannot be written there is no terminal any more.
        drop(write(&format!("{SHOW_CURSOR}{FIRST_SCREEN}{}", self.last)));
    }
}

/// Whether somebody still reads.
fn write(text: &str) -> anyhow::Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true).context("stdout cannot be written"),
    }
}
