//! `clawdbot eval`: how good a model is.

use clap::Subcommand;

use super::Failure;

mod detect;

/// What can be evaluated.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Compare a detector with annotated pictures: mAP as pycocotools computes it.
    Detect(detect::Arguments),
}

/// Runs the command.
pub(super) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Detect(arguments) => detect::run(arguments),
    }
}
