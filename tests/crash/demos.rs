//! (d) `demo` from outside: what befalls it is got over, in less than a minute, and what it says of that is so.
//!
//! It works in real time and waits for most of it, so all of its forms are played side by side.

#![expect(clippy::expect_used, reason = "a campaign that cannot go on panics")]

use cdb_backupd::clock::{Clock, SystemClock};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

fn demo(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"));
    command.arg("demo").args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn start(args: &[&str]) -> Child {
    demo(args).spawn().expect("the binary starts")
}

/// What it said, once it has ended so.
fn said(child: Child, code: i32) -> String {
    let output = child.wait_with_output().expect("it ends");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

/// A figure of the audit.
fn figure(text: &str, name: &str) -> usize {
    let mut audit = text.lines().skip_while(|line| *line != "Audit");
    let line = audit.find_map(|line| line.trim().strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in\n{text}"));
    line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{name} is no number in\n{text}"))
}

/// The lines on faults.
fn faults(text: &str) -> Vec<&str> {
    text.lines().skip_while(|line| !line.starts_with("Every fault")).skip(1).take_while(|line| !line.is_empty()).collect()
}

/// Every fault is got over within a minute, and told as it was.
pub(crate) fn every_form() {
    let clock = SystemClock::new();
    let lost = "create#1@cdb-sim00001:lost_after_act,list#1@cdb-sim00001:list_refused=10m";
    let vain = "create#1@cdb-sim00001:kill_after_act,list#1@cdb-sim00002:garbage,key_revoked=6s..8s";
    let mut left = start(&["--instances", "2"]);
    let (plain, crash) = (start(&[]), start(&["--crash"]));
    let (unknown, told) = (start(&["--instances", "2", "--faults", lost]), start(&["--instances", "2", "--faults", vain]));
    let mut first = String::new();
    BufReader::new(left.stdout.take().expect("a pipe")).read_line(&mut first).expect("a line");

    // A kill may keep a fault from its call.
    for (text, least) in [(said(plain, 0), 11), (said(crash, 0), 8)] {
        assert!(text.contains("Runs that did not end well, and why:\n  none\n"), "{text}");
        let lines = faults(&text);
        let over = lines.iter().filter(|line| line.ends_with("-> succeeded") || line.ends_with("-> read again")).count();
        assert!(over == lines.len() && over >= least, "{text}");
        assert_eq!((figure(&text, "doubled"), figure(&text, "lost"), figure(&text, "final rows")), (0, 0, figure(&text, "slots")));
    }
    // What may be there, and cannot be looked for, is `unknown`, and not lost.
    let text = said(unknown, 0);
    assert!(text.contains("unknown") && figure(&text, "lost") == 0, "{text}");
    let text = said(told, 0);
    let lines = faults(&text).join("\n");
    for part in ["it acts, and the connection breaks", "garbage  ", "the reply is not JSON", "key_revoked=6s..8s  "] {
        assert!(lines.contains(part), "{part} is not in:\n{lines}");
    }
    for part in ["killed", "a backup began"] {
        assert!(!lines.contains(part), "{part} is in:\n{lines}");
    }
    // A reader that goes away after a line is no error.
    assert_eq!((first.starts_with("A simulated cloud"), said(left, 0).as_str()), (true, ""));
    let took = clock.now().mono;
    assert!(took < Duration::from_secs(60), "{took:?}");
}
