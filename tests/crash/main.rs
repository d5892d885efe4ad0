//! Crashes, in real time and with real processes. Four programs in one, told apart by the first argument, and hence a `main` of its own:
//!
//! * the tests, as `cargo test` runs them;
//! * `--live-until-…`: the daemon that the tests start, which ends itself at a commit ([`life`]);
//! * `--demos`: the demo in all its forms ([`demos`]), a part of both campaigns;
//! * `--kills N`: the campaign of `tests/crash/short` and `tests/crash/full` ([`kills`]).

mod audit;
mod boundaries;
mod demos;
mod kills;
mod life;
mod night;
mod opening;
mod process;
mod stop;

use libtest_mimic::{Arguments, Failed, Trial};
use life::{Cut, Side};
use std::{future::Future, path::Path, process::ExitCode};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [word, nth, policy] if word.starts_with("--live-until-") => ended(Cut::read(word, nth).map(|cut| life::live(Path::new(policy), cut))),
        ["--kills", kills] => ended(kills.parse().ok().map(|kills| in_real_time(kills::campaign(kills)))),
        ["--demos"] => {
            demos::every_form();
            ExitCode::SUCCESS
        }
        _ => tests(Arguments::from_args()),
    }
}

/// All at once, unless told otherwise: their nights wait most of the time.
fn tests(mut arguments: Arguments) -> ExitCode {
    let trials = trials();
    arguments.test_threads.get_or_insert(trials.len());
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials() -> Vec<Trial> {
    vec![
        trial("opening::a_daemon_that_dies_while_it_makes_its_ledger_leaves_one_that_the_next_finishes", opening::every),
        trial("boundaries::a_daemon_that_dies_before_any_of_its_commits_loses_and_doubles_nothing", || boundaries::every(Side::Before)),
        trial("boundaries::a_daemon_that_dies_after_any_of_its_commits_loses_and_doubles_nothing", || boundaries::every(Side::After)),
        trial("kills::a_daemon_that_is_killed_inside_its_calls_loses_and_doubles_nothing", kills::a_few),
    ]
}

/// A test in real time.
fn trial<F: Future<Output = anyhow::Result<()>>>(name: &str, body: impl FnOnce() -> F + Send + 'static) -> Trial {
    Trial::test(name, || in_real_time(body()).map_err(|error| Failed::from(format!("{error:#}"))))
}

fn in_real_time<T>(body: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(body)
}

#[expect(clippy::print_stderr, reason = "a process that only a test starts says there why it ended")]
fn ended(life: Option<anyhow::Result<()>>) -> ExitCode {
    match life {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
        None => ExitCode::from(2),
    }
}
