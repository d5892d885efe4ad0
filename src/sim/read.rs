//! What a request over HTTP says, from its raw bytes. Strict: a field nobody knows, or of another type, is refused.
//!
//! Decided here: everything of `cdb-api` README §7.2 that can be said without knowing who calls and when. The rest is `cloud`'s.

use super::{
    call::{Ask, CreateAsk, Proof, Refusal, Request},
    faults::Action,
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

/// Reads a request. `body` is absent when it was too large.
pub(super) fn request(head: Head, body: Option<Vec<u8>>, reused: bool) -> Result<Request, Refusal> {
    if !matches!(head.method.as_str(), "POST" | "GET") {
        return Err(Refusal::new("UnsupportedProtocol", "Only POST and GET are supported."));
    }
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
    let signed_at = head.text("x-tc-timestamp").and_then(|t| t.parse().ok()).ok_or_else(|| missing("X-TC-Timestamp"))?;
    let region = head.text("x-tc-region").map(str::to_owned);
    let ask = parameters(&head, &body).and_then(|p| read(action, p));
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
    match serde_json::from_slice(body) {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err(Refusal::new("InvalidParameter", "The body is not a JSON object.")),
    }
}

/// `Name=value` and `List.0.Name=value`, percent-encoded; numbers stay text until their field is known.
fn from_query(query: &str) -> Option<Map<String, Value>> {
    let mut map = Map::new();
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (decode(name)?, Value::String(decode(value)?));
        match name.splitn(3, '.').collect::<Vec<_>>().as_slice() {
            [plain] => drop(map.insert((*plain).into(), value)),
            [list, place, field] => {
                let place = place.parse::<usize>().ok().filter(|p| *p < TABLES_MAX)?;
                let items = map.entry(*list).or_insert_with(|| Value::Array(Vec::new())).as_array_mut()?;
                if place == items.len() {
                    items.push(Value::Object(Map::new()));
                }
                items.get_mut(place)?.as_object_mut()?.insert((*field).into(), value);
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

fn read(action: Action, map: Map<String, Value>) -> Result<Ask, Refusal> {
    let mut fields = Fields(map);
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
        let mut item = Fields(item);
        let db = item.text("Db")?.ok_or_else(|| absent("Db"))?;
        tables.push(Table { db, table: item.text("Table")? });
        item.none_left()?;
    }
    Ok(CreateAsk { instance, method, tables, encrypted, alias })
}

/// Parameters not yet read.
struct Fields(Map<String, Value>);

impl Fields {
    fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(convert(name)),
        }
    }

    /// A number, or the text of one as a query has it.
    fn number(&mut self, name: &str) -> Result<Option<i64>, Refusal> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => text.parse().map(Some).map_err(|_| convert(name)),
            Some(other) => other.as_i64().map(Some).ok_or_else(|| convert(name)),
        }
    }

    fn list(&mut self, name: &str) -> Result<Vec<Value>, Refusal> {
        match self.0.remove(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) if items.len() <= TABLES_MAX => Ok(items),
            Some(_) => Err(convert(name)),
        }
    }

    fn none_left(&self) -> Result<(), Refusal> {
        let unknown = |name: &String| Err(Refusal::new("UnknownParameter", format!("The parameter {name} is not recognized.")));
        self.0.keys().next().map_or(Ok(()), unknown)
    }
}

fn absent(name: &str) -> Refusal {
    Refusal::new("MissingParameter", format!("The parameter {name} is missing."))
}

fn convert(name: &str) -> Refusal {
    Refusal::new("InvalidParameterValue.DataConvertError", format!("The parameter {name} has another type."))
}
