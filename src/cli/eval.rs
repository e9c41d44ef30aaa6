//! `clawdbot eval`: how good a model is.

use clap::Subcommand;

use super::Failure;

mod classify;
mod detect;
mod perplexity;
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
    /// Say how surprised a language model is by a text.
    Perplexity(perplexity::Arguments),
}

/// Runs the command.
pub(super) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Detect(arguments) => detect::run(arguments),
        Command::Classify(arguments) => classify::run(arguments),
        Command::Regions(arguments) => regions::run(arguments),
        Command::Perplexity(arguments) => perplexity::run(arguments),
    }
}
