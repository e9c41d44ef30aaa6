//! `clawdbot first-boot`: takes the settings that lie on a card's boot partition, once.

use std::path::PathBuf;

use clap::Args;
use clawdbot_flow::rooted::Root;

use super::{Failure, print};
use crate::config::first_boot;
use crate::first_boot::apply;
use crate::first_boot::partition::{Found, Partition};

/// What may be said to `first-boot`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Where the boot partition is mounted; `clawdbot.toml` is looked for there.
    #[arg(long, value_name = "DIR", default_value = "/boot/firmware")]
    boot: PathBuf,
    /// Where the system that is set up begins.
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Who gets the SSH keys.
    #[arg(long, value_name = "NAME", default_value = "pi")]
    user: String,
    /// Print an example of the file, and do nothing else.
    #[arg(long, exclusive = true)]
    example: bool,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.example {
        return print(first_boot::example().trim_end());
    }
    let root = Root::new(&arguments.root);
    let partition = Partition::new(arguments.boot.clone());
    let failed = |error: crate::first_boot::Error| Failure::Failed(error.to_string());
    partition.go_on(first_boot::without_secrets).map_err(failed)?;
    let file = match partition.find() {
        Found::File(file) => file,
        Found::Nothing => return print(&format!("no clawdbot.toml in {}: nothing to take", arguments.boot.display())),
        Found::Misnamed(problem) => {
            partition.complain(&problem).map_err(failed)?;
            return Err(Failure::BadConfiguration(problem));
        }
    };
    let settings = match first_boot::read(&file, &root) {
        Ok(settings) => settings,
        Err(problems) => {
            partition.complain(&problems.to_string()).map_err(failed)?;
            return Err(Failure::BadConfiguration(problems.to_string()));
        }
    };
    let done = match apply(&settings, &root, &arguments.user) {
        Ok(done) => done,
        Err(error) => {
            partition.complain(&error.to_string()).map_err(failed)?;
            return Err(failed(error));
        }
    };
    partition.taken(first_boot::without_secrets).map_err(failed)?;
    print(&format!("taken: {}", if done.is_empty() { "nothing was set".to_owned() } else { done.join(", ") }))
}

#[cfg(test)]
mod tests;
