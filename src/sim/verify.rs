//! The signature, recomputed from the raw bytes. Shares no code with `cloud::sign`, not even the HMAC, so that a mistake there is seen here.
//!
//! Source: `cdb-api` README §1, and the order of §7.2.

use super::call::Refusal;
use chrono::DateTime;
use sha2::{Digest, Sha256};

/// What a signed request showed, as it stood on the wire.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    /// `POST` or `GET`.
    pub method: String,
    /// The query as sent, without its `?`.
    pub query: String,
    /// Names in lower case, values as sent, in the order of the wire.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body as sent.
    pub body: Vec<u8>,
    /// `Authorization`, taken apart.
    pub authorization: Authorization,
    /// `X-TC-Token`.
    pub token: Option<String>,
}

/// The parts of `TC3-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Authorization {
    /// First part of the credential.
    pub secret_id: String,
    /// Second.
    pub date: String,
    /// Third.
    pub service: String,
    /// As sent, separated by `;`.
    pub signed_headers: String,
    /// Lower-case hex.
    pub signature: String,
}

impl Authorization {
    /// Takes the header apart; whatever has another shape is `AuthFailure.InvalidAuthorization`.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        Self::parts(text).ok_or_else(|| Refusal::new("AuthFailure.InvalidAuthorization", "The Authorization header cannot be read."))
    }

    fn parts(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("TC3-HMAC-SHA256 ")?;
        let mut fields = rest.split(',').map(str::trim);
        let credential = fields.next()?.strip_prefix("Credential=")?;
        let signed_headers = fields.next()?.strip_prefix("SignedHeaders=")?;
        let signature = fields.next()?.strip_prefix("Signature=")?;
        let mut scope = credential.split('/');
        let (secret_id, date, service, end) = (scope.next()?, scope.next()?, scope.next()?, scope.next()?);
        let whole = fields.next().is_none() && scope.next().is_none() && end == "tc3_request" && !secret_id.is_empty();
        whole.then(|| Self {
            secret_id: secret_id.into(),
            date: date.into(),
            service: service.into(),
            signed_headers: signed_headers.into(),
            signature: signature.into(),
        })
    }
}

impl Evidence {
    /// Whether these bytes were signed with this key at this time.
    pub(super) fn check(&self, secret_key: &str, signed_at: i64) -> Result<(), Refusal> {
        let good = self.expected(secret_key, signed_at).is_some_and(|all| all.contains(&self.authorization.signature));
        let text = "The provided credentials could not be validated. Please check your signature is correct.";
        if good { Ok(()) } else { Err(Refusal::new("AuthFailure.SignatureFailure", text)) }
    }

    /// The signatures that would be right: with `Host` as sent and, as the Node SDK signs a name below `localhost`, without its port.
    pub(super) fn expected(&self, secret_key: &str, signed_at: i64) -> Option<Vec<String>> {
        let auth = &self.authorization;
        let day = DateTime::from_timestamp(signed_at, 0)?.format("%Y-%m-%d").to_string();
        let names: Vec<&str> = auth.signed_headers.split(';').collect();
        let mandatory = names.contains(&"content-type") && names.contains(&"host");
        if auth.date != day || auth.service != "cdb" || !mandatory || !names.is_sorted_by(|one, next| one < next) {
            return None;
        }
        let host = String::from_utf8(self.header("host")?.to_vec()).ok()?;
        let mut hosts = vec![host.clone()];
        if let Some((name, _port)) = host.rsplit_once(':').filter(|(name, _)| name.ends_with(".localhost")) {
            hosts.push(name.to_owned());
        }
        let sign = |host: &String| {
            let scope = format!("{day}/cdb/tc3_request");
            let canonical = self.canonical(&names, host)?;
            let to_sign = format!("TC3-HMAC-SHA256\n{signed_at}\n{scope}\n{}", hex::encode(Sha256::digest(&canonical)));
            let mut key = [b"TC3", secret_key.as_bytes()].concat();
            for step in [day.as_str(), "cdb", "tc3_request"] {
                key = hmac(&key, step.as_bytes()).to_vec();
            }
            Some(hex::encode(hmac(&key, to_sign.as_bytes())))
        };
        hosts.iter().map(sign).collect()
    }

    fn canonical(&self, names: &[&str], host: &str) -> Option<Vec<u8>> {
        let mut out = format!("{}\n/\n{}\n", self.method, self.query).into_bytes();
        for name in names {
            let value = match *name {
                "host" => host.as_bytes().to_vec(),
                "x-tc-action" => self.header(name)?.to_ascii_lowercase(),
                _ => self.header(name)?.to_vec(),
            };
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            out.extend_from_slice(value.trim_ascii());
            out.push(b'\n');
        }
        let unsigned = self.header("x-tc-content-sha256").is_some_and(|v| v == b"UNSIGNED-PAYLOAD");
        let payload = if unsigned { Sha256::digest(b"UNSIGNED-PAYLOAD") } else { Sha256::digest(&self.body) };
        out.extend_from_slice(format!("\n{}\n{}", self.authorization.signed_headers, hex::encode(payload)).as_bytes());
        Some(out)
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_slice())
    }
}

