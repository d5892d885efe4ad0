//! What the program may cost, each against a floor that is measured beside it in the same run: `cargo bench`, or `cargo bench -- history` for some.
//!
//! A figure is a limit on a ratio wherever there is something to divide by, so that it means the same on any machine. A limit that is broken ends the
//! program with 1. Each section is a file of its own; [`machine`], [`disk`], [`sim`] and [`daemon`] are what they measure with.

mod calls;
mod daemon;
mod disk;
mod figure;
mod history;
mod idle;
mod lateness;
mod machine;
mod pass;
mod policy;
mod replay;
mod scrape;
mod sim;
mod whole_run;

use figure::Figure;
use std::{
    io::{self, Write},
    process::ExitCode,
};

type Section = fn() -> anyhow::Result<Vec<Figure>>;

/// By the name that selects them.
const SECTIONS: [(&str, Section); 8] = [
    ("policy", policy::measure),
    ("pass", pass::measure),
    ("history", history::measure),
    ("scrape", scrape::measure),
    ("call", calls::measure),
    ("run", whole_run::measure),
    ("idle", idle::measure),
    ("lateness", lateness::measure),
];

fn main() -> anyhow::Result<ExitCode> {
    // Cargo itself adds `--bench`.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let mut figures = Vec::new();
    for (name, section) in SECTIONS {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            writeln!(io::stderr(), "measuring: {name}")?;
            figures.extend(section()?);
        }
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{}", figure::table(&figures))?;
    let broken = figures.iter().filter(|figure| !figure.holds()).count();
    writeln!(out, "{} of {} limits hold", figures.len() - broken, figures.len())?;
    Ok(if broken == 0 && !figures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
