//! The form of a policy as a JSON Schema (draft 2020-12), for editors.
//!
//! Keys, kinds and what is said of each come from the shapes in [`super::raw`], which the decoder reads too. Decided here is only what no shape
//! says, as the decoder takes every key for absent and tells later: which keys must be there, which go together, which are no defaults. What a
//! schema cannot see (a name that nobody has, a length out of its range) is `check`'s to tell.

use super::raw;
use schemars::{
    Schema,
    generate::SchemaSettings,
    transform::{RecursiveTransform, Transform},
};
use serde_json::{Map, Value, json};

/// The schema. Every key in it has a description.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.root_schema_for::<raw::Top>();
    RecursiveTransform(plain).transform(&mut schema);
    let mut root = schema.to_value();
    defaults(&mut root, "Job", "JobDefaults", "/properties/defaults", &["name", "schedule", "targets"]);
    defaults(&mut root, "Instance", "InstanceDefaults", "/properties/instance_defaults", &["id", "name"]);
    let held = json!({ "description": "Yours: what anchors hold." });
    amend(&mut root, "", &json!({ "title": "policy of cdb-backupd", "required": ["version"], "patternProperties": { "^x-": held } }));
    amend(&mut root, "/$defs/Job", &json!({ "required": ["name", "schedule", "targets"], "dependentSchemas": fitting() }));
    amend(&mut root, "/$defs/Instance", &json!({ "required": ["id"] }));
    amend(&mut root, "/$defs/Table", &json!({ "required": ["db"] }));
    amend(&mut root, "/$defs/LedgerCopies", &json!({ "required": ["folder"] }));
    for (kind, ways) in [("Targets", &["instances", "tags", "all"][..]), ("TokenKeys", &["env", "file"]), ("CredentialKeys", &["file", "env_prefix"])]
    {
        let ways: Vec<Value> = ways.iter().map(|way| json!({ "required": [way] })).collect();
        amend(&mut root, &format!("/$defs/{kind}"), &json!({ "oneOf": ways }));
    }
    amend(
        &mut root,
        "/$defs/Blackout",
        &json!({ "oneOf": [way(&["from", "to"], &["schedule", "lasts", "time_zone"]), way(&["schedule", "lasts"], &["from", "to"])] }),
    );
    root
}

/// These keys, and none of the others.
fn way(keys: &[&str], others: &[&str]) -> Value {
    let others: Vec<Value> = others.iter().map(|key| json!({ "required": [key] })).collect();
    json!({ "required": keys, "not": { "anyOf": others } })
}

/// What a job's own key asks of its method.
fn fitting() -> Value {
    let needs = |method: &str| json!({ "properties": { "method": { "const": method } } });
    json!({ "tables": needs("logical"), "encrypted": needs("physical") })
}

/// Takes out what an absent key is to serde and not to a policy: there a key without a value is a fault.
fn plain(schema: &mut Schema) {
    schema.remove("format");
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    if let Some(Value::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [only] = kinds.as_slice() {
            let only = only.clone();
            schema.insert("type".into(), only);
        }
    }
    let is_null = |way: &Value| way.get("type").is_some_and(|kind| kind == "null");
    if let Some(Value::Array(ways)) = schema.get_mut("anyOf") {
        ways.retain(|way| !is_null(way));
        if let [Value::Object(only)] = ways.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            only.into_iter().for_each(|(key, value)| drop(schema.insert(key, value)));
        }
    }
}

/// Lets a key at the top hold what one of a list may share: all of its keys but its own.
fn defaults(root: &mut Value, of: &str, name: &str, at: &str, own: &[&str]) {
    let Some(mut shared) = root.pointer(&format!("/$defs/{of}")).cloned() else { return };
    if let Some(Value::Object(keys)) = shared.pointer_mut("/properties") {
        own.iter().for_each(|key| drop(keys.remove(*key)));
    }
    amend(root, "/$defs", &json!({ name: shared }));
    amend(root, at, &json!({ "$ref": format!("#/$defs/{name}") }));
}

/// Sets keys of the map at a place.
fn amend(root: &mut Value, at: &str, with: &Value) {
    let with = with.as_object().cloned().unwrap_or_else(Map::new);
    if let Some(Value::Object(map)) = root.pointer_mut(at) {
        map.extend(with);
    }
}
