//! When something goes wrong: for a numbered call, by chance, or from one time to another; and how all of that is written on a command line.

use super::{
    dice::Stream,
    fault_error::FaultError,
    faults::{Action, Fault, Touches},
};
use std::str::FromStr;

/// Faults for one numbered call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Which call.
    pub action: Action,
    /// The n-th of it, from 1: of this instance, or of all.
    pub nth: u64,
    /// Whose; absent: calls of all instances are counted together.
    pub instance: Option<String>,
    /// All of these at once.
    pub faults: Vec<Fault>,
}

/// What goes wrong, and when.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// By probability, for each call that they can befall. Of faults that decide the same about a call it suffers at most one, so their chances
    /// should not add up to more than 1; those beyond never strike. One that the call's end leaves no room for does not strike it.
    pub odds: Vec<(Fault, f64)>,
    /// By script. A scripted call suffers nothing by chance. Where two scripts mean one call, the second adds what goes with the first.
    pub script: Vec<Script>,
    /// In their time, or always.
    pub standing: Vec<Fault>,
}

impl Faults {
    /// What befalls this call: the n-th of its action for its instance, and the `of_all`-th of its action.
    pub fn draw(&self, action: Action, instance: &str, nth: u64, of_all: u64, stream: &mut Stream) -> Vec<Fault> {
        let meant = |s: &&Script| match &s.instance {
            Some(i) => i == instance && s.nth == nth,
            None => s.nth == of_all,
        };
        let mut struck: Vec<Fault> = Vec::new();
        for fault in self.script.iter().filter(|s| s.action == action).filter(meant).flat_map(|s| &s.faults) {
            strike(&mut struck, fault);
        }
        if !struck.is_empty() {
            return struck;
        }
        for chances in self.chances(action).chunk_by(|(one, _), (other, _)| one.place() == other.place()) {
            // One throw for all of a place, so that each has the chance that it was given, whichever stands first.
            let mut thrown = stream.unit();
            let hit = chances.iter().find(|(_, probability)| {
                thrown -= probability;
                thrown < 0.0
            });
            hit.map(|(fault, _)| strike(&mut struck, fault)).unwrap_or_default();
        }
        struck
    }

    /// An instance that a script names and `is_there` does not know: nothing would ever befall it.
    pub fn stranger(&self, is_there: impl Fn(&str) -> bool) -> Option<&str> {
        self.script.iter().filter_map(|script| script.instance.as_deref()).find(|instance| !is_there(instance))
    }

    /// All faults that can strike, however and whenever.
    pub fn all(&self) -> impl Iterator<Item = &Fault> {
        let by_chance = self.odds.iter().filter(|(_, probability)| *probability > 0.0).map(|(fault, _)| fault);
        by_chance.chain(self.script.iter().flat_map(|script| &script.faults)).chain(&self.standing)
    }

    /// What can befall this action by chance, place by place: the end of a call first, as it decides what else there is room for.
    fn chances(&self, action: Action) -> Vec<&(Fault, f64)> {
        let mut chances: Vec<_> = self.odds.iter().filter(|(fault, _)| fault.befalls(action)).collect();
        chances.sort_by_key(|(fault, _)| fault.place());
        chances
    }

    /// Whether everything can strike as it says.
    fn fits(&self) -> Result<(), FaultError> {
        for action in ACTIONS {
            for chances in self.chances(action).chunk_by(|(one, _), (other, _)| one.place() == other.place()) {
                if let ([(example, _), _, ..], true) = (chances, sum(chances) > 1.0 + ROUNDING) {
                    return Err(FaultError::TooLikely { call: action.wire(), faults: texts(chances), example: example.to_string() });
                }
            }
        }
        self.odds.iter().filter(|(_, probability)| *probability > 0.0).try_for_each(|(fault, _)| self.can_strike(fault))
    }

    /// Whether some call that this fault can befall leaves it room.
    fn can_strike(&self, fault: &Fault) -> Result<(), FaultError> {
        let mut in_its_way = Vec::new();
        for action in ACTIONS.into_iter().filter(|action| fault.befalls(*action)) {
            let mut others = self.chances(action);
            others.retain(|(other, _)| other.place() != fault.place() && !other.goes_with(fault));
            if sum(&others) < 1.0 - ROUNDING {
                return Ok(());
            }
            in_its_way = others;
        }
        Err(FaultError::Never { fault: fault.to_string(), others: texts(&in_its_way) })
    }
}

/// What something can befall by chance or by script.
const ACTIONS: [Action; 2] = [Action::Create, Action::List];
/// What a sum of written probabilities may be off by.
const ROUNDING: f64 = 1e-9;

fn strike(struck: &mut Vec<Fault>, fault: &Fault) {
    if struck.iter().all(|before| before.goes_with(fault)) {
        struck.push(fault.clone());
    }
}

