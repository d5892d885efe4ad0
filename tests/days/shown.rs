//! What the ledger shows of what the loop holds back as a whole, to whoever reads beside it.

use crate::{
    lone::{HOUR, MINUTE, lone, lone_as, s},
    world::{End, World, simulated},
};
use cdb_backupd::{clock::Clock, domain::hold::Waits, ledger::report::Reader};

/// What is held back now, and with which code; and the verdict of the pulse.
fn shown(world: &World) -> (Vec<(Waits, String, String)>, String) {
    let reader = Reader::open(&world.ledger_path()).unwrap().unwrap();
    let survey = reader.survey(world.truth.now().utc).unwrap();
    let holds = survey.loop_holds.into_iter().map(|hold| (hold.waits, hold.name, hold.code)).collect();
    (holds, survey.pulse.map(|pulse| pulse.verdict).unwrap_or_default())
}

#[test]
fn an_account_whose_keys_are_refused_is_shown_by_name_at_once_and_until_they_are_accepted() {
    simulated(async {
        let world = lone("key_revoked=60s..660s");
        let life = async {
            world.pass(s(50)).await;
            assert_eq!(shown(&world), (Vec::new(), "ok".into()), "{}", world.story());
            world.pass(s(20)).await;
            let held = vec![(Waits::Account, "main".to_owned(), "AuthFailure.SecretIdNotFound".to_owned())];
            assert_eq!(shown(&world), (held, "account_held".into()), "within a few seconds of the slot: {}", world.story());
            world.pass(MINUTE * 11).await;
            assert_eq!(shown(&world), (Vec::new(), "ok".into()), "{}", world.story());
        };
        world.live(life, End::Stop).await;
    });
}

#[test]
fn an_instance_that_cannot_be_looked_at_is_shown_until_it_can() {
    simulated(async {
        let world = lone_as("2026-11-24T18:29:00Z", "list#2@cdb-sim00001:list_refused=1h", |_, _| {});
        let life = async {
            world.pass(MINUTE * 20).await;
            let (holds, verdict) = shown(&world);
            assert!(matches!(holds.as_slice(), [(Waits::CannotLook, name, code)] if name == "cdb-sim00001" && !code.is_empty()), "{holds:?}");
            assert_eq!(verdict, "ok", "one instance is not the whole");
            world.pass(HOUR * 2).await;
            assert!(shown(&world).0.is_empty(), "{}", world.story());
        };
        world.live(life, End::Stop).await;
    });
}

#[test]
fn what_a_daemon_held_that_is_gone_the_next_one_does_not_show() {
    simulated(async {
        let world = lone("key_revoked=60s..120s");
        world.live_for(s(75), End::Stop).await;
        assert_eq!(shown(&world).0.len(), 1, "{}", world.story());
        world.pass(MINUTE * 10).await;
        world.live_for(s(10), End::Stop).await;
        assert!(shown(&world).0.is_empty(), "{}", world.story());
    });
}
