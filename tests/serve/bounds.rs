//! What guests may not do: stay, shout, crowd. None of it costs memory, and none keeps others out.

use crate::scene::{Answer, Scene, in_real_time};
use cdb_backupd::{
    clock::Clock,
    ledger::report::{Error, Filter},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{ops::Range, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The promised five seconds, as a machine that is busy keeps them.
const FIVE: Range<Duration> = Duration::from_millis(4_500)..Duration::from_secs(12);
/// What an answer takes that waits for nobody.
const AT_ONCE: Duration = Duration::from_secs(4);
const OPEN_AT_MOST: usize = 16;

async fn connect(scene: &Scene) -> TcpStream {
    TcpStream::connect(scene.address).await.expect("somebody listens")
}

/// A well-behaved guest's answer, and how long it took.
async fn timed(scene: &Scene) -> (Answer, Duration) {
    let before = scene.clock.now().mono;
    let answer = scene.get("/healthz").await;
    (answer, scene.clock.now().mono - before)
}

/// What this process keeps in memory.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("this is Linux");
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number of pages") * 4_096
}

/// A thousand guests of one process.
pub(crate) fn more_descriptors() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum.map_or(Some(8_192), |most| Some(most.min(8_192))), maximum }).expect("more descriptors");
}

#[test]
fn whoever_does_not_end_his_request_is_cut_off_after_five_seconds() {
    in_real_time(async {
        let scene = Scene::open().await;
        for said in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "] {
            let before = scene.clock.now().mono;
            let mut stream = connect(&scene).await;
            stream.write_all(said.as_bytes()).await.expect("it is taken");
            let answer = scene.hear(&mut stream).await;
            let took = scene.clock.now().mono - before;
            assert!(FIVE.contains(&took), "{said:?} {took:?}");
            assert!(matches!(answer.status(), 0 | 408), "{answer:?}");
        }
    });
}

#[test]
fn whoever_drips_is_cut_off_all_the_same() {
    in_real_time(async {
        let scene = Scene::open().await;
        let before = scene.clock.now().mono;
        let mut stream = connect(&scene).await;
        stream.write_all(b"GET / HTTP/1.1\r\n").await.expect("it is taken");
        let mut drip = 0_u32;
        while scene.clock.now().mono - before < FIVE.end {
            drip += 1;
            if stream.write_all(format!("X-{drip}: y\r\n").as_bytes()).await.is_err() {
                break;
            }
            scene.clock.sleep(Duration::from_millis(200)).await;
        }
        let took = scene.clock.now().mono - before;
        assert!(FIVE.contains(&took), "{took:?} {drip}");
    });
}

#[test]
fn one_connection_carries_one_request() {
    in_real_time(async {
        let scene = Scene::open().await;
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let answer = scene.say(request.repeat(20).as_bytes()).await;
        assert_eq!((answer.status(), answer.0.matches("HTTP/1.1 ").count()), (200, 1), "{answer:?}");
        assert_eq!(answer.header("connection"), Some("close"));
    });
}

#[test]
fn a_head_of_ten_megabytes_is_refused_and_takes_no_memory() {
    in_real_time(async {
        let scene = Scene::open().await;
        let chunk = "x".repeat(64 * 1_024);
        assert_eq!(scene.get("/healthz").await.status(), 503);
        let before = resident();
        for begin in ["GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ", "GET /", "GET / HTTP/1.1\r\nHost: "] {
            for _ in 0..8 {
                let mut stream = connect(&scene).await;
                drop(stream.write_all(begin.as_bytes()).await);
                for _ in 0..160 {
                    if stream.write_all(chunk.as_bytes()).await.is_err() {
                        break;
                    }
                }
                let answer = scene.hear(&mut stream).await;
                // Who is still speaking when he is cut off may not hear the answer.
                assert!(matches!(answer.status(), 0 | 400 | 414 | 431), "{answer:?}");
            }
        }
        let grown = resident().saturating_sub(before);
        assert!(grown < 8 << 20, "240 MB were offered, and {grown} bytes were kept");
        assert_eq!(scene.get("/").await.status(), 200);
    });
}

