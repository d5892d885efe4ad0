//! What went wrong in the demo: a line for each fault that struck a create, then one for each kind that struck lists, then one for each that stood.
//!
//! Decided here: whether a fault struck, by how the cloud answered and what it made. One that was meant for a call and never came to act has no line.

use super::audit::row_of;
use crate::{
    ledger::report::Item,
    sim::{
        audit::Audit,
        faults::{Action, Fault, Touches},
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// Where a fault's words say that the call acts, they begin with this.
const ACTS: &str = "it acts, and ";

/// What a fault does: the simulator's own words, or shorter ones where those are too long for a line. Nobody kills here: those calls only break.
fn does(fault: &Fault) -> &'static str {
    match fault {
        Fault::LostBeforeAct => "the request is lost; nothing acts or answers",
        Fault::ResetMidBody | Fault::KillHalfReply => "it acts, and half of the reply comes",
        Fault::HttpErrorBeforeAct => "InternalError.HttpError answers; nothing acts",
        Fault::ArrivesLate(_) => "the request lies in the network for so long",
        Fault::Gateway502 => "an HTML page with 502 answers; nothing acts",
        Fault::Gateway502AfterAct => "it acts, and an HTML page with 502 answers",
        Fault::ThrottleBurst(_) => "others use up the rate for so long: refused",
        Fault::BusyAfterAct => "it acts, and answers busy",
        Fault::Busy(_) => "an automatic backup runs first, for so long",
        Fault::Outage(_) => "no connection is made in this time",
        Fault::ListsLate(_) => "lists show the backup only so long after",
        Fault::Deleted(_) => "deleted so long after it was listed and over",
        Fault::SlowReply(_) => "the reply travels for so long",
        Fault::UnknownStatus => "lists give it an unknown Status, while it runs",
        Fault::KeyRevoked(_) => "no key is known in this time",
        Fault::TokenExpired(_) => "keys read before it are expired in this time",
        Fault::Skew(_) => "the cloud's clock is so far ahead",
        Fault::Eof => "a used connection closes; nothing acts",
        Fault::DuplicateName => "a second one of its name stands there, FAILED",
        Fault::ListRefused(_) => "lists of the instance are refused for so long",
        Fault::KillOnRead => "the connection breaks; nothing acts",
        Fault::KillAfterAct => "it acts, and the connection breaks",
        _ => fault.does(),
    }
}

/// Whether it struck a call that was answered so; `made` says whether that call made a backup.
fn struck(fault: &Fault, answer: &str, made: bool) -> bool {
    let replied = !matches!(answer, "no connection" | "no reply" | "reset");
    match fault {
        Fault::Unreachable => answer == "no connection",
        Fault::LostBeforeAct | Fault::LostAfterAct => answer == "no reply",
        Fault::ResetMidBody | Fault::KillHalfReply => answer == "half a reply",
        Fault::HttpErrorAfterAct | Fault::HttpErrorBeforeAct => answer == "InternalError.HttpError",
        Fault::UnknownCodeAfterAct => answer == "InternalError.NewCode",
        Fault::BusyAfterAct | Fault::Busy(_) => answer == "OperationDenied.ActionInProcess",
        Fault::Gateway502 | Fault::Gateway502AfterAct => answer == "502",
        Fault::Redirect307 => answer == "307",
        Fault::Garbage => answer == "not JSON",
        Fault::ThrottleBurst(_) | Fault::ListThrottled => answer.starts_with("RequestLimitExceeded"),
        Fault::ListTruncated => answer == "ok",
        Fault::ListRefused(_) => answer == "InvalidParameter.InstanceNotFound",
        Fault::Eof | Fault::KillOnRead => answer == "reset" && !made,
        Fault::KillAfterAct => answer == "reset",
        Fault::NoDate | Fault::SlowReply(_) => replied,
        Fault::ArrivesLate(_) => replied || made,
        Fault::ActsLate(_) => made,
        Fault::KeyRevoked(_) => answer == "AuthFailure.SecretIdNotFound",
        Fault::TokenExpired(_) => answer == "AuthFailure.TokenFailure",
        Fault::Skew(_) => answer == "AuthFailure.SignatureExpire",
        Fault::Outage(_) => answer == "no connection",
        _ => fault.touches() == Touches::Backup && made,
    }
}

/// What it did to this call. A list acts on nothing, and a create that was refused behind the fault began nothing.
fn did(fault: &Fault, action: Action, made: bool) -> String {
    match (does(fault).strip_prefix(ACTS), action) {
        (Some(rest), Action::Create) if !made => format!("nothing began; {rest}"),
        (Some(rest), Action::List | Action::Delete) => rest.to_owned(),
        (_, _) => does(fault).to_owned(),
    }
}

/// Whether a create that was answered so made a backup: it was told so, or there are more backups of its name than calls that were.
fn makes(cloud: &Audit, instance: &str, alias: &str, answer: &str) -> bool {
    let told = cloud.events.iter().filter(|e| e.action == Action::Create && e.alias == alias && e.instance == instance && e.answer == "ok");
    let made = cloud.backups.iter().filter(|backup| backup.alias == alias && backup.instance == instance);
    answer == "ok" || made.count() > told.count()
}

/// A line for each fault, at most 120 columns wide.
pub(super) fn lines(cloud: &Audit, standing: &[Fault], items: &[Item]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut lists: BTreeMap<String, (usize, BTreeSet<&str>, String)> = BTreeMap::new();
    let outage = standing.iter().any(|fault| matches!(fault, Fault::Outage(_)));
    for event in cloud.incidents() {
        let made = event.action == Action::Create && makes(cloud, &event.instance, &event.alias, &event.answer);
        // An outage marks each of its calls, and has a line of its own.
        let told = event.faults.iter().filter(|fault| struck(fault, &event.answer, made) && !(outage && **fault == Fault::Unreachable));
        for fault in told {
            let did = did(fault, event.action, made);
            if event.action != Action::Create {
                let list = lists.entry(fault.to_string()).or_insert((0, BTreeSet::new(), did));
                list.0 += 1;
                list.1.insert(&event.instance);
                continue;
            }
            let row = row_of(items, &event.alias);
            let (job, end) = row.map_or(("", "no row"), |row| (row.job.as_str(), row.state.as_str()));
            lines.push(line(&fault.to_string(), &format!("{job} {}", event.instance), &did, end));
        }
    }
    for (name, (calls, instances, did)) in lists {
        lines.push(line(&name, &format!("{}, {}", counted(calls, "list"), counted(instances.len(), "instance")), &did, "read again"));
    }
    for fault in standing {
        let calls = cloud.events.iter().filter(|event| struck(fault, &event.answer, false)).count();
        lines.push(line(&fault.to_string(), "everything", does(fault), &counted(calls, "call")));
    }
    lines
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn line(fault: &str, what: &str, did: &str, end: &str) -> String {
    format!("  {fault:<22}  {what:<28}  {did:<46}  -> {end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_says_what_it_does_in_a_line_that_fits() {
        for fault in Fault::all() {
            let line = line(&fault.to_string(), "snapshots-again cdb-sim00040", does(&fault), "succeeded");
            assert!(line.chars().count() <= 120, "{line}");
        }
    }

    #[test]
    fn a_fault_that_did_not_come_to_act_did_not_strike() {
        let eof = Fault::Eof;
        assert!(!struck(&eof, "ok", true) && struck(&eof, "reset", false) && !struck(&eof, "reset", true));
        assert!(!struck(&Fault::BackupFails, "RequestLimitExceeded", false) && struck(&Fault::BackupFails, "no reply", true));
        assert!(!struck(&Fault::Garbage, "RequestLimitExceeded", false));
    }

    #[test]
    fn only_a_create_that_made_a_backup_is_said_to_act() {
        assert_eq!(did(&Fault::LostAfterAct, Action::Create, true), "it acts, and the reply is lost");
        assert_eq!(did(&Fault::LostAfterAct, Action::Create, false), "nothing began; the reply is lost");
        assert_eq!(did(&Fault::Garbage, Action::List, false), "the reply is not JSON");
    }

    #[test]
    fn nobody_is_said_to_be_killed() {
        for fault in [Fault::KillOnRead, Fault::KillAfterAct, Fault::KillHalfReply] {
            assert!(!does(&fault).contains("kill"));
        }
    }
}
