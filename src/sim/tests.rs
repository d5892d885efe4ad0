//! The in-process door under paused time: each fault by what its caller sees and what was really made.

use super::{
    Cloud,
    faults::Fault,
    script::Faults,
    settings::{Automatic, Edition, Settings, SimInstance},
    time::TrueTime,
};
use crate::{
    clock::Clock,
    cloud::{Access, BackupStatus, Call, CdbApi, Class, Create, List, Page, Reply},
    domain::{
        names::{BackupId, CredentialSource, Endpoint, InstanceId, Region},
        policy::{Method, Table},
    },
};
use chrono::TimeDelta;
use std::time::Duration;

const ONE: &str = "cdb-aaaa0001";
const TWO: &str = "cdb-aaaa0002";

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn settings(faults: &str) -> Settings {
    let mut settings = Settings::quiet(7, vec![SimInstance::plain(ONE), SimInstance::plain(TWO)]);
    settings.faults = faults.parse().unwrap();
    settings.durations = seconds(60)..=seconds(60);
    settings.list_lag = Duration::ZERO..=Duration::ZERO;
    settings
}

fn clock() -> TrueTime {
    TrueTime::starting_at("2026-11-24T18:30:00Z".parse().unwrap())
}

fn cloud(settings: Settings) -> Cloud<TrueTime> {
    Cloud::new(settings, clock())
}

fn call(cloud: &Cloud<TrueTime>, instance: &str) -> Call {
    Call {
        access: Access {
            endpoint: Endpoint::parse(Endpoint::DEFAULT).unwrap(),
            credentials: CredentialSource::Env { prefix: CredentialSource::DEFAULT_PREFIX.into() },
        },
        region: Region::parse("ap-guangzhou").unwrap(),
        instance: InstanceId::parse(instance).unwrap(),
        signed_at: cloud.wall().timestamp(),
        deadline: Duration::MAX,
    }
}

async fn create(cloud: &Cloud<TrueTime>, instance: &str, alias: &str) -> Reply<BackupId> {
    let create = Create { call: call(cloud, instance), method: Method::Physical { encrypted: None }, alias: alias.into() };
    cloud.create_backup(create).await
}

async fn list(cloud: &Cloud<TrueTime>, instance: &str, offset: u32, limit: u32) -> Reply<Page> {
    cloud.describe_backups(List { call: call(cloud, instance), offset, limit }).await
}

async fn aliases(cloud: &Cloud<TrueTime>) -> Vec<String> {
    list(cloud, ONE, 0, 1_000).await.answer.unwrap().items.into_iter().map(|b| b.alias).collect()
}

fn code<T>(reply: &Reply<T>) -> &str {
    reply.answer.as_ref().err().map_or("ok", |e| e.code.as_str())
}

/// What the product makes of a code of the cloud, and what the real client makes of a connection.
fn class_of(code: &str) -> Class {
    match code {
        "connect" => Class::Refused,
        "timeout" | "reset" | "garbage" | "http_502" | "http_307" => Class::Ambiguous,
        code => crate::cloud::codes::classify(code),
    }
}

#[tokio::test(start_paused = true)]
async fn a_code_has_the_class_that_the_product_gives_it() {
    let mut settings = settings("");
    (settings.instances[0].quota, settings.instances[1].running) = (Some(0), false);
    let cloud = cloud(settings);
    for (instance, class, code) in [(ONE, Class::Rejected, "OverQuota"), (TWO, Class::Busy, "FailedOperation.StatusConflict")] {
        let error = create(&cloud, instance, "a").await.answer.unwrap_err();
        assert_eq!((error.class, error.code.as_str()), (class, code));
    }
    for row in crate::cloud::codes::CODES {
        let refusal = super::call::Refusal::new(row.0, "");
        let said = super::call::Said { result: Err(refusal), date: None, request_id: String::new() };
        let reply = super::door::reply(super::call::Outcome::Said(said), |_| None::<()>, Duration::ZERO);
        assert_eq!(reply.answer.unwrap_err().class, row.1, "{}", row.0);
    }
}

