//! `cdb-backupd sim`: the simulated cloud over loopback HTTP, for whoever wants to try a policy by hand.

use super::{
    output::{self, Format},
    table::{Columns, WIDTH},
};
use crate::{
    clock::{Clock, SystemClock},
    config::nearest,
    sim::{
        Cloud,
        faults::{Fault, FaultError},
        http::HttpDoor,
        script::Faults,
        settings::{Automatic, Edition, Settings, SimAccount, SimInstance},
    },
};
use chrono::{DateTime, Datelike, FixedOffset, Timelike, Utc};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    io::{self, Write},
    net::SocketAddr,
    os::fd::AsFd,
    str::FromStr,
    time::Duration,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    signal::unix::{SignalKind, signal},
};

/// Instances at most; their ids have four digits.
const INSTANCES_MAX: u16 = 9_999;

/// What the simulated cloud is made of.
#[derive(Debug, clap::Args)]
pub struct SimArgs {
    /// Where to listen: a loopback address; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// The same seed and the same calls make the same timeline
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many instances there are, in two regions
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=i64::from(INSTANCES_MAX)))]
    pub instances: u16,
    /// What goes wrong: `name[=argument][:probability]` or `create#2@cdb-…:name+name`, separated by commas; `help` lists the names
    #[arg(long, value_name = "FAULTS", default_value = "")]
    pub faults: FaultsArg,
    /// The longest that a backup runs; the shortest is a quarter of it
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = humantime::parse_duration)]
    pub takes: Duration,
}

/// What `--faults` says.
#[derive(Clone, Debug)]
pub enum FaultsArg {
    /// `help`: list the names.
    Help,
    /// What goes wrong.
    These(Faults),
}

impl FromStr for FaultsArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "help" {
            return Ok(Self::Help);
        }
        text.parse().map(Self::These).map_err(|error: FaultError| match &error {
            FaultError::Name(name) => {
                let known: Vec<&str> = Fault::all().iter().map(Fault::name).collect();
                nearest(name, known).map_or_else(|| error.to_string(), |near| format!("{error}; did you mean `{near}`?"))
            }
            _ => error.to_string(),
        })
    }
}

impl FaultsArg {
    /// The faults; none when the names were asked for instead, which are then printed.
    pub fn or_help(self, format: Format) -> anyhow::Result<Option<Faults>> {
        match self {
            Self::These(faults) => Ok(Some(faults)),
            Self::Help if format == Format::Json => {
                let all = Fault::all();
                let texts: Vec<String> = all.iter().map(Fault::to_string).collect();
                let items: Vec<_> =
                    all.iter().zip(&texts).map(|(fault, example)| Named { name: fault.name(), example, does: fault.does() }).collect();
                output::print_items(&items).map(|()| None)
            }
            Self::Help => output::print(&names()).map(|()| None),
        }
    }
}

/// One fault, as programs read it.
#[derive(Serialize)]
struct Named<'a> {
    name: &'static str,
    example: &'a str,
    does: &'static str,
}

/// Every fault with an ordinary argument and what it does.
fn names() -> String {
    let rows: Vec<_> = Fault::all().iter().map(|fault| [fault.to_string(), fault.does().to_owned()]).collect();
    let columns = Columns::fitting(&rows, [WIDTH, WIDTH]);
    let how = "write `name[=argument][:probability]`, or for one call `create#2@cdb-sim00001:name+name` or `list#1:name`; commas between\n\n";
    rows.iter().fold(how.to_owned(), |text, row| text + &columns.line(row) + "\n")
}

/// What `-o json` tells, for a program to set.
#[derive(Serialize)]
struct Introduction<'a> {
    schema_version: u8,
    endpoint: String,
    environment: BTreeMap<&'static str, &'a str>,
    regions: Vec<&'a str>,
    instances: Vec<Listed<'a>>,
    policy: String,
}

#[derive(Serialize)]
struct Listed<'a> {
    instance_id: &'a str,
    region: &'a str,
    disk: &'static str,
}

/// Runs the simulated cloud until SIGINT or SIGTERM, or until nobody reads what it says any more.
///
/// # Errors
///
/// When the address is not loopback or cannot be bound, or stdout is gone.
pub async fn run(mut args: SimArgs, format: Format) -> anyhow::Result<()> {
    let asked = std::mem::replace(&mut args.faults, FaultsArg::Help);
    let Some(faults) = asked.or_help(format)? else { return Ok(()) };
    // Before anything is said: whoever reads the address may send a signal at once.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let settings = settings(&args, faults);
    let (account, instances) = (SimAccount::example(), settings.instances.clone());
    let clock = SystemClock::new();
    let cloud = Cloud::new(settings, clock);
    let door = HttpDoor::open(cloud.clone(), args.listen).await?;
    let policy = policy(door.address(), &instances, clock.now().utc);
    let said = if format == Format::Json {
        format!("{}\n", serde_json::to_string(&Introduction::of(door.address(), &account, &instances, policy))?)
    } else {
        introduction(door.address(), &account, &policy)
    };
    tell(&mut io::stdout().lock(), &said)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = reader_gone() => return Ok(()),
    }
    door.close();
    match format {
        // The one object was printed at the start.
        Format::Json => output::tell(&conclusion(&cloud)),
        Format::Text | Format::Csv => tell(&mut io::stdout().lock(), &format!("\n{}\n", conclusion(&cloud)))?,
    }
    Ok(())
}

