//! The real daemon behind its door: what it says while all is well, while something is missing, and when that has passed.

use crate::{
    bounds::more_descriptors,
    scene::in_real_time,
    scrapes::{Text, value},
    stage::Stage,
};
use cdb_backupd::clock::Clock;
use rustix::process::Signal;
use std::time::Duration;
use tokio::{io::AsyncWriteExt, net::TcpStream};

fn says(answer: &crate::scene::Answer, reason: &str) -> bool {
    answer.status() == 503 && answer.body().contains(&format!("\"reason\":\"{reason}\""))
}

#[test]
fn a_port_in_use_is_a_failure_to_start_that_names_the_address() {
    in_real_time(async {
        let stage = Stage::set().await;
        let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = taken.local_addr().expect("an address");
        let mut child = stage.start(&format!("listen: {address}"));
        let status = stage.until("it ends", || child.try_wait().expect("a child")).await;
        assert_eq!(status.code(), Some(1), "{}", stage.log());
        assert!(stage.log().contains(&format!("cannot listen on {address}: ")), "{}", stage.log());
        assert!(stage.cloud.audit().events.is_empty(), "nothing was called");
    });
}

#[test]
fn a_second_daemon_on_the_ledger_is_told_of_the_ledger_not_of_the_port() {
    in_real_time(async {
        let stage = Stage::set().await;
        let daemon = stage.daemon().await;
        let mut second = stage.start(&format!("listen: {}", daemon.address));
        let status = stage.until("it ends", || second.try_wait().expect("a child")).await;
        assert_eq!(status.code(), Some(75), "{}", stage.log());
    });
}

#[test]
fn an_open_address_starts_with_its_token_only() {
    in_real_time(async {
        let stage = Stage::set().await;
        for (listen, code, said) in [
            ("listen: 0.0.0.0:0", 78, "listen-without-token"),
            ("listen: 0.0.0.0:0\nlisten_token: { env: NO_SUCH_TOKEN }", 1, "set NO_SUCH_TOKEN"),
            ("listen: 127.0.0.1:0\nlisten_token: { file: short }", 1, "16 to 1024 visible"),
            ("listen: 127.0.0.1:0\nlisten_token: { file: open }", 1, "chmod 600"),
        ] {
            for (name, text, mode) in [("short", "hunter2\n", 0o600), ("open", "hunter2hunter2hunter2\n", 0o644)] {
                let path = stage.folder.path().join(name);
                std::fs::write(&path, text).expect("a file");
                std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("a mode");
            }
            let mut child = stage.start(listen);
            let status = stage.until("it ends", || child.try_wait().expect("a child")).await;
            assert_eq!(status.code(), Some(code), "{listen}: {}", stage.log());
            assert!(stage.log().contains(said) && !stage.log().contains("hunter2"), "{listen}: {}", stage.log());
        }
    });
}

#[test]
fn it_becomes_ready_counts_what_it_does_and_closes_its_door_with_its_end() {
    in_real_time(async {
        let stage = Stage::set().await;
        let mut daemon = stage.daemon().await;
        daemon.until("/readyz", |answer| answer.status() == 200).await;
        assert_eq!(daemon.get("/healthz").await.status(), 200);
        let good = |text: &Text| value(text, "cdb_backupd_runs_ended_total", "outcome=\"succeeded\"") >= 1.0;
        let answer = daemon.until("/metrics", |answer| good(&Text::read(answer.body()))).await;
        let text = Text::read(answer.body());
        let calls = |action: &str| value(&text, "cdb_backupd_calls_total", &format!("action=\"{action}\",class=\"ok\""));
        assert!(calls("CreateBackup") >= 1.0 && calls("DescribeBackups") >= 1.0, "{}", answer.body());
        assert!(value(&text, "cdb_backupd_start_lateness_seconds_count", "") >= 1.0);
        assert!(value(&text, "cdb_backupd_run_duration_seconds_count", "method=\"physical\"") >= 1.0);
        assert_eq!(value(&text, "cdb_backupd_policy_in_force", ""), 1.0);
        assert!(value(&text, "cdb_backupd_pulse_age_seconds", "") < 20.0);
        assert_eq!(daemon.end().await.code(), Some(0), "{}", stage.log());
        assert!(TcpStream::connect(daemon.address).await.is_err(), "the door is closed");
    });
}

#[test]
fn a_ledger_that_cannot_be_written_leaves_it_alive_and_not_ready_until_it_can() {
    in_real_time(async {
        let stage = Stage::set().await;
        let daemon = stage.daemon().await;
        daemon.until("/readyz", |answer| answer.status() == 200).await;
        let other = rusqlite::Connection::open(stage.ledger()).expect("the ledger");
        other.busy_timeout(Duration::from_secs(20)).expect("patience");
        other.execute_batch("BEGIN IMMEDIATE").expect("the other one writes");
        daemon.until("/readyz", |answer| says(answer, "ledger_not_writable")).await;
        assert_eq!(daemon.get("/healthz").await.status(), 200, "a pass that holds has finished");
        let text = daemon.get("/metrics").await;
        assert_eq!(value(&Text::read(text.body()), "cdb_backupd_ledger_writable", ""), 0.0);
        other.execute_batch("ROLLBACK").expect("it has written");
        daemon.until("/readyz", |answer| answer.status() == 200).await;
    });
}

