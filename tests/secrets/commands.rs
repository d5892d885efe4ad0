//! Commands that need no keys, in a shell that has them; and policies that hold what no policy may hold.

use crate::scene::{Scene, pid};
use rustix::process::{Signal, kill_process};

#[test]
fn a_policy_that_holds_keys_is_drawn_without_them() {
    let scene = Scene::new();
    let canary = &scene.canary;
    let (id, key, token) = (&canary.secret_id, &canary.secret_key, &canary.token);
    let policies = [
        format!("version: 1\naccounts:\n  main: {{ secret_id: {id}, secret_key: {key}, token: \"{token}\" }}\n"),
        format!("version: 1\n# {id}\naccounts:\n  main: {{ credentials: {{ file: x, secretKey: {key} }}, endpoint: {id} }}\n"),
        format!("version: 1\naccounts:\n  main:\n    credentials: env\n    password: |\n      {key}\n      {token}\n    regoin: x\n"),
        format!("version: 1\njobs:\n  - name: {id}\n    schedule: \"{id}\"\n    token: {token} : {key}\n"),
        format!("version: 1\naccounts:\n  main: {{ secret_key: {key}, secret_key: {key}, credentials: [ {id} ] }}\nsecret_key: \"{key}\n"),
    ];
    for (n, text) in policies.iter().enumerate() {
        let policy = scene.key_file(&format!("policy-{n}.yaml"), text, 0o600);
        let policy = policy.to_str().unwrap();
        for command in ["check", "next", "run", "history", "health"] {
            for form in [&[][..], &["-o", "json", "--log-format", "json"]] {
                let name = format!("{command}-{n}-{}", form.len());
                let code = scene.ended(&name, &[&[command, "-c", policy], form].concat(), &scene.variables());
                assert_eq!(code, Some(78), "{name}: {}{}", scene.said(&name, "stdout"), scene.said(&name, "stderr"));
            }
        }
        assert!(scene.said(&format!("check-{n}-0"), "stdout").contains('…'), "something is drawn, and is hidden");
    }
    assert_eq!(scene.leaks(), []);
}

#[test]
fn a_command_line_at_fault_repeats_no_variable() {
    let scene = Scene::new();
    for (name, args) in [("usage", &["run", "--nonsense"][..]), ("help", &["help", "run"]), ("version", &["--version"]), ("missing", &["check"])] {
        scene.ended(name, args, &scene.variables());
    }
    assert_eq!(scene.leaks(), []);
}

#[test]
fn the_simulator_and_the_demo_use_keys_of_their_own() {
    let scene = Scene::new();
    let mut sim = scene.start("sim", &["sim", "--instances", "2"], &scene.variables());
    let mut demo = scene.start("demo", &["demo", "--instances", "2", "--crash"], &scene.variables());
    scene.wait_until("the simulator listens", || scene.said("sim", "stdout").contains("TENCENTCLOUD_SECRET_KEY="));
    scene.wait_until("the demo's daemon works", || scene.said("demo", "stdout").contains("running"));
    assert!(scene.stop(&mut sim).success());
    kill_process(pid(&demo), Signal::INT).unwrap();
    assert_eq!(scene.stop(&mut demo).code(), Some(1), "stopped by hand: {}", scene.said("demo", "stderr"));
    for name in ["daemon.log", "ledger.db", "policy.yaml"] {
        assert!(scene.names().iter().any(|found| found == name), "the demo left {name}");
    }
    assert_eq!(scene.leaks(), []);
}
