//! The stamp of a create is its intent's, however long ago that was.

use cdb_backupd::{
    clock::{Clock, SystemClock},
    cloud::{
        Access, Call, CdbApi, Create,
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

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_leaves_400_s_after_its_intent_is_refused_for_its_stamp() {
    let clock = SystemClock::new();
    let account = SimAccount::example();
    let cloud = Cloud::new(Settings::quiet(1, vec![SimInstance::plain("cdb-sim00001")]), clock);
    let door = HttpDoor::open(cloud.clone(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let keys = KeyRing::new(Arc::new(move |name| match name {
        "T_SECRET_ID" => Some(account.secret_id.clone()),
        "T_SECRET_KEY" => Some(account.secret_key.clone()),
        _ => None,
    }));
    let client = Client::new(clock, keys, Transport::default()).unwrap();
    let now = clock.now();
    let call = Call {
        access: Access {
            endpoint: Endpoint::parse(&format!("http://{}", door.address())).unwrap(),
            credentials: CredentialSource::Env { prefix: "T".into() },
        },
        region: Region::parse("ap-guangzhou").unwrap(),
        instance: InstanceId::parse("cdb-sim00001").unwrap(),
        signed_at: now.utc.timestamp() - 400,
        deadline: now.mono + Duration::from_secs(20),
    };
    let create = Create { call, method: Method::Physical { encrypted: None }, alias: "nightly.x".into() };
    let error = client.create_backup(create).await.answer.unwrap_err();
    assert_eq!(error.code, "AuthFailure.SignatureExpire");
    assert!(cloud.audit().backups.is_empty());
}
