//! What the cloud knows and does: instances, their backups, and the rules of `cdb-api` README §7.2 to §7.4. Synchronous; every call says when it is.
//!
//! Decided here: what a call that arrives at a given moment changes and answers. Not here: when it arrives, and how the answer travels (`exchange`).

use super::{
    backup::Made,
    call::{Answer, Ask, CreateAsk, Proof, Refusal, Request, Said},
    dice::{Dice, Stream},
    faults::{Action, Fault},
    rate::{Counted, Rate},
    settings::{Settings, SimAccount},
    site::Site,
};
use crate::domain::names::BackupId;
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// Seconds that a signature lives (assumption A1).
const SIGNATURE_LIFE_S: u64 = 300;
/// Calls that are remembered; the oldest are dropped.
const EVENTS: usize = 200_000;
/// Regions the gateway knows, besides those of its instances (README §6.3).
pub const REGIONS: [&str; 22] = [
    "ap-bangkok",
    "ap-beijing",
    "ap-beijing-fsi",
    "ap-chengdu",
    "ap-chongqing",
    "ap-guangzhou",
    "ap-hongkong",
    "ap-jakarta",
    "ap-mumbai",
    "ap-nanjing",
    "ap-seoul",
    "ap-shanghai",
    "ap-shanghai-fsi",
    "ap-shenzhen-fsi",
    "ap-singapore",
    "ap-tokyo",
    "eu-frankfurt",
    "eu-moscow",
    "na-ashburn",
    "na-siliconvalley",
    "na-toronto",
    "sa-saopaulo",
];

/// One moment, on both of the cloud's clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Since its start.
    pub at: Duration,
    /// What its wall clock shows, skew included.
    pub wall: DateTime<Utc>,
}

/// What befalls one call.
#[derive(Clone, Debug)]
pub(super) struct Fate {
    /// The number of the call, from 1.
    pub number: u64,
    /// How long it takes when nothing delays it.
    pub latency: Duration,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// For what is drawn later: durations, lags, sizes.
    pub stream: Stream,
}

impl Fate {
    /// Whether this fault is among them.
    pub(super) fn has(&self, fault: &Fault) -> bool {
        self.faults.contains(fault)
    }

    /// The duration that the fault of this kind carries, when it is among them.
    pub(super) fn duration(&self, kind: fn(Duration) -> Fault) -> Option<Duration> {
        let name = kind(Duration::ZERO).name();
        self.faults.iter().find(|f| f.name() == name).and_then(Fault::lasts)
    }
}

/// One call, for those who ask afterwards.
#[derive(Clone, Debug)]
pub struct Event {
    /// The number of the call, from 1.
    pub number: u64,
    /// The cloud's clock when it was answered.
    pub at: DateTime<Utc>,
    /// Which call.
    pub action: Action,
    /// Whose.
    pub instance: String,
    /// The alias of a create; else empty.
    pub alias: String,
    /// What went wrong; empty when nothing did.
    pub faults: Vec<Fault>,
    /// `ok`, a code, or what became of the connection.
    pub answer: String,
}

/// The whole cloud.
#[derive(Debug)]
pub(super) struct State {
    pub settings: Settings,
    pub sites: BTreeMap<String, Site>,
    pub rate: Rate,
    pub events: VecDeque<Event>,
    /// Set while it runs, besides the settings' own.
    pub extra_skew: TimeDelta,
    dice: Dice,
    calls: u64,
    by_action: BTreeMap<Action, u64>,
    by_instance: BTreeMap<(Action, String), u64>,
    next_id: i64,
}

impl State {
    /// A cloud at its start, at this wall time.
    pub(super) fn new(settings: Settings, wall: DateTime<Utc>) -> Self {
        let mut next_id = settings.first_backup_id;
        let sites = settings.instances.iter().map(|is| (is.id.clone(), Site::new(is.clone(), wall, &mut next_id))).collect();
        let dice = Dice::new(settings.seed);
        Self {
            settings,
            sites,
            rate: Rate::default(),
            events: VecDeque::new(),
            extra_skew: TimeDelta::zero(),
            dice,
            calls: 0,
            by_action: BTreeMap::new(),
            by_instance: BTreeMap::new(),
            next_id,
        }
    }

    /// How far its clock is ahead of its time base.
    pub(super) fn skew(&self) -> TimeDelta {
        let faults = self.settings.faults.standing.iter();
        let standing: TimeDelta = faults.filter_map(|f| if let Fault::Skew(d) = f { Some(*d) } else { None }).sum();
        self.settings.skew + self.extra_skew + standing
    }

