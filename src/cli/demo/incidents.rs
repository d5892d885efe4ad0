//! What went wrong in the demo: one line for each call that something befell, with what it did and how that run ended.

use super::super::table::cut;
use crate::{
    domain::alias::generation_of,
    ledger::report::Item,
    sim::{audit::Audit, faults::Fault},
};
use std::collections::{BTreeMap, BTreeSet};

/// What a fault does, in words. Where it acts, a backup begins.
fn does(fault: &Fault) -> &'static str {
    match fault {
        Fault::LostBeforeAct => "the request was lost; nothing began",
        Fault::LostAfterAct => "a backup began; the reply was lost",
        Fault::ResetMidBody => "a backup began; half the reply came",
        Fault::HttpErrorAfterAct => "a backup began; the answer was an error",
        Fault::HttpErrorBeforeAct => "an internal error; nothing began",
        Fault::ArrivesLate(_) => "the request lay in the network",
        Fault::ActsLate(_) => "the backup began late",
        Fault::Gateway502 => "an HTML page with 502; nothing began",
        Fault::Gateway502AfterAct => "a backup began; an HTML page with 502",
        Fault::Redirect307 => "a redirect; nothing began",
        Fault::ThrottleBurst(_) => "others used up the rate: refused",
        Fault::BusyAfterAct => "a backup began; the answer was `busy`",
        Fault::Busy(_) => "an automatic backup was in the way",
        Fault::Outage(_) => "no connection in this time",
        Fault::Unreachable => "no connection for this call",
        Fault::BackupFails => "the backup ended FAILED",
        Fault::BackupTakes(_) => "the backup took long",
        Fault::ListsLate(_) => "the backup showed late in lists",
        Fault::NeverListed => "the backup never showed in lists",
        Fault::Deleted(_) => "the backup was deleted",
        Fault::SlowReply(_) => "the reply was slow",
        Fault::Garbage => "a backup began; the reply was no JSON",
        Fault::UnknownCodeAfterAct => "a backup began; a code nobody knows",
        Fault::UnknownStatus => "a status nobody knows while it ran",
        Fault::ListThrottled => "refused for the rate",
        Fault::ListTruncated => "the list changed between two pages",
        Fault::NoDate => "the reply had no date",
        Fault::WrongTypeListed => "listed with another type",
        Fault::KeyRevoked(_) => "no key was known in this time",
        Fault::TokenExpired(_) => "the keys were expired in this time",
        Fault::Skew(_) => "the cloud's clock was wrong",
        Fault::Eof => "the connection ended; nothing began",
        Fault::DuplicateName => "a second one of its name ended FAILED",
        Fault::ListRefused(_) => "its lists were refused",
        Fault::KillOnRead => "read, then cut off; nothing began",
        Fault::KillAfterAct => "a backup began; cut off before a reply",
        Fault::KillHalfReply => "a backup began; half the reply came",
    }
}

/// One line for each create that something befell, then one for each fault of lists, at most 120 columns wide.
pub(super) fn lines(cloud: &Audit, items: &[Item]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut lists: BTreeMap<String, (usize, BTreeSet<&str>, &'static str)> = BTreeMap::new();
    for event in cloud.incidents() {
        let names: Vec<String> = event.faults.iter().map(ToString::to_string).collect();
        let name = names.join("+");
        let did = event.faults.first().map_or("", does);
        if event.alias.is_empty() {
            let list = lists.entry(name).or_insert((0, BTreeSet::new(), did));
            list.0 += 1;
            list.1.insert(&event.instance);
            continue;
        }
        let row = items.iter().find(|item| generation_of(&item.alias, &event.alias).is_some());
        let (job, end) = row.map_or(("", "no row"), |row| (row.job.as_str(), row.state.as_str()));
        lines.push(line(&name, &format!("{job} on {}", event.instance), did, end));
    }
    for (name, (calls, instances, did)) in lists {
        let what = format!("{calls} lists of {} instances", instances.len());
        lines.push(line(&name, &what, did, "read again"));
    }
    lines
}

fn line(fault: &str, what: &str, did: &str, end: &str) -> String {
    format!("  {:<24}  {:<31}  {:<39}  -> {end}", cut(fault, 24), cut(what, 31), cut(did, 39))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_says_what_it_does_in_a_line_that_is_not_cut() {
        for fault in Fault::all() {
            let (name, did) = (fault.name(), does(&fault));
            assert!((10..=39).contains(&did.chars().count()), "{name}: {did}");
            assert!(line(name, "snapshots-again on cdb-sim00040", did, "succeeded").chars().count() <= 120);
        }
    }
}
