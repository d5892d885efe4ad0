//! What is sent and what is read, byte by byte.

use cdb_backupd::{
    cloud::{Access, BackupStatus, Call, Class, Create, wire},
    domain::{
        names::{CredentialSource, Endpoint, InstanceId, Region},
        policy::{Method, Table},
    },
};
use proptest::prelude::*;
use std::time::Duration;

fn create(method: Method) -> Create {
    let access = Access { endpoint: Endpoint::parse(Endpoint::DEFAULT).unwrap(), credentials: CredentialSource::Env { prefix: "T".into() } };
    let (region, instance) = (Region::parse("ap-guangzhou").unwrap(), InstanceId::parse("cdb-c1nl9rpv").unwrap());
    Create { call: Call { access, region, instance, signed_at: 0, deadline: Duration::ZERO }, method, alias: "nightly.x".into() }
}

fn sent(method: Method) -> String {
    String::from_utf8(wire::create_body(&create(method))).unwrap()
}

#[test]
fn each_method_sends_its_own_parameters_and_no_others() {
    let table = |db: &str, table: Option<&str>| Table { db: db.into(), table: table.map(Into::into) };
    let tables = vec![table("db1", Some("tb1")), table("db1", Some("tb2")), table("db2", None)];
    assert_eq!(
        sent(Method::Logical { tables }),
        r#"{"InstanceId":"cdb-c1nl9rpv","BackupMethod":"logical","BackupDBTableList":[{"Db":"db1","Table":"tb1"},{"Db":"db1","Table":"tb2"},{"Db":"db2"}],"ManualBackupName":"nightly.x"}"#
    );
    for (encrypted, flag) in [(None, ""), (Some(true), r#","EncryptionFlag":"on""#), (Some(false), r#","EncryptionFlag":"off""#)] {
        let body = format!(r#"{{"InstanceId":"cdb-c1nl9rpv","BackupMethod":"physical","ManualBackupName":"nightly.x"{flag}}}"#);
        assert_eq!(sent(Method::Physical { encrypted }), body);
    }
    assert_eq!(sent(Method::Snapshot), r#"{"InstanceId":"cdb-c1nl9rpv","BackupMethod":"snapshot","ManualBackupName":"nightly.x"}"#);
}

#[test]
fn the_vendors_sample_reply_is_read() {
    let (request_id, id) = wire::created(br#"{"Response":{"BackupId":102996666,"RequestId":"6EF60BEC"}}"#);
    assert_eq!((request_id.as_deref(), id.unwrap().0), (Some("6EF60BEC"), 102_996_666));
}

#[test]
fn a_backup_id_uses_all_its_bits_and_nothing_else_is_one() {
    let reply = |id: &str| wire::created(format!(r#"{{"Response":{{"BackupId":{id},"RequestId":"r"}}}}"#).as_bytes()).1;
    assert_eq!(reply("9223372036854775807").unwrap().0, i64::MAX);
    for odd in ["0", "-1", "9223372036854775808", "1.5", "\"7\"", "null", "{}"] {
        let error = reply(odd).unwrap_err();
        assert_eq!((error.class, error.code.as_str()), (Class::Ambiguous, "garbage"), "{odd}");
    }
}

#[test]
fn whatever_is_not_understood_is_ambiguous_and_an_error_keeps_its_request_id() {
    for odd in ["", "{", "[]", "{}", r#"{"Response":{}}"#, r#"{"Response":{"RequestId":"r"}}"#, "<html>502</html>", "null"] {
        let error = wire::created(odd.as_bytes()).1.unwrap_err();
        assert_eq!((error.class, error.code.as_str()), (Class::Ambiguous, "garbage"), "{odd}");
    }
    let (request_id, error) =
        wire::created(br#"{"Response":{"Error":{"Code":"OverQuota","Message":"too\u001b[31m many"},"BackupId":5,"RequestId":"r"}}"#);
    let error = error.unwrap_err();
    assert_eq!((request_id.as_deref(), error.class, error.message.as_str()), (Some("r"), Class::Rejected, "too [31m many"));
}

#[test]
fn a_list_is_read_leniently_where_nothing_depends_on_it() {
    let item = r#"{"BackupId":7,"Status":"WEIRD","Way":"manual","Type":"physical","ManualBackupName":"a","Size":5,"FinishTime":"0000-00-00 00:00:00",
        "StartTime":"2017-07-22 00:01:34","InstanceId":"cdb-c1nl9rpv","IntranetUrl":"http://secret"}"#;
    let reply = format!(r#"{{"Response":{{"TotalCount":1,"Items":[{item}],"RequestId":"r"}}}}"#);
    let page = wire::listed(reply.as_bytes(), 1_000, 8 * 3600).1.unwrap();
    let backup = &page.items[0];
    assert_eq!((page.total, backup.status, backup.manual, backup.finished), (1, BackupStatus::Running, true, None));
    assert_eq!(backup.started.unwrap().to_rfc3339(), "2017-07-21T16:01:34+00:00");
    assert!(!format!("{page:?}").contains("secret"), "download addresses are never read");
}

#[test]
fn an_odd_value_that_only_people_see_spoils_no_list() {
    for odd in ["null", "\"x\"", "-1", "1.5", "{}", "[]", "99999999999999999999"] {
        let item = format!(r#"{{"BackupId":7,"Status":"SUCCESS","Size":{odd},"StartTime":{odd},"FinishTime":{odd}}}"#);
        let reply = format!(r#"{{"Response":{{"TotalCount":1,"Items":[{item}],"RequestId":"r"}}}}"#);
        let page = wire::listed(reply.as_bytes(), 1_000, 8 * 3600).1.unwrap();
        let backup = &page.items[0];
        assert_eq!(
            (backup.id.0, backup.status, backup.bytes, backup.started, backup.finished),
            (7, BackupStatus::Success, None, None, None),
            "{odd}"
        );
    }
}

#[test]
fn a_list_that_is_not_what_was_asked_for_is_no_list() {
    let item = r#"{"BackupId":7,"Status":"SUCCESS"}"#;
    for (items, limit) in [
        (format!("[{item},{item}]"), 1),
        (r#"[{"Status":"SUCCESS"}]"#.to_owned(), 9),
        (r#"[{"BackupId":0}]"#.to_owned(), 9),
        (r#"[{"BackupId":7,"InstanceId":"orders"}]"#.to_owned(), 9),
        ("null".to_owned(), 9),
    ] {
        let reply = format!(r#"{{"Response":{{"TotalCount":1,"Items":{items},"RequestId":"r"}}}}"#);
        let error = wire::listed(reply.as_bytes(), limit, 0).1.unwrap_err();
        assert_eq!((error.class, error.code.as_str()), (Class::Ambiguous, "garbage"), "{items}");
    }
}

proptest! {
    #[test]
    fn no_reply_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), json in "\\PC{0,200}") {
        drop(wire::created(&bytes));
        drop(wire::listed(&bytes, 1_000, 28_800));
        let framed = format!(r#"{{"Response":{{"TotalCount":1,"RequestId":"r","Items":[{json}]}}}}"#);
        drop(wire::listed(framed.as_bytes(), 1_000, 28_800));
        let framed = format!(r#"{{"Response":{{"RequestId":"r",{json}}}}}"#);
        drop(wire::created(framed.as_bytes()));
    }
}
