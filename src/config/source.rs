//! From a path to the bytes that are read there, bounded in size and, where it is no regular file, in time.

use super::document::MAX_BYTES;
use std::{
    fs::File,
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
    sync::mpsc,
    time::Duration,
};

/// How long a pipe, such as `/dev/stdin` or `<(…)` of a shell, may take until it has given all.
const PATIENCE: Duration = Duration::from_secs(5);

/// At most one byte more than a policy may have.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let kind = std::fs::metadata(path)?;
    if kind.is_file() || kind.is_dir() {
        return read_now(path);
    }
    // Opening a pipe waits for whoever writes into it, and a terminal never ends: a thread of its own waits, and is left behind when it takes too long.
    let (give, take) = mpsc::channel();
    let path: PathBuf = path.to_owned();
    std::thread::Builder::new().spawn(move || {
        // Nobody listens any more when it took too long.
        drop(give.send(read_now(&path)));
    })?;
    take.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        let message = format!("it is no regular file, and did not end within {} seconds", PATIENCE.as_secs());
        Err(io::Error::new(ErrorKind::TimedOut, message))
    })
}

fn read_now(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
