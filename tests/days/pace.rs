//! Herds: never six creates in a second, whoever asks, and nobody waits for somebody who may not start.

use crate::{
    lone::{HOUR, MINUTE, START, s},
    world::{Api, Between, End, World, job, policy, sim_instances, simulated},
};
use cdb_backupd::{
    clock::Clock,
    cloud::{CdbApi, Create},
    domain::{
        names::{AccountName, CredentialSource},
        policy::{Account, Instance, Policy},
    },
    sim::settings::Settings,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

fn world(policy: Policy) -> World {
    let n = policy.instances.len();
    World::new(START, Settings::quiet(5, sim_instances(n)), policy)
}

fn states(world: &World, job: &str) -> Vec<String> {
    world.rows().into_iter().filter(|row| row.job == job).map(|row| row.state).collect()
}

/// As the real client's gate does it: one create every 202 ms, whoever asks. Keeps the longest that one waited since its intent, in seconds.
struct Turns {
    next: Duration,
    longest: i64,
}

#[test]
fn a_herd_starts_at_the_pace_of_its_account_and_none_is_sent_after_its_lease() {
    simulated(async {
        let mut policy = policy(200);
        policy.jobs = vec![job(&policy, "nightly", "30 2 * * *").into()];
        let world = world(policy);
        let (truth, turns) = (world.truth, Arc::new(Mutex::new(Turns { next: Duration::ZERO, longest: 0 })));
        let kept = turns.clone();
        let gate = Between {
            api: world.cloud.clone(),
            create: move |api: Api, create: Create| {
                let now = truth.now();
                let mut turns = turns.lock().unwrap();
                let wait = turns.next.saturating_sub(now.mono);
                turns.next = now.mono + wait + Duration::from_millis(202);
                turns.longest = turns.longest.max((now.utc + wait).timestamp() - create.call.signed_at);
                async move {
                    truth.sleep(wait).await;
                    api.create_backup(create).await
                }
            },
        };
        world.live_with(gate, world.pass(HOUR * 2), End::Stop).await;
        assert!(kept.lock().unwrap().longest < 5, "a create left {} s after its intent", kept.lock().unwrap().longest);
        let audit = world.audit();
        let creates = audit.creates().next().unwrap();
        assert!(creates.peak <= 5, "{} in one second", creates.peak);
        assert_eq!((creates.calls, creates.refused), (200, 0));
        let took = creates.last - creates.first;
        assert!(took <= Duration::from_millis(200 * 205), "200 starts took {took:?}");
        assert!(states(&world, "nightly").iter().all(|state| state == "succeeded"), "{}", world.story());
    });
}

#[test]
fn a_job_behind_twenty_held_runs_starts_all_the_same() {
    simulated(async {
        let mut policy = policy(21);
        let (mut held, mut free) = (job(&policy, "held", "30 2 * * *"), job(&policy, "free", "31 2 * * *"));
        held.suspend = true;
        held.instances.truncate(20);
        free.instances.drain(..20);
        free.start_within = MINUTE * 30;
        policy.jobs = vec![held.into(), free.into()];
        let world = world(policy);
        world.live_for(HOUR * 3, End::Stop).await;
        assert_eq!(states(&world, "free"), ["succeeded"], "{}", world.story());
        assert!(states(&world, "held").iter().all(|state| state == "skipped"), "{}", world.story());
    });
}

/// Half of the instances belong to an account of another name.
fn two_names(n: usize) -> Policy {
    let mut policy = policy(n);
    let first = Account::clone(&policy.accounts[0]);
    let second = Account { name: AccountName::parse("second").unwrap(), credentials: CredentialSource::Env { prefix: "SECOND".into() }, ..first };
    policy.accounts.push(Arc::new(second));
    for instance in policy.instances.iter_mut().skip(n / 2) {
        *instance = Arc::new(Instance { account: AccountName::parse("second").unwrap(), ..Instance::clone(instance) });
    }
    policy
}

#[test]
fn two_accounts_with_one_secret_id_share_one_pace() {
    simulated(async {
        let mut policy = two_names(20);
        policy.jobs = vec![job(&policy, "nightly", "30 2 * * *").into()];
        let world = world(policy);
        world.live_for(HOUR * 2, End::Stop).await;
        // A permit may be taken 100 ms early; the real client's gate keeps the sixth back.
        assert!(world.audit().peak_creates() <= 6, "{} in one second", world.audit().peak_creates());
        assert_eq!(world.good(), 20, "{}", world.story());
    });
}

#[test]
fn a_start_after_a_kill_lets_the_second_pass_that_the_dead_process_sent_in() {
    simulated(async {
        // Five starts at 18:30:00, five more at 18:30:01, and in between the daemon is killed and started again.
        let mut policy = policy(10);
        let (mut one, mut two) = (job(&policy, "one", "0 30 2 * * *"), job(&policy, "two", "1 30 2 * * *"));
        one.instances.truncate(5);
        two.instances.drain(..5);
        policy.jobs = vec![one.into(), two.into()];
        let world = world(policy);
        world.live_for(s(60) + Duration::from_millis(815), End::Kill).await;
        assert_eq!(world.creates(), 5, "{}", world.story());
        world.live_for(Duration::from_millis(900), End::Kill).await;
        assert_eq!(world.creates(), 5, "{}", world.story());
        world.live_for(HOUR * 2, End::Stop).await;
        assert_eq!(world.good(), 10, "{}", world.story());
    });
}
