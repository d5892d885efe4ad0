//! TC3-HMAC-SHA256: a pure function of request, keys and timestamp (`cdb-api` README §1.1).
//!
//! The steps and their names are the vendor's; every intermediate value can be read, and `tests/contract/vectors.rs` asserts each of them.

use chrono::DateTime;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The algorithm's name, as it stands in the header and in the string to sign.
pub const ALGORITHM: &str = "TC3-HMAC-SHA256";

/// What is signed: the bytes that are sent, and no others.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `POST`, or `GET`.
    pub method: &'a str,
    /// The query as sent; empty for POST.
    pub query: &'a str,
    /// Signed headers: lower-case names in ASCII order, values trimmed. `content-type` and `host` are mandatory.
    pub headers: &'a [(&'a str, &'a str)],
    /// The service of the scope: `cdb`.
    pub service: &'a str,
    /// The body, or what stands for it in the hash (`UNSIGNED-PAYLOAD`).
    pub payload: &'a [u8],
    /// Unix seconds; `X-TC-Timestamp` has to be the same number.
    pub timestamp: i64,
}

/// Every value on the way to a signature.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    /// Lower hex SHA-256 of the payload.
    pub hashed_payload: String,
    /// `name:value\n` for each signed header.
    pub canonical_headers: String,
    /// The names, joined by `;`.
    pub signed_headers: String,
    /// The whole request in its canonical form.
    pub canonical_request: String,
    /// Its lower hex SHA-256.
    pub hashed_canonical_request: String,
    /// `<UTC date of the timestamp>/<service>/tc3_request`.
    pub credential_scope: String,
    /// What is signed in the end.
    pub string_to_sign: String,
    /// The key of the day, of the service, and of the signature.
    pub keys: DerivedKeys,
    /// Lower hex.
    pub signature: String,
}

/// The three derived keys.
#[derive(Clone, PartialEq, Eq)]
pub struct DerivedKeys {
    /// HMAC of the date with `TC3` + `SecretKey`.
    pub date: [u8; 32],
    /// HMAC of the service with that.
    pub service: [u8; 32],
    /// HMAC of `tc3_request` with that.
    pub signing: [u8; 32],
}

impl std::fmt::Debug for DerivedKeys {
    /// A derived key signs for a day, so it is a secret too.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DerivedKeys(…)")
    }
}

impl std::fmt::Debug for Signed {
    /// A signature is never printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signed").field("credential_scope", &self.credential_scope).finish_non_exhaustive()
    }
}

impl Signed {
    /// The `Authorization` header.
    pub fn authorization(&self, secret_id: &str) -> String {
        let Self { credential_scope, signed_headers, signature, .. } = self;
        format!("{ALGORITHM} Credential={secret_id}/{credential_scope}, SignedHeaders={signed_headers}, Signature={signature}")
    }
}

/// Signs a request.
pub fn sign(request: &Request<'_>, secret_key: &str) -> Signed {
    let hashed_payload = hex::encode(Sha256::digest(request.payload));
    let canonical_headers: String = request.headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let signed_headers = request.headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let canonical_request = format!("{}\n/\n{}\n{canonical_headers}\n{signed_headers}\n{hashed_payload}", request.method, request.query);
    let hashed_canonical_request = hex::encode(Sha256::digest(canonical_request.as_bytes()));
    let date = DateTime::from_timestamp(request.timestamp, 0).unwrap_or_default().format("%Y-%m-%d").to_string();
    let credential_scope = format!("{date}/{}/tc3_request", request.service);
    let string_to_sign = format!("{ALGORITHM}\n{}\n{credential_scope}\n{hashed_canonical_request}", request.timestamp);
    let date_key = hmac(format!("TC3{secret_key}").as_bytes(), date.as_bytes());
    let service_key = hmac(&date_key, request.service.as_bytes());
    let signing_key = hmac(&service_key, b"tc3_request");
    let signature = hex::encode(hmac(&signing_key, string_to_sign.as_bytes()));
    let keys = DerivedKeys { date: date_key, service: service_key, signing: signing_key };
    Signed {
        hashed_payload,
        canonical_headers,
        signed_headers,
        canonical_request,
        hashed_canonical_request,
        credential_scope,
        string_to_sign,
        keys,
        signature,
    }
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length; the error type has no value here, and a zero MAC would only be refused by the cloud.
    Hmac::<Sha256>::new_from_slice(key).map_or([0; 32], |mac| mac.chain_update(message).finalize().into_bytes().into())
}
