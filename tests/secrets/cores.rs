//! A core dump would hold the keys; there is none, whatever the machine allows.

use crate::scene::{Scene, pid};
use rustix::process::{Signal, kill_process};
use std::{fs, os::unix::process::ExitStatusExt};

#[test]
fn a_daemon_leaves_no_core() {
    let scene = Scene::new();
    let policy = scene.policy("env", &format!("http://{}", scene.relay.address));
    let mut daemon = scene.start("run", &["run", "-c", policy.to_str().unwrap()], &scene.variables());
    scene.wait_until("it has used the keys", || !scene.relay.signatures().is_empty());
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.id())).unwrap();
    let core: Vec<&str> = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap().split_whitespace().collect();
    assert_eq!(core, ["0", "0", "bytes"], "neither now nor by a later wish");
    kill_process(pid(&daemon), Signal::ABORT).unwrap();
    let status = daemon.wait().unwrap();
    assert_eq!((status.signal(), status.core_dumped()), (Some(Signal::ABORT.as_raw()), false));
    assert!(scene.names().iter().all(|name| !name.starts_with("core")), "{:?}", scene.names());
    assert_eq!(scene.leaks(), []);
}
