//! What changes, in words: one line of figures, warnings, and a line for each thing that is listed.

use super::{Diff, Few, JobRenamed, LISTED, Pair, PairChanged};
use crate::domain::schedule::Schedule;
use chrono::{DateTime, Utc};
use std::fmt;

impl Diff {
    /// Whether both policies mean the same.
    pub fn is_empty(&self) -> bool {
        self.jobs_added.total + self.jobs_removed.total + self.jobs_changed.total == 0
            && self.pairs_added.total + self.pairs_removed.total + self.pairs_changed.total == 0
            && self.accounts_added.total + self.accounts_removed.total + self.accounts_changed.total == 0
            && self.settings_changed.is_empty()
    }

    /// How much changes, in one line.
    pub fn figures(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(counted("job", self.jobs_added.total, self.jobs_removed.total, self.jobs_changed.total));
        parts.extend(counted("pair", self.pairs_added.total, self.pairs_removed.total, self.pairs_changed.total));
        parts.extend(counted("account", self.accounts_added.total, self.accounts_removed.total, self.accounts_changed.total));
        if !self.settings_changed.is_empty() {
            parts.push(format!("{} changed", self.settings_changed.join(", ")));
        }
        if parts.is_empty() { "nothing changed but comments and spelling".to_owned() } else { parts.join("; ") }
    }

    /// What changes, line by line: the figures, what is to be warned of, then each listed thing. `local` writes a slot of a schedule.
    pub fn says(&self, local: impl Fn(DateTime<Utc>, &Schedule) -> String) -> Vec<String> {
        let slots = |slots: &[DateTime<Utc>], schedule: &Schedule| match slots {
            [] => "none".to_owned(),
            slots => slots.iter().map(|slot| local(*slot, schedule)).collect::<Vec<_>>().join(", "),
        };
        let on = |n: usize| if n == 1 { "1 instance".to_owned() } else { format!("{n} instances") };
        let mut lines = vec![self.figures()];
        lines.extend(self.jobs_renamed.items.iter().map(|renamed| format!("warning: {renamed}")));
        more(&mut lines, &self.jobs_renamed, "renamed jobs");
        for added in &self.jobs_added.items {
            lines.push(format!("+ job {} on {}; next slots {}", added.job, on(added.instances), slots(&added.next_slots, &added.schedule)));
        }
        more(&mut lines, &self.jobs_added, "added jobs");
        lines.extend(self.jobs_removed.items.iter().map(|removed| format!("- job {} on {}", removed.job, on(removed.instances))));
        more(&mut lines, &self.jobs_removed, "removed jobs");
        for changed in &self.jobs_changed.items {
            lines.push(format!("~ job {}: {}", changed.job, changed.keys.join(", ")));
            let (before, after) = (slots(&changed.next_slots_before, &changed.before), slots(&changed.next_slots_after, &changed.after));
            if before == after {
                lines.push(format!("    next slots stay {after}"));
            } else {
                lines.extend([format!("    next slots were     {before}"), format!("    next slots are then {after}")]);
            }
        }
        more(&mut lines, &self.jobs_changed, "changed jobs");
        self.say_pairs(&mut lines);
        lines.extend(self.accounts_added.items.iter().map(|name| format!("+ account {name}")));
        more(&mut lines, &self.accounts_added, "added accounts");
        lines.extend(self.accounts_removed.items.iter().map(|name| format!("- account {name}")));
        more(&mut lines, &self.accounts_removed, "removed accounts");
        lines.extend(self.accounts_changed.items.iter().map(|changed| format!("~ account {}: {}", changed.account, changed.keys.join(", "))));
        more(&mut lines, &self.accounts_changed, "changed accounts");
        lines
    }

    /// Pairs that come or go with their job, or change with it, are told with it.
    fn say_pairs(&self, lines: &mut Vec<String>) {
        for (sign, word, pairs) in [("+", "added", &self.pairs_added), ("-", "removed", &self.pairs_removed)] {
            let own: Vec<&Pair> = pairs.items.iter().filter(|pair| !pair.with_its_job).collect();
            lines.extend(own.iter().map(|pair| format!("{sign} {} on {}", pair.job, pair.instance_id)));
            if own.len() == LISTED {
                more(lines, pairs, &format!("{word} pairs"));
            }
        }
        let own: Vec<&PairChanged> = self.pairs_changed.items.iter().filter(|pair| pair.of_instance > 0).collect();
        let keys = |pair: &PairChanged| pair.keys.iter().take(pair.of_instance).copied().collect::<Vec<_>>().join(", ");
        lines.extend(own.iter().map(|pair| format!("~ {} on {}: {}", pair.job, pair.instance_id, keys(pair))));
        if own.len() == LISTED {
            more(lines, &self.pairs_changed, "changed pairs");
        }
    }
}

impl fmt::Display for JobRenamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, after } = self;
        write!(
            f,
            "job {after} looks like {before} under another name: the history stays under {before}, what of it is not sent yet ends as removed, \
             and the slots of {after} begin when the policy is loaded"
        )
    }
}

fn more<T>(lines: &mut Vec<String>, few: &Few<T>, what: &str) {
    if few.total > few.items.len() {
        lines.push(format!("  and {} more {what}", few.total - few.items.len()));
    }
}

fn counted(what: &str, added: usize, removed: usize, changed: usize) -> Option<String> {
    let mut parts = Vec::new();
    for (n, done) in [(added, "added"), (removed, "removed"), (changed, "changed")] {
        match (n, parts.is_empty()) {
            (0, _) => {}
            (1, true) => parts.push(format!("1 {what} {done}")),
            (n, true) => parts.push(format!("{n} {what}s {done}")),
            (n, false) => parts.push(format!("{n} {done}")),
        }
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}
