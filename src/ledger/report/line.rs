//! One run under the keys of the interface.

use super::Item;
use crate::domain::prose::stamp;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;
use std::borrow::Borrow;

/// The keys of a run, in the order of the interface: JSON, CSV and the view share them.
pub const NAMES: [&str; 23] = [
    "run_id",
    "job",
    "instance_id",
    "instance_name",
    "account",
    "region",
    "method",
    "slot",
    "slot_local",
    "slots",
    "trigger",
    "state",
    "reason",
    "why",
    "backup_id",
    "bytes",
    "alias",
    "attempts",
    "last_code",
    "last_request_id",
    "started_at",
    "finished_at",
    "policy",
];

/// One run under [`NAMES`]: what JSON and CSV share.
pub fn values(item: &Item) -> [Value; 23] {
    [
        item.run_id.into(),
        item.job.as_str().into(),
        item.instance_id.as_str().into(),
        item.instance_name.as_str().into(),
        item.account.as_str().into(),
        item.region.as_str().into(),
        item.method.as_str().into(),
        stamp(item.slot).into(),
        item.slot_local.as_str().into(),
        item.slots.into(),
        item.trigger.as_str().into(),
        item.state.as_str().into(),
        item.reason.as_deref().into(),
        item.why.as_str().into(),
        item.backup_id.into(),
        item.bytes.into(),
        item.alias.as_str().into(),
        item.attempts.into(),
        item.last_code.as_deref().into(),
        item.last_request_id.as_deref().into(),
        item.started_at.map(stamp).into(),
        item.finished_at.map(stamp).into(),
        item.policy.as_deref().into(),
    ]
}

/// A run as a JSON object, its keys in the order of the interface.
#[derive(Debug)]
pub struct Line<I>(pub I);

impl<I: Borrow<Item>> Serialize for Line<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(NAMES.len()))?;
        for (name, value) in NAMES.iter().zip(values(self.0.borrow())) {
            map.serialize_entry(name, &value)?;
        }
        map.end()
    }
}