/// Ends when the pipe that stdout is has lost its reader; never where stdout is no pipe.
async fn reader_gone() {
    #[expect(deprecated, reason = "its successor is unsafe; an `OwnedFd` stays open as long as it is watched, which is all that is asked")]
    let watched = io::stdout().as_fd().try_clone_to_owned().and_then(|out| AsyncFd::with_interest(out, Interest::ERROR));
    match watched {
        Ok(watched) => drop(watched.ready(Interest::ERROR).await),
        Err(_) => std::future::pending().await,
    }
}

fn tell(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

/// The instances of `--instances`: three in five on local disks, every tenth with an automatic backup five minutes from now.
fn settings(args: &SimArgs, faults: Faults) -> Settings {
    let mut instances = Vec::new();
    for n in 1..=args.instances {
        let mut instance = SimInstance::plain(&format!("cdb-sim{n:05}"));
        instance.region = if n % 2 == 0 { "ap-shanghai" } else { "ap-guangzhou" }.into();
        instance.edition = if n % 5 < 3 { Edition::LocalDisk } else { Edition::CloudDisk };
        let (first, every) = (Duration::from_secs(300), Duration::from_secs(86_400));
        instance.automatic = (n % 10 == 0).then_some(Automatic { first, every, lasts: args.takes.saturating_mul(3) });
        instances.push(instance);
    }
    let mut settings = Settings::quiet(args.seed, instances);
    settings.faults = faults;
    settings.durations = args.takes / 4..=args.takes;
    settings
}

fn disk(instance: &SimInstance) -> &'static str {
    if instance.edition == Edition::CloudDisk { "cloud" } else { "local" }
}

impl<'a> Introduction<'a> {
    fn of(address: SocketAddr, account: &'a SimAccount, instances: &'a [SimInstance], policy: String) -> Self {
        let mut regions: Vec<&str> = instances.iter().map(|instance| instance.region.as_str()).collect();
        regions.sort_unstable();
        regions.dedup();
        Self {
            schema_version: 1,
            endpoint: format!("http://{address}"),
            environment: keys(account).into(),
            regions,
            instances: instances.iter().map(|it| Listed { instance_id: &it.id, region: &it.region, disk: disk(it) }).collect(),
            policy,
        }
    }
}

