//! `cdb-backupd sim`: the simulated cloud over loopback HTTP, for whoever wants to try a policy by hand.

mod policy;

use super::{
    exit::Exit,
    output::{self, Format},
    table::{Columns, WIDTH},
};
use crate::{
    clock::{Clock, SystemClock},
    config::nearest,
    domain::policy::Table,
    sim::{
        Cloud,
        fault_error::FaultError,
        faults::Fault,
        http::HttpDoor,
        script::Faults,
        settings::{Automatic, Edition, Settings, SimAccount, SimInstance},
    },
};
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
#[command(
    after_help = "Examples:\n  cdb-backupd sim --instances 3\n  cdb-backupd sim --faults help\n  cdb-backupd sim --listen 127.0.0.1:8080 --takes 5s --faults create#1:gateway_502"
)]
pub struct SimArgs {
    /// Where to listen: a loopback address; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// The same seed and the same calls make the same timeline
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many instances there are that can be backed up, in two regions; three that cannot, or not for long, are there besides
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

/// Faults in which every script means an instance that is there.
///
/// # Errors
///
/// A wrong command line, which says what may have been meant.
pub fn no_strangers(faults: &Faults, instances: &[SimInstance]) -> anyhow::Result<()> {
    let known = || instances.iter().map(|instance| instance.id.as_str());
    let Some(stranger) = faults.stranger(|id| known().any(|it| it == id)) else { return Ok(()) };
    let error = FaultError::Stranger(stranger.into());
    let meant = nearest(stranger, known()).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    Err(Exit::Usage.because(format!("{error}{meant}")).into())
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
    unfit: Vec<Unfit<'a>>,
    policy: String,
}

/// An instance that the policy leaves out.
#[derive(Serialize)]
struct Unfit<'a> {
    instance_id: &'a str,
    region: &'a str,
    is: &'static str,
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
    no_strangers(&settings.faults, &settings.instances)?;
    let (account, instances) = (SimAccount::example(), settings.instances.clone());
    let clock = SystemClock::new();
    let cloud = Cloud::new(settings.clone(), clock);
    let door = HttpDoor::open(cloud.clone(), args.listen).await?;
    let policy = policy::text(door.address(), &settings, clock.now().utc);
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

/// What an instance is that the policy leaves out, as a backup of it would not go well; absent for the others.
fn unfit(instance: &SimInstance) -> Option<&'static str> {
    match (instance.running, instance.quota) {
        (false, _) => Some("stopped: a create is refused with FailedOperation.StatusConflict"),
        (true, Some(_)) => Some("full after two manual backups: a third is refused with OverQuota"),
        (true, None) if instance.edition == Edition::ReadOnly => Some("read-only: a create is refused with OperationDenied.ActionNotSupport"),
        (true, None) => None,
    }
}

/// One stopped, one read-only, and one with room for two manual backups.
fn unfit_ones() -> [SimInstance; 3] {
    [
        SimInstance { running: false, ..SimInstance::plain("cdb-simstop1") },
        SimInstance { edition: Edition::ReadOnly, ..SimInstance::plain("cdbro-simread1") },
        SimInstance { quota: Some(2), ..SimInstance::plain("cdb-simquota") },
    ]
}

/// The tables of every instance; a logical backup of others ends FAILED.
const TABLES: [(&str, &str); 3] = [("shop", "orders"), ("shop", "order_items"), ("billing", "invoices")];

fn tables() -> Vec<Table> {
    TABLES.into_iter().map(|(db, table)| Table { db: db.into(), table: Some(table.into()) }).collect()
}

