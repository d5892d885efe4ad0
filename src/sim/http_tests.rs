//! The HTTP door from outside: raw requests, signed by hand, over real sockets.

use super::{
    Cloud,
    http::HttpDoor,
    settings::{Settings, SimAccount, SimInstance},
    time::TrueTime,
    verify::{Authorization, Evidence},
};
use serde_json::Value;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const ONE: &str = "cdb-aaaa0001";

struct Sim {
    cloud: Cloud<TrueTime>,
    door: HttpDoor,
}

async fn sim(faults: &str) -> Sim {
    let mut settings = Settings::quiet(7, vec![SimInstance::plain(ONE), SimInstance::plain("cdb-aaaa0002")]);
    settings.faults = faults.parse().unwrap();
    settings.latency = Duration::ZERO..=Duration::ZERO;
    settings.list_lag = Duration::ZERO..=Duration::ZERO;
    let cloud = Cloud::new(settings, TrueTime::starting_at("2026-11-24T18:30:00Z".parse().unwrap()));
    let door = HttpDoor::open(cloud.clone(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    Sim { cloud, door }
}

/// A request that can be spoiled before it is signed, or after.
struct Raw {
    method: &'static str,
    path: &'static str,
    query: String,
    signed_names: &'static str,
    host: String,
    signed_host: String,
    headers: Vec<(&'static str, String)>,
    body: String,
    key: String,
}

impl Raw {
    fn new(sim: &Sim, action: &str, body: &str) -> Self {
        let host = format!("127.0.0.1:{}", sim.door.address().port());
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("x-tc-action", action.to_owned()),
            ("x-tc-version", "2017-03-20".to_owned()),
            ("x-tc-region", "ap-guangzhou".to_owned()),
            ("x-tc-timestamp", sim.cloud.wall().timestamp().to_string()),
        ];
        let (signed_host, key) = (host.clone(), SimAccount::example().secret_key);
        Self {
            method: "POST",
            path: "/",
            query: String::new(),
            signed_names: "content-type;host",
            host,
            signed_host,
            headers,
            body: body.into(),
            key,
        }
    }

    fn set(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(n, _)| *n != name);
        self.headers.push((name, value.into()));
        self
    }

    fn twice(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(n, _)| *n != name);
        self
    }

    fn header(&self, name: &str) -> String {
        self.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone()).unwrap_or_default()
    }

    fn authorization(&self) -> String {
        let signed_at = self.header("x-tc-timestamp").parse().unwrap_or(0);
        let day = chrono::DateTime::from_timestamp(signed_at, 0).unwrap().format("%Y-%m-%d");
        let scope = format!("Credential={}/{day}/cdb/tc3_request, SignedHeaders={}", SimAccount::example().secret_id, self.signed_names);
        let mut headers = vec![("host".to_owned(), self.signed_host.clone().into_bytes())];
        headers.extend(self.headers.iter().map(|(n, v)| ((*n).to_owned(), v.clone().into_bytes())));
        let evidence = Evidence {
            method: self.method.into(),
            query: self.query.clone(),
            headers,
            body: self.body.clone().into_bytes(),
            authorization: Authorization::parse(&format!("TC3-HMAC-SHA256 {scope}, Signature=0")).unwrap(),
            token: None,
        };
        let signature = evidence.expected(&self.key, signed_at).and_then(|all| all.first().cloned()).unwrap_or_default();
        format!("TC3-HMAC-SHA256 {scope}, Signature={signature}")
    }

    fn bytes(&self) -> Vec<u8> {
        let authorization = if self.header("authorization").is_empty() { self.authorization() } else { self.header("authorization") };
        let mark = if self.query.is_empty() { "" } else { "?" };
        let mut text = format!("{} {}{mark}{} HTTP/1.1\r\nhost: {}\r\n", self.method, self.path, self.query, self.host);
        for (name, value) in self.headers.iter().filter(|(n, _)| *n != "authorization") {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("authorization: {authorization}\r\ncontent-length: {}\r\n\r\n{}", self.body.len(), self.body));
        text.into_bytes()
    }
}