#[test]
fn many_lines_of_a_head_are_refused() {
    in_real_time(async {
        let scene = Scene::open().await;
        let lines: String = (0..500).map(|n| format!("X-{n}: y\r\n")).collect();
        let answer = scene.say(format!("GET / HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n").as_bytes()).await;
        assert!(matches!(answer.status(), 0 | 431), "{answer:?}");
        assert_eq!(scene.get("/").await.status(), 200);
    });
}

#[test]
fn a_body_is_not_waited_for() {
    in_real_time(async {
        let scene = Scene::open().await;
        for method in ["GET", "POST"] {
            let before = scene.clock.now().mono;
            let head = format!("{method} / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\nbegin");
            let answer = scene.say(head.as_bytes()).await;
            let took = scene.clock.now().mono - before;
            assert!(matches!(answer.status(), 200 | 405) && took < AT_ONCE, "{answer:?} {took:?}");
        }
    });
}

#[test]
fn what_is_no_http_is_refused() {
    in_real_time(async {
        let scene = Scene::open().await;
        for said in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"\0\0\0\0\r\n\r\n", b"GET\r\n\r\n"] {
            let mut stream = connect(&scene).await;
            stream.write_all(said).await.expect("it is taken");
            assert!(matches!(scene.hear(&mut stream).await.status(), 0 | 400), "{said:?}");
        }
        assert_eq!(scene.get("/").await.status(), 200);
    });
}

#[test]
fn a_thousand_silent_guests_keep_nobody_out_and_sixteen_of_them_stay() {
    more_descriptors();
    in_real_time(async {
        let scene = Scene::open().await;
        let before = resident();
        let mut silent = Vec::new();
        for n in 0..1_000_u32 {
            silent.push(connect(&scene).await);
            if n % 100 == 50 {
                let (answer, took) = timed(&scene).await;
                assert!(answer.status() == 503 && took < AT_ONCE, "{n}: {answer:?} {took:?}");
            }
        }
        let (answer, took) = timed(&scene).await;
        assert!(answer.status() == 503 && took < AT_ONCE, "{answer:?} {took:?}");
        let mut open = 0;
        for mut stream in silent {
            let mut byte = [0];
            let is_open = tokio::select! {
                biased;
                read = stream.read(&mut byte) => { drop(read); false }
                () = scene.clock.sleep(Duration::from_millis(1)) => true,
            };
            open += usize::from(is_open);
        }
        assert!(open <= OPEN_AT_MOST, "{open} are open");
        let grown = resident().saturating_sub(before);
        assert!(grown < 16 << 20, "{grown} bytes for guests and hosts together");
    });
}

#[test]
fn a_reading_that_nobody_waits_for_any_more_ends() {
    in_real_time(async {
        let scene = crate::scrapes::filled(100).await;
        let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
        let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
        let (ended, mut has_ended) = tokio::sync::mpsc::unbounded_channel();
        let reading = scene.state.read(move |reader| {
            let mut lines = 0;
            let read = reader.history::<Error>(&Filter { limit: 1_000, ..Filter::default() }, |_| {
                lines += 1;
                if lines == 1 {
                    begun.send(()).ok();
                    may_go_on.recv().ok();
                }
                Ok(())
            });
            ended.send((lines, read.is_err())).ok();
            Ok(())
        });
        tokio::select! {
            _ = reading => panic!("it waits to be told"),
            _ = has_begun.recv() => {}
        }
        // The asker has gone with the future that was dropped.
        drop(go_on);
        let (lines, failed) = has_ended.recv().await.expect("it ended");
        assert!(failed && lines < 50, "{lines} lines were read for nobody");
    });
}
