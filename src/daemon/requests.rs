//! What people asked for: each pass answers a bounded number of requests, before it plans.
//!
//! Decided here: the sentences of the answers, and that a backup waits for the clock's proof while a pause, its end and a cancel do not. What is
//! refused and which rows a request becomes is `domain::request`'s; that request and answer are one transaction, `ledger::requests`'.

use super::Daemon;
use crate::{
    clock::Clock,
    cloud::CdbApi,
    domain::{
        names::AccountName,
        now::{Now, later},
        pause::{Pause, Paused},
        plan,
        policy::Account,
        request::{Answer, MissedRow, RUNS_MAX, Request, RunAnswer, TAKEN_WITHIN, Taken, Wanted, by_hand, cut},
        run::Reading,
        scope::Scope,
    },
    ledger::{
        self, Met,
        requests::{Cancelled, OpenRequest},
    },
};
use chrono::{DateTime, SecondsFormat, Utc};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

impl<C: Clock, A: CdbApi> Daemon<C, A> {
    /// What pauses hold; read again when one was made or ended, and when the first of them ends by itself.
    pub(super) fn paused(&mut self, now: Now) -> Result<Arc<Paused>, ledger::Error> {
        if let Some(paused) = &self.paused
            && paused.ends_at.is_none_or(|end| now.utc < end)
        {
            return Ok(paused.clone());
        }
        let paused = Arc::new(Paused::of(&self.ledger.pauses(now.utc)?, &self.loaded.policy, now.utc));
        self.paused = Some(paused.clone());
        Ok(paused)
    }

    /// Answers what people asked for since the last pass.
    pub(super) fn answer_requests(&mut self, reading: &Reading) -> Result<(), ledger::Error> {
        for open in self.ledger.open_requests()? {
            // In the daemon's place a command makes nobody else's backups; what costs no call is answered in its order.
            let calls = matches!(open.request, Some(Request::Backup { .. } | Request::Backfill { .. }));
            if calls && self.outside.only.is_some_and(|only| only != open.id) {
                continue;
            }
            let answer = self.answer_request(&open, reading)?;
            if let Some(answer) = answer {
                let what = open.request.as_ref().map_or("?", Request::word);
                let says = answer.says.first().map_or("", String::as_str);
                tracing::info!(request = open.id, what, who = %open.who, reason = %open.reason, done = answer.done, "asked: {says}");
            }
        }
        Ok(())
    }

    /// None when it has to wait.
    fn answer_request(&mut self, open: &OpenRequest, reading: &Reading) -> Result<Option<Answer>, ledger::Error> {
        let now = reading.now.utc;
        let refuse = |says: &str| Answer::refused(says);
        let refused = match &open.request {
            None => refuse("this daemon does not understand the request; is it of another version than the command?"),
            // How old it is only a proved clock can tell.
            Some(_) if reading.proof.is_none() && !is_of_now(open.at, now) => return Ok(None),
            Some(Request::Backup { .. } | Request::Backfill { .. }) if reading.proof.is_none() => return Ok(None),
            Some(_) if later(open.at, TAKEN_WITHIN) < now => refuse("nobody took the request for an hour; ask again"),
            Some(_) if later(now, AHEAD) < open.at => refuse("the request was made by a clock that is ahead; set it right and ask again"),
            Some(Request::Backup { wanted, even_if_held }) => return self.back_up(open, wanted, *even_if_held, reading).map(Some),
            Some(Request::Backfill { job, scope, since, until }) => {
                return self.backfill(open, job, scope, (*since, *until), reading).map(Some);
            }
            Some(Request::Cancel { runs }) => {
                return self.ledger.cancel(open.id, runs, now, cancelled).map(Some);
            }
            Some(Request::Pause { scope, until }) => return self.pause(open, scope, *until, now).map(Some),
            Some(Request::Reload {}) => {
                // Answered when the file has been read.
                self.reload(Some(open.id));
                return Ok(None);
            }
            Some(Request::Resume { pauses, scope }) => return self.resume(open.id, pauses, scope, now).map(Some),
        };
        self.ledger.answer(open.id, &refused, now)?;
        Ok(Some(refused))
    }

