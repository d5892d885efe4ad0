//! Servers on raw sockets that misbehave in one way each, and write down what arrived.

use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// What a server does once it has read a request.
#[derive(Clone)]
pub(crate) enum Then {
    /// Sends these bytes and goes on reading.
    Answer(Vec<u8>),
    /// Sends these bytes and ends the stream.
    AnswerAndEnd(Vec<u8>),
    /// Sends these bytes, then resets the connection.
    AnswerAndReset(Vec<u8>),
    /// Sends these bytes, then one more every now and then, for ever.
    Trickle(Vec<u8>),
}

/// A whole answer with this status line, these header lines, and this body.
pub(crate) fn answer(status: &str, lines: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{lines}\r\n{body}", body.len()).into_bytes()
}

/// One accepted connection: the requests that arrived on it, byte for byte.
pub(crate) type Connection = Vec<String>;

/// A listening server; it ends with its last handle.
pub(crate) struct Wire {
    port: u16,
    connections: Arc<Mutex<Vec<Connection>>>,
    _tasks: JoinSet<()>,
}

impl Wire {
    pub(crate) async fn open(then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections: Arc<Mutex<Vec<Connection>>> = Arc::default();
        let mut tasks = JoinSet::new();
        let seen = connections.clone();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(Vec::new());
                    seen.len() - 1
                };
                open.spawn(talk(stream, number, then.clone(), seen.clone()));
            }
        });
        Self { port, connections, _tasks: tasks }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn connections(&self) -> Vec<Connection> {
        self.connections.lock().unwrap().clone()
    }
}

async fn talk(mut stream: TcpStream, number: usize, then: Then, seen: Arc<Mutex<Vec<Connection>>>) {
    while let Some(request) = request(&mut stream).await {
        seen.lock().unwrap()[number].push(request);
        // A client that hangs up on a flood is no fault of the server.
        let sent = match &then {
            Then::Answer(bytes) | Then::AnswerAndEnd(bytes) | Then::AnswerAndReset(bytes) | Then::Trickle(bytes) => stream.write_all(bytes).await,
        };
        match then {
            Then::Answer(_) if sent.is_ok() => {}
            Then::AnswerAndReset(_) => return stream.set_zero_linger().unwrap(),
            Then::Trickle(_) => return trickle(stream).await,
            _ => return,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the server's own slowness")]
async fn trickle(mut stream: TcpStream) {
    while stream.write_all(b" ").await.is_ok() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// One request with its body; absent once the client has ended the stream.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Some(text.into_owned());
            }
        }
        let mut some = [0; 4_096];
        match stream.read(&mut some).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&some[..count]),
        }
    }
}
