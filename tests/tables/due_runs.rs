//! `protocol.md` §1, the lines of a due run: it is looked for, held, begun or ended, and in no other state does a wish or a window do that.

use super::scene::{COMPLETE_BY, RESTART_BY, START_BY, Scene, calling, due, hold, list, running, uncertain};
use cdb_backupd::domain::{
    policy::Overlap,
    reply::Class,
    run::{
        Restored, Wish,
        due::{Kept, Step},
    },
};

/// The slot of a run whose process began a minute later.
fn old() -> Scene {
    due().restarts(8, 60).at(70)
}

#[test]
fn a_run_that_is_older_than_its_process_is_looked_for_before_anything_else() {
    let until = |s| Restored::Until(super::scene::at(s));
    hold(vec![
        ("a slot of this process's own time is sent", due().passes(), "calling 1 signed +0"),
        ("an old one is looked for, by a list later than the clock's proof", old().passes(), "uncertain 0 old after +60 then +0"),
        ("a slot at the very start of the process is not old", due().restarts(8, 0).passes(), "calling 1 signed +0"),
        ("once looked for it is sent", old().looked_for(8, 1).passes(), "calling 1 signed +70"),
        ("what another process looked for is looked for again", old().looked_for(7, 1).passes(), "uncertain 0 old after +60 then +0"),
        ("what was looked for in another generation too", old().looked_for(8, 1).generation(2).passes(), "g2 uncertain 0 old after +60 then +0"),
        ("a restored ledger makes a slot of its lost time old", due().restored(until(0)).passes(), "uncertain 0 old after -600 then +0"),
        ("and none after it", due().restored(until(-1)).passes(), "calling 1 signed +0"),
        ("while the mark has no date every run is old", due().restored(Restored::Undated).passes(), "uncertain 0 old after -600 then +0"),
        ("an old run is looked for before its window closes it", old().at(START_BY).passes(), "uncertain 0 old after +60 then +0"),
        ("and before a wish does", old().wish(Wish::Cancel).passes(), "uncertain 0 old after +60 then +0 wish Cancel"),
        ("and before it is skipped", old().behind(Some(50)).passes(), "uncertain 0 old after +60 then +0"),
        ("before it is due it waits, old or not", old().due_at(100).passes(), "due +100"),
        ("nothing is asked while the clock is unproved", old().unproved().passes(), "due +0"),
    ]);
}

#[test]
fn an_old_run_that_no_list_shows_goes_on_where_it_stood() {
    hold(vec![
        ("it is due again", old().passes().sees(list(61, &[])), "due +0"),
        ("the proving Date itself is no proof", old().passes().sees(list(60, &[])), "uncertain 0 old after +60 then +0"),
        ("then it is sent", old().passes().sees(list(61, &[])).passes(), "calling 1 signed +70"),
        ("or its window closes it", old().passes().at(START_BY).sees(list(START_BY, &[])).passes(), "expired"),
        ("or its wish does", old().wish(Wish::Cancel).passes().sees(list(61, &[])).passes(), "cancelled(cancelled)"),
        ("or the previous run", old().behind(Some(50)).passes().sees(list(61, &[])).passes(), "skipped(overlap)"),
        ("a start after the look asks again", old().passes().sees(list(61, &[])).restarts(9, 80).passes(), "uncertain 0 old after +80 then +0"),
    ]);
    assert_eq!(old().passes().sees(list(61, &[])).run.tally.sends, 0, "a look for an old slot is no send");
}

#[test]
fn the_previous_run_is_judged_by_a_list_that_is_younger_than_not_before() {
    let queue = |scene: Scene| scene.terms(|terms| terms.overlap = Overlap::Queue);
    hold(vec![
        ("open by a younger list: skipped", due().at(9).behind(Some(1)).passes(), "skipped(overlap)"),
        ("open by a list of that very moment: it waits", due().at(9).behind(Some(0)).passes(), "due +0"),
        ("open by a list of yesterday: it waits", due().at(9).behind(Some(-86_400)).passes(), "due +0"),
        ("open, and never listed: it waits", due().at(9).behind(None).passes(), "due +0"),
        ("queued it waits, whatever the list says", queue(due()).at(9).behind(Some(1)).passes(), "due +0"),
        ("and ends with its window", queue(due()).at(START_BY).behind(Some(1)).passes(), "expired"),
        ("a run that was sent before is not skipped", due().with(|run| run.tally.attempts = 1).behind(Some(1)).passes(), "calling 2 signed +0"),
        ("nor is a later generation", due().generation(2).behind(Some(1)).passes(), "g2 calling 1 signed +0"),
    ]);
}

