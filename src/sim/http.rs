//! The door over loopback HTTP: the simulated cloud for the real client, the official SDKs and whoever wants to try a policy by hand.
//!
//! Decided here: how an outcome looks on the wire. Not here: what a request says (`read`) and how a connection breaks (`socket`).

use super::{
    call::{Answer, Outcome, Refusal, Row, Said},
    door::Cloud,
    read::{self, BODY_MAX, Head},
    socket::{Line, Loopback},
};
use crate::clock::Clock;
use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use chrono::{DateTime, FixedOffset, Utc};
use serde_json::{Value, json};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{net::TcpListener, task::JoinSet};

/// How long a reply that never comes keeps its connection open.
const HANG: Duration = Duration::from_secs(120);
/// In which zone lists write their times, in seconds east of Greenwich (README §4.1).
const LIST_ZONE_S: i32 = 8 * 3_600;

/// An open door. It closes when this is dropped; calls that were taken go on in the cloud.
#[derive(Debug)]
pub struct HttpDoor {
    address: SocketAddr,
    server: JoinSet<()>,
}

impl HttpDoor {
    /// Opens a door to this cloud on a loopback address; port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when the address is not loopback, and whatever binding it says.
    pub async fn open<C: Clock>(cloud: Cloud<C>, address: SocketAddr) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the simulator listens on loopback addresses only"));
        }
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let service = Router::new().fallback(take::<C>).with_state(cloud).into_make_service_with_connect_info::<Line>();
        let mut server = JoinSet::new();
        server.spawn(async move {
            // Serving ends with the door; axum's own result is always `Ok`.
            drop(axum::serve(Loopback(listener), service).await);
        });
        Ok(Self { address, server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes it to new connections.
    pub fn close(mut self) {
        self.server.abort_all();
    }
}

async fn take<C: Clock>(State(cloud): State<Cloud<C>>, ConnectInfo(line): ConnectInfo<Line>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let reused = line.count() > 0;
    let body = axum::body::to_bytes(body, BODY_MAX).await.ok().map(|bytes| bytes.to_vec());
    let head = Head {
        method: parts.method.as_str().into(),
        path: parts.uri.path().into(),
        query: parts.uri.query().unwrap_or_default().into(),
        headers: parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect(),
    };
    let outcome = match read::request(head, body, reused) {
        Ok(request) => cloud.send(request).await.unwrap_or(Outcome::Reset),
        Err(refusal) => cloud.refuse(refusal),
    };
    show(&cloud, &line, outcome).await
}

async fn show<C: Clock>(cloud: &Cloud<C>, line: &Line, outcome: Outcome) -> Response {
    let json = "application/json";
    match outcome {
        Outcome::Said(said) => response(StatusCode::OK, json, document(&said), said.date),
        Outcome::Half { said, kill } => {
            let body = document(&said);
            let core = cloud.core.clone();
            line.cut_in_body(body.len() / 2, kill.then(|| Box::new(move || core.kill()) as Box<dyn FnOnce() + Send>));
            response(StatusCode::OK, json, body, said.date)
        }
        Outcome::Garbage(date) => response(StatusCode::OK, json, "{\"Response\":{\"Back".into(), date),
        Outcome::Gateway(date) => response(StatusCode::BAD_GATEWAY, "text/html", "<html><h1>502 Bad Gateway</h1></html>".into(), date),
        Outcome::Redirect(date) => {
            let mut response = response(StatusCode::TEMPORARY_REDIRECT, "text/html", String::new(), date);
            response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/"));
            response
        }
        Outcome::Silence => {
            cloud.core.clock().sleep(HANG).await;
            line.reset();
            Response::new(Body::empty())
        }
        Outcome::Reset | Outcome::Unreachable => {
            line.reset();
            Response::new(Body::empty())
        }
    }
}

/// A reply with the cloud's `Date`. Where a fault hides it, the header is there and cannot be read: without it, hyper would write its own.
fn response(status: StatusCode, kind: &'static str, body: String, date: Option<DateTime<Utc>>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let shown = date.map(|d| d.format("%a, %d %b %Y %H:%M:%S GMT").to_string());
    let shown = shown.and_then(|text| HeaderValue::try_from(text).ok()).unwrap_or(HeaderValue::from_static("-"));
    response.headers_mut().insert(header::DATE, shown);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn document(said: &Said) -> String {
    let mut inner = match &said.result {
        Ok(Answer::Created(id)) => json!({ "BackupId": id.0 }),
        Ok(Answer::Listed { total, rows }) => json!({ "TotalCount": total, "Items": rows.iter().map(item).collect::<Vec<_>>() }),
        Ok(Answer::Deleted) => json!({}),
        Err(Refusal { code, message }) => json!({ "Error": { "Code": code, "Message": message } }),
    };
    if let Some(fields) = inner.as_object_mut() {
        fields.insert("RequestId".into(), Value::String(said.request_id.clone()));
    }
    json!({ "Response": inner }).to_string()
}

fn item(row: &Row) -> Value {
    let zoned = |t: DateTime<Utc>| match FixedOffset::east_opt(LIST_ZONE_S) {
        Some(zone) => t.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S").to_string(),
        None => String::new(),
    };
    let never = || "0000-00-00 00:00:00".to_owned();
    let on = |yes: bool| if yes { "on" } else { "off" };
    json!({
        "BackupId": row.id.0, "InstanceId": row.instance, "Region": row.region, "Status": row.status,
        "Way": if row.manual { "manual" } else { "automatic" }, "Type": row.kind, "Method": if row.partial { "partial" } else { "full" },
        "ManualBackupName": row.alias, "Name": format!("{}_backup_{}", row.instance, row.id), "Creator": "SYSTEM",
        "Date": zoned(row.started), "StartTime": zoned(row.started), "FinishTime": row.finished.map_or_else(never, zoned), "Size": row.bytes,
        "IntranetUrl": "http://127.0.0.1:9/intranet?sign=simulated", "InternetUrl": "http://127.0.0.1:9/internet?sign=simulated",
        "SaveMode": "save_mode_regular", "RemoteInfo": [], "CosStorageType": 0, "Progress": 0, "EncryptionFlag": on(row.encrypted),
    })
}
