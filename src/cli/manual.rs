//! `clawdbot manual`: the man pages and shell completions of this very binary, for those who package it. Hidden: on a board
//! the package has installed them.

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Failure};

/// The shells that get completions.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Fish, Shell::Zsh];

/// What may be said to `manual`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The folder to write to: a page a command, and the completions of each shell.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    write(&arguments.folder).map_err(|error| {
        let folder = arguments.folder.display();
        Failure::Failed(format!("the manual can't be written to {folder}: {error}; check the folder and its disk"))
    })
}

fn write(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)?;
    for shell in SHELLS {
        clap_complete::generate_to(shell, &mut Cli::command(), "clawdbot", folder)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
