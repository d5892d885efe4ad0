//! Loading and checking a large policy against reading the same text into values and nothing more.

use crate::{
    figure::{Figure, Limit},
    machine::{cpu_of, median, ms},
};
use cdb_backupd::{
    clock::{Clock, SystemClock},
    config::{self, Machine},
};

const INSTANCES: usize = 10_000;
const ROUNDS: usize = 7;

pub(crate) fn measure() -> anyhow::Result<Vec<Figure>> {
    let text = text();
    let machine = Machine::pictured(&[("TENCENTCLOUD_SECRET_ID", "x"), ("TENCENTCLOUD_SECRET_KEY", "x")], &[], "");
    let now = SystemClock::new().now().utc;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (took, loaded) = cpu_of(|| config::check_text("policy.yaml", &text, &machine, now));
        anyhow::ensure!(loaded?.policy.instances.len() == INSTANCES, "all instances are read");
        ours.push(took);
        let (took, value) = cpu_of(|| serde_yaml::from_str::<serde_yaml::Value>(&text));
        value?;
        bare.push(took);
    }
    Ok(vec![Figure {
        name: "load and check of 10,000 instances",
        ours: ms(median(&ours)),
        floor: Some((ms(median(&bare)), "serde_yaml into values")),
        unit: "ms",
        limit: Limit::Times(3.0),
    }])
}

/// A policy as people write it: names, regions, tags; jobs that choose by tag.
fn text() -> String {
    let mut text = String::from("version: 1\naccounts:\n  main: { credentials: env }\ninstance_defaults: { account: main }\ninstances:\n");
    for n in 0..INSTANCES {
        let region = if n % 2 == 0 { "ap-guangzhou" } else { "ap-shanghai" };
        let (tier, team) = (["gold", "silver", "bronze"][n % 3], n % 40);
        text += &format!("  - id: cdb-{n:08}\n    name: orders-{n:05}\n    region: {region}\n    tags: {{ tier: {tier}, team: team-{team} }}\n");
    }
    text += "defaults: { time_zone: Asia/Shanghai, start_within: 6h, method: physical }\njobs:\n";
    for (name, schedule, tier) in
        [("nightly-gold", "30 2 * * *", "gold"), ("nightly-silver", "0 3 * * *", "silver"), ("weekly", "0 4 * * SUN", "bronze")]
    {
        text += &format!("  - {{ name: {name}, schedule: \"{schedule}\", targets: {{ tags: {{ tier: {tier} }} }} }}\n");
    }
    text
}
