//! What `next` will say of a slot: starts at each account's pace, blackouts, holds, and nights on which the clock changes.

use cdb_backupd::domain::{
    forecast::{Coming, coming},
    names::{AccountName, CredentialSource, Endpoint, InstanceId, JobName, Region},
    policy::{Account, Blackout, BlackoutSpan, ByHand, CatchUp, HistoryBounds, Instance, Job, Listen, Method, Overlap, Policy, Poll, Retry},
    schedule::Schedule,
    spread::share_of_spread,
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{sync::Arc, time::Duration};

pub(super) const HOUR: Duration = Duration::from_secs(3_600);

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Moments in them stand in UTC+8.
fn notes(coming: &Coming) -> Vec<String> {
    let shanghai = Schedule::parse("@daily", "Asia/Shanghai").expect("a schedule");
    coming.notes.iter().map(|note| note.written(|until| shanghai.local(until))).collect()
}

fn account(name: &str, calls_per_second: f64) -> Arc<Account> {
    Arc::new(Account {
        name: AccountName::parse(name).expect("a name"),
        endpoint: Endpoint::parse(Endpoint::DEFAULT).expect("an endpoint"),
        credentials: CredentialSource::Env { prefix: name.to_uppercase() },
        calls_per_second,
        max_running: None,
        absence_window: Duration::from_secs(540),
        list_offset_s: 28_800,
    })
}

fn instance(number: u32, account: &str) -> Arc<Instance> {
    let id = InstanceId::parse(&format!("cdb-sim{number:05}")).expect("an id");
    let account = AccountName::parse(account).expect("a name");
    Arc::new(Instance { name: (&id).into(), id, account, region: Region::parse("ap-guangzhou").expect("a region"), tags: [].into() })
}

pub(super) fn job(schedule: &str, zone: &str, instances: Vec<Arc<Instance>>) -> Job {
    Job {
        name: JobName::parse("nightly").expect("a name"),
        schedule: Schedule::parse(schedule, zone).expect("a schedule"),
        spread: Duration::ZERO,
        instances,
        method: Method::Snapshot,
        start_within: 2 * HOUR,
        complete_within: 12 * HOUR,
        catch_up: CatchUp::Off,
        overlap: Overlap::Skip,
        priority: 5,
        retry: Retry { after_failed: 1, max_attempts: None, initial_backoff: HOUR, max_backoff: HOUR },
        poll: Poll { initial: HOUR, max: HOUR },
        max_age: None,
        suspend: false,
        blackouts: Vec::new(),
    }
}

fn policy() -> Policy {
    Policy {
        ledger: None,
        listen: Listen::Off,
        listen_token: None,
        history: HistoryBounds { max_age: HOUR, max_runs: 1 },
        ledger_copies: None,
        accounts: vec![account("main", 5.0), account("slow", 0.5)],
        instances: Vec::new(),
        jobs: Vec::new(),
        blackouts: Vec::new(),
        by_hand: ByHand {
            start_within: HOUR,
            complete_within: HOUR,
            priority: 5,
            retry: Retry { after_failed: 1, max_attempts: None, initial_backoff: HOUR, max_backoff: HOUR },
            poll: Poll { initial: HOUR, max: HOUR },
        },
    }
}

/// The coming slots of one job, which the policy has besides its own.
fn slots(policy: &Policy, job: &Job, after: &str, count: usize) -> Vec<Coming> {
    let mut policy = policy.clone();
    policy.jobs.push(Arc::new(job.clone()));
    coming(&policy, &[job], at(after), DateTime::<Utc>::MAX_UTC, count).pop().expect("one job")
}

fn first(policy: &Policy, job: &Job, after: &str) -> Coming {
    slots(policy, job, after, 1).pop().expect("a slot")
}

#[test]
fn accounts_start_side_by_side_and_each_at_its_own_pace() {
    let main = (0..60).map(|n| instance(n, "main"));
    let alone = first(&policy(), &job("30 2 * * *", "Asia/Shanghai", main.clone().collect()), "2026-11-24T00:00:00Z");
    assert_eq!((alone.slot, alone.runs), (at("2026-11-24T18:30:00Z"), 60));
    // 59 distances of 202 ms.
    assert_eq!(alone.starts, Some((at("2026-11-24T18:30:00Z"), at("2026-11-24T18:30:11.918Z"))));
    let slow = (60..63).map(|n| instance(n, "slow"));
    let both = first(&policy(), &job("30 2 * * *", "Asia/Shanghai", main.take(2).chain(slow).collect()), "2026-11-24T00:00:00Z");
    // Two distances of 2.02 s, while the other account has long been ready.
    assert_eq!(both.starts, Some((at("2026-11-24T18:30:00Z"), at("2026-11-24T18:30:04.040Z"))));
}

#[test]
fn jobs_that_share_a_slot_and_accounts_that_share_keys_start_one_after_another() {
    let mut policy = policy();
    policy.accounts.push(Arc::new(Account { name: AccountName::parse("same").expect("a name"), ..(*account("main", 5.0)).clone() }));
    let mut urgent = job("30 2 * * *", "Asia/Shanghai", (0..10).map(|n| instance(n, "main")).collect());
    (urgent.name, urgent.priority) = (JobName::parse("urgent").expect("a name"), 1);
    policy.jobs = vec![Arc::new(urgent.clone())];
    let later = job("30 2 * * *", "Asia/Shanghai", (10..12).map(|n| instance(n, "same")).collect());
    let slot = at("2026-11-24T18:30:00Z");
    let behind = first(&policy, &later, "2026-11-24T00:00:00Z");
    // Ten distances of 202 ms, and one more.
    assert_eq!(behind.starts, Some((slot + TimeDelta::milliseconds(2_020), slot + TimeDelta::milliseconds(2_222))));
    urgent.suspend = true;
    policy.jobs = vec![Arc::new(urgent)];
    let alone = first(&policy, &later, "2026-11-24T00:00:00Z");
    assert_eq!(alone.starts, Some((slot, slot + TimeDelta::milliseconds(202))), "a suspended job takes no part");
}

#[test]
fn a_spread_moves_starts_and_not_the_slot() {
    let mut job = job("30 2 * * *", "Asia/Shanghai", vec![instance(1, "main"), instance(2, "main")]);
    job.spread = 20 * HOUR / 60;
    let shares: Vec<_> = job.instances.iter().map(|i| share_of_spread(&job.name, &i.id, job.spread)).collect();
    let (soon, late) = (shares[0].min(shares[1]), shares[0].max(shares[1]));
    let slot = first(&policy(), &job, "2026-11-24T00:00:00Z");
    assert_eq!(slot.slot_local, "2026-11-25 02:30:00 +08:00");
    assert_eq!(slot.starts, Some((slot.slot + soon, slot.slot + late)));
}

#[test]
fn a_slot_in_a_blackout_is_skipped_and_a_start_in_a_later_one_waits() {
    let blackout = |from: &str, to: &str| Blackout { span: BlackoutSpan::Once { from: at(from), to: at(to) }, reason: "double eleven".into() };
    let mut policy = policy();
    policy.blackouts.push(blackout("2026-11-24T18:30:00Z", "2026-11-24T20:00:00Z"));
    let slow = job("30 2 * * *", "Asia/Shanghai", vec![instance(1, "slow"), instance(2, "slow")]);
    let skipped = first(&policy, &slow, "2026-11-24T00:00:00Z");
    assert_eq!((skipped.runs, skipped.starts), (2, None));
    assert_eq!(notes(&skipped), ["skipped: blackout (double eleven) until 2026-11-25 04:00:00 +08:00"]);
    policy.blackouts = vec![blackout("2026-11-24T18:30:01Z", "2026-11-24T20:00:00Z")];
    let waits = first(&policy, &slow, "2026-11-24T00:00:00Z");
    assert_eq!(notes(&waits), ["the last starts wait: blackout until 2026-11-25 04:00:00 +08:00"]);
    policy.blackouts = Vec::new();
    let mut own = slow;
    own.blackouts = vec![blackout("2026-11-24T18:00:00Z", "2026-11-24T18:30:00Z")];
    assert_eq!(notes(&first(&policy, &own, "2026-11-24T00:00:00Z")), [""; 0]);
}

#[test]
fn a_job_that_is_suspended_or_has_no_instance_starts_nothing() {
    let mut held = job("30 2 * * *", "Asia/Shanghai", vec![instance(1, "main")]);
    held.suspend = true;
    let held = first(&policy(), &held, "2026-11-24T00:00:00Z");
    assert_eq!((held.starts, notes(&held)), (None, vec!["held: the policy suspends the job".to_owned()]));
    let empty = first(&policy(), &job("30 2 * * *", "Asia/Shanghai", Vec::new()), "2026-11-24T00:00:00Z");
    assert_eq!((empty.runs, empty.starts), (0, None));
}

#[test]
fn slots_of_a_night_with_a_clock_change_are_marked_and_no_others() {
    for (cron, after, marked) in [
        ("30 2 * * *", "2027-03-27T00:00:00Z", &[None, Some("runs at the jump"), None][..]),
        ("30 2 * * *", "2027-10-30T00:00:00Z", &[None, Some("in the first pass of the repeated time only"), None]),
        ("0,30 2 * * *", "2027-03-27T12:00:00Z", &[Some("2 times fall on this one slot"), None]),
        ("15 * * * *", "2027-03-28T00:00:00Z", &[None, Some("the time before this one falls away"), None]),
        ("15 * * * *", "2027-10-30T23:00:00Z", &[None, Some("in both passes"), Some("in both passes"), None]),
    ] {
        let job = job(cron, "Europe/Berlin", vec![instance(1, "main")]);
        let slots = slots(&policy(), &job, after, marked.len());
        assert_eq!(slots.len(), marked.len());
        for (slot, note) in slots.iter().zip(marked) {
            let said = notes(slot).join("; ");
            assert!(note.map_or(said.is_empty(), |note| said.contains(note)), "{cron} at {}: {said}", slot.slot_local);
        }
    }
}
