//! What people do by hand: `backup`, `backfill`, `cancel`, `pause`, `resume`, `reload`. Each is one row in `requests`, which the daemon answers in it.
//!
//! Decided here: who may act, when a person is asked first, how long an answer is waited for, and that without a daemon this process takes its
//! place for the one request. What is refused and why is `domain::request`'s to say.

mod alone;
pub mod backfill;
pub mod backup;
pub mod cancel;
pub mod pause;
mod progress;
pub mod reload;

use super::{
    Globals,
    exit::{self, Exit},
    output::{self, Format},
    reading::{self, LedgerArg},
    table::visible,
};
use crate::{
    clock::{Clock, SystemClock},
    config,
    domain::{
        now::Now,
        policy::Policy,
        request::{Answer, Request},
    },
    ledger::{self, Asker, Ledger, report::Reader},
};
use serde::Serialize;
use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long an answer is waited for (DESIGN §8).
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
/// How often it is looked for.
const LOOKED_FOR: Duration = Duration::from_millis(50);
/// So many runs are listed in text.
const LISTED: usize = 50;
/// More runs than this are not begun without a yes.
const WITHOUT_A_YES: usize = 20;

/// Options of every command that acts.
#[derive(Clone, Debug, clap::Args)]
pub struct ActArgs {
    /// Why; kept with the request
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask, however many runs it is about
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    ledger: LedgerArg,
}

fn reason(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 500 || text.chars().any(char::is_control) {
        return Err("write a sentence of at most 500 characters");
    }
    Ok(text.to_owned())
}

/// The ledger that is acted on, and who acts.
struct Act<'a> {
    globals: &'a Globals,
    args: &'a ActArgs,
    ledger: PathBuf,
    now: Now,
}

/// A request that was answered.
struct Asked {
    id: i64,
    answer: Answer,
    /// Whether this process was the daemon for it.
    carried: bool,
}

/// An answer, as programs read it.
#[derive(Serialize)]
struct Told<'a> {
    schema_version: u8,
    request_id: Option<i64>,
    dry_run: bool,
    #[serde(flatten)]
    answer: &'a Answer,
}

impl<'a> Act<'a> {
    /// Finds the ledger, and refuses whoever may not act on it.
    fn on(globals: &'a Globals, args: &'a ActArgs, now: Now) -> anyhow::Result<Self> {
        let ledger = args.ledger.clone().path(globals, now)?;
        permit(&ledger)?;
        Ok(Self { globals, args, ledger, now })
    }

    /// The ledger, for reading; none where there is none yet.
    fn reader(&self) -> anyhow::Result<Option<Reader>> {
        Reader::open(&self.ledger).map_err(|error| exit::of_ledger(&error).because(error.to_string()).into())
    }

    /// The policy in force; before any daemon ran, that of the file.
    fn policy(&self) -> anyhow::Result<Policy> {
        let in_force = self.reader()?.map(|reader| reading::policy_in_force(&reader, self.now)).transpose()?.flatten();
        in_force.map_or_else(|| Ok(config::load(&self.globals.config, self.now.utc)?.policy), Ok)
    }

    /// Asks first when it is about many runs.
    fn confirm(&self, runs: usize, what: &str) -> anyhow::Result<()> {
        if runs <= WITHOUT_A_YES || self.args.yes || self.args.dry_run {
            return Ok(());
        }
        if !io::stdin().is_terminal() {
            return Err(Exit::Usage.because(format!("that is {runs} runs; write `--yes` to {what} them all")).into());
        }
        drop(write!(io::stderr().lock(), "{what} {runs} runs? [y/N] "));
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        if matches!(line.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(Exit::Failed.because("nothing was done").into()) }
    }

    fn asker(&self) -> Asker {
        let uid = rustix::process::getuid().as_raw();
        let name = user_of(uid).unwrap_or_else(|| uid.to_string());
        let who = match std::env::var("SUDO_USER") {
            Ok(person) if uid == 0 && !person.is_empty() && person != "root" => format!("{} (as {name})", visible(&person)),
            _ => name,
        };
        Asker { who, uid, reason: self.args.reason.clone() }
    }