    /// Decides what befalls a call that is sent now.
    pub(super) fn fate(&mut self, request: &Request, moment: Moment) -> Fate {
        self.calls += 1;
        // Calls for instances that are not there share a count, so that their names are not kept.
        let named = request.ask.as_ref().map(Ask::instance).ok().filter(|i| self.sites.contains_key(*i));
        let instance = named.unwrap_or_default().to_owned();
        let of_all = bump(self.by_action.entry(request.action).or_default());
        let nth = bump(self.by_instance.entry((request.action, instance.clone())).or_default());
        let mut stream = self.dice.stream(request.action.wire(), &instance, nth);
        let latency = stream.within(&self.settings.latency);
        let mut faults = self.settings.faults.draw(request.action, &instance, nth, of_all, &mut stream);
        let down = |f: &Fault| matches!(f, Fault::Outage(span) if span.contains(&moment.at));
        if self.settings.faults.standing.iter().any(down) {
            faults = vec![Fault::Unreachable];
        }
        // What leaves the caller counts as its pace, however long it then lies in the network.
        if !faults.contains(&Fault::Unreachable) && self.settings.accounts.iter().any(|a| a.secret_id == request.secret_id) {
            self.rate.sent(&Self::counted(request), moment.at);
        }
        Fate { number: self.calls, latency, faults, stream }
    }

    fn counted(request: &Request) -> Counted {
        Counted { action: request.action, host: request.host.clone(), secret_id: request.secret_id.clone() }
    }

    /// The gateway's checks on a call that arrives now, in the order of README §7.2, up to what the business decides.
    pub(super) fn check(&mut self, request: &Request, fate: &Fate, moment: Moment) -> Result<Ask, Refusal> {
        let who = Self::counted(request);
        let account = self.account(&request.secret_id, moment)?.clone();
        if request.signed_at.abs_diff(moment.wall.timestamp()) > SIGNATURE_LIFE_S {
            return Err(Refusal::new("AuthFailure.SignatureExpire", "The timestamp is more than five minutes from the server's time."));
        }
        self.prove(request, &account, moment)?;
        if let Some(d) = fate.duration(Fault::ThrottleBurst) {
            self.rate.fill(&who, moment.at.saturating_add(d));
        }
        let limit = match request.action {
            Action::Create => self.settings.creates_per_second,
            Action::List => self.settings.lists_per_second,
            Action::Delete => 100,
        };
        self.rate.count(&who, moment.wall.timestamp(), moment.at, limit)?;
        if fate.has(&Fault::ListThrottled) {
            return Err(super::rate::limit_exceeded(limit + 1, limit));
        }
        self.region(request.region.as_deref())?;
        let ask = request.ask.clone()?;
        let allowed = match request.action {
            Action::Create | Action::Delete => account.may_create,
            Action::List => account.may_list,
        };
        if allowed { Ok(ask) } else { Err(Refusal::new("OperationDenied.UserHasNoStrategy", "CAM does not allow this action.")) }
    }

    fn account(&self, secret_id: &str, moment: Moment) -> Result<&SimAccount, Refusal> {
        let revoked = |f: &Fault| matches!(f, Fault::KeyRevoked(span) if span.contains(&moment.at));
        let known = self.settings.accounts.iter().find(|a| a.secret_id == secret_id);
        known
            .filter(|a| !a.revoked.iter().any(|s| s.contains(&moment.at)) && !self.settings.faults.standing.iter().any(revoked))
            .ok_or_else(|| Refusal::new("AuthFailure.SecretIdNotFound", "The SecretId is not found, please ensure that your SecretId is correct."))
    }

    fn prove(&self, request: &Request, account: &SimAccount, moment: Moment) -> Result<(), Refusal> {
        let expired = self.settings.faults.standing.iter().find_map(|f| match f {
            Fault::TokenExpired(span) if span.contains(&moment.at) => Some(span.start),
            _ => None,
        });
        let good = match &request.proof {
            Proof::ReadAt(read) => expired.is_none_or(|since| *read >= since),
            Proof::Signed(evidence) => {
                evidence.check(&account.secret_key, request.signed_at)?;
                let renewed = account.token.is_some() && evidence.token == account.renewed_token();
                renewed || (expired.is_none() && evidence.token == account.token)
            }
        };
        if good { Ok(()) } else { Err(Refusal::new("AuthFailure.TokenFailure", "The token is not valid any more.")) }
    }

