//! One run in one process, and what happens to it, told as a sentence. Times are whole seconds from the slot.

use cdb_backupd::domain::{
    alias::of_generation,
    names::{AccountName, BackupId, CredentialSource, Endpoint, InstanceId, JobName, Region, RunId},
    now::Now,
    pause::Asked,
    policy::{Method, Overlap, Poll, Retry},
    reply::{Backup, BackupStatus, CallError, Class},
    retry::backoff,
    run::{
        Doubt, Key, LastFailure, Note, Proof, Reading, Restored, Run, State, Tally, Trigger, Windows, Wish,
        due::{Kept, Previous, Step},
        seen::{List, Place},
        sent::Answer,
    },
    terms::Terms,
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

pub(crate) const START_BY: i64 = 7_200;
pub(crate) const RESTART_BY: i64 = 10_800;
pub(crate) const COMPLETE_BY: i64 = 14_400;
/// Before the slot, by the clock of the first process.
const BORN: i64 = -600;
const ALIAS: &str = "nightly.20261124T183000Z.abcdefgh";

pub(crate) fn at(s: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_545_000 + s, 0).expect("an instant")
}

pub(crate) fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// A run, the process that decides about it, and what the decisions had to tell.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) run: Run,
    pub(crate) reading: Reading,
    pub(crate) notes: Vec<Note>,
    kept: Option<Kept>,
    previous: Option<Previous>,
    taken: BTreeSet<BackupId>,
    asked: Option<(Place, DateTime<Utc>)>,
    born: i64,
}

pub(crate) fn terms() -> Terms {
    let id = InstanceId::parse("cdb-aaaa0001").expect("an id");
    Terms {
        instance_name: (&id).into(),
        tags: [].into(),
        account: AccountName::parse("main").expect("a name"),
        endpoint: Endpoint::parse(Endpoint::DEFAULT).expect("an endpoint"),
        credentials: CredentialSource::Env { prefix: CredentialSource::DEFAULT_PREFIX.into() },
        region: Region::parse("ap-guangzhou").expect("a region"),
        method: Method::Physical { encrypted: None },
        absence_window: secs(540),
        retry: Retry { after_failed: 1, max_attempts: None, initial_backoff: secs(2), max_backoff: secs(600) },
        poll: Poll { initial: secs(15), max: secs(300) },
        overlap: Overlap::Skip,
    }
}

/// A run at its slot, in a process that is older than it.
pub(crate) fn due() -> Scene {
    let key = Key {
        job: JobName::parse("nightly").expect("a name"),
        instance: InstanceId::parse("cdb-aaaa0001").expect("an id"),
        slot: at(0),
        trigger: Trigger::Schedule,
        request: 0,
    };
    let windows = Windows { not_before: at(0), start_by: at(START_BY), complete_by: at(COMPLETE_BY), restart_by: at(RESTART_BY) };
    let run = Run {
        id: RunId(42),
        key,
        terms: Arc::new(terms()),
        windows,
        priority: 5,
        asked: Asked::default(),
        alias: ALIAS.into(),
        generation: 1,
        tally: Tally::default(),
        wish: None,
        looked_for: None,
        started_at: None,
        last: None,
        state: State::Due { due_at: at(0) },
    };
    let reading = Reading { now: Now { utc: at(0), mono: Duration::ZERO }, process: 0, proof: None, restored: Restored::Never };
    let scene = Scene { run, reading, notes: Vec::new(), kept: None, previous: None, taken: BTreeSet::new(), asked: None, born: BORN };
    scene.restarts(7, BORN).at(0)
}

/// A run whose first call was begun at its slot.
pub(crate) fn calling() -> Scene {
    due().begins(1)
}

/// A run whose first call was answered 20 s after the slot by nothing that says anything: it is proved absent after +540.
pub(crate) fn uncertain() -> Scene {
    calling().at(20).error(1, Class::Ambiguous, None)
}

/// A run that the cloud accepted as backup 501, 20 s after the slot.
pub(crate) fn running() -> Scene {
    calling().at(20).number(1, 501)
}

/// A run that nobody could find out about: closed at its last moment.
pub(crate) fn unknown() -> Scene {
    uncertain().at(COMPLETE_BY).look_fails().time_passes()
}

impl Scene {
    /// The time is now so many seconds from the slot.
    pub(crate) fn at(mut self, s: i64) -> Self {
        self.reading.now = Now { utc: at(s), mono: secs((s - self.born).unsigned_abs()) };
        self
    }