    fn back_up(&mut self, open: &OpenRequest, wanted: &[Wanted], even_if_held: bool, reading: &Reading) -> Result<Answer, ledger::Error> {
        let now = reading.now;
        let paused = self.paused(now)?;
        let keeps = plan::keeps(&self.loaded.policy, paused, now.utc);
        let policy = &self.loaded.policy;
        let taken: Result<Vec<Taken>, String> =
            wanted.iter().take(RUNS_MAX).map(|it| by_hand(policy, it, open.id, open.at, even_if_held, &keeps, now.utc)).collect();
        let refused = match taken {
            Ok(taken) if !taken.is_empty() && wanted.len() <= RUNS_MAX => {
                let line = self.line(taken.iter().map(|taken| &taken.terms.account))?;
                return self.ledger.take_on(open.id, &taken, now.utc, |runs, ahead| taken_on(runs, &line, ahead));
            }
            Ok(_) if wanted.is_empty() => Answer::refused("nothing matches; look at `check --effective`"),
            Ok(_) => Answer::refused(format!("that is more than {RUNS_MAX} runs at once; ask for fewer")),
            Err(says) => Answer::refused(says),
        };
        self.ledger.answer(open.id, &refused, now.utc)?;
        Ok(refused)
    }

    fn backfill(
        &mut self,
        open: &OpenRequest,
        job: &str,
        scope: &Scope,
        span: (DateTime<Utc>, DateTime<Utc>),
        reading: &Reading,
    ) -> Result<Answer, ledger::Error> {
        let now = reading.now.utc;
        let policy = self.loaded.policy.clone();
        let Some(job) = policy.jobs.iter().find(|it| it.name.as_str() == job) else {
            let refused = Answer::refused(format!("the policy in force knows no job {job}; reload it if the file does"));
            self.ledger.answer(open.id, &refused, now)?;
            return Ok(refused);
        };
        let paused = self.paused(reading.now)?;
        let keeps = plan::keeps(&policy, paused, now);
        let kept = job.instances.iter().filter(|it| scope.keeps_instance(it)).find_map(|it| Some((it, keeps.of_pair(&job.name, &it.id)?)));
        if let Some((instance, kept)) = kept {
            let refused = Answer::refused(format!("{} on {} is held ({}); backfill when that is over", job.name, instance.name, kept.word()));
            self.ledger.answer(open.id, &refused, now)?;
            return Ok(refused);
        }
        let rows = self.ledger.missed_rows(&job.name, span.0, span.1, RUNS_MAX)?;
        let meant = |row: &&MissedRow| job.instances.iter().any(|it| it.id == row.instance && scope.keeps_instance(it));
        let mut room = RUNS_MAX;
        let mut cuts = Vec::new();
        let mut changed = 0;
        for row in rows.iter().filter(meant) {
            let rows = cut(job, row, span, open.id, room, now);
            changed += usize::from(rows.is_empty());
            room = room.saturating_sub(rows.iter().filter(|row| row.asked.is_by_person()).count());
            cuts.push((row.id, rows));
            if room == 0 {
                break;
            }
        }
        let line = self.line(job.instances.iter().map(|instance| &instance.account))?;
        self.ledger.backfill(open.id, &job.name, &cuts, now, |runs, ahead| backfilled(runs, &line, ahead, changed))
    }

