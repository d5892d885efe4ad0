//! The real client against the simulated cloud over loopback HTTP: signatures verified by the simulator's own code, faults on real sockets.

use cdb_backupd::{
    clock::{Clock, SystemClock},
    cloud::{
        Access, BackupStatus, Call, CdbApi, Class, Create, List,
        client::{Client, Transport},
        credentials::KeyRing,
    },
    domain::{
        names::{CredentialSource, Endpoint, InstanceId, Region},
        policy::Method,
    },
    sim::{
        Cloud,
        http::HttpDoor,
        settings::{Settings, SimAccount, SimInstance},
    },
};
use std::{sync::Arc, time::Duration};

struct Here {
    clock: SystemClock,
    cloud: Cloud<SystemClock>,
    client: Client<SystemClock>,
    access: Access,
    _door: HttpDoor,
}

async fn here(faults: &str) -> Here {
    let clock = SystemClock::new();
    let mut settings = Settings::quiet(1, vec![SimInstance::plain("cdb-sim00001")]);
    settings.faults = faults.parse().unwrap();
    let account = SimAccount::example();
    let cloud = Cloud::new(settings, clock);
    let door = HttpDoor::open(cloud.clone(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let endpoint = Endpoint::parse(&format!("http://{}", door.address())).unwrap();
    let ring = KeyRing::new(Arc::new(move |name| match name {
        "T_SECRET_ID" => Some(account.secret_id.clone()),
        "T_SECRET_KEY" => Some(account.secret_key.clone()),
        "B_SECRET_ID" => Some(account.secret_id.clone()),
        "B_SECRET_KEY" => Some("wrong".into()),
        _ => None,
    }));
    let transport = Transport { connect: Duration::from_secs(2), whole: Duration::from_secs(3), ..Transport::default() };
    let client = Client::new(clock, ring, transport).unwrap();
    let access = Access { endpoint, credentials: CredentialSource::Env { prefix: "T".into() } };
    Here { clock, cloud, client, access, _door: door }
}

impl Here {
    fn call(&self) -> Call {
        let now = self.clock.now();
        Call {
            access: self.access.clone(),
            region: Region::parse("ap-guangzhou").unwrap(),
            instance: InstanceId::parse("cdb-sim00001").unwrap(),
            signed_at: now.utc.timestamp(),
            deadline: now.mono + Duration::from_secs(20),
        }
    }

    fn create(&self) -> Create {
        Create { call: self.call(), method: Method::Physical { encrypted: None }, alias: "nightly.x".into() }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_create_is_accepted_and_listed() {
    let here = here("").await;
    let made = here.client.create_backup(here.create()).await;
    let id = made.answer.unwrap();
    assert!(made.date.is_some() && made.request_id.is_some());
    let listed = loop {
        let page = here.client.describe_backups(List { call: here.call(), offset: 0, limit: 1_000 }).await.answer.unwrap();
        if page.total > 0 {
            break page;
        }
    };
    let backup = &listed.items[0];
    assert_eq!((backup.id, backup.alias.as_str(), backup.status, backup.manual), (id, "nightly.x", BackupStatus::Running, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_the_wire_has_its_class() {
    for (fault, class, code) in [
        ("lost_before_act", Class::Ambiguous, "timeout"),
        ("lost_after_act", Class::Ambiguous, "timeout"),
        ("reset_mid_body", Class::Ambiguous, "reset"),
        ("http_error_after_act", Class::Ambiguous, "InternalError.HttpError"),
        ("gateway_502", Class::Ambiguous, "http_502"),
        ("redirect_307", Class::Ambiguous, "http_307"),
        ("garbage", Class::Ambiguous, "garbage"),
        ("throttle_burst=5s", Class::Throttled, "RequestLimitExceeded"),
        ("busy=60s", Class::Busy, "OperationDenied.ActionInProcess"),
        ("unknown_code_after_act", Class::Ambiguous, "InternalError.NewCode"),
        ("skew=-10m", Class::Account, "AuthFailure.SignatureExpire"),
    ] {
        let here = here(fault).await;
        let error = here.client.create_backup(here.create()).await.answer.unwrap_err();
        assert_eq!((error.class, error.code.as_str()), (class, code), "{fault}: {error:?}");
        assert!(here.cloud.audit().creates().map(|traffic| traffic.calls).sum::<u64>() <= 1, "{fault} was resent");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_and_no_key_hold_the_account() {
    let here = here("").await;
    for (prefix, code) in [("B", "AuthFailure.SignatureFailure"), ("NONE", "no_credentials")] {
        let mut create = here.create();
        create.call.access.credentials = CredentialSource::Env { prefix: prefix.into() };
        let error = here.client.create_backup(create).await.answer.unwrap_err();
        assert_eq!((error.class, error.code.as_str()), (Class::Account, code));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_listens_so_nothing_was_started() {
    let mut here = here("").await;
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    here.access.endpoint = Endpoint::parse(&format!("http://127.0.0.1:{port}")).unwrap();
    let error = here.client.create_backup(here.create()).await.answer.unwrap_err();
    assert_eq!((error.class, error.code.as_str()), (Class::Refused, "connect"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_deadline_has_passed_is_dropped_before_its_first_byte() {
    let here = here("").await;
    let mut create = here.create();
    create.call.deadline = Duration::ZERO;
    let error = here.client.create_backup(create).await.answer.unwrap_err();
    assert_eq!((error.class, error.code.as_str()), (Class::Refused, "deadline_passed"));
    assert_eq!(here.cloud.audit().creates().count(), 0, "nothing arrived");
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_creates_at_once_are_never_six_in_a_second() {
    let here = here("").await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let (client, create) = (here.client.clone(), here.create());
        calls.spawn(async move { client.create_backup(create).await });
    }
    while calls.join_next().await.is_some() {}
    let audit = here.cloud.audit();
    assert!(audit.peak_creates() <= 5, "{}", audit.peak_creates());
    assert_eq!(audit.creates_refused_by_rate(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_leaves_400_s_after_its_intent_is_refused_for_its_stamp() {
    let here = here("").await;
    let mut create = here.create();
    create.call.signed_at -= 400;
    let error = here.client.create_backup(create).await.answer.unwrap_err();
    assert_eq!(error.code, "AuthFailure.SignatureExpire");
    assert!(here.cloud.audit().backups.is_empty());
}
