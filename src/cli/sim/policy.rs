//! The policy that `sim` prints: all its instances, slots that come often, and an absence window that fits what goes wrong.

use super::{TABLES, disk, unfit};
use crate::sim::{
    faults::Fault,
    settings::{Settings, SimInstance},
};
use chrono::{DateTime, Datelike, FixedOffset, TimeDelta, Timelike, Utc};
use std::{net::SocketAddr, time::Duration};

/// The shortest window that is printed.
const LEAST: Duration = Duration::from_secs(60);
/// The longest that a policy takes.
const MOST: Duration = Duration::from_secs(86_400);
/// How long a signature lives: what arrives later is refused, and cannot act.
const SIGNATURE_LIFE: Duration = Duration::from_secs(300);
/// For calls on their way, and for a `Date` that is cut to the second.
const MARGIN: Duration = Duration::from_secs(5);

/// A policy for these instances that a check has nothing to say of. Its slots come often, and on one day only: left running, or started again in
/// a year, it piles nothing up.
pub(super) fn text(address: SocketAddr, settings: &Settings, now: DateTime<Utc>) -> String {
    let (window, why) = window(settings);
    let fit: Vec<&SimInstance> = settings.instances.iter().filter(|it| unfit(it).is_none()).collect();
    let mut text = format!(
        "version: 1\nledger: ./sim-ledger.db\nlisten: \"off\"\naccounts:\n{why}  sim: {{ credentials: env, endpoint: \"http://{address}\", absence_window: {}s }}\n",
        window.as_secs()
    );
    text += "instances:\n";
    for it in &fit {
        text += &format!("  - {{ id: {}, account: sim, region: {}, tags: {{ disk: {} }} }}\n", it.id, it.region, disk(it));
    }
    text += "# These are there as well; add one to see what becomes of its runs.\n";
    for (it, is) in settings.instances.iter().filter_map(|it| Some((it, unfit(it)?))) {
        text += &format!("#   {} in {}, {is}\n", it.id, it.region);
    }
    // So far apart that all can start in time at five calls a second, and that a run can prove a lost start absent and start again.
    let far = |minutes: &usize| fit.len() <= minutes * 45 * 5 && window * 3 <= Duration::from_secs(*minutes as u64 * 90);
    let minutes = [2, 5, 10, 20, 30, 60].into_iter().find(far).unwrap_or(60);
    // A day that has hours left: where it is midnight soon, the zone in which it has just been.
    let (zone, offset_s) = if now.hour() < 16 { ("Etc/UTC", 0) } else { ("Asia/Shanghai", 8 * 3_600) };
    let day = FixedOffset::east_opt(offset_s).map_or(now.date_naive(), |offset| now.with_timezone(&offset).date_naive());
    text += &format!("defaults: {{ time_zone: {zone}, start_within: {}s, complete_within: 5m, poll: {{ initial: 2s, max: 10s }} }}\n", minutes * 45);
    let tables: Vec<String> = TABLES.iter().map(|(db, table)| format!("{db}.{table}")).collect();
    text += &format!(
        "# every {minutes} minutes, on {day} only\n# A logical backup that names tables besides {} ends FAILED.\njobs:\n",
        tables.join(", ")
    );
    let minutes = if minutes == 60 { "0".to_owned() } else { format!("*/{minutes}") };
    for (name, of, method) in [("files", "local", "physical"), ("disks", "cloud", "snapshot")] {
        if fit.iter().any(|it| disk(it) == of) {
            let schedule = format!("{minutes} * {} {} *", day.day(), day.month());
            text += &format!("  - {{ name: {name}, schedule: \"{schedule}\", targets: {{ tags: {{ disk: {of} }} }}, method: {method} }}\n");
        }
    }
    text
}