    /// Where runs of these accounts stand in line: behind the slowest pace, and the narrowest of what `max_running` leaves.
    fn line<'a>(&self, accounts: impl Iterator<Item = &'a AccountName>) -> Result<Line, ledger::Error> {
        let names: BTreeSet<&AccountName> = accounts.collect();
        let meant = || self.loaded.policy.accounts.iter().filter(|account| names.contains(&account.name));
        let running = if meant().any(|account| account.max_running.is_some()) { self.ledger.in_flight()? } else { BTreeMap::new() };
        let room = |account: &Arc<Account>| {
            let (most, running) = (account.max_running?, running.get(&account.name).copied().unwrap_or_default());
            Some(Room { account: account.name.clone(), running, most })
        };
        let room = meant().filter_map(room).min_by_key(|room| room.most.saturating_sub(room.running));
        Ok(Line { rate: meant().map(|account| account.calls_per_second).fold(f64::INFINITY, f64::min).clamp(0.1, 1_000.0), room })
    }

    fn pause(&mut self, open: &OpenRequest, scope: &Scope, until: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<Answer, ledger::Error> {
        let pause =
            Pause { id: open.id, scope: scope.settled(&self.loaded.policy), from: now, until, who: open.who.clone(), reason: open.reason.clone() };
        let refused = match scope.stranger(&self.loaded.policy) {
            Some(stranger) => Answer::refused(stranger.to_string()),
            None if !pause.holds(now) => Answer::refused("its end has passed already; write a time to come, or `never`"),
            None => {
                let alone = Paused::of(std::slice::from_ref(&pause), &self.loaded.policy, now);
                let met = self.ledger.met(until, |job, instance| alone.covers(job, instance))?;
                let answer = Answer { done: true, says: paused(&pause, &met, now), ..Answer::default() };
                self.ledger.pause(&pause, &answer, now)?;
                self.paused = None;
                return Ok(answer);
            }
        };
        self.ledger.answer(open.id, &refused, now)?;
        Ok(refused)
    }

    fn resume(&mut self, request: i64, numbers: &[i64], scope: &Scope, now: DateTime<Utc>) -> Result<Answer, ledger::Error> {
        let on = self.ledger.pauses(now)?;
        let scope = scope.settled(&self.loaded.policy);
        let meant = |pause: &&Pause| if numbers.is_empty() { scope.is_everything() || pause.scope == scope } else { numbers.contains(&pause.id) };
        let ended: Vec<&Pause> = on.iter().filter(meant).collect();
        let left: Vec<i64> = on.iter().filter(|pause| !ended.iter().any(|it| it.id == pause.id)).map(|pause| pause.id).collect();
        let ids: Vec<i64> = ended.iter().map(|pause| pause.id).collect();
        let mut says = match (ids.as_slice(), numbers.is_empty()) {
            ([], _) if on.is_empty() => vec!["nothing is paused".to_owned()],
            ([], true) => vec!["no pause is of exactly these jobs and instances; name it by its number".to_owned()],
            ([], false) => vec!["no pause that holds has this number".to_owned()],
            (ids, _) => vec![format!("pause {} ended; what waited may start now", listed(ids))],
        };
        if !left.is_empty() {
            says.push(format!("pause {} still {}", listed(&left), if left.len() == 1 { "holds" } else { "hold" }));
        }
        let answer = Answer { done: !ids.is_empty() || on.is_empty(), says, ..Answer::default() };
        self.ledger.resume(request, &ids, &answer, now)?;
        self.paused = None;
        Ok(answer)
    }
}

/// A request may come from so far ahead: two readings of one clock.
const AHEAD: Duration = Duration::from_secs(60);

fn is_of_now(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now <= later(at, TAKEN_WITHIN) && at <= later(now, AHEAD)
}

/// What stands between a run that was taken on and its start.
struct Line {
    /// Calls a second.
    rate: f64,
    /// Of the account with the least room, where any has a bound.
    room: Option<Room>,
}

struct Room {
    account: AccountName,
    running: u32,
    most: u32,
}

impl Line {
    /// When a run starts that so many stand before; none where that hangs on the end of backups, which nobody knows.
    fn starts_in_s(&self, ahead: u64) -> Option<f64> {
        self.full(ahead).is_none().then(|| u32::try_from(ahead).map_or(f64::from(u32::MAX), f64::from) / self.rate)
    }

    fn full(&self, ahead: u64) -> Option<&Room> {
        self.room.as_ref().filter(|room| u64::from(room.running) + ahead >= u64::from(room.most))
    }

    fn queued(&self, ahead: u64) -> String {
        let before = if ahead == 0 { "queued".to_owned() } else { format!("queued; {ahead} ahead") };
        match (self.full(ahead), self.starts_in_s(ahead)) {
            (Some(Room { account, running, most }), _) => {
                format!(
                    "{before}; account {account} has {running} of {most} backups in progress, its max_running: it starts when enough of them have ended"
                )
            }
            (None, Some(s)) if ahead > 0 => format!("{before}, starts in about {:.0} s", s.ceil()),
            _ => format!("{before}; nothing stands before it"),
        }
    }
}

