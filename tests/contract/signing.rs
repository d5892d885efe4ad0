//! Whatever is signed, the signer ends with a signature, and each part of the request changes it.

use cdb_backupd::cloud::sign::{Request, sign};
use proptest::prelude::*;

proptest! {
    #[test]
    fn nothing_makes_the_signer_panic(payload in proptest::collection::vec(any::<u8>(), 0..300), host in "\\PC{0,60}", key in "\\PC{0,80}", timestamp: i64) {
        let headers = [("content-type", "application/json"), ("host", host.as_str())];
        let signed = sign(&Request { method: "POST", query: "", headers: &headers, service: "cdb", payload: &payload, timestamp }, &key);
        prop_assert!(signed.signature.len() == 64 && signed.signature.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}

#[test]
fn every_part_of_the_request_is_under_the_signature() {
    let headers = [("content-type", "application/json"), ("host", "cdb.tencentcloudapi.com")];
    let other = [("content-type", "application/json"), ("host", "cdb.tencentcloudapi.com:8443")];
    let base = Request { method: "POST", query: "", headers: &headers, service: "cdb", payload: b"{}", timestamp: 1_706_610_394 };
    let mut signatures = vec![
        sign(&base, "key").signature,
        sign(&base, "yek").signature,
        sign(&Request { method: "GET", ..base }, "key").signature,
        sign(&Request { query: "a=b", ..base }, "key").signature,
        sign(&Request { headers: &other, ..base }, "key").signature,
        sign(&Request { service: "cvm", ..base }, "key").signature,
        sign(&Request { payload: b"{ }", ..base }, "key").signature,
        sign(&Request { timestamp: base.timestamp + 1, ..base }, "key").signature,
    ];
    signatures.sort_unstable();
    signatures.dedup();
    assert_eq!(signatures.len(), 8);
}