fn sum(chances: &[&(Fault, f64)]) -> f64 {
    chances.iter().map(|(_, probability)| probability).sum()
}

fn texts(chances: &[&(Fault, f64)]) -> String {
    chances.iter().map(|(fault, _)| format!("`{fault}`")).collect::<Vec<_>>().join(", ")
}

impl FromStr for Faults {
    type Err = FaultError;

    /// Reads `fault:probability`, `fault` (standing, or on every call) and `create#n[@instance]:fault+fault`, separated by commas.
    fn from_str(text: &str) -> Result<Self, FaultError> {
        let mut faults = Self::default();
        for item in text.split(',').map(str::trim).filter(|i| !i.is_empty()) {
            if item.contains('#') {
                faults.add(script(item)?)?;
                continue;
            }
            let (fault, probability) = item.rsplit_once(':').map_or((item, None), |(f, p)| (f, Some(p)));
            let fault: Fault = fault.parse()?;
            match (fault.touches(), probability) {
                (Touches::Everything, None) => faults.standing.push(fault),
                (Touches::Everything, Some(_)) => {
                    return Err(FaultError::NoProbability { fault: fault.to_string(), when: "in its time, or always" });
                }
                (_, None) => faults.odds.push((fault, 1.0)),
                (_, Some(p)) => {
                    let odds = p.parse::<f64>().ok().filter(|p| (0.0..=1.0).contains(p));
                    faults.odds.push((fault, odds.ok_or_else(|| FaultError::Probability(p.into()))?));
                }
            }
        }
        faults.fits().map(|()| faults)
    }
}

impl Faults {
    /// One more script; what is meant for one call stands in one.
    fn add(&mut self, script: Script) -> Result<(), FaultError> {
        let same = |s: &&mut Script| (s.action, s.nth, &s.instance) == (script.action, script.nth, &script.instance);
        let Some(known) = self.script.iter_mut().find(same) else {
            self.script.push(script);
            return Ok(());
        };
        known.faults.extend(script.faults);
        together(&known.faults)
    }
}

fn script(item: &str) -> Result<Script, FaultError> {
    let bad = || FaultError::Script(item.into());
    let (call, named) = item.split_once(':').ok_or_else(bad)?;
    let (action, place) = call.split_once('#').ok_or_else(bad)?;
    let (nth, instance) = place.split_once('@').map_or((place, None), |(n, i)| (n, Some(i.to_owned())));
    let action = match action {
        "create" => Action::Create,
        "list" => Action::List,
        _ => return Err(bad()),
    };
    let nth = nth.parse().ok().filter(|n| *n > 0).ok_or_else(bad)?;
    if named.contains(':') {
        return Err(FaultError::NoProbability { fault: item.into(), when: "the call that it names" });
    }
    let faults = named.split('+').map(str::parse).collect::<Result<Vec<Fault>, _>>()?;
    if let Some(fault) = faults.iter().find(|f| !f.befalls(action)) {
        let timed = fault.touches() == Touches::Everything;
        return Err(if timed { FaultError::Timed(fault.name()) } else { FaultError::Call(fault.name(), action.wire()) });
    }
    together(&faults)?;
    Ok(Script { action, nth, instance, faults })
}

