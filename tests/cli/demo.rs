//! `demo` from outside: what it cannot do. What it does takes most of a minute, and `tests/crash/short` watches it.

use std::process::{Command, Output, Stdio};

#[test]
fn what_it_cannot_do_is_refused_with_a_sentence() {
    for (args, sentence) in [(&["-o", "json"][..], "prints text only"), (&["--crash", "--instances", "30"], "`--instances 16` at most")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cdb-backupd"));
        command.arg("demo").args(args).stdin(Stdio::null());
        let Output { status, stdout, stderr } = command.output().expect("the binary starts");
        let said = String::from_utf8_lossy(&stderr);
        assert!(status.code() == Some(2) && stdout.is_empty() && said.contains(sentence), "{args:?}: {said}");
    }
}
