//! When something goes wrong: for a numbered call, by chance, or from one time to another; and how all of that is written on a command line.

use super::{
    dice::Stream,
    faults::{Action, Fault, FaultError, Touches},
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
    /// By probability, for each call that they can befall.
    pub odds: Vec<(Fault, f64)>,
    /// By script. A scripted call suffers nothing by chance.
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
        let scripted: Vec<Fault> = self.script.iter().filter(|s| s.action == action).filter(meant).flat_map(|s| s.faults.clone()).collect();
        if !scripted.is_empty() {
            return scripted;
        }
        let mut drawn: Vec<Fault> = Vec::new();
        for (fault, probability) in self.odds.iter().filter(|(f, _)| f.befalls(action)) {
            let hit = stream.hits(*probability);
            if hit && drawn.iter().all(|d| d.touches() != fault.touches()) {
                drawn.push(fault.clone());
            }
        }
        drawn
    }
}

impl FromStr for Faults {
    type Err = FaultError;

    /// Reads `fault:probability`, `fault` (standing, or on every call) and `create#n[@instance]:fault+fault`, separated by commas.
    fn from_str(text: &str) -> Result<Self, FaultError> {
        let mut faults = Self::default();
        for item in text.split(',').map(str::trim).filter(|i| !i.is_empty()) {
            if item.contains('#') {
                faults.script.push(script(item)?);
                continue;
            }
            let (fault, probability) = item.rsplit_once(':').map_or((item, None), |(f, p)| (f, Some(p)));
            let fault: Fault = fault.parse()?;
            let bad = |p: &str| FaultError::Probability(p.into());
            let odds = match probability {
                None => 1.0,
                Some(p) => p.parse::<f64>().ok().filter(|p| (0.0..=1.0).contains(p)).ok_or_else(|| bad(p))?,
            };
            if fault.touches() == Touches::Everything { faults.standing.push(fault) } else { faults.odds.push((fault, odds)) }
        }
        Ok(faults)
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
    let faults = named.split('+').map(str::parse).collect::<Result<Vec<Fault>, _>>()?;
    if let Some(fault) = faults.iter().find(|f| !f.befalls(action)) {
        return Err(FaultError::Call(fault.name()));
    }
    Ok(Script { action, nth, instance, faults })
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
        assert_eq!("create#1:list_throttled".parse::<Faults>(), Err(FaultError::Call("list_throttled")));
        assert_eq!("create#1:outage=1s..2s".parse::<Faults>(), Err(FaultError::Call("outage")));
        assert!("outage=2s..1s".parse::<Faults>().is_err() && "busy=500000y".parse::<Faults>().is_err());
        assert!("lost_after_act:1.5".parse::<Faults>().is_err());
        assert!("make#2:garbage".parse::<Faults>().is_err());
    }

    #[test]
    fn chance_gives_a_call_one_fault_of_each_kind_and_only_what_can_befall_it() {
        let faults: Faults = "garbage,eof,backup_fails,never_listed,list_throttled".parse().unwrap();
        let mut stream = Dice::new(1).stream("t", "", 0);
        assert_eq!(faults.draw(Action::Create, "i", 1, 1, &mut stream), vec![Fault::Garbage, Fault::BackupFails]);
        assert_eq!(faults.draw(Action::Delete, "i", 1, 1, &mut stream), vec![]);
    }
}
