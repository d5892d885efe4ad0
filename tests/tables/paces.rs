//! How long waits are, when a call may leave, and when the clock counts as right: what is not tried beside the code itself.

use super::scene::{at, secs, terms};
use cdb_backupd::domain::{
    names::RunId,
    now::Now,
    pace::{EARLY, Pace},
    policy::{Poll, Retry},
    proof::{ClockProof, Heard},
    retry::{backoff, look_distance},
};
use chrono::TimeDelta;
use std::time::Duration;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Monotonic times at which `count` permits were given to a loop that asks again as soon as it is told to.
fn taken(pace: &mut Pace, mut now: Duration, count: usize) -> Vec<Duration> {
    let mut times = Vec::new();
    while times.len() < count {
        match pace.take(now) {
            Ok(()) => times.push(now),
            Err(free_at) => now = free_at,
        }
    }
    times
}

#[test]
fn backoffs_grow_from_the_first_to_the_longest_and_no_two_runs_march_in_step() {
    let Retry { initial_backoff, max_backoff, .. } = terms().retry;
    let mean = |failures| (0..400).map(|run| backoff(&terms().retry, RunId(run), failures)).sum::<Duration>() / 400;
    for failures in 1..=8 {
        let ceiling = initial_backoff * 2_u32.pow(failures - 1);
        for run in 0..100 {
            let wait = backoff(&terms().retry, RunId(run), failures);
            assert!(wait >= initial_backoff / 2 && wait <= ceiling, "{failures}: {wait:?}");
        }
        let middle = (initial_backoff / 2 + ceiling) / 2;
        assert!(mean(failures) > middle.mul_f64(0.85) && mean(failures) < middle.mul_f64(1.15), "{failures}: {:?}", mean(failures));
    }
    assert!(mean(60) > max_backoff / 3, "{:?}", mean(60));
    let fixed = Retry { initial_backoff: secs(60), max_backoff: secs(10), ..terms().retry };
    assert!((0..50).all(|run| backoff(&fixed, RunId(run), 3) == secs(10)), "the longest wins over the first");
}

#[test]
fn looks_double_their_distance_up_to_poll_max() {
    let poll = Poll { initial: secs(15), max: secs(300) };
    let distances: Vec<u64> = [0, 1, 2, 3, 4, 5, 31, 32, u32::MAX].iter().map(|looks| look_distance(&poll, *looks).as_secs()).collect();
    assert_eq!(distances, [15, 30, 60, 120, 240, 300, 300, 300, 300]);
}

#[test]
fn permits_are_202_ms_apart_without_a_burst_however_long_nobody_asked() {
    let mut pace = Pace::new(5.0, Duration::ZERO);
    assert_eq!(taken(&mut pace, secs(1_000), 1), [secs(1_000)]);
    let next = pace.take(secs(1_000)).expect_err("a second at once");
    assert_eq!(next, secs(1_000) + ms(202) - EARLY, "it may be taken 100 ms early");
    assert_eq!(taken(&mut pace, next, 3), [next, next + ms(202), next + ms(404)]);
    assert!(pace.take(secs(2_000)).is_ok() && pace.take(secs(2_000)).is_err(), "an idle while saves nothing up");
}

#[test]
fn the_last_five_permits_span_more_than_a_second_at_any_rate() {
    // A rate that the governor alone would let through: the five passages keep the second.
    let permits = taken(&mut Pace::new(50.0, Duration::ZERO), secs(1), 26);
    for (first, sixth) in permits.iter().zip(permits.iter().skip(5)) {
        // A permit may be taken early, so the calls themselves lie up to that much closer than what the pace counts.
        assert!(*sixth + EARLY - *first >= ms(1_005), "{first:?} and {sixth:?}");
    }
    assert!(permits.last().expect("permits").as_secs_f64() < 7.0, "and it does not stop: {permits:?}");
}

#[test]
fn a_refused_permit_is_free_exactly_when_the_pace_says() {
    let mut pace = Pace::new(2.0, Duration::ZERO);
    let mut now = secs(3);
    for _ in 0..50 {
        pace.take(now).expect("a permit");
        let free = pace.take(now).expect_err("no second one");
        assert!(pace.take(free - ms(1)).is_err(), "not a moment sooner");
        now = free;
    }
}