    /// The wall clock alone steps.
    pub(crate) fn wall_steps_to(mut self, s: i64) -> Self {
        self.reading.now.utc = at(s);
        self
    }

    /// Another process takes over, and its clock is proved at once.
    pub(crate) fn restarts(mut self, process: i64, s: i64) -> Self {
        self.born = s;
        self.reading.process = process;
        self.reading.proof = Some(Proof { date: at(s), started: at(s), ahead: TimeDelta::zero() });
        self.at(s)
    }

    pub(crate) fn unproved(mut self) -> Self {
        self.reading.proof = None;
        self
    }

    /// The cloud's clock is ahead of ours.
    pub(crate) fn cloud_ahead(mut self, s: i64) -> Self {
        self.reading.proof = self.reading.proof.map(|proof| Proof { ahead: TimeDelta::seconds(s), ..proof });
        self
    }

    pub(crate) fn restored(mut self, restored: Restored) -> Self {
        self.reading.restored = restored;
        self
    }

    pub(crate) fn kept(mut self, kept: Kept) -> Self {
        self.kept = Some(kept);
        self
    }

    /// The previous run is open, by a list that was asked for then.
    pub(crate) fn behind(mut self, read_at: Option<i64>) -> Self {
        self.previous = Some(Previous { read_at: read_at.map(at) });
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Run)) -> Self {
        change(&mut self.run);
        self
    }

    pub(crate) fn terms(self, change: impl FnOnce(&mut Terms)) -> Self {
        self.with(|run| change(Arc::make_mut(&mut run.terms)))
    }

    pub(crate) fn wish(self, wish: Wish) -> Self {
        self.with(|run| run.wish = Some(wish))
    }

    pub(crate) fn generation(self, generation: u8) -> Self {
        self.with(|run| run.generation = generation)
    }

    pub(crate) fn due_at(self, s: i64) -> Self {
        self.with(|run| run.state = State::Due { due_at: at(s) })
    }

    pub(crate) fn looked_for(self, process: i64, generation: u8) -> Self {
        self.with(|run| run.looked_for = Some((process, generation)))
    }

    pub(crate) fn sends(self, sends: u32, max: u32) -> Self {
        self.with(|run| run.tally.sends = sends).terms(|terms| terms.retry.max_attempts = Some(max))
    }

    pub(crate) fn last(self, class: Class, code: &str) -> Self {
        self.with(|run| run.last = Some(LastFailure { class, code: code.into() }))
    }

    /// The backup of that number belongs to another run.
    pub(crate) fn taken(mut self, id: i64) -> Self {
        self.taken.insert(BackupId(id));
        self
    }

    /// A pass comes to it, and does what the planner does.
    pub(crate) fn passes(mut self) -> Self {
        match self.run.step(&self.reading, self.kept, self.previous) {
            Step::Wait => {}
            Step::Look => self.run.ask_look(&self.reading),
            Step::Close { outcome, reason } => self.run.end_as(outcome, reason, self.reading.now),
            Step::Begin => {
                let attempt = i64::from(self.run.tally.attempts) + 1;
                return self.begins(attempt);
            }
        }
        self
    }

    /// A call begins, signed with our time.
    pub(crate) fn begins(mut self, attempt: i64) -> Self {
        self.run.begin(attempt, self.reading.now.utc.timestamp(), &self.reading);
        self
    }

    /// A call begins, signed with a time so many seconds from the slot.
    pub(crate) fn begins_signed(mut self, signed_at: i64) -> Self {
        self.run.begin(1, at(signed_at).timestamp(), &self.reading);
        self
    }

    /// A BackupId comes, for a call of that generation.
    pub(crate) fn number(mut self, generation: u8, id: i64) -> Self {
        let answer = Answer { attempt: 1, generation, answer: Ok(BackupId(id)), date: None };
        self.notes = self.run.answered(&answer, &self.reading);
        self
    }

    /// An answer without a number comes; its code is the class's word.
    pub(crate) fn error(self, attempt: i64, class: Class, date: Option<i64>) -> Self {
        self.error_code(attempt, class, class.word(), date)
    }

    pub(crate) fn error_code(mut self, attempt: i64, class: Class, code: &str, date: Option<i64>) -> Self {
        let error = CallError { class, code: code.into(), message: String::new() };
        let answer = Answer { attempt, generation: self.run.generation, answer: Err(error), date: date.map(at) };
        self.notes = self.run.answered(&answer, &self.reading);
        self
    }

    pub(crate) fn lease_is_judged(mut self) -> Self {
        self.run.lease_over(&self.reading);
        self
    }

    /// A list is asked for; the next one that is seen is this one.
    pub(crate) fn asks(mut self) -> Self {
        self.asked = Some((self.run.place(), self.reading.now.utc));
        self
    }

    /// A list is read: the one that was asked for, else one that took no time.
    pub(crate) fn sees(mut self, mut list: List) -> Self {
        let (place, asked_at) = self.asked.take().unwrap_or((self.run.place(), self.reading.now.utc));
        list.asked_at = asked_at;
        self.notes = self.run.seen(place, &list, &self.taken, &self.reading);
        self
    }

    pub(crate) fn look_fails(mut self) -> Self {
        let (place, _) = self.asked.take().unwrap_or((self.run.place(), self.reading.now.utc));
        self.run.look_failed(place, &self.reading);
        self
    }

    pub(crate) fn time_passes(mut self) -> Self {
        self.run.time_over(&self.reading);
        self
    }

    /// The wait after that many failures in a row.
    pub(crate) fn backoff(&self, failures: u32) -> Duration {
        backoff(&self.run.terms.retry, self.run.id, failures)
    }

    /// Where it stands, in a few words.
    pub(crate) fn stands(&self) -> String {
        stands(&self.run)
    }

    /// The numbers of `notes`: `501`, `501!` where somebody has to look, `501?` for an impostor, `-501` when it is gone.
    pub(crate) fn told(&self) -> String {
        let word = |note: &Note| match note {
            Note::Backup { id, duplicate, .. } => format!("{id}{}", if *duplicate { "!" } else { "" }),
            Note::Impostor { id } => format!("{id}?"),
            Note::Vanished { id } => format!("-{id}"),
        };
        self.notes.iter().map(word).collect::<Vec<_>>().join(" ")
    }
}

