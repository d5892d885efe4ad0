//! What systemd is told: ready, the verdict, alive, reloading, stopping (`sd_notify(3)`). Where nobody set `$NOTIFY_SOCKET`, nothing happens.
//!
//! Decided here: when a message is worth sending. Alive is said by finished passes alone: a loop that hangs says nothing, and is killed and started
//! again. No message waits for its reader: what cannot be sent now is sent with the next pass. The crate `sd-notify` would wait, and knows no
//! abstract sockets.

use std::{
    ffi::OsString,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The verdict is told no more often than this.
const STATUS_APART: Duration = Duration::from_secs(1);
/// How much longer a start may take that still waits for something; said again and again while it waits.
const WAITS_FOR: Duration = Duration::from_secs(30);
/// So much of a verdict is told; systemd shows one line of it.
const STATUS_MAX: usize = 512;

/// Who is told. All clones tell the same one.
#[derive(Clone, Debug, Default)]
pub struct Systemd {
    inner: Arc<Mutex<Option<Line>>>,
}

/// The line to the one who listens, and what was said on it.
#[derive(Debug)]
struct Line {
    socket: UnixDatagram,
    to: SocketAddr,
    /// Half of the time in which a sign of life is expected.
    feed_each: Option<Duration>,
    fed_at: Option<Duration>,
    is_ready: bool,
    status: String,
    status_at: Option<Duration>,
    told_of_failure: bool,
}

impl Systemd {
    /// Whom the environment names. `variable` reads it; `pid` is this process, which alone may feed the watchdog.
    pub fn of(variable: impl Fn(&str) -> Option<OsString>, pid: u32) -> Self {
        let line = variable("NOTIFY_SOCKET").filter(|name| !name.is_empty()).and_then(|name| match Line::to(&name) {
            Ok(line) => Some(Line { feed_each: watchdog(&variable, pid).map(|all| all / 2), ..line }),
            Err(error) => {
                tracing::warn!(%error, "systemd cannot be told anything: NOTIFY_SOCKET names no socket that can be used");
                None
            }
        });
        Self { inner: Arc::new(Mutex::new(line)) }
    }

    /// Whether anybody is told.
    pub fn is_told(&self) -> bool {
        self.with(|_| ()).is_some()
    }

    /// The start waits for something that may last: it says for what, and asks for more time.
    pub fn waits(&self, what: &str) {
        self.with(|line| {
            let longer = format!("EXTEND_TIMEOUT_USEC={}\n", WAITS_FOR.as_micros());
            line.say(&format!("{longer}STATUS={}\n", one_line(what)));
        });
    }

    /// A pass has finished at `mono`, one that holds too: the first says ready, each that it is alive when that is due, and the verdict when it is
    /// another. Returns when the next one is awaited, if one is.
    pub fn passed(&self, verdict: &str, mono: Duration) -> Option<Duration> {
        self.with(|line| line.passed(verdict, mono)).flatten()
    }

    /// A reload has begun, at `since_boot` by the machine's monotonic clock.
    pub fn reloading(&self, since_boot: Duration) {
        self.with(|line| line.say(&format!("RELOADING=1\nMONOTONIC_USEC={}\n", since_boot.as_micros())));
    }

    /// A reload has ended, well or not.
    pub fn reloaded(&self) {
        self.with(|line| line.say("READY=1\n"));
    }

    /// The daemon ends, and why.
    pub fn stopping(&self, why: &str) {
        self.with(|line| line.say(&format!("STOPPING=1\nSTATUS={}\n", one_line(why))));
    }

    fn with<T>(&self, tell: impl FnOnce(&mut Line) -> T) -> Option<T> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(tell)
    }
}