    fn region(&self, region: Option<&str>) -> Result<(), Refusal> {
        let region = region.ok_or_else(|| Refusal::new("MissingParameter", "X-TC-Region is required for this action."))?;
        let known = REGIONS.contains(&region) || self.sites.values().any(|s| s.is.region == region);
        if known { Ok(()) } else { Err(Refusal::new("UnsupportedRegion", format!("Region {region} is not supported."))) }
    }

    /// Does what is asked for, now.
    pub(super) fn act(&mut self, request: &Request, ask: &Ask, fate: &mut Fate, moment: Moment) -> Result<Answer, Refusal> {
        let owner = self.settings.accounts.iter().position(|a| a.secret_id == request.secret_id);
        let not_found = || Refusal::new("InvalidParameter.InstanceNotFound", "The instance does not exist.");
        let site = self.sites.get_mut(ask.instance()).ok_or_else(not_found)?;
        let owned = site.is.account;
        let same_owner = owner == Some(owned) || self.settings.accounts.get(owned).is_some_and(|a| a.secret_id == request.secret_id);
        if !same_owner || request.region.as_deref() != Some(site.is.region.as_str()) {
            return Err(not_found());
        }
        site.settle(moment, &mut self.next_id);
        match ask {
            Ask::Create(create) => self.create(create, fate, moment).map(Answer::Created),
            Ask::List { offset, limit, .. } => {
                let limit = (*limit).min(usize::try_from(self.settings.page_cap).unwrap_or(usize::MAX));
                site.list((*offset, limit), self.settings.oldest_first, fate, moment)
            }
            Ask::Delete { id, .. } => site.delete(*id, moment).map(|()| Answer::Deleted),
        }
    }

    fn create(&mut self, create: &CreateAsk, fate: &mut Fate, moment: Moment) -> Result<BackupId, Refusal> {
        let Some(site) = self.sites.get_mut(&create.instance) else {
            return Err(Refusal::new("InvalidParameter.InstanceNotFound", "The instance does not exist."));
        };
        site.allows(create)?;
        if let Some(lasts) = fate.duration(Fault::Busy) {
            site.begin_automatic(moment.at, lasts, moment, &mut self.next_id);
        }
        site.is_free(moment)?;
        let mut made = Made::by_hand(self.next_id, create, site.lacks(create), &self.settings, fate, moment);
        if fate.has(&Fault::DuplicateName) {
            site.backups.push(made.failed_twin());
            made.id = BackupId(made.id.0 + 1);
        }
        self.next_id = made.id.0 + 1;
        let id = made.id;
        site.backups.push(made);
        Ok(id)
    }

    /// Remembers how a call was answered.
    pub(super) fn note(&mut self, request: &Request, fate: &Fate, answer: String, moment: Moment) {
        if self.events.len() >= EVENTS {
            self.events.pop_front();
        }
        let (instance, alias) = request.ask.as_ref().map(|a| (a.instance().to_owned(), a.alias().to_owned())).unwrap_or_default();
        let event = Event { number: fate.number, at: moment.wall, action: request.action, instance, alias, faults: fate.faults.clone(), answer };
        self.events.push_back(event);
    }

    /// The `Date` of a reply made now.
    pub(super) fn date(&self, fate: &Fate, moment: Moment) -> Option<DateTime<Utc>> {
        let shown = moment.wall.checked_add_signed(self.settings.date_skew)?;
        if fate.has(&Fault::NoDate) { None } else { DateTime::from_timestamp(shown.timestamp(), 0) }
    }

    /// The reply to what is no call: it counts as one, but nothing befalls it.
    pub(super) fn refuse(&mut self, refusal: Refusal, moment: Moment) -> Said {
        self.calls += 1;
        let stream = self.dice.stream("refuse", "", self.calls);
        let mut fate = Fate { number: self.calls, latency: Duration::ZERO, faults: Vec::new(), stream };
        Said { date: self.date(&fate, moment), request_id: Self::request_id(&mut fate), result: Err(refusal) }
    }

    /// A fresh `RequestId` for this call.
    pub(super) fn request_id(fate: &mut Fate) -> String {
        let (a, b) = (fate.stream.bits(), fate.stream.bits());
        format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", a >> 32, (a >> 16) & 0xffff, a & 0xffff, b >> 48, b & 0xffff_ffff_ffff)
    }
}

fn bump(count: &mut u64) -> u64 {
    *count += 1;
    *count
}
