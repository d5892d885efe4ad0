//! Errors about keys and connections say what to do, and never what the keys are.

use crate::scene::Scene;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Child,
};

/// A daemon whose keys or connection are wrong, until it has said so.
fn told(scene: &Scene, credentials: &str, endpoint: &str, variables: &[(String, String)], word: &str) -> Child {
    let policy = scene.policy(credentials, endpoint);
    let mut variables = variables.to_vec();
    variables.push(("CDB_BACKUPD_LOG".into(), "trace".into()));
    let daemon = scene.start("run", &["run", "-c", policy.to_str().unwrap()], &variables);
    scene.wait_until(word, || scene.said("run", "stderr").contains(word));
    daemon
}

/// It ends as it should, and nothing that it wrote holds a part of a secret.
fn ends(scene: &Scene, mut daemon: Child) {
    let ledger = scene.path("ledger.db");
    for (name, args) in [("history", &["history", "-o", "json"][..]), ("show", &["show", "1"]), ("health", &["health"])] {
        scene.ended(name, &[args, &["--ledger", ledger.to_str().unwrap()]].concat(), &scene.variables());
    }
    assert!(scene.stop(&mut daemon).success(), "{}", scene.said("run", "stderr"));
    assert_eq!(scene.leaks(), []);
}

fn relayed(scene: &Scene) -> String {
    format!("http://{}", scene.relay.address)
}

#[test]
fn a_key_that_the_cloud_does_not_know() {
    let scene = Scene::new();
    let mut variables = scene.variables();
    let wrong: String = scene.canary.secret_key.chars().rev().collect();
    variables.iter_mut().filter(|(name, _)| name.ends_with("_KEY")).for_each(|(_, value)| value.clone_from(&wrong));
    let daemon = told(&scene, "env", &relayed(&scene), &variables, "cannot be used");
    assert!(!scene.relay.signatures().is_empty());
    let mut needles = scene.needles();
    needles.add("the wrong key", wrong.as_bytes());
    ends(&scene, daemon);
    assert_eq!(needles.found_in(scene.said("run", "stderr").as_bytes()), None);
}

#[test]
fn a_file_of_keys_that_others_may_read() {
    let scene = Scene::new();
    let canary = &scene.canary;
    let file = scene.key_file("open.ini", &format!("secret_id = {}\nsecret_key = {}\n", canary.secret_id, canary.secret_key), 0o644);
    let daemon = told(&scene, &format!("{{ file: {} }}", file.display()), &relayed(&scene), &[], "may be read by other users");
    ends(&scene, daemon);
}

#[test]
fn a_file_of_keys_without_the_words_that_it_needs() {
    let scene = Scene::new();
    let canary = &scene.canary;
    let file = scene.key_file("odd.ini", &format!("[default]\n{} {}\n{}\n", canary.secret_id, canary.secret_key, canary.token), 0o600);
    let daemon = told(&scene, &format!("{{ file: {} }}", file.display()), &relayed(&scene), &[], "has no `secret_id`");
    ends(&scene, daemon);
}

#[test]
fn a_key_where_the_path_of_its_file_belongs() {
    let scene = Scene::new();
    let variables: Vec<_> = scene.variables().into_iter().map(|(name, value)| (format!("{name}_FILE"), value)).collect();
    let daemon = told(&scene, "env", &relayed(&scene), &variables, "the file that TENCENTCLOUD_SECRET_ID_FILE names");
    ends(&scene, daemon);
}

#[test]
fn a_connection_on_which_tls_is_refused() {
    let scene = Scene::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for caller in listener.incoming().map_while(Result::ok) {
            // No handshake: plain words, then the end.
            drop((&caller).write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
        }
    });
    let daemon = told(&scene, "env", &endpoint, &scene.variables(), "InvalidContentType");
    ends(&scene, daemon);
}

/// A gateway that says in its error what it was sent, as debugging proxies do.
#[test]
fn a_gateway_that_repeats_what_it_was_sent() {
    let scene = Scene::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let cloud = scene.relay.address;
    std::thread::spawn(move || {
        for caller in listener.incoming().map_while(Result::ok) {
            drop(repeat(&caller, cloud));
        }
    });
    let daemon = told(&scene, "env", &format!("http://{address}"), &scene.variables(), "was sent");
    assert!(scene.relay.sent().contains(&scene.canary.token), "what was repeated held the keys");
    ends(&scene, daemon);
}

/// Answers one request with itself; the relay hears it too, so that its signature is looked for.
fn repeat(caller: &TcpStream, relay: SocketAddr) -> std::io::Result<()> {
    let (mut head, mut length, mut reader) = (String::new(), 0, BufReader::new(caller));
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut echo = TcpStream::connect(relay)?;
    echo.write_all(format!("{head}connection: close\r\n\r\n").as_bytes())?;
    echo.write_all(&body)?;
    let authorization = head.lines().find(|line| line.starts_with("authorization")).unwrap_or_default();
    let token = head.lines().find(|line| line.starts_with("x-tc-token")).unwrap_or_default();
    let error = serde_json::json!({ "Code": "AuthFailure.SignatureFailure", "Message": format!("this was sent: {token} {authorization}") });
    let reply = serde_json::json!({ "Response": { "Error": error, "RequestId": authorization } }).to_string();
    (&mut &*caller).write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{reply}", reply.len()).as_bytes())
}
