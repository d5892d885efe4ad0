//! A ledger that somebody else holds locked over a result.

use crate::{
    lone::{HOUR, MINUTE, START, lone_as, s},
    world::{End, simulated},
};
use cdb_backupd::domain::policy::Poll;

#[test]
fn what_has_arrived_is_written_before_anything_is_planned() {
    simulated(async {
        // SUCCESS is read 17 s before the completion window closes, and cannot be written until 30 s after it.
        let world = lone_as(START, "create#1:backup_takes=1770s", |job, _| {
            job.start_within = MINUTE * 10;
            job.complete_within = MINUTE * 20;
            job.poll = Poll { initial: s(15), max: s(15) };
        });
        let life = async {
            world.pass(MINUTE * 31 - s(25)).await;
            let other = rusqlite::Connection::open(world.ledger_path()).unwrap();
            other.execute_batch("BEGIN IMMEDIATE").unwrap();
            world.pass(s(55)).await;
            other.execute_batch("ROLLBACK").unwrap();
            drop(other);
            world.pass(HOUR).await;
        };
        world.live(life, End::Stop).await;
        world.ends_with_one();
        assert_eq!(world.only().late, 0, "{}", world.story());
    });
}
