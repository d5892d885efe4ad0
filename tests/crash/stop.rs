//! (c) The real binary, stopped with SIGSTOP between intent and send for longer than its lease. The late send is dropped or refused: it makes no
//! backup, and the run gets its one backup from the next.

use crate::{
    audit::{self, Found},
    night::{Night, Plan},
};
use anyhow::{Context, ensure};
use cdb_backupd::{clock::Clock, domain::run::due::LEASE};
use rustix::process::Signal;
use std::{net::SocketAddr, path::Path, time::Duration};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
};

const PLAN: Plan = Plan {
    seed: 3,
    instances: 1,
    slots_s: &[8],
    window: "6s",
    durations: Duration::from_millis(100)..=Duration::from_millis(200),
    faults: "",
    front: None,
};
const LONGEST: Duration = Duration::from_secs(60);
/// Longer than the lease, by more than a slow machine needs.
const STOPPED: Duration = Duration::from_secs(LEASE.as_secs() + 4);
/// A loopback connection stands sooner, when anybody takes it.
const TO_CONNECT: Duration = Duration::from_millis(300);

/// A door before the simulator's that can be shut: then its queue is full, so that no connection is made and none is refused.
struct Front {
    listener: TcpListener,
    waiting: Vec<std::net::TcpStream>,
}

impl Front {
    fn open() -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind("127.0.0.1:0".parse()?)?;
        Ok(Self { listener: socket.listen(1)?, waiting: Vec::new() })
    }

    fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Hands connections on to `behind`, until it is dropped.
    async fn hand_on(&self, behind: SocketAddr) -> anyhow::Result<()> {
        let mut lines = JoinSet::new();
        loop {
            let (mut near, _) = self.listener.accept().await?;
            lines.spawn(async move {
                let mut far = TcpStream::connect(behind).await?;
                copy_bidirectional(&mut near, &mut far).await
            });
            while lines.try_join_next().is_some() {}
        }
    }

    /// Fills the queue.
    fn shut(&mut self) -> anyhow::Result<()> {
        let address = self.address()?;
        // Blocking: on a busy machine a timer of the runtime may be heard before a connection that has long been made.
        while let Ok(stood) = std::net::TcpStream::connect_timeout(&address, TO_CONNECT) {
            self.waiting.push(stood);
            ensure!(self.waiting.len() < 100, "the queue of the door never fills");
        }
        Ok(())
    }

    /// Empties it of what filled it. The system goes on asking for the connections that were not made, and they are made now.
    async fn reopen(&mut self) -> anyhow::Result<()> {
        for _ in self.waiting.drain(..) {
            self.listener.accept().await?;
        }
        Ok(())
    }
}

/// Plays it, and says what the audit found.
pub(crate) async fn longer_than_a_lease() -> anyhow::Result<Found> {
    let mut front = Front::open()?;
    let night = Night::begin(&Plan { front: Some(front.address()?), ..PLAN }).await?;
    let ledger = night.ledger();
    night.start()?;
    tokio::select! {
        broken = front.hand_on(night.address()) => broken?,
        killed = night.watch(LONGEST, |_| audit::in_force(&ledger).unwrap_or(false)) => ensure!(!killed?, "nobody killed the daemon"),
    }
    tokio::task::block_in_place(|| front.shut()).context("shut the door")?;
    // The intent is written, and its connection is not made: the call cannot have been sent.
    let killed = night.watch(LONGEST, |_| attempts(&ledger).is_ok_and(|attempts| !attempts.is_empty())).await?;
    ensure!(!killed, "nobody killed the daemon");
    night.daemon.signal(Signal::STOP);
    front.reopen().await?;
    night.clock.sleep(STOPPED).await;
    let asleep = attempts(&ledger)?;
    ensure!(asleep.as_slice() == [None], "it was not stopped between intent and send: {asleep:?}");
    night.daemon.signal(Signal::CONT);
    tokio::select! {
        broken = front.hand_on(night.address()) => broken?,
        ended = night.watch(LONGEST, |rows| night.is_over(rows)) => ensure!(!ended?, "nobody killed the daemon"),
    }
    ensure!(!night.stop().await?, "nobody killed the daemon");
    let (found, attempts) = (Found::of(&night, 0)?, attempts(&ledger)?);
    let first = attempts.first().cloned().flatten().unwrap_or_default();
    let harmless = matches!(first.as_str(), "deadline_passed" | "connect" | "AuthFailure.SignatureExpire");
    ensure!(harmless, "the late send was neither dropped nor refused: {attempts:?}\n{}", night.story());
    ensure!(found.holds() && found.good == found.slots, "{found}\n{}", night.story());
    Ok(found)
}

/// The creates' results in their order: a code, `accepted`, or nothing yet.
fn attempts(ledger: &Path) -> anyhow::Result<Vec<Option<String>>> {
    let Some(conn) = audit::open(ledger)? else { return Ok(Vec::new()) };
    let mut all = conn.prepare("SELECT coalesce(code, class) FROM attempts WHERE action = 'CreateBackup' ORDER BY attempt_id")?;
    Ok(all.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}
