//! One call is one attempt: the exact bytes that leave, and what each way of losing the answer means.

use crate::wires::{Then, Wire, answer};
use cdb_backupd::{
    clock::{Clock, SystemClock},
    cloud::{
        Access, Call, CallError, CdbApi, Class, Create, List,
        client::{Client, Transport, proxies_among},
        credentials::{Environment, KeyRing},
        sign, wire,
    },
    domain::{
        names::{BackupId, CredentialSource, Endpoint, InstanceId, Region},
        policy::Method,
    },
};
use std::{process::Command, sync::Arc, time::Duration};
use tokio::time::Instant;

const MADE: &str = r#"{"Response":{"BackupId":7,"RequestId":"r-1"}}"#;
const EMPTY: &str = r#"{"Response":{"TotalCount":0,"Items":[],"RequestId":"r-2"}}"#;
const MIB: usize = 1024 * 1024;

struct Caller {
    clock: SystemClock,
    client: Client<SystemClock>,
}

/// A client whose patience is short, and that knows the keys of `A` (with a token) and `B`.
fn caller() -> Caller {
    let ring = KeyRing::new(Arc::new(|name| {
        let value = match name {
            "A_SECRET_ID" => "AKIDone",
            "B_SECRET_ID" => "AKIDtwo",
            "BAD_SECRET_ID" => "CANARY\u{1}id",
            "A_SECRET_KEY" | "B_SECRET_KEY" | "BAD_SECRET_KEY" => "CANARYkey",
            "A_TOKEN" => "CANARYtoken",
            _ => return None,
        };
        Some(value.to_owned())
    }));
    let clock = SystemClock::new();
    let transport = Transport { connect: Duration::from_millis(600), whole: Duration::from_millis(1_500), ..Transport::default() };
    Caller { clock, client: Client::new(clock, ring, transport).unwrap() }
}

fn access(endpoint: &str, prefix: &str) -> Access {
    Access { endpoint: Endpoint::parse(endpoint).unwrap(), credentials: CredentialSource::Env { prefix: prefix.into() } }
}

fn at(wire: &Wire) -> Access {
    access(&format!("http://127.0.0.1:{}", wire.port()), "B")
}

impl Caller {
    fn call(&self, access: Access) -> Call {
        let now = self.clock.now();
        let (region, instance) = (Region::parse("ap-guangzhou").unwrap(), InstanceId::parse("cdb-c1nl9rpv").unwrap());
        Call { access, region, instance, signed_at: now.utc.timestamp(), deadline: now.mono + Duration::from_secs(20) }
    }

    fn create(&self, access: Access) -> Create {
        Create { call: self.call(access), method: Method::Physical { encrypted: None }, alias: "nightly.x".into() }
    }

    fn list(&self, access: Access) -> List {
        List { call: self.call(access), offset: 0, limit: 1_000 }
    }

    async fn fails(&self, access: Access) -> CallError {
        self.client.create_backup(self.create(access)).await.answer.unwrap_err()
    }
}

/// The lines of a request's head but the first, sorted.
fn lines(request: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = request.split_once("\r\n\r\n").unwrap().0.lines().skip(1).collect();
    lines.sort_unstable();
    lines
}

#[tokio::test]
async fn the_headers_are_exactly_these_and_the_signed_bytes_are_the_body() {
    let (caller, wire) = (caller(), Wire::open(Then::Answer(answer("200 OK", "", MADE))).await);
    for (prefix, id, token) in [("A", "AKIDone", Some("x-tc-token: CANARYtoken".to_owned())), ("B", "AKIDtwo", None)] {
        let host = format!("127.0.0.1:{}", wire.port());
        let create = caller.create(access(&format!("http://{host}"), prefix));
        let (body, timestamp) = (wire::create_body(&create), create.call.signed_at);
        caller.client.create_backup(create).await.answer.unwrap();
        let headers = [("content-type", "application/json"), ("host", host.as_str())];
        let parts = sign::Request { method: "POST", query: "", headers: &headers, service: "cdb", payload: &body, timestamp };
        let authorization = sign::sign(&parts, "CANARYkey").authorization(id);
        let mut expected = vec![
            "accept: */*".to_owned(),
            format!("authorization: {authorization}"),
            format!("content-length: {}", body.len()),
            "content-type: application/json".to_owned(),
            format!("host: {host}"),
            "x-tc-action: CreateBackup".to_owned(),
            "x-tc-language: en-US".to_owned(),
            "x-tc-region: ap-guangzhou".to_owned(),
            format!("x-tc-requestclient: cdb-backupd_{}", env!("CARGO_PKG_VERSION")),
            format!("x-tc-timestamp: {timestamp}"),
            "x-tc-version: 2017-03-20".to_owned(),
        ];
        expected.extend(token);
        expected.sort_unstable();
        let request = wire.connections().last().unwrap()[0].clone();
        assert!(request.starts_with("POST / HTTP/1.1\r\n"), "{request}");
        assert_eq!(lines(&request), expected);
        assert_eq!(request.split_once("\r\n\r\n").unwrap().1.as_bytes(), body);
    }
}