#[test]
fn a_throttled_pace_halves_and_gains_half_a_call_after_each_calm_ten_seconds() {
    let mut pace = Pace::new(5.0, Duration::ZERO);
    let mut rates = Vec::new();
    pace.throttled(secs(100));
    for s in [100, 109, 110, 119, 120, 130, 140, 150, 160, 1_000] {
        // Asking is what lets time count; whether a permit is free is another matter.
        let _asked = pace.take(secs(s)).is_ok();
        rates.push(pace.per_second());
    }
    assert_eq!(rates, [2.5, 2.5, 3.0, 3.0, 3.5, 4.0, 4.5, 5.0, 5.0, 5.0]);
    pace.throttled(secs(1_005));
    pace.throttled(secs(1_008));
    assert_eq!(pace.per_second(), 1.25);
    let _asked = pace.take(secs(1_017)).is_ok();
    assert_eq!(pace.per_second(), 1.25, "the calm counts from the last such answer");
    let _asked = pace.take(secs(1_018)).is_ok();
    assert_eq!(pace.per_second(), 1.75);
}

#[test]
fn a_policy_may_slow_the_pace_and_never_opens_it_for_a_burst() {
    let mut pace = Pace::new(5.0, Duration::ZERO);
    pace.take(secs(10)).expect("the first");
    pace.limit(0.1);
    assert_eq!(pace.per_second(), 0.1);
    let free = pace.take(secs(10) + ms(300)).expect_err("ten seconds have not passed");
    assert!(free >= secs(20) - EARLY, "{free:?}");
    pace.throttled(secs(11));
    assert_eq!(pace.per_second(), 0.1, "a floor above the policy's rate does not raise it");
    pace.limit(5.0);
    pace.take(secs(30)).expect("a permit");
    assert!(pace.take(secs(30)).is_err());
}

#[test]
fn the_clock_is_proved_by_a_date_within_a_minute_on_either_side() {
    let now = |s: i64| Now { utc: at(s), mono: secs((s + 600).unsigned_abs()) };
    for (off, expected) in [
        (0, Heard::Proved),
        (60, Heard::Proved),
        (-60, Heard::Proved),
        (61, Heard::Off(TimeDelta::seconds(61))),
        (-61, Heard::Off(TimeDelta::seconds(-61))),
        (315_360_000, Heard::Off(TimeDelta::seconds(315_360_000))),
    ] {
        let mut clock = ClockProof::default();
        assert_eq!(clock.heard(now(0), now(1), at(1 + off)), expected, "{off} s");
        assert_eq!(clock.proof().map(|proof| (proof.date, proof.started)), (expected == Heard::Proved).then_some((at(1 + off), at(-600))), "{off} s");
    }
}

#[test]
fn a_proof_stands_whatever_later_replies_say_and_follows_the_clouds_clock() {
    let now = |s: i64| Now { utc: at(s), mono: secs((s + 600).unsigned_abs()) };
    let mut clock = ClockProof::default();
    clock.heard(now(0), now(0), at(20));
    assert_eq!(clock.heard(now(10), now(10), at(5_000)), Heard::Nothing, "one reply with a wild Date takes nothing back");
    assert_eq!(clock.heard(now(20), now(20), at(15)), Heard::Nothing);
    let proof = clock.proof().expect("a proof");
    assert_eq!((proof.date, proof.ahead), (at(20), TimeDelta::seconds(-5)), "the proving Date stays, the distance is the newest");
    assert!(!clock.ask(secs(10_000)) && clock.asks_at().is_none(), "a proved clock asks for nothing");
}

#[test]
fn a_step_of_the_wall_clock_takes_the_proof_and_asks_again_at_once() {
    let proved = || {
        let mut clock = ClockProof::default();
        clock.heard(Now { utc: at(0), mono: secs(100) }, Now { utc: at(0), mono: secs(100) }, at(0));
        clock
    };
    for (step, lost) in [(60, false), (-60, false), (61, true), (-61, true), (315_360_000, true)] {
        let mut clock = proved();
        assert_eq!(clock.observe(Now { utc: at(500 + step), mono: secs(600) }), lost, "{step} s");
        assert_eq!(clock.proof().is_none(), lost, "{step} s");
        assert_eq!(clock.ask(secs(600)), lost, "{step} s");
    }
    let mut slept = proved();
    assert!(slept.observe(Now { utc: at(3_600), mono: secs(101) }), "a machine that slept has parted its clocks");
}
