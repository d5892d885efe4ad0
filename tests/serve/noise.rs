//! What goes wrong with each request is not told with each.

use crate::scene::Scene;
use std::{
    io,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
};

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_ledger_that_cannot_be_read_is_told_once_in_ten_minutes_however_many_ask() {
    let written = Written::default();
    let (writer, told) = (written.clone(), || {
        let text = String::from_utf8(written.0.lock().expect("nobody panicked").clone()).expect("text");
        text.lines().filter(|line| line.contains("the ledger cannot be read")).count()
    });
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    // One thread, so that all of it is heard.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tracing::subscriber::with_default(subscriber, || {
        runtime.block_on(async {
            let scene = Scene::open().await;
            let ledger = scene.folder.path().join("ledger.db");
            std::fs::remove_file(&ledger).expect("it was there");
            std::fs::create_dir(&ledger).expect("a folder in its place");
            for _ in 0..10 {
                assert_eq!((scene.get("/metrics").await.status(), scene.get("/?format=json").await.status()), (200, 503));
            }
            assert_eq!(told(), 1);
            scene.ahead_ms.fetch_add(599_000, Relaxed);
            scene.get("/metrics").await;
            assert_eq!(told(), 1);
            scene.ahead_ms.fetch_add(1_000, Relaxed);
            scene.get("/metrics").await;
            scene.get("/metrics").await;
            assert_eq!(told(), 2);
        });
    });
}
