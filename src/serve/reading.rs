//! Readings of the ledger for requests: a connection of their own each, on the blocking pool, few at a time.
//!
//! Decided here: how many there are, and that one ends when nobody waits for it any more. A reading that goes on for long would keep SQLite from
//! folding its log.

use super::Failure;
use crate::ledger::report::{Error, Interrupt, Reader};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};
use tokio::sync::Semaphore;

/// So many requests read the ledger at once.
const READERS: usize = 4;

/// A ledger that is read by few at a time.
#[derive(Debug)]
pub(super) struct Shelf {
    ledger: PathBuf,
    readers: Arc<Semaphore>,
}

impl Shelf {
    pub(super) fn new(ledger: PathBuf) -> Self {
        Self { ledger, readers: Arc::new(Semaphore::new(READERS)) }
    }

    pub(super) fn ledger(&self) -> &Path {
        &self.ledger
    }

    /// None when there is no ledger yet.
    pub(super) async fn read<T, F>(&self, read: F) -> Result<Option<T>, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&Reader) -> Result<T, Error> + Send + 'static,
    {
        let permit = self.readers.clone().acquire_owned().await.map_err(|_| Failure::Broken)?;
        let (ledger, wanted) = (self.ledger.clone(), Wanted::default());
        let still = wanted.clone();
        let reading = tokio::task::spawn_blocking(move || {
            // Kept until the reading has ended, though nobody may wait for it any more.
            let _permit = permit;
            match Reader::open(&ledger)? {
                Some(reader) if still.learns(reader.interrupt()) => read(&reader).map(Some),
                _ => Ok(None),
            }
        });
        let _asker = Asker(wanted);
        reading.await.map_err(|_| Failure::Broken)?.map_err(Failure::from)
    }
}

/// Whether somebody waits for a reading, and how it is ended when not.
#[derive(Clone, Debug, Default)]
struct Wanted(Arc<(AtomicBool, OnceLock<Interrupt>)>);

impl Wanted {
    /// Learns how to end the reading; whether it is to begin at all.
    fn learns(&self, interrupt: Interrupt) -> bool {
        let (left, how) = &*self.0;
        how.get_or_init(|| interrupt);
        !left.load(SeqCst)
    }
}

/// Whoever waits; with him goes the reading.
struct Asker(Wanted);

impl Drop for Asker {
    fn drop(&mut self) {
        let (left, how) = &*self.0.0;
        left.store(true, SeqCst);
        how.get().into_iter().for_each(Interrupt::now);
    }
}
