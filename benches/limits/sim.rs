//! The simulated cloud over loopback HTTP, on threads of its own, and a server that only ever gives one answer.

use cdb_backupd::{
    clock::SystemClock,
    sim::{Cloud, http::HttpDoor, settings::Settings},
};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    task::JoinSet,
};

/// An open cloud. It closes with this.
pub(crate) struct Sim {
    pub(crate) cloud: Cloud<SystemClock>,
    pub(crate) address: SocketAddr,
    _door: HttpDoor,
    _threads: Runtime,
}

impl Sim {
    pub(crate) fn open(settings: Settings) -> anyhow::Result<Self> {
        let threads = threads()?;
        let cloud = Cloud::new(settings, SystemClock::new());
        let door = threads.block_on(HttpDoor::open(cloud.clone(), "127.0.0.1:0".parse()?))?;
        Ok(Self { cloud, address: door.address(), _door: door, _threads: threads })
    }
}

fn threads() -> anyhow::Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}

/// A server that answers every request alike, on a thread of its own.
pub(crate) struct Answering {
    pub(crate) address: SocketAddr,
    requests: std::sync::mpsc::Receiver<Vec<u8>>,
    _threads: Runtime,
}

impl Answering {
    /// `body` is the JSON of every answer.
    pub(crate) fn open(body: &str) -> anyhow::Result<Self> {
        let reply = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ndate: Tue, 24 Nov 2026 12:00:00 GMT\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let threads = threads()?;
        let listener = threads.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let (first, requests) = std::sync::mpsc::sync_channel(1);
        threads.spawn(async move {
            let mut lines = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                lines.spawn(answer(stream, reply.clone(), first.clone()));
                while lines.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, requests, _threads: threads })
    }

    /// The first request that came, byte for byte.
    pub(crate) fn first(&self) -> anyhow::Result<Vec<u8>> {
        Ok(self.requests.recv()?)
    }
}

/// Reads requests of one connection, and answers each.
async fn answer(mut stream: TcpStream, reply: String, first: std::sync::mpsc::SyncSender<Vec<u8>>) {
    let mut request = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut request).await {
        if !is_whole(&request) {
            continue;
        }
        // Only the first is kept; a full channel is no fault.
        drop(first.try_send(std::mem::take(&mut request)));
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

/// A policy of one account and `instances` instances; `listen` is where it answers, `jobs` are its last lines.
pub(crate) fn policy(address: SocketAddr, listen: &str, instances: usize, jobs: &str) -> String {
    let instance = |n| format!("  - {{ id: cdb-sim{n:05}, account: sim, region: ap-guangzhou }}\n");
    let instances: String = (0..instances).map(instance).collect();
    format!(
        "version: 1\nlisten: \"{listen}\"\naccounts:\n  sim: {{ credentials: env, endpoint: \"http://{address}\", absence_window: 60s }}\n\
         instances:\n{instances}defaults: {{ time_zone: Etc/UTC, method: physical, start_within: 5m, poll: {{ initial: 1500ms, max: 15s }} }}\n\
         jobs:\n{jobs}"
    )
}
