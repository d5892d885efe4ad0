//! What the program says of itself for other programs to use: completions for shells, manual pages, the policy's schema for editors.
//!
//! Decided here: how each is asked for. The first two are made of the command line's own definition, the third of the policy's shapes.

use super::{Cli, exit::Exit, output};
use crate::config;
use clap::{Command, CommandFactory};
use clap_complete::Shell;

/// Print what makes a shell complete this program's commands and options
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  cdb-backupd completions bash > /etc/bash_completion.d/cdb-backupd\n  \
                  cdb-backupd completions zsh > /usr/local/share/zsh/site-functions/_cdb-backupd\n  \
                  cdb-backupd completions fish > ~/.config/fish/completions/cdb-backupd.fish")]
pub struct Completions {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

/// Print a manual page, for `man -l -` or a folder of such pages
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  cdb-backupd man | man -l -\n  cdb-backupd man backup | man -l -\n  cdb-backupd man ledger copy > cdb-backupd-ledger-copy.1"
)]
pub struct Man {
    /// The command that the page is of; the whole program unless given
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

/// Print the policy's JSON Schema (draft 2020-12), by which an editor completes keys, explains them and marks faults
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "The first line of a policy may name it for editors that know yaml-language-server:\n  # yaml-language-server: $schema=policy.schema.json\n\n\
                  Examples:\n  cdb-backupd schema > /etc/cdb-backupd/policy.schema.json"
)]
pub struct Schema {}

impl Completions {
    /// Prints the script.
    pub fn run(self) -> anyhow::Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "cdb-backupd", &mut script);
        // Of a name with a hyphen, `clap_complete` 4.6.11 has two spellings in a script for bash, so that nothing behind a command is completed.
        let script = String::from_utf8_lossy(&script).replace("cdb__subcmd__backupd", "cdb__backupd");
        output::print(&script).map(|()| Exit::Ok)
    }
}

impl Man {
    /// Prints the page.
    pub fn run(self) -> anyhow::Result<Exit> {
        let mut all = Cli::command();
        all.build();
        let mut command = &all;
        for name in &self.command {
            let Some(below) = command.find_subcommand(name) else { return Err(no_command(command, name).into()) };
            command = below;
        }
        let mut page = Vec::new();
        clap_mangen::Man::new(command.clone()).render(&mut page)?;
        output::print(&String::from_utf8_lossy(&page)).map(|()| Exit::Ok)
    }
}

fn no_command(of: &Command, name: &str) -> super::exit::Refusal {
    let known = of.get_subcommands().map(Command::get_name);
    let meant = config::nearest(name, known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    Exit::Usage.because(format!("`{}` has no command `{name}`{meant}", of.get_bin_name().unwrap_or("cdb-backupd")))
}

impl Schema {
    /// Prints the schema.
    pub fn run(self) -> anyhow::Result<Exit> {
        output::print(&format!("{}\n", serde_json::to_string_pretty(&config::schema())?)).map(|()| Exit::Ok)
    }
}