fn taken_on(runs: Vec<RunAnswer>, line: &Line, ahead: u64) -> Answer {
    let new = runs.iter().filter(|run| run.says.is_empty()).count();
    let starts_in_s = if new > 0 { line.starts_in_s(ahead) } else { None };
    let mut says = Vec::new();
    match (new, runs.len()) {
        (0, 1) => says.push("a run of it is open already; that one stands for it".to_owned()),
        (0, all) => says.push(format!("runs of all {all} are open already; those stand for them")),
        (new, all) if new == all => says.push(format!("{} {}", count(new, "run"), line.queued(ahead))),
        (new, all) => says.push(format!("{} {}; {} were open already", count(new, "run"), line.queued(ahead), all - new)),
    }
    Answer { done: true, says, runs, ahead, starts_in_s }
}

fn backfilled(runs: Vec<RunAnswer>, line: &Line, ahead: u64, changed: usize) -> Answer {
    let starts_in_s = if runs.is_empty() { None } else { line.starts_in_s(ahead) };
    let mut says = match runs.len() {
        0 => vec!["no slot of this time is missed".to_owned()],
        n => vec![format!("{} of the past {}; the newest first, behind what is due by itself", count(n, "slot"), line.queued(ahead))],
    };
    if changed > 0 {
        says.push(format!("{} left alone: the job has another schedule now, or no slot of it in this time", count(changed, "missed row")));
    }
    Answer { done: !runs.is_empty(), says, runs, ahead, starts_in_s }
}

fn cancelled(strangers: &[i64], found: Vec<Cancelled>) -> Answer {
    let mut says = Vec::new();
    if !strangers.is_empty() {
        says.push(format!("no run {} in the ledger", listed(strangers)));
    }
    let says_of = |run: &Cancelled| match (&run.backup, run.is_final) {
        (_, true) => format!("has ended already ({})", run.state),
        (Some(backup), false) => {
            format!("the cloud works on it as backup {backup} and has no way to stop it; it is followed to its end, and not started again")
        }
        (None, false) if run.attempts == 0 => "cancelled; nothing was sent for it".to_owned(),
        (None, false) => "a call was made for it; it ends as soon as it is known whether the cloud made a backup".to_owned(),
    };
    let runs: Vec<RunAnswer> = found
        .iter()
        .map(|run| RunAnswer { run_id: run.run.0, job: run.job.clone(), instance_id: run.instance.clone(), says: says_of(run) })
        .collect();
    Answer { done: strangers.is_empty() && found.iter().all(|run| !run.is_final), says, runs, ..Answer::default() }
}

fn paused(pause: &Pause, met: &Met, now: DateTime<Utc>) -> Vec<String> {
    let stamp = |t: DateTime<Utc>| t.to_rfc3339_opts(SecondsFormat::Secs, true);
    let until = pause.until.map_or_else(|| "until somebody resumes it".to_owned(), |until| format!("until {}", stamp(until)));
    let mut first = format!("pause {}: nothing new starts from {} {until}", pause.id, stamp(now));
    if met.in_flight > 0 {
        first.push_str(&format!(
            "; {} on in the cloud",
            if met.in_flight == 1 { "1 backup runs".into() } else { format!("{} backups run", met.in_flight) }
        ));
    }
    if met.waiting > 0 {
        first.push_str(&format!("; {}", if met.waiting == 1 { "1 run waits".to_owned() } else { format!("{} runs wait", met.waiting) }));
    }
    if let Some(end) = met.first_end {
        let some = if met.closing == met.waiting { String::new() } else { format!("{} of them ", met.closing) };
        first.push_str(&format!(
            ", {some}only until {}, when {} closes",
            stamp(end),
            if met.closing == 1 { "its start window" } else { "the first start window" }
        ));
    }
    vec![first]
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn listed(ids: &[i64]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