async fn connect(sim: &Sim) -> TcpStream {
    TcpStream::connect(sim.door.address()).await.unwrap()
}

/// Sends, and reads until the reply is whole or the connection breaks.
async fn exchange(stream: &mut TcpStream, raw: &Raw) -> String {
    stream.write_all(&raw.bytes()).await.unwrap();
    let mut got = Vec::new();
    let mut chunk = [0; 4_096];
    while !whole(&got) {
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(n) => got.extend_from_slice(&chunk[..n]),
        }
    }
    String::from_utf8(got).unwrap()
}

fn whole(got: &[u8]) -> bool {
    let text = String::from_utf8_lossy(got);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")).and_then(|n| n.parse::<usize>().ok());
    length.is_some_and(|n| body.len() >= n)
}

fn json(reply: &str) -> Value {
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
    serde_json::from_str(reply.split_once("\r\n\r\n").unwrap().1).unwrap()
}

async fn code(sim: &Sim, raw: Raw) -> String {
    let reply = json(&exchange(&mut connect(sim).await, &raw).await);
    assert!(reply["Response"]["RequestId"].is_string());
    reply["Response"]["Error"]["Code"].as_str().unwrap_or("ok").to_owned()
}

fn create_body(alias: &str) -> String {
    format!(r#"{{"InstanceId":"{ONE}","BackupMethod":"physical","ManualBackupName":"{alias}"}}"#)
}

#[tokio::test]
async fn a_backup_is_created_listed_and_deleted_over_http() {
    let sim = sim("backup_takes=0s").await;
    let reply = exchange(&mut connect(&sim).await, &Raw::new(&sim, "CreateBackup", &create_body("夜-1"))).await;
    assert!(reply.contains("date: Tue, 24 Nov 2026 18:30:0"), "{reply}");
    let id = json(&reply)["Response"]["BackupId"].as_i64().unwrap();
    let listed = Raw::new(&sim, "DescribeBackups", &format!(r#"{{"InstanceId":"{ONE}"}}"#));
    let list = json(&exchange(&mut connect(&sim).await, &listed).await);
    let item = &list["Response"]["Items"][0];
    assert_eq!((item["BackupId"].as_i64(), item["ManualBackupName"].as_str(), item["Way"].as_str()), (Some(id), Some("夜-1"), Some("manual")));
    assert_eq!(item["Status"], "SUCCESS");
    assert!(item["StartTime"].as_str().unwrap().starts_with("2026-11-25 02:30:"), "{item}");
    let delete = format!(r#"{{"InstanceId":"{ONE}","BackupId":{id}}}"#);
    assert_eq!(code(&sim, Raw::new(&sim, "DeleteBackup", &delete)).await, "ok");
    assert_eq!(code(&sim, Raw::new(&sim, "DeleteBackup", &delete)).await, "CdbError.BackupError");
    assert_eq!(json(&exchange(&mut connect(&sim).await, &listed).await)["Response"]["TotalCount"], 0);
}

#[tokio::test]
async fn each_wrong_thing_has_its_code_in_the_order_of_the_checks() {
    let sim = sim("").await;
    let good = || Raw::new(&sim, "CreateBackup", &create_body("a"));
    let old = (sim.cloud.wall().timestamp() - 400).to_string();
    let mut stranger = good();
    let unknown = stranger.authorization().replace(&SimAccount::example().secret_id, "AKIDnobody");
    stranger = stranger.set("authorization", &unknown).set("x-tc-timestamp", &old);
    let mut product = good();
    product.host = "cvm.tencentcloudapi.com".into();
    let mut method = good().without("x-tc-version");
    method.method = "PUT";
    let mut forged = good().without("x-tc-region");
    forged.key = "wrong".into();
    let table = [
        ("UnsupportedProtocol", method),
        ("NoSuchProduct", product),
        ("NoSuchVersion", good().set("x-tc-version", "2016-01-01").set("x-tc-action", "Nothing")),
        ("InvalidAction", good().set("x-tc-action", "DropEverything").set("authorization", "nonsense")),
        ("MissingParameter", good().without("x-tc-action")),
        ("AuthFailure.InvalidAuthorization", good().set("authorization", "nonsense")),
        ("AuthFailure.SecretIdNotFound", stranger),
        ("AuthFailure.SignatureExpire", good().set("x-tc-timestamp", &old)),
        ("AuthFailure.SignatureFailure", forged),
        ("MissingParameter", good().without("x-tc-region")),
        ("UnsupportedRegion", good().set("x-tc-region", "mars-north")),
        ("InvalidParameter.InstanceNotFound", good().set("x-tc-region", "ap-shanghai")),
    ];
    for (expected, raw) in table {
        assert_eq!(code(&sim, raw).await, expected);
    }
    // The parameters are checked on lists, which more of may be sent in a second.
    let list = |body: &str| Raw::new(&sim, "DescribeBackups", body);
    assert_eq!(code(&sim, list("nonsense")).await, "InvalidParameter");
    assert_eq!(code(&sim, list(r#"{"Limit":20}"#)).await, "MissingParameter");
    assert_eq!(code(&sim, list(r#"{"InstanceId":7}"#)).await, "InvalidParameterValue.DataConvertError");
    assert_eq!(code(&sim, list(&format!(r#"{{"InstanceId":"{ONE}","Limit":1001}}"#))).await, "InvalidParameter");
    assert_eq!(code(&sim, list(&format!(r#"{{"InstanceId":"{ONE}","ClientToken":"x"}}"#))).await, "UnknownParameter");
}

#[tokio::test]
async fn what_the_vendor_does_not_take_is_refused_although_it_is_signed() {
    let sim = sim("").await;
    let body = format!(r#"{{"InstanceId":"{ONE}"}}"#);
    let good = || Raw::new(&sim, "DescribeBackups", &body);
    let with = |change: fn(&mut Raw)| {
        let mut raw = good();
        change(&mut raw);
        raw
    };
    let now = sim.cloud.wall().timestamp();
    let form = "application/x-www-form-urlencoded";
    let get = |kind: &str, query: String| {
        let mut raw = Raw::new(&sim, "DescribeBackups", "").set("content-type", kind);
        (raw.method, raw.query) = ("GET", query);
        raw
    };
    let table = [
        ("InvalidRequest", with(|raw| raw.path = "/v2/index.php")),
        ("InvalidRequest", with(|raw| raw.query = "Limit=20".into())),
        ("UnsupportedProtocol", good().set("content-type", "text/plain")),
        ("UnsupportedProtocol", good().set("content-type", form)),
        ("UnsupportedProtocol", good().set("content-type", "application/json; charset=gbk")),
        ("UnsupportedProtocol", good().without("content-type")),
        ("UnsupportedProtocol", get("application/json", format!("InstanceId={ONE}"))),
        ("InvalidRequest", good().twice("content-type", "application/json")),
        ("InvalidRequest", good().twice("x-tc-region", "ap-guangzhou")),
        ("AuthFailure.SignatureFailure", with(|raw| raw.signed_names = "content-type;host;host")),
        ("InvalidParameter", good().set("x-tc-timestamp", &format!("+{now}"))),
        ("MissingParameter", good().without("x-tc-timestamp")),
        ("InvalidParameter", get(form, format!("InstanceId={ONE}&InstanceId={ONE}"))),
        ("ok", get(form, format!("InstanceId={ONE}&Limit=20"))),
        ("ok", good().set("content-type", "application/json; charset=utf-8")),
    ];
    for (place, (expected, raw)) in table.into_iter().enumerate() {
        assert_eq!(code(&sim, raw).await, expected, "row {place}");
    }
}

#[tokio::test]
async fn a_parameter_has_its_type_and_stands_once() {
    let sim = sim("").await;
    for (expected, rest) in [
        ("InvalidParameterValue.DataConvertError", r#","Limit":"20""#),
        ("InvalidParameterValue.DataConvertError", r#","Limit":20.5"#),
        ("InvalidParameterValue.DataConvertError", r#","Offset":null"#),
        ("InvalidParameter", r#","Limit":20,"Limit":20"#),
    ] {
        let body = format!(r#"{{"InstanceId":"{ONE}"{rest}}}"#);
        assert_eq!(code(&sim, Raw::new(&sim, "DescribeBackups", &body)).await, expected, "{rest}");
    }
    let twice = format!(r#"{{"InstanceId":"{ONE}","BackupMethod":"logical","BackupDBTableList":[{{"Db":"a","Db":"b"}}]}}"#);
    assert_eq!(code(&sim, Raw::new(&sim, "CreateBackup", &twice)).await, "InvalidParameter");
}

#[tokio::test]
async fn every_region_of_the_vendor_is_known_although_no_instance_is_there() {
    for region in ["ap-chengdu", "ap-shenzhen-fsi", "na-siliconvalley", "sa-saopaulo"] {
        let sim = sim("").await;
        let list = Raw::new(&sim, "DescribeBackups", &format!(r#"{{"InstanceId":"{ONE}"}}"#)).set("x-tc-region", region);
        assert_eq!(code(&sim, list).await, "InvalidParameter.InstanceNotFound", "{region}");
    }
}

#[tokio::test]
async fn a_token_is_wanted_exactly_when_the_key_is_temporary() {
    let mut settings = Settings::quiet(7, vec![SimInstance::plain(ONE)]);
    settings.latency = Duration::ZERO..=Duration::ZERO;
    settings.accounts[0].token = Some("session".into());
    let cloud = Cloud::new(settings, TrueTime::starting_at("2026-11-24T18:30:00Z".parse().unwrap()));
    let door = HttpDoor::open(cloud.clone(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let sim = Sim { cloud, door };
    let list = || Raw::new(&sim, "DescribeBackups", &format!(r#"{{"InstanceId":"{ONE}"}}"#));
    assert_eq!(code(&sim, list()).await, "AuthFailure.TokenFailure");
    assert_eq!(code(&sim, list().set("x-tc-token", "another")).await, "AuthFailure.TokenFailure");
    assert_eq!(code(&sim, list().set("x-tc-token", "session")).await, "ok");
    sim.cloud.set_faults("token_expired=0s..1h".parse().unwrap());
    assert_eq!(code(&sim, list().set("x-tc-token", "session")).await, "AuthFailure.TokenFailure");
    assert_eq!(code(&sim, list().set("x-tc-token", "session-renewed")).await, "ok");
}

#[tokio::test]
async fn a_get_with_a_query_is_read_like_a_post() {
    let sim = sim("").await;
    let mut raw = Raw::new(&sim, "CreateBackup", "").set("content-type", "application/x-www-form-urlencoded");
    raw.method = "GET";
    raw.query = format!("InstanceId={ONE}&BackupMethod=logical&BackupDBTableList.0.Db=shop+1&BackupDBTableList.1.Db=b&ManualBackupName=a%3Ab");
    assert_eq!(code(&sim, raw).await, "ok");
    assert_eq!(sim.cloud.audit().backups[0].alias, "a:b");
}

#[tokio::test]
async fn a_name_below_localhost_may_be_signed_with_its_port_or_without() {
    let sim = sim("").await;
    let named = format!("cdb.localhost:{}", sim.door.address().port());
    for signed in [named.as_str(), "cdb.localhost"] {
        let mut raw = Raw::new(&sim, "DescribeBackups", &format!(r#"{{"InstanceId":"{ONE}"}}"#));
        raw.host = named.clone();
        raw.signed_host = signed.into();
        assert_eq!(code(&sim, raw).await, "ok", "{signed}");
    }
    let mut raw = Raw::new(&sim, "DescribeBackups", "{}");
    raw.signed_host = "127.0.0.1".into();
    assert_eq!(code(&sim, raw).await, "AuthFailure.SignatureFailure");
}

#[tokio::test]
async fn a_fault_on_the_wire_breaks_the_reply_where_it_says() {
    let table = [
        ("kill_on_read", "", "", 0),
        ("kill_after_act", "", "", 1),
        ("kill_half_reply", "HTTP/1.1 200 OK\r\n", "", 1),
        ("reset_mid_body", "HTTP/1.1 200 OK\r\n", "{\"Response\":{\"BackupId\":102996666", 1),
        ("garbage", "HTTP/1.1 200 OK\r\n", "{\"Response\":{\"Back", 1),
        ("gateway_502", "HTTP/1.1 502 Bad Gateway\r\n", "<html>", 0),
        ("redirect_307", "HTTP/1.1 307 Temporary Redirect\r\n", "location: /", 0),
        ("unreachable", "", "", 0),
        ("no_date", "HTTP/1.1 200 OK\r\n", "date: -\r\n", 1),
    ];
    for (fault, head, part, made) in table {
        let sim = sim(fault).await;
        let reply = exchange(&mut connect(&sim).await, &Raw::new(&sim, "CreateBackup", &create_body("a"))).await;
        assert!(reply.starts_with(head) && reply.contains(part), "{fault}: {reply}");
        assert_eq!(reply.is_empty(), head.is_empty(), "{fault}: {reply}");
        let cut = matches!(fault, "reset_mid_body" | "kill_half_reply");
        assert_eq!(whole(reply.as_bytes()), !cut && !head.is_empty(), "{fault}: {reply}");
        assert_eq!(sim.cloud.audit().backups.len(), made, "{fault}");
    }
}

#[tokio::test]
async fn a_kill_in_mid_reply_comes_after_the_first_half_and_before_the_end() {
    let (dead, seen) = std::sync::mpsc::channel();
    let kill: super::Kill = std::sync::Arc::new(move || dead.send(()).unwrap());
    let mut settings = Settings::quiet(7, vec![SimInstance::plain(ONE)]);
    settings.faults = "kill_half_reply".parse().unwrap();
    let cloud = Cloud::with_kill(settings, TrueTime::starting_at("2026-11-24T18:30:00Z".parse().unwrap()), Some(kill));
    let door = HttpDoor::open(cloud.clone(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let sim = Sim { cloud, door };
    let reply = exchange(&mut connect(&sim).await, &Raw::new(&sim, "CreateBackup", &create_body("a"))).await;
    assert!(reply.contains("BackupId") && !whole(reply.as_bytes()), "{reply}");
    assert_eq!(seen.try_iter().count(), 1);
}

#[tokio::test]
async fn end_of_file_strikes_only_a_connection_that_is_used_again() {
    let sim = sim("eof").await;
    let list = Raw::new(&sim, "DescribeBackups", &format!(r#"{{"InstanceId":"{ONE}"}}"#));
    let mut stream = connect(&sim).await;
    assert!(whole(exchange(&mut stream, &list).await.as_bytes()));
    assert_eq!(exchange(&mut stream, &list).await, "");
}

#[tokio::test]
async fn a_lost_reply_leaves_the_caller_waiting_and_the_backup_made() {
    let sim = sim("lost_after_act").await;
    let mut stream = connect(&sim).await;
    stream.write_all(&Raw::new(&sim, "CreateBackup", &create_body("a")).bytes()).await.unwrap();
    while sim.cloud.audit().events.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(sim.cloud.audit().backups.len(), 1);
    let nothing_yet = stream.try_read(&mut [0; 16]).unwrap_err();
    assert_eq!(nothing_yet.kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn the_door_opens_on_loopback_only() {
    let sim = sim("").await;
    let refused = HttpDoor::open(sim.cloud.clone(), "0.0.0.0:0".parse().unwrap()).await;
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}
