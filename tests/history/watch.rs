//! `status --watch`: told again, and not without need.

use crate::status::Desk;
use rustix::{
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use std::{
    fs::File,
    io::Read,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

/// Nothing here takes so long.
const LONGEST: Duration = Duration::from_secs(30);

/// How often it is seen whether it looks.
const POLL: Duration = Duration::from_millis(50);

/// A watch, and what it has written.
struct Watch {
    child: Child,
    bytes: Receiver<Vec<u8>>,
    text: String,
}

impl Watch {
    /// It writes to `stdout`, and `read` is where that comes out.
    fn of(mut command: Command, stdout: Stdio, read: impl FnOnce(&mut Child) -> Box<dyn Read + Send>) -> Self {
        let mut child = command.stdout(stdout).stderr(Stdio::inherit()).spawn().unwrap();
        let mut from = read(&mut child);
        // What is left of the command holds the terminal's other end open.
        drop(command);
        let (send, bytes) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                if send.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, bytes, text: String::new() }
    }

    fn piped(desk: &Desk, more: &[&str]) -> Self {
        Self::of(desk.command(&[&["--watch"], more].concat()), Stdio::piped(), |child| Box::new(child.stdout.take().unwrap()))
    }

    /// On a terminal of so many columns and lines.
    fn drawn(desk: &Desk, (columns, rows): (u16, u16)) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let theirs: OwnedFd = File::options().read(true).write(true).open(std::ffi::OsStr::from_bytes(name.to_bytes())).unwrap().into();
        tcsetwinsize(&theirs, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let mut command = desk.command(&["--watch"]);
        command.env("TERM", "xterm").env("NO_COLOR", "1");
        Self::of(command, theirs.into(), |_| Box::new(File::from(ours)))
    }

    /// Waits until it has written this.
    fn until(&mut self, said: &str) {
        while !self.text.contains(said) {
            let more = self.bytes.recv_timeout(LONGEST).unwrap_or_else(|_| panic!("{said} never came: {}", self.text));
            self.text.push_str(&String::from_utf8_lossy(&more));
        }
    }

    /// Waits until it has looked once more, whatever it wrote.
    fn looked(&mut self) {
        let reads = |watch: &Self| {
            let counts = std::fs::read_to_string(format!("/proc/{}/io", watch.child.id())).unwrap();
            counts.lines().find_map(|line| line.strip_prefix("syscr: ")?.parse::<u64>().ok()).unwrap()
        };
        let before = reads(self);
        for _ in 0..LONGEST.as_millis() / POLL.as_millis() {
            if let Ok(more) = self.bytes.recv_timeout(POLL) {
                self.text.push_str(&String::from_utf8_lossy(&more));
            }
            // Opening and reading a ledger takes many of them, and waiting none.
            if reads(self) > before + 8 {
                return;
            }
        }
        panic!("it looks no more: {}", self.text);
    }

    /// Interrupts it: all that it wrote, and how it ended.
    fn interrupted(mut self, signal: Signal) -> (String, Option<i32>) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let code = self.child.wait().unwrap().code();
        while let Ok(more) = self.bytes.recv_timeout(LONGEST) {
            self.text.push_str(&String::from_utf8_lossy(&more));
        }
        (self.text, code)
    }
}

fn good() -> Desk {
    let desk = Desk::new();
    desk.run("cdb-c1nl9rpv", 3, "succeeded", "the backup is good");
    desk.run("cdb-aaaa0001", 3, "succeeded", "the backup is good");
    desk
}

#[test]
fn where_no_terminal_is_a_block_comes_when_something_has_changed_and_the_end_is_the_last_verdict() {
    let desk = good();
    let mut watch = Watch::piped(&desk, &[]);
    watch.until("\nok: 3 pairs");
    watch.until("\nheld  ");
    // Later passes alone are no news.
    desk.conn().execute("UPDATE heartbeat SET at_ms = at_ms + 1000", []).unwrap();
    watch.looked();
    desk.run("cdb-aaaa0001", 1, "failed", "the cloud rejected it with InternalError.Odd; it is not sent again");
    watch.until("\nnot ok: 1 of 3 pairs");
    let (text, code) = watch.interrupted(Signal::INT);
    assert_eq!((code, text.matches("as of ").count()), (Some(3), 2), "{text}");
    assert!(text.contains("\n\nas of ") && !text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn for_programs_it_is_an_object_a_line() {
    let desk = good();
    let mut watch = Watch::piped(&desk, &["-o", "json"]);
    watch.until("\n");
    desk.conn().execute("UPDATE heartbeat SET verdict = 'account_held'", []).unwrap();
    watch.until("\"verdict\":\"account_held\"");
    let (text, code) = watch.interrupted(Signal::TERM);
    let verdicts: Vec<String> =
        text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["pulse"]["verdict"].to_string()).collect();
    assert_eq!((verdicts, code), (vec!["\"ok\"".to_owned(), "\"account_held\"".to_owned()], Some(3)));
}

#[test]
fn a_terminal_is_drawn_over_in_place_and_is_as_before_when_it_ends() {
    let desk = good();
    let mut watch = Watch::drawn(&desk, (60, 20));
    watch.until("\u{1b}[?1049h");
    watch.until("ok: 3 pairs of job and instance");
    desk.run("cdb-aaaa0001", 1, "failed", "the cloud rejected it with InternalError.Odd; it is not sent again");
    watch.until("not ok: 1 of 3 pairs");
    let (text, code) = watch.interrupted(Signal::INT);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.matches("\u{1b}[H").count() >= 2 && !text.contains("\u{1b}[2J"), "drawn over, never wiped: {text:?}");
    let (drawn, left) = text.split_once("\u{1b}[?1049l").unwrap();
    assert!(drawn.ends_with("\u{1b}[?25h"), "the cursor is there again: {text:?}");
    assert!(left.contains("not ok: 1 of 3 pairs"), "the last verdict stays: {text:?}");
    let escapes = ["[K", "[J", "[?2026h", "[?2026l", "[?25l", "[?25h", "[?1049h"].map(|escape| format!("\u{1b}{escape}"));
    let plain = escapes.iter().fold(drawn.to_owned(), |text, escape| text.replace(escape, ""));
    assert_eq!(plain.split("\u{1b}[H").flat_map(|picture| picture.split("\r\n")).map(|line| line.chars().count()).max(), Some(59), "{plain:?}");
}