#[tokio::test]
async fn whatever_is_lost_after_the_request_was_written_is_ambiguous_and_is_not_sent_again() {
    let half = MADE.split_at(20).0;
    let cut = format!("HTTP/1.1 200 OK\r\ncontent-length: 45\r\n\r\n{half}").into_bytes();
    let cases = [
        ("reset before a reply", Then::AnswerAndReset(Vec::new()), "reset"),
        ("reset inside a reply", Then::AnswerAndReset(cut.clone()), "reset"),
        ("end before a reply", Then::AnswerAndEnd(Vec::new()), "reset"),
        ("end inside a reply", Then::AnswerAndEnd(cut.clone()), "reset"),
        ("no HTTP", Then::AnswerAndEnd(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), "reset"),
        ("silence", Then::Answer(Vec::new()), "timeout"),
        ("a reply that never ends", Then::Trickle(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n".to_vec()), "timeout"),
        ("a gateway's page", Then::Answer(answer("502 Bad Gateway", "content-type: text/html\r\n", "<html>502</html>")), "http_502"),
        ("no JSON", Then::Answer(answer("200 OK", "", "<html>hello</html>")), "garbage"),
        ("no id", Then::Answer(answer("200 OK", "", r#"{"Response":{"RequestId":"r"}}"#)), "garbage"),
        ("an empty reply", Then::Answer(answer("200 OK", "", "")), "garbage"),
    ];
    let caller = caller();
    for (name, then, code) in cases {
        let wire = Wire::open(then).await;
        let begun = Instant::now();
        let error = caller.fails(at(&wire)).await;
        assert_eq!((error.class, error.code.as_str()), (Class::Ambiguous, code), "{name}: {error:?}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{name} took {:?}", begun.elapsed());
        let requests: Vec<usize> = wire.connections().iter().map(Vec::len).collect();
        assert_eq!(requests, [1], "{name}: requests by connection");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (caller, elsewhere) = (caller(), Wire::open(Then::Answer(answer("200 OK", "", MADE))).await);
    for status in ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let location = format!("location: http://127.0.0.1:{}/\r\n", elsewhere.port());
        let wire = Wire::open(Then::Answer(answer(status, &location, ""))).await;
        let error = caller.fails(at(&wire)).await;
        assert_eq!((error.class, error.code), (Class::Ambiguous, format!("http_{}", &status[..3])));
    }
    assert_eq!(elsewhere.connections().len(), 0);
}

#[tokio::test]
async fn a_reply_of_8_mib_is_read_and_one_byte_more_is_not() {
    let padded = |length: usize| format!("{MADE}{}", " ".repeat(length - MADE.len()));
    let caller = caller();
    let (whole, long) = (padded(8 * MIB), padded(8 * MIB + 1));
    let chunked = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n", long.len()).into_bytes();
    let wire = Wire::open(Then::Answer(answer("200 OK", "", &whole))).await;
    assert_eq!(caller.client.create_backup(caller.create(at(&wire))).await.answer, Ok(BackupId(7)));
    for reply in [answer("200 OK", "", &long), chunked] {
        let wire = Wire::open(Then::Answer(reply)).await;
        let error = caller.fails(at(&wire)).await;
        assert_eq!((error.class, error.code.as_str()), (Class::Ambiguous, "garbage"));
    }
}

#[tokio::test]
async fn every_create_has_a_connection_of_its_own_and_lists_share_one() {
    let caller = caller();
    let wire = Wire::open(Then::Answer(answer("200 OK", "", MADE))).await;
    for _ in 0..3 {
        caller.client.create_backup(caller.create(at(&wire))).await.answer.unwrap();
    }
    assert_eq!(wire.connections().iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
    let wire = Wire::open(Then::Answer(answer("200 OK", "", EMPTY))).await;
    let begun = Instant::now();
    for _ in 0..3 {
        caller.client.describe_backups(caller.list(at(&wire))).await.answer.unwrap();
    }
    assert!(begun.elapsed() >= Duration::from_millis(210), "lists are 105 ms apart: {:?}", begun.elapsed());
    assert_eq!(wire.connections().iter().map(Vec::len).sum::<usize>(), 3);
    assert_eq!(wire.connections().len(), 1);
}

#[tokio::test]
async fn whatever_fails_before_the_connection_is_open_started_nothing() {
    let caller = caller();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain = Wire::open(Then::AnswerAndEnd(answer("400 Bad Request", "", ""))).await;
    for (name, endpoint) in [
        ("nobody listens", format!("http://{closed}")),
        ("a TLS handshake without an answer", format!("https://{}", silent.local_addr().unwrap())),
        ("no host of that name", "cdb.nowhere.invalid".to_owned()),
    ] {
        let error = caller.fails(access(&endpoint, "B")).await;
        assert_eq!((error.class, error.code.as_str()), (Class::Refused, "connect"), "{name}: {error:?}");
    }
    let error = caller.fails(access(&format!("https://127.0.0.1:{}", plain.port()), "B")).await;
    assert_eq!((error.class, error.code.as_str()), (Class::Refused, "connect"), "TLS to a server that has none: {error:?}");
}

#[tokio::test]
async fn a_create_kept_at_the_gate_until_its_deadline_writes_nothing() {
    let (caller, wire) = (caller(), Wire::open(Then::Answer(answer("200 OK", "", MADE))).await);
    let mut late = caller.create(at(&wire));
    caller.client.create_backup(caller.create(at(&wire))).await.answer.unwrap();
    late.call.deadline = caller.clock.now().mono + Duration::from_millis(50);
    let error = caller.client.create_backup(late).await.answer.unwrap_err();
    assert_eq!((error.class, error.code.as_str()), (Class::Refused, "deadline_passed"));
    assert_eq!(wire.connections().iter().map(Vec::len).collect::<Vec<_>>(), [1, 0], "requests by connection");
}

#[tokio::test]
async fn a_list_whose_deadline_has_passed_is_not_asked_for() {
    let (caller, wire) = (caller(), Wire::open(Then::Answer(answer("200 OK", "", EMPTY))).await);
    let mut late = caller.list(at(&wire));
    late.call.deadline = Duration::ZERO;
    let error = caller.client.describe_backups(late).await.answer.unwrap_err();
    assert_eq!((error.class, error.code.as_str()), (Class::Refused, "deadline_passed"));
    assert_eq!(wire.connections().len(), 0);
}

#[tokio::test]
async fn the_clouds_clock_is_read_from_every_reply_and_nonsense_is_no_clock() {
    let caller = caller();
    let refusal = r#"{"Response":{"Error":{"Code":"AuthFailure.SignatureExpire","Message":"m"},"RequestId":"r-3"}}"#;
    let noon = Some("2026-11-24T12:00:00+00:00".to_owned());
    for (status, line, body, date, request_id) in [
        ("200 OK", "date: Tue, 24 Nov 2026 12:00:00 GMT\r\n", MADE, noon.clone(), Some("r-1")),
        ("200 OK", "date: Tue, 24 Nov 2026 12:00:00 GMT\r\n", refusal, noon.clone(), Some("r-3")),
        ("503 Busy", "date: Tue, 24 Nov 2026 12:00:00 GMT\r\n", "", noon, None),
        ("200 OK", "date: yesterday\r\n", MADE, None, Some("r-1")),
        ("200 OK", "", MADE, None, Some("r-1")),
    ] {
        let wire = Wire::open(Then::Answer(answer(status, line, body))).await;
        let reply = caller.client.create_backup(caller.create(at(&wire))).await;
        assert_eq!((reply.date.map(|date| date.to_rfc3339()), reply.request_id.as_deref()), (date, request_id), "{status} {line}");
    }
}

#[tokio::test]
async fn callers_are_the_same_where_the_cloud_counts_them_together() {
    let client = caller().client;
    let of = |endpoint: &str, prefix: &str| client.caller(&access(endpoint, prefix));
    let one = of("cdb.tencentcloudapi.com", "B");
    assert!(one.is_some());
    assert_eq!(one, of("https://cdb.tencentcloudapi.com:443", "B"));
    assert_ne!(one, of("cdb.ap-beijing.tencentcloudapi.com", "B"));
    assert_ne!(one, of("cdb.tencentcloudapi.com", "A"));
    assert_eq!(of("cdb.tencentcloudapi.com", "NONE"), None);
}

#[tokio::test]
async fn no_error_and_no_debug_text_holds_a_secret() {
    let (caller, wire) = (caller(), Wire::open(Then::AnswerAndReset(Vec::new())).await);
    let mut texts = Vec::new();
    for prefix in ["A", "BAD", "NONE"] {
        let reply = caller.client.create_backup(caller.create(access(&format!("http://127.0.0.1:{}", wire.port()), prefix))).await;
        assert!(reply.answer.is_err());
        texts.push(format!("{reply:?}"));
    }
    texts.push(format!("{:?}", caller.client));
    let parts = sign::Request { method: "POST", query: "", headers: &[], service: "cdb", payload: b"", timestamp: 0 };
    let signed = sign::sign(&parts, "CANARYkey");
    texts.push(format!("{signed:?}"));
    for text in texts {
        assert!(!text.contains("CANARY") && !text.contains("AKIDone") && !text.contains(&signed.signature), "{text}");
    }
}

#[test]
fn the_line_at_the_start_names_the_proxy_and_never_its_password() {
    let among = |pairs: &'static [(&str, &str)]| {
        let environment: Environment = Arc::new(|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()));
        proxies_among(&environment)
    };
    assert_eq!(among(&[]), None);
    assert_eq!(among(&[("HTTPS_PROXY", ""), ("HTTP_PROXY", "http://plain:1"), ("NO_PROXY", "x")]), None);
    assert_eq!(
        among(&[("https_proxy", "http://me:CANARY@proxy:3128"), ("NO_PROXY", ".local")]).as_deref(),
        Some("https_proxy=proxy:3128 NO_PROXY=.local")
    );
}

/// Its second half runs in a process of its own, which has the variable.
#[tokio::test]
async fn https_goes_through_the_proxy_of_the_environment_and_loopback_never() {
    const NAME: &str = "transport::https_goes_through_the_proxy_of_the_environment_and_loopback_never";
    const DIRECT: &str = "CDB_BACKUPD_TEST_DIRECT";
    if let Ok(direct) = std::env::var(DIRECT) {
        let caller = caller();
        let error = caller.fails(access("cdb.nowhere.invalid", "B")).await;
        assert_eq!((error.class, error.code.as_str()), (Class::Refused, "connect"), "the proxy refused: {error:?}");
        let made = caller.client.create_backup(caller.create(access(&direct, "B"))).await;
        return assert_eq!(made.answer, Ok(BackupId(7)));
    }
    let proxy = Wire::open(Then::AnswerAndEnd(answer("403 Forbidden", "", ""))).await;
    let direct = Wire::open(Then::Answer(answer("200 OK", "", MADE))).await;
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", NAME, "--nocapture"]).env(DIRECT, format!("http://127.0.0.1:{}", direct.port()));
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY", "http_proxy"] {
        child.env(name, format!("http://127.0.0.1:{}", proxy.port()));
    }
    for name in ["NO_PROXY", "no_proxy"] {
        child.env_remove(name);
    }
    let ended = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    let asked: Vec<String> = proxy.connections().concat();
    assert_eq!(asked.iter().map(|request| request.lines().next().unwrap()).collect::<Vec<_>>(), ["CONNECT cdb.nowhere.invalid:443 HTTP/1.1"]);
    assert_eq!(direct.connections().len(), 1);
}
