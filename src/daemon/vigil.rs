//! Beside the loop: whether it turns. A loop that hangs can say nothing itself, so somebody else writes it into the log.

use super::log;
use crate::{clock::Clock, domain::trouble::LATEST, metrics::Gauges};
use std::{sync::Arc, time::Duration};

/// How often it looks.
const EACH: Duration = Duration::from_secs(1);

/// Watches the loop that shows itself in `gauges`, until it is dropped. It must not run where the loop runs.
pub async fn watch<C: Clock>(clock: C, gauges: Arc<Gauges>) {
    let began = clock.now().mono;
    let mut hangs = false;
    loop {
        clock.sleep(EACH).await;
        let now = clock.now().mono;
        let age = gauges.pass_age(now).unwrap_or(now.saturating_sub(began));
        match (hangs, age > LATEST) {
            (false, true) => log::hangs(age),
            (true, false) => log::turns_again(),
            _ => {}
        }
        hangs = age > LATEST;
    }
}