#[test]
fn a_due_run_of_the_first_generation_is_sent_held_or_ended() {
    let last = START_BY - 1;
    let busy = |scene: Scene| scene.last(Class::Busy, "OperationDenied.X").with(|run| run.tally.busy = 3);
    hold(vec![
        ("before its time it waits", due().due_at(5).passes(), "due +5"),
        ("in the last second of its window it is sent", due().at(last).passes(), "calling 1 signed +7199"),
        ("a second later it has expired", due().at(START_BY).passes(), "expired"),
        ("with the code that kept it", due().at(START_BY).last(Class::Throttled, "RequestLimitExceeded").passes(), "expired(RequestLimitExceeded)"),
        ("or busy", busy(due()).at(START_BY).passes(), "expired(busy)"),
        ("even while its backoff lasts", due().due_at(START_BY + 60).at(START_BY).passes(), "expired"),
        ("a pause holds it", due().kept(Kept::Paused).at(last).passes(), "due +0"),
        ("so does a suspension", due().kept(Kept::Suspended).at(last).passes(), "due +0"),
        ("so does a blackout", due().kept(Kept::Blackout).at(last).passes(), "due +0"),
        ("what kept it at the end decides: a pause", due().kept(Kept::Paused).at(START_BY).passes(), "skipped(paused)"),
        ("a suspension", due().kept(Kept::Suspended).at(START_BY).passes(), "skipped(suspended)"),
        ("a blackout, though it was busy before", busy(due()).kept(Kept::Blackout).at(START_BY).passes(), "skipped(blackout)"),
        ("a person's cancel ends it before its time", due().due_at(500).wish(Wish::Cancel).passes(), "cancelled(cancelled)"),
        ("so does a policy without the job", due().due_at(500).wish(Wish::Removed).passes(), "cancelled(removed)"),
        ("and a hold keeps no wish", due().kept(Kept::Paused).wish(Wish::Removed).passes(), "cancelled(removed)"),
        ("a wish comes before the window", due().at(START_BY).wish(Wish::Cancel).passes(), "cancelled(cancelled)"),
        ("used-up attempts end it with the last code", due().sends(2, 2).last(Class::Ambiguous, "timeout").passes(), "failed(timeout)"),
        ("also at the end of its window", due().at(START_BY).sends(2, 2).last(Class::Refused, "connect").passes(), "failed(connect)"),
        ("one is left: it is sent", due().sends(1, 2).passes(), "calling 1 signed +0"),
        ("calls that do not count use nothing up", due().sends(0, 1).with(|run| run.tally.attempts = 9).passes(), "calling 10 signed +0"),
    ]);
}

#[test]
fn a_later_generation_is_sent_before_restart_by_or_fails_and_never_expires() {
    let second = || due().generation(2).with(|run| run.tally.attempts = 1);
    hold(vec![
        ("it is sent though the start window is closed", second().at(START_BY + 60).passes(), "g2 calling 2 signed +7260"),
        ("in the last second", second().at(RESTART_BY - 1).passes(), "g2 calling 2 signed +10799"),
        ("a second later it has failed", second().at(RESTART_BY).passes(), "g2 failed(task_failed)"),
        ("at once when its wait ends too late", second().due_at(RESTART_BY).passes(), "g2 failed(task_failed)"),
        ("a third is one too many", second().generation(3).passes(), "g3 failed(task_failed)"),
        ("unless the policy allows it", second().generation(3).terms(|terms| terms.retry.after_failed = 2).passes(), "g3 calling 2 signed +0"),
        ("none is allowed", second().terms(|terms| terms.retry.after_failed = 0).passes(), "g2 failed(task_failed)"),
        ("used-up attempts fail it", second().sends(1, 1).last(Class::Refused, "connect").passes(), "g2 failed(connect)"),
        ("a cancel fails it", second().wish(Wish::Cancel).passes(), "g2 failed(task_failed)"),
        ("a policy without the job fails it", second().wish(Wish::Removed).passes(), "g2 failed(task_failed)"),
        ("a vanished backup fails it, and is never followed by a new one", second().wish(Wish::Vanished).passes(), "g2 failed(vanished)"),
        ("a pause holds it", second().kept(Kept::Paused).passes(), "g2 due +0"),
        ("and it still fails at its end", second().kept(Kept::Paused).at(RESTART_BY).passes(), "g2 failed(task_failed)"),
    ]);
}

#[test]
fn no_time_closes_a_row_while_the_clock_is_unproved() {
    hold(vec![
        ("a due run past its window", due().at(START_BY).unproved().passes(), "due +0"),
        ("a due run with a wish", due().wish(Wish::Cancel).unproved().passes(), "due +0 wish Cancel"),
        ("a second generation past restart_by", due().generation(2).at(RESTART_BY).unproved().passes(), "g2 due +0"),
        ("a due run in its window", due().unproved().passes(), "due +0"),
        ("an uncertain run", uncertain().at(COMPLETE_BY).unproved().look_fails().time_passes(), "uncertain 1 ambiguous after +540"),
        ("a running one", running().at(COMPLETE_BY).unproved().look_fails().time_passes(), "running 501"),
        ("a watched one", super::scene::unknown().at(1_000_000).unproved().time_passes(), "unknown(ambiguous) until +187200"),
    ]);
}

#[test]
fn an_unresolved_run_keeps_a_wish_and_a_window_does_nothing_to_it() {
    let late = |scene: Scene| scene.at(START_BY + 60).kept(Kept::Paused).sends(5, 1);
    hold(vec![
        ("calling", late(calling()).wish(Wish::Cancel).passes(), "calling 1 signed +0 wish Cancel"),
        ("uncertain", late(uncertain()).wish(Wish::Removed).passes(), "uncertain 1 ambiguous after +540 wish Removed"),
        ("running", late(running()).wish(Wish::Removed).passes(), "running 501 wish Removed"),
        ("the wish is honoured once absence is proved", late(uncertain()).wish(Wish::Removed).sees(list(541, &[])).passes(), "cancelled(removed)"),
        ("or the window is", uncertain().at(START_BY).sees(list(541, &[])).passes(), "expired(ambiguous)"),
    ]);
    for scene in [late(calling()), late(uncertain()), late(running())] {
        assert_eq!(scene.run.step(&scene.reading, None, None), Step::Wait);
    }
}

#[test]
fn a_begun_call_is_counted_leased_and_signed_with_the_time_of_its_intent() {
    let scene = due().at(30).passes();
    assert_eq!(scene.stands(), "calling 1 signed +30");
    assert_eq!((scene.run.tally.attempts, scene.run.started_at), (1, Some(super::scene::at(30))));
    let again = scene.at(35).error(1, Class::Account, None).at(90).passes();
    assert_eq!(again.stands(), "calling 2 signed +90");
    assert_eq!((again.run.tally.attempts, again.run.started_at), (2, Some(super::scene::at(30))), "it started with its first call");
}
