//! The JSON of both calls: what is sent, and what is read of what comes back. Whatever is not understood is `garbage`, and ambiguous.

use super::{Backup, BackupStatus, CallError, Class, Create, List, Page, codes::classify};
use crate::domain::{
    names::{BackupId, InstanceId},
    policy::Method,
};
use chrono::{DateTime, FixedOffset, NaiveDateTime, Utc};
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};

/// The version that both actions are called with.
pub const VERSION: &str = "2017-03-20";
/// A message is kept up to here.
const MESSAGE_MAX: usize = 512;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CreateBody<'a> {
    instance_id: &'a str,
    backup_method: &'a str,
    #[serde(rename = "BackupDBTableList", skip_serializing_if = "Vec::is_empty")]
    tables: Vec<TableBody<'a>>,
    manual_backup_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_flag: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TableBody<'a> {
    db: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListBody<'a> {
    instance_id: &'a str,
    offset: u32,
    limit: u32,
}

/// The body of `CreateBackup`: serialised once, and these bytes are signed and sent.
pub fn create_body(create: &Create) -> Vec<u8> {
    let (tables, encrypted) = match &create.method {
        Method::Logical { tables } => (tables.iter().map(|it| TableBody { db: &it.db, table: it.table.as_deref() }).collect(), None),
        Method::Physical { encrypted } => (Vec::new(), *encrypted),
        Method::Snapshot => (Vec::new(), None),
    };
    body(&CreateBody {
        instance_id: create.call.instance.as_str(),
        backup_method: create.method.word(),
        tables,
        manual_backup_name: &create.alias,
        encryption_flag: encrypted.map(|on| if on { "on" } else { "off" }),
    })
}

/// The body of `DescribeBackups`.
pub fn list_body(list: &List) -> Vec<u8> {
    body(&ListBody { instance_id: list.call.instance.as_str(), offset: list.offset, limit: list.limit })
}

fn body(value: &impl Serialize) -> Vec<u8> {
    // Strings and numbers in a struct cannot fail; an empty body would only be refused.
    serde_json::to_vec(value).unwrap_or_default()
}

#[derive(Deserialize)]
struct Envelope<T> {
    #[serde(rename = "Response")]
    response: Response<T>,
}

#[derive(Deserialize)]
struct Response<T> {
    #[serde(rename = "RequestId")]
    request_id: Option<String>,
    #[serde(rename = "Error")]
    error: Option<ErrorBody>,
    #[serde(flatten)]
    answer: Option<T>,
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(rename = "Code")]
    code: String,
    #[serde(rename = "Message", default)]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    backup_id: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    total_count: u64,
    items: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    backup_id: i64,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    way: Option<String>,
    #[serde(default, rename = "Type")]
    kind: Option<String>,
    #[serde(default)]
    manual_backup_name: Option<String>,
    #[serde(default)]
    instance_id: Option<String>,
    #[serde(default)]
    size: Lenient<i64>,
    #[serde(default)]
    start_time: Lenient<String>,
    #[serde(default)]
    finish_time: Lenient<String>,
}

/// What is only shown to people: a value of another form is left out, so that it spoils no list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient<T> {
    Known(T),
    Other(IgnoredAny),
}

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self::Other(IgnoredAny)
    }
}

impl<T> Lenient<T> {
    fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Other(IgnoredAny) => None,
        }
    }
}

/// A reply taken apart: its number, and the answer or what was wrong.
pub type Taken<T> = (Option<String>, Result<T, CallError>);

/// Reads the reply to `CreateBackup`.
pub fn created(bytes: &[u8]) -> Taken<BackupId> {
    let (request_id, answer) = envelope::<Created>(bytes);
    let id = answer.and_then(|created| {
        i64::try_from(created.backup_id).ok().filter(|id| *id > 0).map(BackupId).ok_or_else(|| garbage("its BackupId is out of range"))
    });
    (request_id, id)
}

/// Reads a page of `DescribeBackups`; times without a zone are read at `offset_s` seconds east of Greenwich.
pub fn listed(bytes: &[u8], limit: u32, offset_s: i32) -> Taken<Page> {
    let (request_id, answer) = envelope::<Listed>(bytes);
    let page = answer.and_then(|listed| {
        if listed.items.len() > limit as usize {
            return Err(garbage("it has more items than were asked for"));
        }
        let items = listed.items.into_iter().map(|item| backup(item, offset_s)).collect::<Result<_, _>>()?;
        Ok(Page { total: listed.total_count, items })
    });
    (request_id, page)
}

fn backup(item: Item, offset_s: i32) -> Result<Backup, CallError> {
    let time = |text: Lenient<String>| text.known().and_then(|text| time(&text, offset_s));
    let instance = item.instance_id.filter(|id| !id.is_empty());
    Ok(Backup {
        id: Some(item.backup_id).filter(|id| *id > 0).map(BackupId).ok_or_else(|| garbage("an item's BackupId is out of range"))?,
        status: match item.status.as_deref() {
            Some("SUCCESS") => BackupStatus::Success,
            Some("FAILED") => BackupStatus::Failed,
            _ => BackupStatus::Running,
        },
        manual: item.way.as_deref() == Some("manual"),
        kind: item.kind.unwrap_or_default(),
        alias: item.manual_backup_name.unwrap_or_default(),
        instance: instance.map(|id| InstanceId::parse(&id).map_err(|_| garbage("an item's InstanceId is none"))).transpose()?,
        bytes: item.size.known().filter(|bytes| *bytes >= 0),
        started: time(item.start_time),
        finished: time(item.finish_time),
    })
}

/// `2017-07-22 00:01:34`; zero dates and anything else are no time.
fn time(text: &str, offset_s: i32) -> Option<DateTime<Utc>> {
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()?;
    Some(local.and_local_timezone(FixedOffset::east_opt(offset_s)?).single()?.to_utc())
}

fn envelope<T: DeserializeOwned>(bytes: &[u8]) -> Taken<T> {
    let Ok(Envelope { response }) = serde_json::from_slice::<Envelope<T>>(bytes) else {
        return (None, Err(garbage("it is not the JSON that was expected")));
    };
    let request_id = response.request_id.map(|id| clean(&id, 64));
    let answer = match (response.error, response.answer) {
        (Some(error), _) => {
            Err(CallError { class: classify(&error.code), code: clean(&error.code, 128), message: clean(&error.message, MESSAGE_MAX) })
        }
        (None, Some(answer)) => Ok(answer),
        (None, None) => Err(garbage("it has neither an answer nor an error")),
    };
    (request_id, answer)
}

/// A reply that was not understood.
fn garbage(why: &str) -> CallError {
    CallError { class: Class::Ambiguous, code: "garbage".into(), message: format!("the reply was not understood: {why}") }
}

/// Text of the cloud, bounded and without control characters.
pub(super) fn clean(text: &str, max: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(max).collect()
}
