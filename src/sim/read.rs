//! What a request over HTTP says, from its raw bytes. Strict: a field nobody knows, or of another type, is refused.
//!
//! Decided here: everything of `cdb-api` README §7.2 that can be said without knowing who calls and when. The rest is `cloud`'s.

use super::{
    call::{Ask, CreateAsk, Proof, Refusal, Request},
    faults::Action,
    json,
    site::LIMIT_MAX,
    verify::{Authorization, Evidence},
};
use crate::domain::{names::BackupId, policy::Table};
use serde_json::{Map, Value};

/// A body at most (README §1.2).
pub(super) const BODY_MAX: usize = 10_000_000;
/// A query at most (README §1.2).
const QUERY_MAX: usize = 32_768;
/// `BackupDBTableList` at most; a bound of ours.
const TABLES_MAX: usize = 10_000;

/// The head of a request as it stood on the wire.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Such as `POST`.
    pub method: String,
    /// Such as `/`.
    pub path: String,
    /// Without its `?`.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Head {
    fn text(&self, name: &str) -> Option<&str> {
        let value = &self.headers.iter().find(|(n, _)| n == name)?.1;
        std::str::from_utf8(value).ok().map(str::trim)
    }
}

/// Headers that a call has once: of two, nobody can say which one counts.
const ONCE: [&str; 9] =
    ["authorization", "content-type", "host", "x-tc-action", "x-tc-content-sha256", "x-tc-region", "x-tc-timestamp", "x-tc-token", "x-tc-version"];

/// Whether it is a `POST /` with JSON or a `GET /?…` (README §7.1).
fn protocol(head: &Head) -> Result<(), Refusal> {
    let kind = match head.method.as_str() {
        "POST" => "application/json",
        "GET" => "application/x-www-form-urlencoded",
        _ => return Err(Refusal::new("UnsupportedProtocol", "Only POST and GET are supported.")),
    };
    if head.path != "/" {
        return Err(Refusal::new("InvalidRequest", "The path must be /."));
    }
    if head.method == "POST" && !head.query.is_empty() {
        return Err(Refusal::new("InvalidRequest", "A POST has no query."));
    }
    if let Some(twice) = ONCE.iter().find(|name| head.headers.iter().filter(|(n, _)| n == *name).count() > 1) {
        return Err(Refusal::new("InvalidRequest", format!("The header {twice} is there more than once.")));
    }
    let sent = head.text("content-type").unwrap_or_default().to_ascii_lowercase();
    let (sent, charset) = sent.split_once(';').map_or((sent.as_str(), "charset=utf-8"), |(sent, rest)| (sent.trim_end(), rest.trim()));
    if sent == kind && charset == "charset=utf-8" {
        return Ok(());
    }
    Err(Refusal::new("UnsupportedProtocol", format!("The Content-Type of a {} must be {kind}.", head.method)))
}

/// `X-TC-Timestamp`: seconds in digits, as the signed text has them.
fn timestamp(text: &str) -> Option<i64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| plain)
}

/// Reads a request. `body` is absent when it was too large.
pub(super) fn request(head: Head, body: Option<Vec<u8>>, reused: bool) -> Result<Request, Refusal> {
    protocol(&head)?;
    let Some(body) = body.filter(|_| head.query.len() <= QUERY_MAX) else {
        return Err(Refusal::new("RequestSizeLimitExceeded", "The request is too large."));
    };
    let host = bare_host(head.text("host").unwrap_or_default());
    if !is_ours(&host) {
        return Err(Refusal::new("NoSuchProduct", "The host names no product."));
    }
    let missing = |name: &str| Refusal::new("MissingParameter", format!("The header {name} is missing."));
    match head.text("x-tc-version") {
        Some("2017-03-20") => {}
        Some(_) => return Err(Refusal::new("NoSuchVersion", "There is no such version of this product.")),
        None => return Err(missing("X-TC-Version")),
    }
    let action = match head.text("x-tc-action").ok_or_else(|| missing("X-TC-Action"))? {
        "CreateBackup" => Action::Create,
        "DescribeBackups" => Action::List,
        "DeleteBackup" => Action::Delete,
        _ => return Err(Refusal::new("InvalidAction", "There is no such action.")),
    };
    let authorization = Authorization::parse(head.text("authorization").unwrap_or_default())?;
    let stamp = head.text("x-tc-timestamp").ok_or_else(|| missing("X-TC-Timestamp"))?;
    let signed_at = timestamp(stamp).ok_or_else(|| Refusal::new("InvalidParameter", "X-TC-Timestamp must be seconds in digits."))?;
    let region = head.text("x-tc-region").map(str::to_owned);
    let ask = parameters(&head, &body).and_then(|p| read(action, Fields { left: p, from_query: head.method == "GET" }));
    let secret_id = authorization.secret_id.clone();
    let token = head.text("x-tc-token").map(str::to_owned);
    let evidence = Evidence { method: head.method, query: head.query, headers: head.headers, body, authorization, token };
    Ok(Request { host, secret_id, signed_at, proof: Proof::Signed(Box::new(evidence)), region, action, ask, reused })
}

