//! `pause` and `resume`: nothing new starts for a time.

use super::{
    super::{
        Globals,
        exit::Exit,
        moment::{Looking, Moment},
        selectors::Selectors,
    },
    Act, ActArgs,
};
use crate::domain::{
    now::Now,
    request::{Answer, Request},
};
use chrono::SecondsFormat;
use std::{str::FromStr, time::Duration};

/// Hold jobs and instances from starting, for a time
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cdb-backupd pause --all --until 2h --reason \"storage migration\"\n  cdb-backupd pause --instance orders --until 06:00 --reason \"schema change\"\n  \
                  cdb-backupd pause --job hourly --until never --reason \"costs are looked into\""
)]
pub struct Pause {
    /// Everything
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    selectors: Selectors,
    /// Up to this time: 2h (from now), 06:00 (the next one), tomorrow, RFC 3339; `never` ends only by `resume`
    #[arg(long, value_name = "TIME")]
    until: Until,
    #[command(flatten)]
    act: ActArgs,
}

/// When a pause ends by itself.
#[derive(Clone, Copy, Debug)]
enum Until {
    Never,
    At(Moment),
}

impl FromStr for Until {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let forms = "write `never`, `2h`, `06:00`, `tomorrow` or `2026-11-24T06:00:00+08:00`";
        if text.trim() == "never" { Ok(Self::Never) } else { text.parse().map(Self::At).map_err(|_| forms) }
    }
}

/// End pauses
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  cdb-backupd resume --all\n  cdb-backupd resume 17\n  cdb-backupd resume --instance orders")]
pub struct Resume {
    /// The pauses, by number, as `status` shows them
    #[arg(value_name = "PAUSE", conflicts_with_all = ["all", "job", "instance", "account", "region", "tag"])]
    pauses: Vec<i64>,
    /// All of them
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    selectors: Selectors,
    #[command(flatten)]
    act: ActArgs,
}

/// A pause that lasts longer is warned of.
const LONG: Duration = Duration::from_secs(86_400);

fn one_way(all: bool, selectors: &Selectors, command: &str) -> anyhow::Result<()> {
    if all != selectors.is_everything() {
        let reason = format!("say what to {command}: `--all`, or `--job`, `--instance`, `--account`, `--region`, `--tag`, and not both");
        return Err(Exit::Usage.because(reason).into());
    }
    Ok(())
}

impl Pause {
    /// Asks for it.
    pub fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        one_way(self.all, &self.selectors, "pause")?;
        if self.act.reason.is_none() {
            return Err(Exit::Usage.because("say why with `--reason TEXT`: whoever is on call next will ask").into());
        }
        let until = match self.until {
            Until::Never => None,
            Until::At(moment) => Some(moment.seen(now.utc, Looking::Ahead, &globals.zone())?),
        };
        let act = Act::on(globals, &self.act, now)?;
        let scope = self.selectors.scope();
        if let Some(stranger) = scope.stranger(&act.policy()?) {
            return Err(Exit::Failed.because(stranger.to_string()).into());
        }
        if until.is_some_and(|until| until <= now.utc) {
            return Err(Exit::Failed.because("its end has passed already; write a time to come, or `never`").into());
        }
        if self.act.dry_run {
            let end =
                until.map_or_else(|| "until somebody resumes it".to_owned(), |t| format!("until {}", t.to_rfc3339_opts(SecondsFormat::Secs, true)));
            let says = vec![format!("would let nothing new start {end}; nothing was done")];
            return act.tell(None, &Answer { done: true, says, ..Answer::default() });
        }
        if until.is_none_or(|until| until > crate::domain::now::later(now.utc, LONG)) {
            globals.tell(crate::config::Level::Warning, "that is longer than a day: slots whose window ends before it are skipped");
        }
        let asked = act.ask(&Request::Pause { scope, until })?;
        act.tell(Some(asked.id), &asked.answer)
    }
}

impl Resume {
    /// Asks for it.
    pub fn run(self, globals: &Globals, now: Now) -> anyhow::Result<Exit> {
        if self.pauses.is_empty() {
            one_way(self.all, &self.selectors, "resume")?;
        }
        let act = Act::on(globals, &self.act, now)?;
        if self.act.dry_run {
            let on = act.reader()?.map(|reader| reader.pauses(now.utc)).transpose()?.unwrap_or_default();
            let line = |pause: &crate::domain::pause::Pause| format!("pause {} by {}: {}", pause.id, pause.who, pause.reason);
            let mut says: Vec<String> = on.iter().map(line).collect();
            says.insert(
                0,
                match on.len() {
                    1 => "1 pause holds; nothing was done".to_owned(),
                    n => format!("{n} pauses hold; nothing was done"),
                },
            );
            return act.tell(None, &Answer { done: true, says, ..Answer::default() });
        }
        let asked = act.ask(&Request::Resume { pauses: self.pauses.clone(), scope: self.selectors.scope() })?;
        act.tell(Some(asked.id), &asked.answer)
    }
}
