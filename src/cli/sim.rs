//! `cdb-backupd sim`: the simulated cloud over loopback HTTP, for whoever wants to try a policy by hand.

use crate::{
    clock::{Clock, SystemClock},
    sim::{
        Cloud,
        faults::{Fault, FaultError},
        http::HttpDoor,
        script::Faults,
        settings::{Automatic, Edition, Settings, SimAccount, SimInstance},
    },
};
use std::{
    io::{self, Write},
    net::SocketAddr,
    str::FromStr,
    time::Duration,
};
use tokio::signal::unix::{SignalKind, signal};

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
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        if text == "help" { Ok(Self::Help) } else { text.parse().map(Self::These) }
    }
}

/// Runs the simulated cloud until SIGINT or SIGTERM.
///
/// # Errors
///
/// When the address is not loopback or cannot be bound, or stdout is gone.
pub async fn run(args: SimArgs) -> anyhow::Result<()> {
    let FaultsArg::These(faults) = &args.faults else {
        return Ok(list_faults(&mut io::stdout().lock())?);
    };
    // Before anything is said: whoever reads the address may send a signal at once.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let settings = settings(&args, faults);
    let (account, instances) = (SimAccount::example(), settings.instances.clone());
    let cloud = Cloud::new(settings, SystemClock::new());
    let door = HttpDoor::open(cloud.clone(), args.listen).await?;
    introduce(&mut io::stdout().lock(), door.address(), &account, &instances)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    door.close();
    Ok(conclude(&mut io::stdout().lock(), &cloud)?)
}

/// The instances of `--instances`: three in five on local disks, every tenth with an automatic backup five minutes from now.
fn settings(args: &SimArgs, faults: &Faults) -> Settings {
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
    settings.faults = faults.clone();
    settings.durations = args.takes / 4..=args.takes;
    settings
}

fn list_faults(out: &mut impl Write) -> io::Result<()> {
    Fault::all().iter().try_for_each(|fault| writeln!(out, "{fault}"))
}

/// Says where it is, with which keys, and a policy that works.
fn introduce(out: &mut impl Write, address: SocketAddr, account: &SimAccount, instances: &[SimInstance]) -> io::Result<()> {
    writeln!(out, "listening on http://{address}\n\n# keys of the simulator; they open nothing else")?;
    writeln!(out, "export TENCENTCLOUD_SECRET_ID={}\nexport TENCENTCLOUD_SECRET_KEY={}\n", account.secret_id, account.secret_key)?;
    writeln!(out, "# policy.yaml\nversion: 1\nledger: ./sim-ledger.db\nlisten: \"off\"\naccounts:")?;
    writeln!(out, "  sim: {{ credentials: env, endpoint: \"http://{address}\", absence_window: 60s }}\ninstances:")?;
    for instance in instances {
        let disk = if instance.edition == Edition::CloudDisk { "cloud" } else { "local" };
        writeln!(out, "  - {{ id: {}, account: sim, region: {}, tags: {{ disk: {disk} }} }}", instance.id, instance.region)?;
    }
    writeln!(out, "defaults: {{ time_zone: Asia/Shanghai, start_within: 90s, complete_within: 5m, poll: {{ initial: 2s, max: 10s }} }}\njobs:")?;
    for (name, second, disk, method) in [("files", 0, "local", "physical"), ("disks", 30, "cloud", "snapshot")] {
        if instances.iter().any(|i| (i.edition == Edition::CloudDisk) == (disk == "cloud")) {
            writeln!(out, "  - {{ name: {name}, schedule: \"{second} */2 * * * *\", targets: {{ tags: {{ disk: {disk} }} }}, method: {method} }}")?;
        }
    }
    out.flush()
}

/// Says what was made.
fn conclude<C: Clock>(out: &mut impl Write, cloud: &Cloud<C>) -> io::Result<()> {
    let audit = cloud.audit();
    let (made, doubled, refused) = (audit.backups.len(), audit.doubled.len(), audit.creates_refused_by_rate());
    writeln!(out, "\n{made} backups, doubled {doubled}, at most {} creates in a second, {refused} refused for the rate", audit.peak_creates())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        sim: SimArgs,
    }

    fn said(line: &[&str]) -> String {
        let args = Line::try_parse_from(line).unwrap().sim;
        let mut out = Vec::new();
        introduce(&mut out, "127.0.0.1:9".parse().unwrap(), &SimAccount::example(), &settings(&args, &Faults::default()).instances).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_snippet_is_yaml_that_names_each_instance_and_the_address() {
        let text = said(&["sim", "--instances", "7"]);
        let policy: serde_yaml::Value = serde_yaml::from_str(text.split_once("# policy.yaml\n").unwrap().1).unwrap();
        assert_eq!(policy["instances"].as_sequence().unwrap().len(), 7);
        assert_eq!(policy["accounts"]["sim"]["endpoint"], "http://127.0.0.1:9");
        assert_eq!(policy["jobs"].as_sequence().unwrap().len(), 2);
    }

    #[test]
    fn a_job_that_would_match_nothing_is_left_away() {
        assert!(!said(&["sim", "--instances", "1"]).contains("name: disks"));
    }

    #[test]
    fn a_fault_nobody_knows_is_an_error_that_says_where_the_names_are() {
        let error = Line::try_parse_from(["sim", "--faults", "gremlins"]).err().unwrap();
        assert!(error.to_string().contains("--faults help"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn help_lists_every_fault_in_a_form_that_reads_back() {
        let mut out = Vec::new();
        list_faults(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().count() > 30 && text.lines().all(|l| l.parse::<Fault>().is_ok()), "{text}");
    }
}