/// The variables to set. The keys open nothing but the simulator.
fn keys(account: &SimAccount) -> [(&'static str, &str); 2] {
    [("TENCENTCLOUD_SECRET_ID", &account.secret_id), ("TENCENTCLOUD_SECRET_KEY", &account.secret_key)]
}

/// Where it is, with which keys, and a policy that works.
fn introduction(address: SocketAddr, account: &SimAccount, policy: &str) -> String {
    let exports: String = keys(account).iter().map(|(name, value)| format!("export {name}={value}\n")).collect();
    format!("listening on http://{address}\n\n# keys of the simulator; they open nothing else\n{exports}\n# policy.yaml\n{policy}")
}

/// A policy for these instances that a check has nothing to say of. Its slots come often, and on one day only: left running, or started again in
/// a year, it piles nothing up.
fn policy(address: SocketAddr, instances: &[SimInstance], now: DateTime<Utc>) -> String {
    let mut text = format!(
        "version: 1\nledger: ./sim-ledger.db\nlisten: \"off\"\naccounts:\n  sim: {{ credentials: env, endpoint: \"http://{address}\", absence_window: 60s }}\n"
    );
    text += "instances:\n";
    for it in instances {
        text += &format!("  - {{ id: {}, account: sim, region: {}, tags: {{ disk: {} }} }}\n", it.id, it.region, disk(it));
    }
    // So far apart that all can start in time at five calls a second.
    let minutes = [2, 5, 10, 20, 30, 60].into_iter().find(|minutes| instances.len() <= minutes * 45 * 5).unwrap_or(60);
    // A day that has hours left: where it is midnight soon, the zone in which it has just been.
    let (zone, offset_s) = if now.hour() < 16 { ("Etc/UTC", 0) } else { ("Asia/Shanghai", 8 * 3_600) };
    let day = FixedOffset::east_opt(offset_s).map_or(now.date_naive(), |offset| now.with_timezone(&offset).date_naive());
    text += &format!("defaults: {{ time_zone: {zone}, start_within: {}s, complete_within: 5m, poll: {{ initial: 2s, max: 10s }} }}\n", minutes * 45);
    text += &format!("# every {minutes} minutes, on {day} only\njobs:\n");
    let minutes = if minutes == 60 { "0".to_owned() } else { format!("*/{minutes}") };
    for (name, of, method) in [("files", "local", "physical"), ("disks", "cloud", "snapshot")] {
        if instances.iter().any(|it| disk(it) == of) {
            let schedule = format!("{minutes} * {} {} *", day.day(), day.month());
            text += &format!("  - {{ name: {name}, schedule: \"{schedule}\", targets: {{ tags: {{ disk: {of} }} }}, method: {method} }}\n");
        }
    }
    text
}

/// What was made.
fn conclusion<C: Clock>(cloud: &Cloud<C>) -> String {
    let audit = cloud.audit();
    let (made, doubled, refused) = (audit.backups.len(), audit.doubled.len(), audit.creates_refused_by_rate());
    format!("{made} backups, doubled {doubled}, at most {} creates in a second, {refused} refused for the rate", audit.peak_creates())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Machine, check_text};
    use clap::Parser;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        sim: SimArgs,
    }

    fn made(line: &[&str], now: &str) -> String {
        let args = Line::try_parse_from(line).unwrap().sim;
        policy("127.0.0.1:9".parse().unwrap(), &settings(&args, Faults::default()).instances, now.parse().unwrap())
    }

    #[test]
    fn a_check_has_nothing_to_say_of_the_policy_and_its_slots_come_soon() {
        let keys = [("TENCENTCLOUD_SECRET_ID", "x"), ("TENCENTCLOUD_SECRET_KEY", "x")];
        let machine = Machine::pictured(&keys, &[], "");
        for (instances, now, minutes) in [
            ("1", "2026-11-24T00:00:00Z", 2),
            ("10", "2026-11-24T15:59:00Z", 2),
            ("10", "2028-02-28T23:58:59Z", 2),
            ("1000", "2026-12-31T16:00:00Z", 5),
            ("9999", "2026-12-31T15:00:00Z", 60),
        ] {
            let (text, now) = (made(&["sim", "--instances", instances], now), now.parse().unwrap());
            let loaded = check_text("policy.yaml", &text, &machine, now).unwrap_or_else(|error| panic!("{:?} of\n{text}", error.faults()));
            assert_eq!(loaded.warnings.iter().map(|fault| &fault.message).collect::<Vec<_>>(), [] as [&String; 0], "{text}");
            assert_eq!(loaded.policy.instances.len().to_string(), instances);
            for job in &loaded.policy.jobs {
                let next = job.schedule.next_after(now).unwrap();
                assert!(next - now <= chrono::TimeDelta::minutes(minutes), "{next} after {now}:\n{text}");
            }
        }
    }

    #[test]
    fn both_forms_say_what_to_set() {
        let args = Line::try_parse_from(["sim", "--instances", "7"]).unwrap().sim;
        let (account, instances) = (SimAccount::example(), settings(&args, Faults::default()).instances);
        let address = "127.0.0.1:9".parse().unwrap();
        let text = introduction(address, &account, "version: 1\n");
        assert!(text.starts_with("listening on http://127.0.0.1:9\n") && text.ends_with("# policy.yaml\nversion: 1\n"), "{text}");
        assert!(text.contains("export TENCENTCLOUD_SECRET_ID=AKIDsimulatorEXAMPLE\n"), "{text}");
        let json = serde_json::to_value(Introduction::of(address, &account, &instances, "version: 1\n".into())).unwrap();
        assert_eq!(json["endpoint"], "http://127.0.0.1:9");
        assert_eq!(json["environment"]["TENCENTCLOUD_SECRET_ID"], "AKIDsimulatorEXAMPLE");
        assert_eq!(json["regions"], serde_json::json!(["ap-guangzhou", "ap-shanghai"]));
        assert_eq!((json["instances"].as_array().unwrap().len(), &json["instances"][6]["instance_id"]), (7, &"cdb-sim00007".into()));
    }

    #[test]
    fn a_job_that_would_match_nothing_is_left_away() {
        assert!(!made(&["sim", "--instances", "1"], "2026-11-24T00:00:00Z").contains("name: disks"));
    }

    #[test]
    fn a_fault_nobody_knows_is_an_error_that_says_where_the_names_are_and_which_was_meant() {
        let error = Line::try_parse_from(["sim", "--faults", "gremlins"]).err().unwrap();
        assert!(error.to_string().contains("--faults help") && !error.to_string().contains("did you mean"), "{error}");
        assert_eq!(error.exit_code(), 2);
        for near in ["lost_after_atc", "create#1:garbage+lost_after_akt"] {
            let error = Line::try_parse_from(["sim", "--faults", near]).err().unwrap();
            assert!(error.to_string().contains("did you mean `lost_after_act`?"), "{error}");
        }
    }

    #[test]
    fn help_lists_every_fault_in_a_form_that_reads_back_with_what_it_does() {
        let text = names();
        let lines: Vec<_> = text.lines().skip(2).collect();
        assert_eq!(lines.len(), Fault::all().len());
        for line in lines {
            let (fault, does) = line.split_once("  ").unwrap();
            assert!(fault.parse::<Fault>().is_ok() && does.trim().len() > 15 && line.chars().count() <= WIDTH, "{line}");
        }
    }
}