#[tokio::test(start_paused = true)]
async fn each_fault_of_a_create_shows_its_caller_one_thing_and_does_another() {
    let table = [
        ("lost_before_act", "timeout", 0),
        ("lost_after_act", "timeout", 1),
        ("reset_mid_body", "reset", 1),
        ("http_error_after_act", "InternalError.HttpError", 1),
        ("http_error_before_act", "InternalError.HttpError", 0),
        ("arrives_late=15s", "ok", 1),
        ("arrives_late=25s", "timeout", 1),
        ("acts_late=15s", "ok", 1),
        ("acts_late=25s", "timeout", 1),
        ("gateway_502", "http_502", 0),
        ("gateway_502_after_act", "http_502", 1),
        ("redirect_307", "http_307", 0),
        ("throttle_burst=3s", "RequestLimitExceeded", 0),
        ("busy_after_act", "OperationDenied.ActionInProcess", 1),
        ("busy=20m", "OperationDenied.ActionInProcess", 0),
        ("outage=0s..1h", "connect", 0),
        ("unreachable", "connect", 0),
        ("slow_reply=25s", "timeout", 1),
        ("garbage", "garbage", 1),
        ("unknown_code_after_act", "InternalError.NewCode", 1),
        ("no_date", "ok", 1),
        ("key_revoked=0s..1h", "AuthFailure.SecretIdNotFound", 0),
        ("skew=6m", "ok", 1),
        ("eof", "ok", 1),
        ("duplicate_name", "ok", 2),
        ("kill_on_read", "reset", 0),
        ("kill_after_act", "reset", 1),
        ("kill_half_reply", "reset", 1),
    ];
    for (fault, seen, made) in table {
        let cloud = cloud(settings(fault));
        let reply = create(&cloud, ONE, "a").await;
        assert_eq!(code(&reply), seen, "{fault}");
        assert!(reply.answer.as_ref().err().is_none_or(|error| error.class == class_of(seen)), "{fault}: {reply:?}");
        cloud.core.clock().sleep(seconds(60)).await;
        assert_eq!(cloud.audit().backups.len(), made, "{fault}");
        assert_eq!(cloud.audit().doubled, vec![], "{fault}");
        let dateless = matches!(seen, "timeout" | "reset" | "connect") || fault == "no_date";
        assert_eq!(reply.date.is_none(), dateless, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_stops_nothing() {
    let cloud = cloud(settings(""));
    let other = cloud.clone();
    let mut calls = tokio::task::JoinSet::new();
    calls.spawn(async move { create(&other, ONE, "a").await });
    tokio::task::yield_now().await;
    calls.abort_all();
    cloud.core.clock().sleep(seconds(1)).await;
    assert!(calls.join_next().await.unwrap().unwrap_err().is_cancelled());
    assert_eq!(cloud.audit().backups.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn busy_by_itself_is_answered_at_once_acts_later_and_shows_later_still() {
    let cloud = cloud(settings("create#1:busy_after_act+acts_late=25s+lists_late=180s+backup_takes=10m"));
    let reply = create(&cloud, ONE, "a").await;
    assert_eq!(code(&reply), "OperationDenied.ActionInProcess");
    assert!(reply.elapsed < seconds(1));
    assert_eq!(cloud.audit().backups, vec![]);
    cloud.core.clock().sleep(seconds(26)).await;
    assert_eq!(cloud.audit().backups.len(), 1);
    cloud.core.clock().sleep(seconds(170)).await;
    assert_eq!(aliases(&cloud).await, Vec::<String>::new());
    cloud.core.clock().sleep(seconds(15)).await;
    assert_eq!(aliases(&cloud).await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_signature_lives_three_hundred_seconds_of_the_clouds_clock_either_way() {
    let cloud = cloud(settings(""));
    cloud.set_skew(TimeDelta::seconds(90));
    for (ahead, seen) in [(300, "ok"), (301, "AuthFailure.SignatureExpire"), (-300, "ok"), (-301, "AuthFailure.SignatureExpire")] {
        let mut call = call(&cloud, ONE);
        call.signed_at = cloud.wall().timestamp() + ahead;
        let reply = cloud.describe_backups(List { call, offset: 0, limit: 10 }).await;
        assert_eq!(code(&reply), seen, "{ahead}");
        assert!((reply.date.unwrap() - cloud.wall()).abs() <= TimeDelta::seconds(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_lay_in_the_network_is_judged_when_it_arrives() {
    let cloud = cloud(settings("create#1:arrives_late=299s,create#2:arrives_late=302s"));
    for instance in [ONE, TWO] {
        assert_eq!(code(&create(&cloud, instance, "a").await), "timeout");
    }
    cloud.core.clock().sleep(seconds(400)).await;
    let made: Vec<_> = cloud.audit().backups.into_iter().map(|b| b.instance).collect();
    assert_eq!(made, [ONE]);
}

#[tokio::test(start_paused = true)]
async fn a_sixth_create_in_a_second_is_refused_and_the_audit_says_so() {
    let ids: Vec<String> = (0..6).map(|n| format!("cdb-aaaa000{n}")).collect();
    let cloud = cloud(Settings::quiet(1, ids.iter().map(|id| SimInstance::plain(id)).collect()));
    let mut calls = tokio::task::JoinSet::new();
    for id in ids {
        let cloud = cloud.clone();
        calls.spawn(async move { create(&cloud, &id, "a").await });
    }
    let replies = calls.join_all().await;
    let refused: Vec<_> = replies.iter().filter_map(|r| r.answer.as_ref().err()).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].class, Class::Throttled);
    let audit = cloud.audit();
    assert_eq!((audit.peak_creates(), audit.creates_refused_by_rate(), audit.backups.len()), (6, 1, 5));
}

#[tokio::test(start_paused = true)]
async fn an_instance_makes_one_backup_at_a_time_and_its_own_count() {
    let mut settings = settings("");
    settings.instances[0].automatic = Some(Automatic { first: seconds(100), every: seconds(86_400), lasts: seconds(600) });
    let cloud = cloud(settings);
    assert_eq!(code(&create(&cloud, ONE, "a").await), "ok");
    assert_eq!(code(&create(&cloud, ONE, "b").await), "OperationDenied.ActionInProcess");
    assert_eq!(code(&create(&cloud, TWO, "b").await), "ok");
    cloud.core.clock().sleep(seconds(110)).await;
    assert_eq!(code(&create(&cloud, ONE, "b").await), "OperationDenied.ActionInProcess");
    cloud.core.clock().sleep(seconds(600)).await;
    assert_eq!(code(&create(&cloud, ONE, "b").await), "ok");
    assert_eq!(aliases(&cloud).await, ["b", "", "a"]);
}

#[tokio::test(start_paused = true)]
async fn more_than_a_thousand_backups_need_pages_and_a_deletion_between_two_hides_one() {
    let mut settings = settings("list#3:list_truncated");
    settings.instances[0].old_backups = 1_001;
    let cloud = cloud(settings);
    let page = async |offset| list(&cloud, ONE, offset, 1_000).await.answer.unwrap();
    let (first, second) = (page(0).await, page(1_000).await);
    assert_eq!((first.total, first.items.len(), second.total, second.items.len()), (1_001, 1_000, 1_001, 1));
    let (first, second) = (page(0).await, page(1_000).await);
    assert_eq!((first.total, first.items.len(), second.total, second.items.len()), (1_001, 1_000, 1_000, 0));
}

#[tokio::test(start_paused = true)]
async fn a_deletion_between_two_pages_lets_the_newest_slip_over_the_edge_where_lists_begin_with_the_oldest() {
    let mut settings = settings("list#1:list_truncated");
    (settings.oldest_first, settings.page_cap, settings.instances[0].old_backups) = (true, 10, 10);
    let cloud = cloud(settings);
    create(&cloud, ONE, "a").await.answer.unwrap();
    let (first, second) = (list(&cloud, ONE, 0, 1_000).await.answer.unwrap(), list(&cloud, ONE, 10, 1_000).await.answer.unwrap());
    assert_eq!((first.total, first.items.len(), second.total, second.items.len()), (11, 10, 10, 0));
    assert_eq!(aliases(&cloud).await.last().map(String::as_str), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn the_pace_counts_when_a_call_leaves_not_when_it_arrives() {
    let ids: Vec<String> = (0..6).map(|n| format!("cdb-aaaa000{n}")).collect();
    let mut settings = Settings::quiet(1, ids.iter().map(|id| SimInstance::plain(id)).collect());
    settings.faults = "create#1:arrives_late=1s".parse().unwrap();
    let cloud = cloud(settings);
    let mut calls = tokio::task::JoinSet::new();
    for id in ids {
        let other = cloud.clone();
        calls.spawn(async move { create(&other, &id, "a").await });
        cloud.core.clock().sleep(Duration::from_millis(202)).await;
    }
    calls.join_all().await;
    assert_eq!(cloud.audit().peak_creates(), 5);
}

#[tokio::test(start_paused = true)]
async fn what_becomes_of_a_backup_shows_in_the_list() {
    let table = [
        ("backup_fails", "a", BackupStatus::Failed, "physical", 1),
        ("unknown_status", "a", BackupStatus::Success, "physical", 1),
        ("wrong_type_listed", "a", BackupStatus::Success, "logical", 1),
        ("deleted=10m", "a", BackupStatus::Success, "physical", 0),
    ];
    for (fault, alias, status, kind, left) in table {
        let cloud = cloud(settings(fault));
        create(&cloud, ONE, alias).await.answer.unwrap();
        let running = list(&cloud, ONE, 0, 10).await.answer.unwrap();
        assert_eq!(running.items[0].status, BackupStatus::Running, "{fault}");
        cloud.core.clock().sleep(seconds(61)).await;
        let over = list(&cloud, ONE, 0, 10).await.answer.unwrap();
        assert_eq!((over.items[0].status, over.items[0].kind.as_str()), (status, kind), "{fault}");
        cloud.core.clock().sleep(seconds(700)).await;
        assert_eq!(aliases(&cloud).await.len(), left, "{fault}");
    }
    let cloud = cloud(settings("never_listed"));
    create(&cloud, ONE, "a").await.answer.unwrap();
    cloud.core.clock().sleep(seconds(3_600)).await;
    assert_eq!(aliases(&cloud).await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn lists_fail_in_ways_of_their_own() {
    for (fault, seen) in [
        ("list_throttled", "RequestLimitExceeded"),
        ("list_refused=10m", "InvalidParameter.InstanceNotFound"),
        ("eof", "reset"),
        ("garbage", "garbage"),
        ("gateway_502", "http_502"),
    ] {
        let cloud = cloud(settings(fault));
        assert_eq!(code(&list(&cloud, ONE, 0, 10).await), seen, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_instance_does_not_allow_is_refused_and_a_missing_table_fails_later() {
    let mut settings = settings("");
    settings.instances[0].tables = Some(vec![Table { db: "shop".into(), table: Some("orders".into()) }]);
    settings.instances[1].edition = Edition::CloudDisk;
    let cloud = cloud(settings);
    let logical = |db: &str| Method::Logical { tables: vec![Table { db: db.into(), table: None }] };
    let make = async |instance: &str, method| {
        let create = Create { call: call(&cloud, instance), method, alias: "a".into() };
        code(&cloud.create_backup(create).await).to_owned()
    };
    assert_eq!(make(TWO, logical("shop")).await, "OperationDenied.ActionNotSupport");
    assert_eq!(make(TWO, Method::Snapshot).await, "ok");
    assert_eq!(make(ONE, logical("billing")).await, "ok");
    assert_eq!(cloud.audit().backups.iter().map(|b| b.fails).collect::<Vec<_>>(), [false, true]);
    assert_eq!(make("cdb-zzzz9999", logical("shop")).await, "InvalidParameter.InstanceNotFound");
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_refused_until_the_keys_are_read_again() {
    let cloud = cloud(settings("token_expired=1m..1h"));
    assert_eq!(code(&list(&cloud, ONE, 0, 10).await), "ok");
    cloud.core.clock().sleep(seconds(70)).await;
    assert_eq!(code(&list(&cloud, ONE, 0, 10).await), "AuthFailure.TokenFailure");
    cloud.reread_credentials(&call(&cloud, ONE).access);
    assert_eq!(code(&list(&cloud, ONE, 0, 10).await), "ok");
}

#[tokio::test(start_paused = true)]
async fn the_audit_finds_a_second_backup_of_one_alias_that_did_not_fail() {
    let cloud = cloud(settings("create#1:backup_fails"));
    for alias in ["a", "a.2", "b"] {
        create(&cloud, ONE, alias).await.answer.unwrap();
        cloud.core.clock().sleep(seconds(61)).await;
    }
    assert_eq!(cloud.audit().doubled, vec![]);
    create(&cloud, ONE, "a").await.answer.unwrap();
    let doubled = cloud.audit().doubled;
    assert_eq!((doubled.len(), doubled[0].alias.as_str(), doubled[0].ids.len()), (1, "a", 2));
    assert_eq!(cloud.audit().of("a").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_kill_happens_at_its_instant() {
    for (fault, made) in [("kill_on_read", 0), ("kill_after_act", 1), ("kill_half_reply", 1)] {
        let (dead, seen) = std::sync::mpsc::channel();
        let kill: super::Kill = std::sync::Arc::new(move || dead.send(()).unwrap());
        let cloud = Cloud::with_kill(settings(fault), clock(), Some(kill));
        create(&cloud, ONE, "a").await;
        assert_eq!(seen.try_iter().count(), 1, "{fault}");
        assert_eq!(cloud.audit().backups.len(), made, "{fault}");
    }
}

async fn night(seed: u64) -> String {
    let mut settings = settings("");
    settings.seed = seed;
    let odds = Fault::all().into_iter().filter(|f| f.touches() != super::faults::Touches::Everything).map(|f| (f, 0.03)).collect();
    settings.faults = Faults { odds, ..Faults::default() };
    let cloud = cloud(settings);
    for n in 0..100 {
        create(&cloud, if n % 3 == 0 { ONE } else { TWO }, &format!("a{n}")).await;
        list(&cloud, TWO, 0, 1_000).await;
        cloud.core.clock().sleep(seconds(30)).await;
    }
    cloud.audit().timeline()
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_and_calls_make_the_same_timeline_byte_for_byte() {
    let first = night(3).await;
    assert_eq!(first, night(3).await);
    assert_ne!(first, night(4).await);
    assert!(first.lines().count() >= 200);
}