fn bare_host(host: &str) -> String {
    let bare = host.rsplit_once(':').filter(|(_, port)| port.chars().all(|c| c.is_ascii_digit())).map_or(host, |(bare, _)| bare);
    bare.to_ascii_lowercase()
}

/// Whether the host is an address, `localhost`, or a name that begins with the product.
fn is_ours(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    address.is_ok() || host == "localhost" || host.starts_with("cdb.")
}

fn parameters(head: &Head, body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    if head.method == "GET" {
        return from_query(&head.query).ok_or_else(|| Refusal::new("InvalidParameter", "The query cannot be read."));
    }
    json::object(body).ok_or_else(|| Refusal::new("InvalidParameter", "The body is not a JSON object without a repeated key."))
}

/// `Name=value` and `List.0.Name=value`, percent-encoded; numbers stay text until their field is known.
fn from_query(query: &str) -> Option<Map<String, Value>> {
    let mut map = Map::new();
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (decode(name)?, Value::String(decode(value)?));
        match name.splitn(3, '.').collect::<Vec<_>>().as_slice() {
            [plain] => map.insert((*plain).into(), value).is_none().then_some(())?,
            [list, place, field] => {
                let place = place.parse::<usize>().ok().filter(|p| *p < TABLES_MAX)?;
                let items = map.entry(*list).or_insert_with(|| Value::Array(Vec::new())).as_array_mut()?;
                if place == items.len() {
                    items.push(Value::Object(Map::new()));
                }
                items.get_mut(place)?.as_object_mut()?.insert((*field).into(), value).is_none().then_some(())?;
            }
            _ => return None,
        }
    }
    Some(map)
}

fn decode(text: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let pair = [bytes.next()?, bytes.next()?];
                out.extend(hex::decode(pair).ok()?);
            }
            b'+' => out.push(b' '),
            other => out.push(other),
        }
    }
    String::from_utf8(out).ok()
}

fn read(action: Action, mut fields: Fields) -> Result<Ask, Refusal> {
    let instance = fields.text("InstanceId")?.ok_or_else(|| absent("InstanceId"))?;
    let ask = match action {
        Action::Create => Ask::Create(create(instance, &mut fields)?),
        Action::List => {
            let place = |n: Option<i64>, default, range: std::ops::RangeInclusive<i64>| {
                let n = n.unwrap_or(default);
                usize::try_from(n)
                    .ok()
                    .filter(|_| range.contains(&n))
                    .ok_or_else(|| Refusal::new("InvalidParameter", "Offset or Limit is out of range."))
            };
            let offset = place(fields.number("Offset")?, 0, 0..=i64::MAX)?;
            let limit = place(fields.number("Limit")?, 20, 1..=LIMIT_MAX as i64)?;
            Ask::List { instance, offset, limit }
        }
        Action::Delete => Ask::Delete { instance, id: BackupId(fields.number("BackupId")?.ok_or_else(|| absent("BackupId"))?) },
    };
    fields.none_left()?;
    Ok(ask)
}

fn create(instance: String, fields: &mut Fields) -> Result<CreateAsk, Refusal> {
    let method = fields.text("BackupMethod")?.ok_or_else(|| absent("BackupMethod"))?;
    let alias = fields.text("ManualBackupName")?.unwrap_or_default();
    let encrypted = match fields.text("EncryptionFlag")?.as_deref() {
        None => None,
        Some("on") => Some(true),
        Some("off") => Some(false),
        Some(_) => return Err(Refusal::new("InvalidParameter", "EncryptionFlag must be on or off.")),
    };
    let mut tables = Vec::new();
    for item in fields.list("BackupDBTableList")? {
        let Value::Object(item) = item else { return Err(convert("BackupDBTableList")) };
        let mut item = Fields { left: item, from_query: fields.from_query };
        let db = item.text("Db")?.ok_or_else(|| absent("Db"))?;
        tables.push(Table { db, table: item.text("Table")? });
        item.none_left()?;
    }
    Ok(CreateAsk { instance, method, tables, encrypted, alias })
}

/// Parameters not yet read.
struct Fields {
    left: Map<String, Value>,
    /// Where numbers are text, too.
    from_query: bool,
}

impl Fields {
    fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.left.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(convert(name)),
        }
    }

    /// A number; in a query, and only there, the text of one.
    fn number(&mut self, name: &str) -> Result<Option<i64>, Refusal> {
        match self.left.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) if self.from_query => text.parse().map(Some).map_err(|_| convert(name)),
            Some(other) => other.as_i64().map(Some).ok_or_else(|| convert(name)),
        }
    }

    fn list(&mut self, name: &str) -> Result<Vec<Value>, Refusal> {
        match self.left.remove(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) if items.len() <= TABLES_MAX => Ok(items),
            Some(_) => Err(convert(name)),
        }
    }

    fn none_left(&self) -> Result<(), Refusal> {
        let unknown = |name: &String| Err(Refusal::new("UnknownParameter", format!("The parameter {name} is not recognized.")));
        self.left.keys().next().map_or(Ok(()), unknown)
    }
}

fn absent(name: &str) -> Refusal {
    Refusal::new("MissingParameter", format!("The parameter {name} is missing."))
}

fn convert(name: &str) -> Refusal {
    Refusal::new("InvalidParameterValue.DataConvertError", format!("The parameter {name} has another type."))
}