/// How long after it was signed a create that no list shows is surely none, and why, in lines of comment.
///
/// The parts are those of the real cloud's window; on loopback the daemon takes a third of it for the lists' lag, and two thirds for acting and lag.
fn window(settings: &Settings) -> (Duration, String) {
    let longest = |kind: fn(Duration) -> Fault| {
        let name = kind(Duration::ZERO).name();
        settings.faults.all().filter(|fault| fault.name() == name).filter_map(Fault::lasts).max().unwrap_or_default()
    };
    let arrives = longest(Fault::ArrivesLate).min(SIGNATURE_LIFE);
    let acts = longest(Fault::ActsLate);
    let listed = longest(Fault::ListsLate).max(*settings.list_lag.end());
    let skews = settings.faults.standing.iter().map(|fault| if let Fault::Skew(ahead) = fault { *ahead } else { TimeDelta::zero() });
    let ahead = skews.sum::<TimeDelta>().to_std().unwrap_or_default();
    let whole = arrives.saturating_add(acts).saturating_add(listed).saturating_add(ahead).saturating_add(MARGIN);
    let listed_third = listed.saturating_add(MARGIN).saturating_mul(3);
    let busy_part = acts.saturating_add(listed).saturating_add(MARGIN).saturating_mul(3) / 2;
    let needed = whole.max(listed_third).max(busy_part).max(LEAST);
    let window = Duration::from_secs(needed.as_secs() + u64::from(needed.subsec_nanos() > 0)).min(MOST);
    let told = |d: Duration| humantime::format_duration(d).to_string();
    let mut parts = vec![format!("shows in lists within {}", told(listed))];
    for (part, what) in [(acts, "acts within"), (arrives, "arrives within"), (ahead, "is dated ahead by")] {
        if !part.is_zero() {
            parts.push(format!("{what} {}", told(part)));
        }
    }
    let mut why = format!("  # Here a backup {}.\n", parts.join(", "));
    why += "  # A shorter window takes one that is late for one that never began, and makes it again. A third of it is for the lists.\n";
    if needed > MOST {
        why += "  # That is more than the longest window of a policy covers, so backups may be made twice.\n";
    }
    if settings.faults.all().any(|fault| *fault == Fault::NeverListed) {
        why += "  # No window covers `never_listed`: such a backup may be made again.\n";
    }
    (window, why)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{FaultsArg, SimArgs, settings},
        *,
    };
    use crate::{
        config::{Machine, check_text},
        domain::policy::Policy,
        sim::script::Faults,
    };
    use clap::Parser;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        sim: SimArgs,
    }

    fn made(line: &[&str], now: &str) -> String {
        let args = Line::try_parse_from(line).unwrap().sim;
        let faults = if let FaultsArg::These(faults) = &args.faults { faults.clone() } else { Faults::default() };
        text("127.0.0.1:9".parse().unwrap(), &settings(&args, faults), now.parse().unwrap())
    }

    fn checked(text: &str, now: &str) -> Policy {
        let machine = Machine::pictured(&[("TENCENTCLOUD_SECRET_ID", "x"), ("TENCENTCLOUD_SECRET_KEY", "x")], &[], "");
        let loaded =
            check_text("policy.yaml", text, &machine, now.parse().unwrap()).unwrap_or_else(|error| panic!("{:?} of\n{text}", error.faults()));
        assert_eq!(loaded.warnings.iter().map(|fault| &fault.message).collect::<Vec<_>>(), [] as [&String; 0], "{text}");
        loaded.policy
    }

    #[test]
    fn a_check_has_nothing_to_say_of_the_policy_and_its_slots_come_soon() {
        for (instances, now, minutes) in [
            ("1", "2026-11-24T00:00:00Z", 2),
            ("10", "2026-11-24T15:59:00Z", 2),
            ("10", "2028-02-28T23:58:59Z", 2),
            ("1000", "2026-12-31T16:00:00Z", 5),
            ("9999", "2026-12-31T15:00:00Z", 60),
        ] {
            let text = made(&["sim", "--instances", instances], now);
            let policy = checked(&text, now);
            assert_eq!(policy.instances.len().to_string(), instances);
            let now = now.parse().unwrap();
            for job in &policy.jobs {
                let next = job.schedule.next_after(now).unwrap();
                assert!(next - now <= chrono::TimeDelta::minutes(minutes), "{next} after {now}:\n{text}");
            }
        }
    }

    #[test]
    fn the_window_follows_the_faults_and_says_why() {
        let now = "2026-11-24T00:00:00Z";
        for (faults, seconds, why) in [
            ("", 60, "Here a backup shows in lists within 5s.\n"),
            ("lists_late=1m30s", 285, "shows in lists within 1m 30s.\n"),
            ("create#1:lists_late=90s", 285, "within 1m 30s"),
            ("lists_late=90s:0.0", 60, "within 5s"),
            ("acts_late=100s:0.5", 165, "acts within 1m 40s"),
            ("arrives_late=400s:0.1,acts_late=100s:0.5", 410, "arrives within 5m"),
            ("skew=2m", 130, "dated ahead by 2m"),
            ("skew=-2m", 60, "within 5s"),
            ("lists_late=9h", 86_400, "more than the longest window"),
            ("never_listed:0.1", 60, "No window covers `never_listed`"),
        ] {
            let text = made(&["sim", "--faults", faults], now);
            assert!(text.contains(why), "{faults}: {text}");
            let policy = checked(&text, now);
            assert_eq!(policy.accounts[0].absence_window, Duration::from_secs(seconds), "{faults}");
            let start = policy.jobs[0].start_within;
            assert!(start * 2 >= Duration::from_secs(seconds) * 3 || seconds > 1_800, "{faults}: a run has {start:?} to start again");
        }
    }

    #[test]
    fn instances_that_cannot_be_backed_up_and_the_tables_there_are_are_told() {
        let text = made(&["sim"], "2026-11-24T00:00:00Z");
        for told in ["#   cdb-simstop1 in ap-guangzhou, stopped", "#   cdbro-simread1 in", "#   cdb-simquota in", "shop.orders, shop.order_items"] {
            assert!(text.contains(told), "{told}: {text}");
        }
    }

    #[test]
    fn a_job_that_would_match_nothing_is_left_away() {
        assert!(!made(&["sim", "--instances", "1"], "2026-11-24T00:00:00Z").contains("name: disks"));
    }
}
