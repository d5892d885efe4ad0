//! Alive while passes finish, whatever they wait for; ready when nothing is waited for.

use crate::scene::{Scene, in_real_time};
use cdb_backupd::{
    clock::Clock,
    domain::{names::AccountName, trouble::Trouble},
};
use std::sync::atomic::Ordering;

async fn told(scene: &Scene, path: &str) -> (u16, serde_json::Value) {
    let answer = scene.get(path).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    (answer.status(), serde_json::from_str(answer.body()).expect("JSON"))
}

async fn reasons(scene: &Scene) -> (u16, Vec<String>) {
    let (status, said) = told(scene, "/readyz").await;
    assert_eq!((&said["schema_version"], &said["ok"]), (&1.into(), &(status == 200).into()));
    let items = said["items"].as_array().expect("items");
    assert!(items.iter().all(|item| item["message"].as_str().is_some_and(|message| message.len() > 20)), "{items:?}");
    (status, items.iter().map(|item| item["reason"].as_str().expect("a word").to_owned()).collect())
}

#[test]
fn it_is_alive_while_a_pass_finished_within_sixty_seconds() {
    in_real_time(async {
        let scene = Scene::open().await;
        let (status, said) = told(&scene, "/healthz").await;
        assert_eq!((status, &said["ok"], &said["last_pass_age_s"]), (503, &false.into(), &serde_json::Value::Null));
        scene.gauges.passed(scene.clock.now().mono, Vec::new());
        let (status, said) = told(&scene, "/healthz").await;
        assert_eq!((status, &said["ok"], &said["schema_version"]), (200, &true.into(), &1.into()));
        assert!(said["last_pass_age_s"].as_f64().is_some_and(|age| age < 30.0), "{said}");
        scene.ahead_ms.store(59_000, Ordering::Relaxed);
        scene.gauges.passed(scene.clock.now().mono, Vec::new());
        assert_eq!(told(&scene, "/healthz").await.0, 200);
        scene.ahead_ms.store(60_001, Ordering::Relaxed);
        let (status, said) = told(&scene, "/healthz").await;
        assert!(status == 503 && said["last_pass_age_s"].as_f64().is_some_and(|age| age > 60.0), "{said}");
    });
}

#[test]
fn a_pass_that_could_not_write_or_waits_for_a_proof_has_finished() {
    in_real_time(async {
        let scene = Scene::open().await;
        scene.gauges.passed(scene.clock.now().mono, vec![Trouble::Ledger, Trouble::Clock, Trouble::Unrecorded]);
        assert_eq!(scene.get("/healthz").await.status(), 200);
        assert_eq!(scene.get("/readyz").await.status(), 503);
    });
}

#[test]
fn readiness_names_all_that_is_missing_and_nothing_else() {
    in_real_time(async {
        let scene = Scene::open().await;
        assert_eq!(reasons(&scene).await, (503, vec!["starting".to_owned()]));
        let pass = |troubles: &[Trouble]| scene.gauges.passed(scene.clock.now().mono, troubles.to_vec());
        pass(&[]);
        assert_eq!(reasons(&scene).await, (200, Vec::new()));
        pass(&[Trouble::Clock, Trouble::Unrecorded]);
        assert_eq!(reasons(&scene).await, (503, vec!["clock_unproved".to_owned(), "policy_not_in_force".to_owned()]));
        pass(&[Trouble::Ledger]);
        assert_eq!(reasons(&scene).await, (503, vec!["ledger_not_writable".to_owned()]));
        pass(&[Trouble::Keys(vec![AccountName::parse("main").expect("a name")])]);
        let (status, said) = told(&scene, "/readyz").await;
        assert_eq!((status, &said["items"][0]["reason"], &said["items"][0]["account"]), (503, &"account_held".into(), &"main".into()));
        pass(&[Trouble::Refused("line 9".into()), Trouble::PutBack(None)]);
        assert_eq!(reasons(&scene).await, (200, vec!["policy_refused".to_owned(), "ledger_put_back".to_owned()]), "neither holds a backup");
        pass(&[]);
        assert_eq!(reasons(&scene).await.0, 200);
        scene.ahead_ms.store(61_000, Ordering::Relaxed);
        assert_eq!(reasons(&scene).await, (503, vec!["stuck".to_owned()]));
    });
}
