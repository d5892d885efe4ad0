//! A loopback listener whose connections can be broken at will: at once, or in the middle of a reply's body.

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// Accepts connections of its own kind.
pub(super) struct Loopback(pub(super) TcpListener);

/// One connection.
pub(super) struct Wire {
    stream: TcpStream,
    line: Line,
}

/// The handle by which a call breaks the connection that it came on.
#[derive(Clone, Default)]
pub(super) struct Line(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    calls: u64,
    cut: Option<Cut>,
}

/// Where a connection is to break.
enum Cut {
    /// Before another byte, with a reset.
    Now,
    /// After so many bytes of the body that comes next; then `then` is called.
    InBody {
        /// How much of [`END_OF_HEAD`] was just written.
        matched: usize,
        /// Bytes of the body that still go out.
        left: usize,
        /// What happens before the connection is closed.
        then: Option<Box<dyn FnOnce() + Send>>,
    },
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line")
    }
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more call on this connection, and says how many came before it.
    pub(super) fn count(&self) -> u64 {
        let mut state = self.state();
        state.calls += 1;
        state.calls - 1
    }

    /// Breaks it before another byte is written.
    pub(super) fn reset(&self) {
        self.state().cut = Some(Cut::Now);
    }

    /// Breaks it when so many bytes of the next body are out, and then calls `then`.
    pub(super) fn cut_in_body(&self, left: usize, then: Option<Box<dyn FnOnce() + Send>>) {
        self.state().cut = Some(Cut::InBody { matched: 0, left, then });
    }

    /// How many of these bytes may go out; none breaks the connection, and `true` says so with a reset.
    fn allow(&self, bytes: &[u8]) -> Result<usize, bool> {
        let mut state = self.state();
        match &mut state.cut {
            None => Ok(bytes.len()),
            Some(Cut::Now) => Err(true),
            Some(Cut::InBody { matched, left, then }) => {
                let head = head_part(bytes, *matched);
                match head + (*left).min(bytes.len() - head) {
                    0 => {
                        if let Some(then) = then.take() {
                            then();
                        }
                        Err(false)
                    }
                    allowed => Ok(allowed),
                }
            }
        }
    }

    /// Takes note that these bytes went out.
    fn wrote(&self, bytes: &[u8]) {
        if let Some(Cut::InBody { matched, left, .. }) = &mut self.state().cut {
            let head = head_part(bytes, *matched);
            *matched = bytes.iter().take(head).fold(*matched, |m, b| step(m, *b));
            *left = left.saturating_sub(bytes.len() - head);
        }
    }
}

/// How many of these bytes belong to the head, when `matched` bytes of its end went before.
fn head_part(bytes: &[u8], matched: usize) -> usize {
    let mut matched = matched;
    for (place, byte) in bytes.iter().enumerate() {
        if matched == END_OF_HEAD.len() {
            return place;
        }
        matched = step(matched, *byte);
    }
    bytes.len()
}

fn step(matched: usize, byte: u8) -> usize {
    match END_OF_HEAD.get(matched) {
        Some(expected) if *expected == byte => matched + 1,
        None => matched,
        Some(_) => usize::from(byte == b'\r'),
    }
}

impl Listener for Loopback {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        (Wire { stream, line: Line::default() }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Loopback>> for Line {
    fn connect_info(stream: IncomingStream<'_, Loopback>) -> Self {
        stream.io().line.clone()
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let allowed = match self.line.allow(bytes) {
            Ok(allowed) => allowed,
            Err(reset) => {
                if reset {
                    self.stream.set_zero_linger()?;
                }
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
        };
        let part = bytes.get(..allowed).unwrap_or(bytes);
        let written = std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, part))?;
        self.line.wrote(part.get(..written).unwrap_or(part));
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_lets_the_whole_head_out_and_so_much_of_the_body_however_the_bytes_are_split() {
        let reply = b"HTTP/1.1 200 OK\r\nx: y\r\n\r\nbody of reply";
        for chunk in 1..=reply.len() {
            let line = Line::default();
            line.cut_in_body(4, None);
            let mut out = Vec::new();
            let mut rest: &[u8] = reply;
            while let Ok(n) = line.allow(&rest[..chunk.min(rest.len())]) {
                line.wrote(&rest[..n]);
                out.extend_from_slice(&rest[..n]);
                rest = &rest[n..];
            }
            assert_eq!(out, b"HTTP/1.1 200 OK\r\nx: y\r\n\r\nbody", "{chunk}");
        }
    }
}