/// A complete list with this `Date`.
pub(crate) fn list(date: i64, items: &[Backup]) -> List {
    List { items: items.to_vec(), complete: true, date: Some(at(date)), asked_at: at(0) }
}

/// One of ours in the list.
pub(crate) fn item(id: i64, generation: u8, status: BackupStatus) -> Backup {
    Backup {
        id: BackupId(id),
        status,
        manual: true,
        kind: "physical".into(),
        alias: of_generation(ALIAS, generation),
        instance: None,
        bytes: (status == BackupStatus::Success).then_some(1_000),
        started: None,
        finished: None,
    }
}

fn stands(run: &Run) -> String {
    let mut words = Vec::new();
    if run.generation > 1 {
        words.push(format!("g{}", run.generation));
    }
    match &run.state {
        State::Due { due_at } => words.push(format!("due {}", rel(*due_at))),
        State::Calling { attempt, signed_at, .. } => words.push(format!("calling {attempt} signed {:+}", signed_at - at(0).timestamp())),
        State::Uncertain { attempt, doubt, clear_after, then_due_at, .. } => {
            let then = if *doubt == Doubt::Ambiguous { String::new() } else { format!(" then {}", rel(*then_due_at)) };
            words.push(format!("uncertain {attempt} {} after {}{then}", doubt.word(), rel(*clear_after)));
        }
        State::Running { backup, listed, absent_since, .. } => {
            words.push(format!("running {backup}{}", if *listed { " listed" } else { "" }));
            words.extend(absent_since.map(|since| format!("absent {}", rel(since))));
        }
        State::Closed(closed) => {
            words.push(closed.reason.as_ref().map_or(run.word().into(), |reason| format!("{}({reason})", run.word())));
            words.extend(closed.backup.map(|id| id.to_string()));
            words.extend(closed.first_outcome.map(|first| format!("after {}", first.word())));
            words.extend(closed.follow.map(|follow| format!("until {}", rel(follow.until))));
        }
    }
    words.extend(run.wish.filter(|_| !run.is_closed()).map(|wish| format!("wish {wish:?}")));
    words.join(" ")
}

fn rel(t: DateTime<Utc>) -> String {
    let ms = (t - at(0)).num_milliseconds();
    if ms % 1_000 == 0 { format!("{:+}", ms / 1_000) } else { format!("{:+.3}", ms as f64 / 1_000.0) }
}

/// Holds every row of a table to what it says: a sentence, what happens, and where the run then stands.
pub(crate) fn hold(rows: Vec<(&str, Scene, &str)>) {
    let wrong: Vec<String> = rows
        .iter()
        .filter(|(_, scene, expected)| scene.stands() != *expected)
        .map(|(sentence, scene, expected)| format!("{sentence}:\n  it stands at `{}`, not at `{expected}`", scene.stands()))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
