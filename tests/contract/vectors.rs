//! Every intermediate value of every vector; one test a vector. The vectors are the vendor's own signers' (`tests/vectors`).

use cdb_backupd::cloud::sign::{Request, sign};
use serde_json::Value;

fn assert_vector(name: &str) {
    let all: Value = serde_json::from_str(include_str!("../vectors/tc3_vectors.json")).unwrap();
    let vector = all["vectors"].as_array().unwrap().iter().find(|vector| vector["name"] == name).unwrap();
    let text = |key: &str| vector[key].as_str().unwrap_or_else(|| panic!("{name} has no {key}")).to_owned();
    // Signed header values that the wire spells in another case are in the canonical block as they are signed.
    let canonical = text("canonical_headers");
    let headers: Vec<(&str, &str)> = canonical.lines().map(|line| line.split_once(':').unwrap()).collect();
    let unsigned = text("hash_input").contains("UNSIGNED");
    let payload = if unsigned { b"UNSIGNED-PAYLOAD".to_vec() } else { hex::decode(text("payload_hex")).unwrap() };
    let payload = if text("http_method") == "GET" { Vec::new() } else { payload };
    let request = Request {
        method: &text("http_method"),
        query: &text("canonical_querystring"),
        headers: &headers,
        service: &text("service"),
        payload: &payload,
        timestamp: vector["timestamp"].as_i64().unwrap(),
    };
    let signed = sign(&request, &text("secret_key"));
    let host = headers.iter().find(|(name, _)| *name == "host").unwrap().1;
    let content_type = headers.iter().find(|(name, _)| *name == "content-type").unwrap().1;
    let got = [
        ("host", host.to_owned()),
        ("content_type", content_type.to_owned()),
        ("hashed_payload", signed.hashed_payload.clone()),
        ("canonical_headers", signed.canonical_headers.clone()),
        ("signed_headers", signed.signed_headers.clone()),
        ("canonical_request", signed.canonical_request.clone()),
        ("hashed_canonical_request", signed.hashed_canonical_request.clone()),
        ("credential_scope", signed.credential_scope.clone()),
        ("string_to_sign", signed.string_to_sign.clone()),
        ("k_date_hex", hex::encode(signed.keys.date)),
        ("k_service_hex", hex::encode(signed.keys.service)),
        ("k_signing_hex", hex::encode(signed.keys.signing)),
        ("signature", signed.signature.clone()),
        ("authorization", signed.authorization(&text("secret_id"))),
    ];
    for (key, value) in got {
        assert_eq!(value, text(key), "{name}: {key}");
    }
    if let Some(published) = vector["published_signature"].as_str() {
        assert_eq!(signed.signature, published, "{name}: the signature of the vendor's page");
    }
}

macro_rules! vectors {
    ($($name:ident)*) => {
        $(#[test] fn $name() { assert_vector(stringify!($name)); })*

        #[test]
        fn no_vector_is_left_out() {
            let all: Value = serde_json::from_str(include_str!("../vectors/tc3_vectors.json")).unwrap();
            let names: Vec<&str> = all["vectors"].as_array().unwrap().iter().map(|vector| vector["name"].as_str().unwrap()).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

vectors! {
    doc_published_content_type_host
    createbackup_physical
    createbackup_logical_seed_example
    createbackup_nonascii_escaped
    createbackup_nonascii_raw_utf8
    describebackups_sts_token
    createbackup_unsigned_payload
    utc_day_last_second
    utc_day_first_second
    leap_day
    describedbinstances_get_query
    empty_json_body
    finance_region_host
    intl_root_domain
    loopback_host_with_port
    sts_assumerole
    doc_published_with_x_tc_action
}