/// HMAC of RFC 2104 over SHA-256.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; 64];
    let short: Vec<u8> = if key.len() > block.len() { Sha256::digest(key).to_vec() } else { key.to_vec() };
    for (slot, byte) in block.iter_mut().zip(short) {
        *slot = byte;
    }
    let pad = |with: u8| block.map(|b| b ^ with);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ExampleSecretKey0000000000000000000";

    fn evidence(method: &str, host: &str, query: &str, body: &str, signature: &str) -> Evidence {
        let kind = if method == "GET" { "application/x-www-form-urlencoded" } else { "application/json" };
        let headers = vec![("host".into(), host.as_bytes().to_vec()), ("content-type".into(), kind.as_bytes().to_vec())];
        let text = format!(
            "TC3-HMAC-SHA256 Credential=AKIDEXAMPLE0000000000000000000000000/2024-01-30/cdb/tc3_request, SignedHeaders=content-type;host, Signature={signature}"
        );
        let authorization = Authorization::parse(&text).unwrap();
        Evidence { method: method.into(), query: query.into(), headers, body: body.into(), authorization, token: None }
    }

    /// Three of the published vectors (`cdb-api/tc3_vectors.json`), each made by the official Python SDK.
    fn vectors() -> [Evidence; 3] {
        let (real, port) = ("cdb.tencentcloudapi.com", "127.0.0.1:18080");
        let query = "InstanceTypes.0=1&InstanceTypes.1=2&Status.0=1&Limit=100&Tags.0.Key=backup&Tags.0.Value=daily+1";
        let physical = r#"{"InstanceId": "cdb-c1nl9rpv", "BackupMethod": "physical", "ManualBackupName": "sched-20240130T102634Z-7f3a"}"#;
        let logical = r#"{"InstanceId": "cdb-fake0001", "BackupMethod": "logical"}"#;
        [
            evidence("POST", real, "", physical, "f1c67fd84634bbfff5d3e49bc79b7ef785d3697ad68c54073957847959d62951"),
            evidence("GET", real, query, "", "eae76b60e34b28bcc40139ca254c2774b1432fafce75f2909abc602c4630a883"),
            evidence("POST", port, "", logical, "694bfff2162dd4fd9945ce5df1294b8f701b3c6350c7d2454a5800bc5f21bd46"),
        ]
    }

    #[test]
    fn what_the_official_sdk_signed_is_accepted_and_the_smallest_change_is_not() {
        for good in vectors() {
            assert_eq!(good.check(KEY, 1_706_610_394), Ok(()));
            let refused = |e: &Evidence, key: &str, at| e.check(key, at).unwrap_err().code == "AuthFailure.SignatureFailure";
            assert!(refused(&good, "another key", 1_706_610_394));
            assert!(refused(&good, KEY, 1_706_610_395), "another second");
            assert!(refused(&good, KEY, 1_706_610_394 + 86_400), "another day");
            let mut body = good.clone();
            body.body.push(b' ');
            assert!(refused(&body, KEY, 1_706_610_394), "another body");
            let mut host = good.clone();
            host.headers[0].1 = b"cdb.example.com".to_vec();
            assert!(refused(&host, KEY, 1_706_610_394), "another host");
            let mut unsigned = good.clone();
            unsigned.authorization.signed_headers = "host".into();
            assert!(refused(&unsigned, KEY, 1_706_610_394), "a mandatory header that is not signed");
            let (mut date, mut service) = (good.clone(), good.clone());
            date.authorization.date = "2024-01-31".into();
            service.authorization.service = "cvm".into();
            assert!(refused(&date, KEY, 1_706_610_394) && refused(&service, KEY, 1_706_610_394), "another scope");
        }
    }

    #[test]
    fn an_unsigned_payload_is_accepted_where_it_is_said() {
        let mut e = evidence("POST", "cdb.tencentcloudapi.com", "", "anything", "d02ae44715b31129895e6850cfa6865ad01b0be37760e05be4cf6a34f9ba386a");
        assert!(e.check(KEY, 1_706_610_394).is_err());
        e.headers.push(("x-tc-content-sha256".into(), b"UNSIGNED-PAYLOAD".to_vec()));
        assert_eq!(e.check(KEY, 1_706_610_394), Ok(()));
    }

    #[test]
    fn an_authorization_of_another_shape_is_refused() {
        for text in ["", "TC3-HMAC-SHA256", "TC3-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=0", "Basic Zm9v"] {
            assert_eq!(Authorization::parse(text).unwrap_err().code, "AuthFailure.InvalidAuthorization", "{text}");
        }
    }

    #[test]
    fn hmac_is_that_of_rfc_4231() {
        let (key, text) = ([0x0b; 20], b"Hi There");
        assert_eq!(hex::encode(hmac(&key, text)), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        let long = hmac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(hex::encode(long), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }
}
