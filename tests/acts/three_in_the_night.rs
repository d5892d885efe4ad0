//! Seven questions that are asked at three in the night, as one session: the real commands beside a real daemon, after a night on which one backup
//! of four failed. The README prints it.

use super::stage::Stage;
use cdb_backupd::clock::{Clock, SystemClock};
use chrono::{DateTime, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Utc};
use regex::{Captures, Regex};

/// What is asked, and the command that answers.
const ASKED: [(&str, &[&str]); 7] = [
    ("did last night's backups work?", &["status"]),
    ("why not?", &["show", "2"]),
    ("run it again", &["backup", "--job", "nightly", "--not-ok", "--since", "12h", "--wait"]),
    ("stop everything for the migration", &["pause", "--all", "--until", "2h", "--reason", "storage migration"]),
    ("what happens tonight?", &["next", "--count", "1"]),
    ("is my policy right?", &["check"]),
    ("who has no backup at all?", &["status", "--uncovered"]),
];
/// When the night's slot is, as it is told; the real one is a few seconds after the test begins.
const TOLD_UTC: &str = "2026-11-23T18:30:00";
const ZONE_HOURS: i64 = 8;

#[test]
fn seven_questions_of_three_in_the_night_are_answered_by_seven_commands() {
    let clock = SystemClock::new();
    let soon = clock.now().utc.with_nanosecond(0).unwrap() + TimeDelta::seconds(3);
    // A whole minute is told without its seconds.
    let slot = if soon.second() == 0 { soon + TimeDelta::seconds(1) } else { soon };
    let local = slot + TimeDelta::hours(ZONE_HOURS);
    let (second, minute, hour) = (local.second(), local.minute(), local.hour());
    let later = (hour + 20) % 24;
    // The second backup of the night ends FAILED, and is not made again by itself.
    let stage = Stage::of(
        "create#1@cdb-sim00002:backup_fails",
        4,
        &format!(
            "instances:\n  - {{ id: cdb-sim00001, name: orders }}\n  - {{ id: cdb-sim00002, name: billing }}\n  \
             - {{ id: cdb-sim00003, name: users }}\n  - {{ id: cdb-sim00004, name: legacy }}\n\
             defaults: {{ time_zone: Asia/Shanghai, method: physical, poll: {{ initial: 2s, max: 2s }}, retry: {{ after_failed: 0 }} }}\n\
             jobs:\n  - {{ name: nightly, schedule: \"{second} {minute} {hour} * * *\", targets: {{ instances: [orders, billing, users] }} }}\n  \
             - {{ name: orders-tables, schedule: \"{second} {minute} {later} * * *\", method: logical, tables: [ {{ db: shop }} ], \
             targets: {{ instances: [orders] }} }}\n"
        ),
    );
    let _daemon = stage.daemon();
    // A backup takes a second, so that the first list shows how it ended.
    stage.until("the end of three runs", || {
        let told = stage.says(&["history", "--since", "1h", "-o", "json"]).json();
        let ended = told["items"].as_array()?.iter().filter(|item| !item["finished_at"].is_null()).count();
        (ended == 3).then_some(())
    });
    stage.until("a pulse with a proved clock", || stage.says(&["status", "-o", "json"]).json()["pulse"]["held"].is_null().then_some(()));
    let told: Vec<String> = ASKED.iter().map(|(question, words)| answer(&stage, question, words)).collect();
    let transcript = Telling::of(&stage, slot).tell(&told.join("\n"));
    insta::assert_snapshot!(transcript);
    assert_eq!(stage.cloud.audit().doubled.len(), 0);
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    assert!(readme.contains(&format!("```console\n{transcript}```\n")), "the README prints the session as it is");
}

/// As a terminal shows it.
fn answer(stage: &Stage, question: &str, words: &[&str]) -> String {
    let said = stage.says_on_a_terminal(words);
    let typed: Vec<String> = words.iter().map(|word| if word.contains(' ') { format!("\"{word}\"") } else { (*word).to_owned() }).collect();
    format!("# {question}\n$ cdb-backupd {}\n{}", typed.join(" "), said)
}

/// What differs from night to night, told as of one night: times, ids, places.
struct Telling {
    shift: TimeDelta,
    places: [(String, &'static str); 3],
}

impl Telling {
    fn of(stage: &Stage, slot: DateTime<Utc>) -> Self {
        let told: NaiveDateTime = TOLD_UTC.parse().unwrap();
        let ledger = stage.ledger();
        let places = [
            (ledger.display().to_string(), "/var/lib/cdb-backupd/ledger.db"),
            (ledger.with_file_name("policy.yaml").display().to_string(), "/etc/cdb-backupd/policy.yaml"),
            (stage.address(), "127.0.0.1:40404"),
        ];
        Self { shift: told - slot.naive_utc(), places }
    }

    /// Each time is told to its minute.
    fn tell(&self, text: &str) -> String {
        let text = self.places.iter().fold(text.to_owned(), |text, (here, told)| text.replace(here, told));
        let text = self.each(&text, r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{3})?", |time| {
            let parsed: NaiveDateTime = time[..19].replace(' ', "T").parse().unwrap();
            let told = (parsed + self.shift).with_second(0).unwrap().format("%Y-%m-%dT%H:%M:%S").to_string();
            told.replace('T', &time[10..11]) + &time[19..].replace(|c: char| c.is_ascii_digit(), "0")
        });
        let text = self.each(&text, r"\b\d{8}T\d{6}Z\.\w{8}", |_| "20261123T183000Z.k3v9x2qa".to_owned());
        let text = self.each(&text, r"(?m)\d\d:\d\d:\d\d$", |time| {
            let parsed: NaiveTime = time.parse().unwrap();
            parsed.overflowing_add_signed(self.shift).0.with_second(0).unwrap().format("%H:%M:%S").to_string()
        });
        // How many of these a command sees is a matter of milliseconds.
        let text = self.each(&text, r"(?m)^cdb-backupd: run \d+, .*: (due|calling|running): .*\n", |_| String::new());
        let text = self.each(&text, r"\d+ s ago|just now", |_| "1 s ago".to_owned());
        let text = self.each(&text, r"ago by \S+:", |_| "ago by alice:".to_owned());
        let text = self.each(&text, r" +\d+ ms", |took| format!("{:>w$}", "163 ms", w = took.len()));
        let text = self.each(&text, r"\b1\d{8}\b", |_| "103556827".to_owned());
        let text = self.each(&text, r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", |_| "9d50aeaf-144c-0228-2e72-dca3bc778e0f".to_owned());
        self.each(&text, r"(?m)policy       [0-9a-f]{12}$", |_| "policy       86c23f714efa".to_owned())
    }

    fn each(&self, text: &str, pattern: &str, told: impl Fn(&str) -> String) -> String {
        Regex::new(pattern).unwrap().replace_all(text, |found: &Captures<'_>| told(&found[0])).into_owned()
    }
}
