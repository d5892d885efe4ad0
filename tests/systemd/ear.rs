//! systemd's end of the line: a datagram socket, and all that came in.

use cdb_backupd::clock::{Clock, SystemClock};
use std::{
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    path::Path,
    time::Duration,
};

pub(crate) struct Ear {
    name: String,
    socket: UnixDatagram,
    clock: SystemClock,
    heard: Vec<(Duration, String)>,
}

impl Ear {
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let path = folder.join("notify");
        Self::at(path.to_str().expect("a name").to_owned(), &SocketAddr::from_pathname(&path).expect("an address"))
    }

    /// In Linux' own space of names, which systemd writes with `@`.
    pub(crate) fn without_a_file(of: &str) -> Self {
        let name = format!("cdb-backupd-{of}-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("an address");
        Self::at(format!("@{name}"), &address)
    }

    fn at(name: String, address: &SocketAddr) -> Self {
        let socket = UnixDatagram::bind_addr(address).expect("nobody listens there yet");
        socket.set_nonblocking(true).expect("it is not waited for");
        Self { name, socket, clock: SystemClock::new(), heard: Vec::new() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Takes in what has come.
    pub(crate) fn listen(&mut self) {
        let mut bytes = [0; 4_096];
        while let Ok(length) = self.socket.recv(&mut bytes) {
            let text = String::from_utf8(bytes[..length].to_vec()).expect("text");
            assert!(text.ends_with('\n'), "{text:?}");
            let now = self.clock.now().mono;
            self.heard.extend(text.lines().map(|line| (now, line.to_owned())));
        }
    }

    pub(crate) fn lines(&mut self) -> Vec<String> {
        self.listen();
        self.heard.iter().map(|(_, line)| line.clone()).collect()
    }

    pub(crate) fn count(&mut self, wanted: &str) -> usize {
        self.times(wanted).len()
    }

    /// Lines that begin so.
    pub(crate) fn count_of(&mut self, begin: &str) -> usize {
        self.lines().iter().filter(|line| line.starts_with(begin)).count()
    }

    pub(crate) fn times(&mut self, wanted: &str) -> Vec<Duration> {
        self.listen();
        self.heard.iter().filter(|(_, line)| line == wanted).map(|(at, _)| *at).collect()
    }

    pub(crate) fn first(&mut self, wanted: &str) -> Option<usize> {
        self.lines().iter().position(|line| line == wanted)
    }

    /// Whether a status ever held this text.
    pub(crate) fn status(&mut self, part: &str) -> bool {
        self.status_since(0, part)
    }

    /// The same, of the lines from this one on.
    pub(crate) fn status_since(&mut self, line: usize, part: &str) -> bool {
        self.lines().iter().skip(line).any(|line| line.strip_prefix("STATUS=").is_some_and(|status| status.contains(part)))
    }
}
