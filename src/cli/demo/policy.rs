//! The demo's policy: all methods, table filters, two regions; each job has one slot in the first seconds.

use crate::{
    config::{self, Machine},
    domain::now::later,
    sim::settings::{Edition, SimInstance},
};
use anyhow::Context;
use chrono::{DateTime, Timelike, Utc};
use std::{net::SocketAddr, path::Path, time::Duration};

/// How long after the start the last job's slot is.
pub(super) const LAST_SLOT_S: u64 = 13;

/// The longest that a run waits: a call that is never answered takes 20 s, and the runs behind it on its instance have to start after that.
const START_WITHIN: &str = "34s";

/// Name, seconds after the start, which disks, and the keys of the method.
const JOBS: [(&str, u64, &str, &str); 5] = [
    ("nightly-full", 4, "local", "method: physical"),
    ("snapshots", 5, "cloud", "method: snapshot"),
    ("orders-tables", 11, "local", "method: logical, tables: [ { db: shop, tables: [orders, order_items] }, { db: billing } ]"),
    ("encrypted", 12, "local", "method: physical, encrypted: true, overlap: queue"),
    ("snapshots-again", LAST_SLOT_S, "cloud", "method: snapshot, overlap: queue"),
];

/// The text of the policy.
pub(super) fn text(address: SocketAddr, ledger: &Path, instances: &[SimInstance], begins: DateTime<Utc>) -> String {
    let mut text = format!(
        "version: 1\nledger: {}\nlisten: \"off\"\naccounts:\n  sim: {{ credentials: env, endpoint: \"http://{address}\", absence_window: 6s }}\n\
         instance_defaults: {{ account: sim }}\ninstances:\n",
        ledger.display()
    );
    let mut put = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    for instance in instances {
        let disk = if instance.edition == Edition::CloudDisk { "cloud" } else { "local" };
        put(format!("  - {{ id: {}, region: {}, tags: {{ disk: {disk} }} }}", instance.id, instance.region));
    }
    put(format!("defaults:\n  time_zone: Etc/UTC\n  start_within: {START_WITHIN}\n  complete_within: 12s\n  poll: {{ initial: 1s, max: 2s }}"));
    put("  retry: { after_failed: 1, initial_backoff: 1s, max_backoff: 3s }\njobs:".into());
    for (name, after_s, disk, method) in JOBS {
        let slot = later(begins, Duration::from_secs(after_s));
        let cron = format!("{} {} {} * * *", slot.second(), slot.minute(), slot.hour());
        put(format!(
            "  - {{ name: {name}, schedule: \"{cron}\", targets: {{ tags: {{ disk: {disk} }}, except: [] }}, may_be_empty: true, {method} }}"
        ));
    }
    text
}

/// How many slots the policy has from `begins` on, counted apart from the daemon: one for each job and instance.
pub(super) fn slots(text: &str, begins: DateTime<Utc>) -> anyhow::Result<usize> {
    let machine = Machine::here();
    let loaded = config::check_text("policy.yaml", text, &machine, begins).context("the demo's own policy is at fault")?;
    let until = later(begins, Duration::from_secs(60));
    Ok(loaded.policy.jobs.iter().map(|job| job.schedule.slots_between(begins, until).count() * job.instances.len()).sum())
}