impl Line {
    fn to(name: &OsString) -> io::Result<Self> {
        let to = match name.as_bytes() {
            [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest)?,
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            _ => return Err(io::Error::new(io::ErrorKind::Unsupported, "it begins neither with `/` nor with `@`")),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        let (feed_each, fed_at, status_at) = (None, None, None);
        Ok(Self { socket, to, feed_each, fed_at, is_ready: false, status: String::new(), status_at, told_of_failure: false })
    }

    fn passed(&mut self, verdict: &str, mono: Duration) -> Option<Duration> {
        let mut message = String::new();
        let feeds = self.feed_each.is_some_and(|each| self.fed_at.is_none_or(|at| mono >= at + each));
        let news = self.status != verdict && self.status_at.is_none_or(|at| mono >= at + STATUS_APART);
        if !self.is_ready {
            message.push_str("READY=1\n");
        }
        if feeds {
            message.push_str("WATCHDOG=1\n");
        }
        if news {
            message.push_str(&format!("STATUS={}\n", one_line(verdict)));
        }
        if !message.is_empty() && self.say(&message) {
            self.is_ready = true;
            if feeds {
                self.fed_at = Some(mono);
            }
            if news {
                self.status = verdict.to_owned();
                self.status_at = Some(mono);
            }
        }
        self.feed_each.zip(self.fed_at).map(|(each, at)| at + each)
    }

    /// Says it, or does not: nobody is waited for.
    fn say(&mut self, message: &str) -> bool {
        let Err(error) = self.socket.send_to_addr(message.as_bytes(), &self.to) else { return true };
        if !std::mem::replace(&mut self.told_of_failure, true) {
            tracing::warn!(%error, "systemd could not be told how the daemon stands; it is tried again with each pass");
        }
        false
    }
}

/// The time in which a sign of life is expected, when it is expected of this process.
fn watchdog(variable: &impl Fn(&str) -> Option<OsString>, pid: u32) -> Option<Duration> {
    let number = |name: &str| variable(name).and_then(|value| value.to_str()?.parse::<u64>().ok());
    let meant = variable("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(u64::from(pid));
    number("WATCHDOG_USEC").filter(|usec| meant && *usec > 0).map(Duration::from_micros)
}

/// Of a text that people may have written, what fits into one line of a message.
fn one_line(text: &str) -> String {
    text.chars().take(STATUS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    struct Ear {
        socket: UnixDatagram,
        name: OsString,
    }

    impl Ear {
        fn at(name: &str) -> Self {
            let address = match name.strip_prefix('@') {
                Some(rest) => SocketAddr::from_abstract_name(rest).unwrap(),
                None => SocketAddr::from_pathname(name).unwrap(),
            };
            let socket = UnixDatagram::bind_addr(&address).unwrap();
            socket.set_nonblocking(true).unwrap();
            Self { socket, name: name.into() }
        }

        fn hears(&self) -> String {
            let mut bytes = [0; 4_096];
            self.socket.recv(&mut bytes).map_or_else(|_| String::new(), |length| String::from_utf8_lossy(&bytes[..length]).into_owned())
        }

        fn systemd(&self, more: &[(&str, &str)]) -> Systemd {
            let named = |name: &str| more.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
            Systemd::of(|name| if name == "NOTIFY_SOCKET" { Some(self.name.clone()) } else { named(name) }, 7)
        }
    }

    fn ear() -> (tempfile::TempDir, Ear) {
        let folder = tempfile::tempdir().unwrap();
        let ear = Ear::at(folder.path().join("notify").to_str().unwrap());
        (folder, ear)
    }

    #[test]
    fn ready_is_said_once_and_the_verdict_when_it_is_another() {
        let (_folder, ear) = ear();
        let systemd = ear.systemd(&[]);
        assert_eq!(systemd.passed("1 job", S), None, "without a watchdog no pass is awaited");
        assert_eq!(ear.hears(), "READY=1\nSTATUS=1 job\n");
        systemd.passed("1 job", S * 9);
        systemd.passed("a line\nREADY=0", S * 10);
        assert_eq!(ear.hears(), "STATUS=a line READY=0\n", "what stays the same is not said again, and no text becomes a message");
        systemd.passed("too soon", S * 10 + S / 2);
        assert_eq!(ear.hears(), "");
        systemd.passed("too soon", S * 11);
        assert_eq!(ear.hears(), "STATUS=too soon\n");
    }

    #[test]
    fn the_watchdog_is_fed_at_half_its_time_and_asks_for_the_pass_that_feeds_it() {
        let (_folder, ear) = ear();
        let systemd = ear.systemd(&[("WATCHDOG_USEC", "10000000"), ("WATCHDOG_PID", "7")]);
        assert_eq!(systemd.passed("", S), Some(S * 6));
        assert_eq!(ear.hears(), "READY=1\nWATCHDOG=1\n");
        assert_eq!(systemd.passed("", S * 6 - S / 10), Some(S * 6));
        assert_eq!(ear.hears(), "");
        assert_eq!(systemd.passed("", S * 6), Some(S * 11));
        assert_eq!(ear.hears(), "WATCHDOG=1\n");
    }

    #[test]
    fn a_watchdog_of_another_process_or_of_no_time_is_not_fed() {
        for other in [&[("WATCHDOG_USEC", "10000000"), ("WATCHDOG_PID", "8")][..], &[("WATCHDOG_USEC", "0")], &[("WATCHDOG_USEC", "x")]] {
            let (_folder, ear) = ear();
            assert_eq!(ear.systemd(other).passed("", S), None, "{other:?}");
            assert_eq!(ear.hears(), "READY=1\n");
        }
    }

    #[test]
    fn a_reload_bears_the_machines_time_and_ends_with_ready() {
        let (_folder, ear) = ear();
        let systemd = ear.systemd(&[]);
        systemd.reloading(Duration::from_micros(12_345_678));
        assert_eq!(ear.hears(), "RELOADING=1\nMONOTONIC_USEC=12345678\n");
        systemd.reloaded();
        assert_eq!(ear.hears(), "READY=1\n");
        systemd.stopping("asked to");
        assert_eq!(ear.hears(), "STOPPING=1\nSTATUS=asked to\n");
        systemd.waits("for the ledger");
        assert_eq!(ear.hears(), "EXTEND_TIMEOUT_USEC=30000000\nSTATUS=for the ledger\n");
    }

    #[test]
    fn a_socket_without_a_file_is_told_too() {
        let ear = Ear::at(&format!("@cdb-backupd-test-{}", std::process::id()));
        ear.systemd(&[]).passed("1 job", S);
        assert_eq!(ear.hears(), "READY=1\nSTATUS=1 job\n");
    }

    #[test]
    fn nobody_is_told_where_nobody_listens_and_ready_comes_when_somebody_does() {
        assert_eq!(Systemd::of(|_| None, 7).passed("", S), None);
        assert_eq!(Systemd::of(|name| (name == "NOTIFY_SOCKET").then(|| "vsock:2:1".into()), 7).passed("", S), None);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let systemd = Systemd::of(|name| (name == "NOTIFY_SOCKET").then(|| path.clone().into()), 7);
        systemd.passed("1 job", S);
        let ear = Ear::at(path.to_str().unwrap());
        systemd.passed("1 job", S * 2);
        assert_eq!(ear.hears(), "READY=1\nSTATUS=1 job\n");
    }

    #[test]
    fn a_reader_that_does_not_read_keeps_nobody_waiting() {
        let (_folder, ear) = ear();
        let systemd = ear.systemd(&[("WATCHDOG_USEC", "2000000")]);
        for second in 1..2_000 {
            systemd.passed("", S * second);
        }
        while !ear.hears().is_empty() {}
        systemd.passed("read again", S * 2_001);
        assert_eq!(ear.hears(), "WATCHDOG=1\nSTATUS=read again\n");
    }
}
