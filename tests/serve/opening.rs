//! Opening and closing: an address that is taken, what is understood, and the end.

use crate::scene::{Scene, in_real_time};
use cdb_backupd::serve::Door;

#[test]
fn an_address_in_use_is_named_with_what_to_do() {
    in_real_time(async {
        let scene = Scene::open().await;
        let error = Door::bind(scene.address).await.expect_err("it is taken").to_string();
        assert!(error.starts_with(&format!("cannot listen on {}: ", scene.address)), "{error}");
        assert!(error.ends_with("end the program that listens there, or give the policy another `listen`, or `listen: \"off\"`"), "{error}");
    });
}

#[test]
fn the_page_answers_and_head_says_the_same_without_a_body() {
    in_real_time(async {
        let scene = Scene::open().await;
        let got = scene.get("/").await;
        assert_eq!(got.status(), 200, "{got:?}");
        let head = scene.say(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert_eq!((head.status(), head.body()), (200, ""));
        assert_eq!(head.header("content-length"), got.header("content-length"));
    });
}

#[test]
fn what_is_neither_get_nor_head_is_refused_on_every_path() {
    in_real_time(async {
        let scene = Scene::open().await;
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"] {
            for path in ["/", "/nowhere", "/healthz"] {
                let answer = scene.say(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").as_bytes()).await;
                assert_eq!((answer.status(), answer.header("allow")), (405, Some("GET, HEAD")), "{method} {path}");
            }
        }
        assert_eq!(scene.get("/nowhere").await.status(), 404);
    });
}

#[test]
fn every_answer_says_that_nothing_of_it_runs_is_framed_guessed_at_passed_on_or_kept() {
    in_real_time(async {
        let scene = Scene::open().await;
        for answer in [scene.get("/").await, scene.get("/nowhere").await, scene.say(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n").await] {
            let policy = answer.header("content-security-policy").expect("a policy");
            assert!(policy.starts_with("default-src 'none'; style-src 'self'; ") && policy.contains("frame-ancestors 'none'"), "{policy}");
            let said = ["x-content-type-options", "referrer-policy", "cache-control"].map(|name| answer.header(name));
            assert_eq!(said, [Some("nosniff"), Some("no-referrer"), Some("no-store")]);
        }
    });
}