/// The instances of `--instances`: three in five on local disks, every tenth with an automatic backup five minutes from now. Then those unfit.
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
    instances.extend(unfit_ones());
    for instance in &mut instances {
        instance.tables = Some(tables());
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
        let fit = instances.iter().filter(|it| unfit(it).is_none());
        let unfit = instances.iter().filter_map(|it| Some(Unfit { instance_id: &it.id, region: &it.region, is: unfit(it)? })).collect();
        let mut regions: Vec<&str> = instances.iter().map(|instance| instance.region.as_str()).collect();
        regions.sort_unstable();
        regions.dedup();
        Self {
            schema_version: 1,
            endpoint: format!("http://{address}"),
            environment: keys(account).into(),
            regions,
            instances: fit.map(|it| Listed { instance_id: &it.id, region: &it.region, disk: disk(it) }).collect(),
            unfit,
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

/// What was made.
fn conclusion<C: Clock>(cloud: &Cloud<C>) -> String {
    let audit = cloud.audit();
    let (made, doubled, refused) = (audit.backups.len(), audit.doubled.len(), audit.creates_refused_by_rate());
    format!("{made} backups, doubled {doubled}, at most {} creates in a second, {refused} refused for the rate", audit.peak_creates())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cloud::{Access, Call, CdbApi, Create},
        domain::{
            names::{CredentialSource, Endpoint, InstanceId, Region},
            policy::Method,
        },
        sim::time::TrueTime,
    };
    use clap::Parser;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        sim: SimArgs,
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
        let unfit: Vec<_> = json["unfit"].as_array().unwrap().iter().map(|it| it["instance_id"].as_str().unwrap()).collect();
        assert_eq!(unfit, ["cdb-simstop1", "cdbro-simread1", "cdb-simquota"]);
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
    fn a_script_for_an_instance_that_is_not_there_is_a_wrong_command_line() {
        let args = Line::try_parse_from(["sim", "--faults", "create#1@cdb-sim00003:garbage,create#1@cdb-sim00091:garbage"]).unwrap().sim;
        let FaultsArg::These(faults) = &args.faults else { panic!("faults") };
        let error = no_strangers(faults, &settings(&args, Faults::default()).instances).unwrap_err();
        let told = "there is no instance `cdb-sim00091` for a fault to befall; did you mean `cdb-sim00001`?";
        assert_eq!(error.to_string(), told);
        assert!(no_strangers(&"create#1@cdb-simstop1:garbage".parse().unwrap(), &unfit_ones()).is_ok());
    }

    #[test]
    fn faults_that_cannot_strike_as_they_say_are_a_wrong_command_line() {
        for (text, part) in [
            ("http_error_before_act,list_throttled", "at most one of"),
            ("skew=6m:0.0", "takes no probability"),
            ("create#1:garbage+gateway_502", "cannot both happen"),
            ("create#1:eof", "cannot befall a CreateBackup"),
        ] {
            let error = Line::try_parse_from(["sim", "--faults", text]).err().unwrap();
            assert!(error.to_string().contains(part) && error.exit_code() == 2, "{text}: {error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_logical_backup_of_a_table_that_is_not_there_is_accepted_and_fails() {
        let args = Line::try_parse_from(["sim"]).unwrap().sim;
        let cloud = Cloud::new(settings(&args, Faults::default()), TrueTime::starting_at("2026-11-24T18:30:00Z".parse().unwrap()));
        for (instance, db, fails) in [("cdb-sim00001", "shop", false), ("cdb-sim00005", "nowhere", true)] {
            let call = Call {
                access: Access {
                    endpoint: Endpoint::parse(Endpoint::DEFAULT).unwrap(),
                    credentials: CredentialSource::Env { prefix: CredentialSource::DEFAULT_PREFIX.into() },
                },
                region: Region::parse("ap-guangzhou").unwrap(),
                instance: InstanceId::parse(instance).unwrap(),
                signed_at: cloud.wall().timestamp(),
                deadline: Duration::MAX,
            };
            let method = Method::Logical { tables: vec![Table { db: db.into(), table: None }] };
            assert!(cloud.create_backup(Create { call, method, alias: "a".into() }).await.answer.is_ok());
            assert_eq!(cloud.audit().backups.last().map(|backup| backup.fails), Some(fails), "{db}");
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
