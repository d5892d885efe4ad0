//! How often each caller calls: the cloud's own counter of a fixed second, and the sliding second that the daemon promises to keep.

use super::{call::Refusal, faults::Action};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

const SECOND: Duration = Duration::from_secs(1);
/// Callers that are told apart; those beyond share one count for each action.
const CALLERS: usize = 1_000;

/// Whom calls are counted for (README §3): the host's access region and the key, for each action.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted {
    /// The action.
    pub action: Action,
    /// The host, without the port.
    pub host: String,
    /// The key.
    pub secret_id: String,
}

/// What one caller did with one action. Times count from the cloud's start.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// Calls that were sent, refused and lost ones included.
    pub calls: u64,
    /// Those refused because of the rate.
    pub refused: u64,
    /// The most that were sent in any sliding second.
    pub peak: u32,
    /// When the first was sent.
    pub first: Duration,
    /// When the last was sent.
    pub last: Duration,
    second: i64,
    in_second: u32,
    window: VecDeque<Duration>,
    full_until: Duration,
}

/// All callers.
#[derive(Clone, Debug, Default)]
pub(super) struct Rate {
    traffic: BTreeMap<Counted, Traffic>,
}

impl Rate {
    fn of(&mut self, who: &Counted) -> &mut Traffic {
        let known = self.traffic.contains_key(who) || self.traffic.len() < CALLERS;
        let shared = || Counted { action: who.action, host: String::new(), secret_id: String::new() };
        self.traffic.entry(if known { who.clone() } else { shared() }).or_default()
    }

    /// Takes note of a call that was sent, whatever becomes of it.
    pub(super) fn sent(&mut self, who: &Counted, at: Duration) {
        let traffic = self.of(who);
        if traffic.calls == 0 {
            traffic.first = at;
        }
        traffic.calls += 1;
        traffic.last = at;
        while traffic.window.front().is_some_and(|t| at.saturating_sub(*t) >= SECOND) {
            traffic.window.pop_front();
        }
        traffic.window.push_back(at);
        traffic.peak = traffic.peak.max(u32::try_from(traffic.window.len()).unwrap_or(u32::MAX));
    }

    /// Counts a call in its clock second, refused ones too, and refuses it past the limit.
    pub(super) fn count(&mut self, who: &Counted, second: i64, at: Duration, limit: u32) -> Result<(), Refusal> {
        let traffic = self.of(who);
        if traffic.second != second {
            traffic.second = second;
            traffic.in_second = 0;
        }
        traffic.in_second = traffic.in_second.saturating_add(1);
        let others = if at < traffic.full_until { limit } else { 0 };
        let times = traffic.in_second.saturating_add(others);
        if times <= limit {
            return Ok(());
        }
        traffic.refused += 1;
        Err(limit_exceeded(times, limit))
    }

    /// Lets others with this identity use up the rate until then.
    pub(super) fn fill(&mut self, who: &Counted, until: Duration) {
        let traffic = self.of(who);
        traffic.full_until = traffic.full_until.max(until);
    }

    /// What each caller did.
    pub(super) fn traffic(&self) -> &BTreeMap<Counted, Traffic> {
        &self.traffic
    }
}

/// The text of README §2.3.
pub(super) fn limit_exceeded(times: u32, limit: u32) -> Refusal {
    let text = format!(
        "Your current request times equals to `{times}` in a second, which exceeds the frequency limit `{limit}` for a second. \
         Please reduce the frequency of calls."
    );
    Refusal::new("RequestLimitExceeded", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who() -> Counted {
        Counted { action: Action::Create, host: "h".into(), secret_id: "k".into() }
    }

    #[test]
    fn a_sixth_call_in_a_clock_second_is_refused_and_counted_and_the_next_second_starts_anew() {
        let mut rate = Rate::default();
        let at = Duration::from_secs(10);
        for _ in 0..5 {
            assert_eq!(rate.count(&who(), 10, at, 5), Ok(()));
        }
        let sixth = rate.count(&who(), 10, at, 5).unwrap_err();
        assert!(sixth.message.contains("`6` in a second"), "{}", sixth.message);
        assert!(rate.count(&who(), 10, at, 5).unwrap_err().message.contains("`7`"));
        assert_eq!(rate.count(&who(), 11, at, 5), Ok(()));
        assert_eq!(rate.traffic()[&who()].refused, 2);
    }

    #[test]
    fn the_peak_is_of_a_sliding_second_not_of_a_clock_second() {
        let mut rate = Rate::default();
        for ms in [900, 950, 990, 1_010, 1_050, 1_899, 1_900] {
            rate.sent(&who(), Duration::from_millis(ms));
        }
        assert_eq!(rate.traffic()[&who()].peak, 6, "900 to 1899 is less than a second, 900 to 1900 is one");
    }

    #[test]
    fn while_others_use_up_the_rate_the_first_call_is_refused() {
        let mut rate = Rate::default();
        rate.fill(&who(), Duration::from_secs(3));
        assert!(rate.count(&who(), 0, Duration::ZERO, 5).is_err());
        assert!(rate.count(&who(), 3, Duration::from_secs(3), 5).is_ok());
    }
}