    /// Writes the request, and waits for its answer; where no daemon works on the ledger, this process answers it.
    fn ask(&self, request: &Request) -> anyhow::Result<Asked> {
        let refused = |error: ledger::Error| exit::of_ledger(&error).because(error.to_string());
        let now = SystemClock::new().now().utc;
        match Ledger::open(&self.ledger, &super::run::random_id(), now) {
            Ok(opened) => {
                let (id, answer) = alone::carry(self, opened.ledger, request)?;
                Ok(Asked { id, answer, carried: true })
            }
            Err(ledger::Error::Locked(_)) => {
                let id = ledger::ask(&self.ledger, request, &self.asker(), now).map_err(refused)?;
                Ok(Asked { id, answer: self.answer(id)?, carried: false })
            }
            Err(error) => Err(refused(error).into()),
        }
    }

    fn answer(&self, request: i64) -> anyhow::Result<Answer> {
        let clock = SystemClock::new();
        let until = clock.now().mono + ANSWERED_WITHIN;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        loop {
            if let Some(answer) = self.reader()?.map(|reader| reader.answer(request)).transpose()?.flatten() {
                return Ok(answer);
            }
            if clock.now().mono >= until {
                let reason = format!(
                    "the daemon has not answered request {request} within {} s; it stands, and is answered when the daemon's clock is proved and it \
                     turns again (`cdb-backupd status` says how it is)",
                    ANSWERED_WITHIN.as_secs()
                );
                return Err(Exit::Failed.because(reason).into());
            }
            runtime.block_on(clock.sleep(LOOKED_FOR));
        }
    }

    /// Prints an answer; 1 when it is a refusal.
    fn tell(&self, request_id: Option<i64>, answer: &Answer) -> anyhow::Result<Exit> {
        if self.globals.output == Format::Json {
            let told = Told { schema_version: 1, request_id, dry_run: self.args.dry_run, answer };
            output::print(&format!("{}\n", serde_json::to_string(&told)?))?;
        } else {
            let mut text = String::new();
            for line in &answer.says {
                text.push_str(&format!("{}\n", visible(line)));
            }
            let policy = self.policy().ok();
            let known = |id: &str| policy.as_ref()?.instances.iter().find(|instance| instance.id.as_str() == id);
            for run in answer.runs.iter().take(LISTED) {
                let number = if run.run_id > 0 { format!("run {}: ", run.run_id) } else { String::new() };
                let says = if run.says.is_empty() { String::new() } else { format!(": {}", run.says) };
                let instance = known(&run.instance_id).map_or(run.instance_id.as_str(), |instance| instance.name.as_str());
                text.push_str(&visible(&format!("  {number}{} on {instance}{says}", run.job)));
                text.push('\n');
            }
            if answer.runs.len() > LISTED {
                text.push_str(&format!("  … and {} more; `-o json` has them all\n", answer.runs.len() - LISTED));
            }
            output::print(&text)?;
        }
        Ok(if answer.done { Exit::Ok } else { Exit::Failed })
    }
}

/// The daemon's user and root may act; for others the line that would.
fn permit(ledger: &Path) -> anyhow::Result<()> {
    let uid = rustix::process::geteuid().as_raw();
    let folder = ledger.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(file) = std::fs::metadata(ledger).or_else(|_| std::fs::metadata(folder)) else { return Ok(()) };
    // What root makes anew beside the ledger, its own user could not open.
    let all_there = [".lock", ""].iter().all(|suffix| Path::new(&format!("{}{suffix}", ledger.display())).exists());
    if uid == file.uid() || (uid == 0 && all_there) {
        return Ok(());
    }
    let owner = user_of(file.uid()).unwrap_or_else(|| format!("#{}", file.uid()));
    let line: Vec<String> = std::env::args_os().map(quoted).collect();
    let reason = format!("{} belongs to {owner}, who has to act here; write `sudo -u {owner} {}`", ledger.display(), line.join(" "));
    Err(Exit::NotPermitted.because(reason).into())
}

fn quoted(word: OsString) -> String {
    let word = visible(&word.to_string_lossy()).into_owned();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// The name of a user, out of `/etc/passwd`.
fn user_of(uid: u32) -> Option<String> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}
