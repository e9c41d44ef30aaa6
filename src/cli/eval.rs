//! `clawdbot eval`: how good a model is.

use clap::Subcommand;

use super::Failure;

mod classify;
mod detect;
mod regions;

/// What can be evaluated.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Compare a detector with annotated pictures: mAP as pycocotools computes it.
    Detect(detect::Arguments),
    /// Compare a classifier with labelled pictures: how often its first guess is right, and one of its first five.
    Classify(classify::Arguments),
    /// Compare looks at parts of a picture with looks at all of it, run for run, on moving scenes made of annotated pictures.
    Regions(regions::Arguments),
}

/// Runs the command.
pub(super) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Detect(arguments) => detect::run(arguments),
        Command::Classify(arguments) => classify::run(arguments),
        Command::Regions(arguments) => regions::run(arguments),
    }
}