#[test]
fn keys_that_are_refused_are_named_by_their_account() {
    in_real_time(async {
        let mut stage = Stage::set().await;
        stage.secret_key = "wrong".repeat(6);
        let daemon = stage.daemon().await;
        let answer = daemon.until("/readyz", |answer| says(answer, "account_held")).await;
        assert!(answer.body().contains("\"account\":\"sim\"") && !answer.body().contains("wrong"), "{answer:?}");
        let text = daemon.get("/metrics").await;
        assert_eq!(value(&Text::read(text.body()), "cdb_backupd_account_held", "account=\"sim\""), 1.0);
        let text = Text::read(text.body());
        let refused = |action: &str| value(&text, "cdb_backupd_calls_total", &format!("action=\"{action}\",class=\"account\""));
        assert!(refused("DescribeBackups") + refused("CreateBackup") >= 2.0, "{text:?}");
        assert_eq!(daemon.get("/healthz").await.status(), 200);
    });
}

#[test]
fn a_clock_that_is_off_is_what_is_missing() {
    in_real_time(async {
        let stage = Stage::set().await;
        stage.cloud.set_skew(chrono::TimeDelta::minutes(10));
        let daemon = stage.daemon().await;
        daemon.until("/readyz", |answer| says(answer, "clock_unproved") && says(answer, "policy_not_in_force")).await;
        stage.cloud.set_skew(chrono::TimeDelta::zero());
        daemon.until("/readyz", |answer| answer.status() == 200).await;
    });
}

#[test]
fn a_daemon_that_stands_still_answers_nobody_and_one_that_goes_on_is_alive_again() {
    in_real_time(async {
        let stage = Stage::set().await;
        let daemon = stage.daemon().await;
        daemon.until("/readyz", |answer| answer.status() == 200).await;
        daemon.freeze().await;
        let heard = tokio::select! {
            answer = daemon.get("/healthz") => answer.status(),
            () = stage.clock.sleep(Duration::from_secs(2)) => 0,
        };
        assert_eq!(heard, 0);
        daemon.tell(Signal::CONT);
        daemon.until("/healthz", |answer| answer.status() == 200).await;
    });
}

#[test]
fn guests_who_crowd_and_shout_do_not_make_a_run_late() {
    in_real_time(async {
        let stage = Stage::set().await;
        let daemon = stage.daemon().await;
        daemon.until("/readyz", |answer| answer.status() == 200).await;
        let begun = |text: &Text| value(text, "cdb_backupd_start_lateness_seconds_count", "");
        let before = begun(&Text::read(daemon.get("/metrics").await.body()));
        let shout = "x".repeat(256 * 1_024);
        let end = stage.clock.now().mono + Duration::from_secs(4);
        let mut crowd = Vec::new();
        while stage.clock.now().mono < end {
            if crowd.len() >= 300 {
                crowd.clear();
            }
            if let Ok(mut stream) = TcpStream::connect(daemon.address).await {
                drop(stream.write_all(shout.as_bytes()).await);
                crowd.push(stream);
            }
        }
        let text = daemon.until("/metrics", |answer| begun(&Text::read(answer.body())) > before).await;
        let text = Text::read(text.body());
        let in_time = value(&text, "cdb_backupd_start_lateness_seconds_bucket", "le=\"1.0\"");
        assert_eq!(in_time, begun(&text), "each began within a second of its slot");
    });
}

#[test]
fn a_thousand_guests_who_stay_and_heads_of_ten_megabytes_cost_the_daemon_no_memory_and_no_pass() {
    more_descriptors();
    in_real_time(async {
        let stage = Stage::set().await;
        let daemon = stage.daemon().await;
        daemon.until("/readyz", |answer| answer.status() == 200).await;
        daemon.until("/", |answer| answer.status() == 200).await;
        let samples = async || Text::read(daemon.until("/metrics", |answer| answer.status() == 200).await.body());
        let begun = |text: &Text| value(text, "cdb_backupd_start_lateness_seconds_count", "");
        let (before, memory) = (begun(&samples().await), daemon.most_memory());
        let mut guests = Vec::new();
        for n in 0..1_000 {
            let mut stream = TcpStream::connect(daemon.address).await.expect("somebody listens");
            // Some say nothing, some never end, and some are no HTTP.
            let said: &[u8] = [&b""[..], b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", b"\x16\x03\x01\0\0\r\n\r\n"][n % 3];
            drop(stream.write_all(said).await);
            guests.push(stream);
        }
        let shout = vec![b'x'; 10 << 20];
        for _ in 0..10 {
            let mut stream = TcpStream::connect(daemon.address).await.expect("somebody listens");
            drop(stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ").await);
            drop(stream.write_all(&shout).await);
            guests.push(stream);
        }
        let age = value(&samples().await, "cdb_backupd_pulse_age_seconds", "");
        assert!((0.0..5.0).contains(&age), "passes finish while they all stay: {age}");
        let text = daemon.until("/metrics", |answer| begun(&Text::read(answer.body())) > before + 1.0).await;
        let text = Text::read(text.body());
        assert_eq!(value(&text, "cdb_backupd_start_lateness_seconds_bucket", "le=\"1.0\""), begun(&text), "each began within a second of its slot");
        let grown = daemon.most_memory().saturating_sub(memory);
        assert!(grown < 12 << 20, "100 MB were offered by 1,010 guests, and at the most {grown} bytes more were kept");
        drop(guests);
        assert_eq!(daemon.until("/healthz", |answer| answer.status() == 200).await.status(), 200);
    });
}
