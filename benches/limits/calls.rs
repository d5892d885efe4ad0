//! A signed call against a bare POST of the same bytes: the same library, the same settings, a new connection each.

use crate::{
    figure::{Figure, Limit},
    machine::{thread_cpu, us},
    sim::Answering,
};
use anyhow::Context;
use cdb_backupd::{
    clock::{Clock, SystemClock},
    cloud::{
        Access, Call, CdbApi, Create,
        client::{Client, Transport},
        credentials::KeyRing,
    },
    domain::{
        names::{CredentialSource, Endpoint, InstanceId, Region},
        policy::Method,
    },
};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// Each caller may create five times a second, so many share the work.
const CALLERS: usize = 20;
/// From one round to the next: nobody waits in the client's gate, as nobody does who has a permit.
const APART: Duration = Duration::from_millis(210);
const ROUNDS: usize = 50;
const CREATED: &str = r#"{"Response":{"BackupId":102996666,"RequestId":"c8b1e5f6-2d3f-4a8e-9d5e-0a1b2c3d4e5f"}}"#;

pub(crate) fn measure() -> anyhow::Result<Vec<Figure>> {
    let server = Answering::open(CREATED)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (ours, bare) = runtime.block_on(compare(&server))?;
    let calls = u32::try_from(CALLERS * ROUNDS)?;
    Ok(vec![Figure {
        name: "CPU of a signed call",
        ours: us(ours / calls),
        floor: Some((us(bare / calls), "a bare POST of the same bytes")),
        unit: "µs",
        limit: Limit::Times(1.5),
    }])
}

/// Turn by turn, so that a busy moment of the machine strikes both.
async fn compare(server: &Answering) -> anyhow::Result<(Duration, Duration)> {
    let clock = SystemClock::new();
    let keys =
        KeyRing::new(Arc::new(|name| Some(if name.ends_with("_ID") { format!("AKID{name}") } else { "a-secret-key-of-32-characters-ab".into() })));
    let client = Client::new(clock, keys, Transport::default())?;
    client.create_backup(create(&clock, server.address, CALLERS)?).await.answer.map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let bare = Bare::like(server.address, &server.first()?)?;
    let (mut ours, mut floor) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..ROUNDS {
        let creates = (0..CALLERS).map(|n| create(&clock, server.address, n)).collect::<anyhow::Result<Vec<_>>>()?;
        let before = thread_cpu();
        for create in creates {
            client.create_backup(create).await.answer.map_err(|error| anyhow::anyhow!("{error:?}"))?;
        }
        ours += thread_cpu() - before;
        let before = thread_cpu();
        for _ in 0..CALLERS {
            bare.post().await?;
        }
        floor += thread_cpu() - before;
        clock.sleep(APART).await;
    }
    Ok((ours, floor))
}

fn create(clock: &SystemClock, address: SocketAddr, caller: usize) -> anyhow::Result<Create> {
    let now = clock.now();
    let access =
        Access { endpoint: Endpoint::parse(&format!("http://{address}"))?, credentials: CredentialSource::Env { prefix: format!("C{caller:02}") } };
    let call = Call {
        access,
        region: Region::parse("ap-guangzhou")?,
        instance: InstanceId::parse("cdb-c1nl9rpv")?,
        signed_at: now.utc.timestamp(),
        deadline: now.mono + Duration::from_secs(20),
    };
    Ok(Create { call, method: Method::Physical { encrypted: None }, alias: "nightly.20261124T183000Z.abcdefg2".into() })
}

/// The library alone.
pub(crate) struct Bare {
    client: reqwest::Client,
    url: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Bare {
    /// Sends what one of our requests was, byte for byte.
    pub(crate) fn like(address: SocketAddr, request: &[u8]) -> anyhow::Result<Self> {
        let text = std::str::from_utf8(request)?;
        let (head, body) = text.split_once("\r\n\r\n").context("a request has a head")?;
        let mut headers = HeaderMap::new();
        for (name, value) in head.lines().filter_map(|line| line.split_once(": ")).filter(|(name, _)| *name != "content-length") {
            headers.insert(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
        }
        Ok(Self { client: plain(0)?, url: format!("http://{address}/"), headers, body: body.as_bytes().to_vec() })
    }

    /// The same over a connection that is kept, as lists are sent.
    pub(crate) fn kept(self) -> anyhow::Result<Self> {
        Ok(Self { client: plain(4)?, ..self })
    }

    pub(crate) async fn post(&self) -> anyhow::Result<()> {
        let response = self.client.post(&self.url).headers(self.headers.clone()).body(self.body.clone()).send().await?;
        response.bytes().await?;
        Ok(())
    }
}

fn plain(kept: usize) -> anyhow::Result<reqwest::Client> {
    let builder = reqwest::Client::builder().http1_only().tcp_nodelay(true).no_proxy().pool_max_idle_per_host(kept);
    let builder = builder.redirect(reqwest::redirect::Policy::none()).retry(reqwest::retry::never());
    Ok(builder.connect_timeout(Duration::from_secs(5)).timeout(Duration::from_secs(20)).build()?)
}
