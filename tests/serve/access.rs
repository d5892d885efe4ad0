//! Who is answered: this machine's own names on its own address, and who knows the token elsewhere.

use crate::scene::{POLICY, Scene, in_real_time};
use cdb_backupd::serve::{Guard, Token};

const TOKEN: &str = "b0b5f00d-b0b5-f00d";
const PATHS: [&str; 5] = ["/", "/readyz", "/metrics", "/nowhere", "/style.css"];

fn guarded(address: &str, token: Option<&str>) -> Guard {
    Guard::of(address.parse().expect("an address"), token.map(|text| Token::new(&text.into()).expect("a token")))
}

async fn ask(scene: &Scene, path: &str, headers: &str) -> crate::scene::Answer {
    scene.say(format!("GET {path} HTTP/1.1\r\nHost: pages.example\r\n{headers}\r\n").as_bytes()).await
}

#[test]
fn a_page_of_the_web_cannot_ask_under_a_name_of_its_own() {
    in_real_time(async {
        let scene = Scene::open().await;
        for path in PATHS.into_iter().chain(["/healthz"]) {
            for request in [
                format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
                format!("GET {path} HTTP/1.1\r\nHost: localhost.evil.example:{}\r\n\r\n", scene.address.port()),
                format!("GET {path} HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n"),
                format!("GET {path} HTTP/1.1\r\n\r\n"),
                format!("GET {path} HTTP/1.0\r\n\r\n"),
                format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"),
                format!("GET http://evil.example{path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            ] {
                assert_eq!(scene.say(request.as_bytes()).await.status(), 421, "{request}");
            }
        }
    });
}

#[test]
fn this_machine_s_own_names_are_answered_through_any_port() {
    in_real_time(async {
        let scene = Scene::open().await;
        for host in ["localhost", "LOCALHOST:9000", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:7306"] {
            assert_eq!(scene.say(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.status(), 200, "{host}");
        }
    });
}

#[test]
fn elsewhere_nothing_but_liveness_is_told_without_the_token() {
    in_real_time(async {
        let scene = Scene::behind(POLICY, guarded("0.0.0.0:7306", Some(TOKEN))).await;
        for path in PATHS {
            for headers in [
                "",
                "Authorization: Bearer\r\n",
                "Authorization: Bearer b0b5f00d-b0b5-f00e\r\n",
                "Authorization: Bearer b0b5f00d-b0b5-f00\r\n",
                "Authorization: Digest b0b5f00d-b0b5-f00d\r\n",
                "Authorization: Basic !!!\r\n",
                // `b0b5f00d-b0b5-f00d` without a user's colon, and as the user's name.
                "Authorization: Basic YjBiNWYwMGQtYjBiNS1mMDBk\r\n",
                "Authorization: Basic YjBiNWYwMGQtYjBiNS1mMDBkOg==\r\n",
                "Cookie: token=b0b5f00d-b0b5-f00d\r\n",
            ] {
                let answer = ask(&scene, path, headers).await;
                assert_eq!(answer.status(), 401, "{path} {headers}");
                assert!(
                    answer.0.contains("www-authenticate: Basic realm=\"cdb-backupd\"") && answer.0.contains("www-authenticate: Bearer"),
                    "{answer:?}"
                );
                assert!(!answer.0.contains(TOKEN), "{answer:?}");
            }
        }
        assert_eq!(ask(&scene, &format!("/?token={TOKEN}"), "").await.status(), 401);
        assert_eq!(ask(&scene, "/healthz", "").await.status(), 503, "the loop has not turned here, and everybody may know");
    });
}

#[test]
fn the_token_opens_as_a_bearer_s_and_as_the_password_of_any_user() {
    in_real_time(async {
        for guard in [guarded("10.1.2.3:7306", Some(TOKEN)), guarded("[::]:7306", Some(TOKEN))] {
            let scene = Scene::behind(POLICY, guard).await;
            for headers in [
                "Authorization: Bearer b0b5f00d-b0b5-f00d\r\n",
                "authorization: bearer   b0b5f00d-b0b5-f00d\r\n",
                // `admin:` and `:` before it.
                "Authorization: Basic YWRtaW46YjBiNWYwMGQtYjBiNS1mMDBk\r\n",
                "Authorization: basic OmIwYjVmMDBkLWIwYjUtZjAwZA==\r\n",
            ] {
                assert_eq!(ask(&scene, "/", headers).await.status(), 200, "{headers}");
                assert_eq!(ask(&scene, "/metrics", headers).await.status(), 200, "{headers}");
            }
        }
    });
}

#[test]
fn a_token_is_wanted_on_loopback_too_when_there_is_one_and_an_open_address_without_one_lets_nobody_in() {
    in_real_time(async {
        let scene = Scene::behind(POLICY, guarded("127.0.0.1:7306", Some(TOKEN))).await;
        assert_eq!(scene.get("/").await.status(), 401);
        assert_eq!(scene.say(format!("GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n").as_bytes()).await.status(), 200);
        assert_eq!(scene.say(format!("GET / HTTP/1.1\r\nHost: evil\r\nAuthorization: Bearer {TOKEN}\r\n\r\n").as_bytes()).await.status(), 421);
        let scene = Scene::behind(POLICY, guarded("0.0.0.0:7306", None)).await;
        assert_eq!(ask(&scene, "/", &format!("Authorization: Bearer {TOKEN}\r\n")).await.status(), 401);
        assert_eq!(ask(&scene, "/", "Authorization: Bearer \r\n").await.status(), 401);
    });
}