/// Whether all of these can happen to one call.
fn together(faults: &[Fault]) -> Result<(), FaultError> {
    let mut before: Vec<&Fault> = Vec::new();
    for fault in faults {
        if let Some(other) = before.iter().find(|other| !other.goes_with(fault)) {
            return Err(FaultError::Together(other.to_string(), fault.to_string()));
        }
        before.push(fault);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::dice::Dice, *};
    use std::time::Duration;

    #[test]
    fn a_list_of_faults_is_read_as_chances_scripts_and_times() {
        let faults: Faults = "lost_after_act:0.25, outage=10m..20m, create#2@cdb-aaaa0001:busy_after_act+acts_late=25s".parse().unwrap();
        assert_eq!(faults.odds, vec![(Fault::LostAfterAct, 0.25)]);
        assert_eq!(faults.standing, vec![Fault::Outage(Duration::from_secs(600)..Duration::from_secs(1_200))]);
        assert_eq!(faults.script.len(), 1);
        let mut stream = Dice::new(1).stream("t", "", 0);
        let drawn = faults.draw(Action::Create, "cdb-aaaa0001", 2, 9, &mut stream);
        assert_eq!(drawn, vec![Fault::BusyAfterAct, Fault::ActsLate(Duration::from_secs(25))]);
        assert_eq!("create#1:list_throttled".parse::<Faults>(), Err(FaultError::Call("list_throttled", "CreateBackup")));
        assert_eq!("create#1:eof".parse::<Faults>(), Err(FaultError::Call("eof", "CreateBackup")));
        assert_eq!("create#1:outage=1s..2s".parse::<Faults>(), Err(FaultError::Timed("outage")));
        assert!("outage=2s..1s".parse::<Faults>().is_err() && "busy=500000y".parse::<Faults>().is_err());
        assert!("lost_after_act:1.5".parse::<Faults>().is_err());
        assert!("make#2:garbage".parse::<Faults>().is_err());
    }

    fn drawn(faults: &str, action: Action) -> Vec<Vec<Fault>> {
        let faults: Faults = faults.parse().unwrap();
        let dice = Dice::new(1);
        (1..=10_000).map(|n| faults.draw(action, "i", n, n, &mut dice.stream("t", "", n))).collect()
    }

    #[test]
    fn each_fault_has_the_chance_that_it_was_given_whichever_stands_first() {
        let faults = ["garbage:0.3", "http_error_before_act:0.3", "acts_late=9s:0.5", "lists_late=9s:0.4", "never_listed:0.2", "list_throttled:0.3"];
        let (in_order, backwards) = (faults.join(","), faults.iter().rev().copied().collect::<Vec<_>>().join(","));
        for text in [&in_order, &backwards] {
            let share = |action, fault: Fault| drawn(text, action).iter().filter(|struck| struck.contains(&fault)).count();
            assert!((2_800..3_200).contains(&share(Action::Create, Fault::Garbage)), "{text}");
            assert!((2_800..3_200).contains(&share(Action::Create, Fault::HttpErrorBeforeAct)), "{text}");
            assert!((2_800..3_200).contains(&share(Action::List, Fault::ListThrottled)), "{text}");
            // Where nothing acts, there is nothing to be late or never to show: seven in ten calls leave room.
            assert!((3_300..3_700).contains(&share(Action::Create, Fault::ActsLate(Duration::from_secs(9)))), "{text}");
            assert!((1_250..1_550).contains(&share(Action::Create, Fault::NeverListed)), "{text}");
        }
    }

    #[test]
    fn chance_gives_a_call_all_that_goes_together_and_only_what_can_befall_it() {
        let text = "garbage,slow_reply=3s,backup_fails,lists_late=90s";
        let late = Fault::ListsLate(Duration::from_secs(90));
        let mut struck = drawn(text, Action::Create).remove(0);
        struck.sort_by_key(Fault::name);
        assert_eq!(struck, [Fault::BackupFails, Fault::Garbage, late, Fault::SlowReply(Duration::from_secs(3))]);
        assert_eq!(drawn(text, Action::List).remove(0), [Fault::Garbage, Fault::SlowReply(Duration::from_secs(3))]);
        assert_eq!(drawn(text, Action::Delete).remove(0), []);
    }

    #[test]
    fn what_could_not_strike_as_it_says_is_refused_with_the_reason() {
        for (text, part) in [
            ("http_error_before_act,list_throttled", "a DescribeBackups suffers at most one of `http_error_before_act`, `list_throttled`"),
            ("list_throttled,http_error_before_act", "add up to more than 1"),
            ("lists_late=9s:0.6,lists_late=20s:0.6", "at most one of"),
            ("lost_before_act,backup_fails", "`backup_fails` could never strike, as `lost_before_act` always would"),
            ("gateway_502:0.5,redirect_307:0.5,acts_late=9s", "`acts_late=9s` could never strike, as `gateway_502`, `redirect_307`"),
            ("outage=0s..2s:0.0", "`outage=0s..2s` takes no probability"),
            ("skew=6m:0.0", "takes no probability; it strikes in its time"),
            ("create#1:garbage:0.5", "takes no probability; it strikes the call that it names"),
            ("create#1:garbage+gateway_502", "`garbage` and `gateway_502` cannot both happen to one call"),
            ("create#1:garbage,create#1:gateway_502", "cannot both happen"),
            ("create#1@i:never_listed+lists_late=9s", "cannot both happen"),
            ("create#1:eof", "`eof` cannot befall a CreateBackup"),
        ] {
            let error = text.parse::<Faults>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        for good in ["lost_before_act:0.4,gateway_502:0.4,backup_fails", "garbage:0.1,slow_reply=3s", "create#1:garbage,create#1@i:gateway_502"] {
            assert!(good.parse::<Faults>().is_ok(), "{good}");
        }
    }

    #[test]
    fn an_instance_that_is_not_there_is_found() {
        let faults: Faults = "create#1:garbage,create#1@a:garbage,list#1@b:garbage".parse().unwrap();
        assert_eq!(faults.stranger(|instance| instance == "a"), Some("b"));
        assert_eq!(faults.stranger(|_| true), None);
    }
}
