//! `clawdbot bench`: how fast this machine is at our work.

mod llm;
mod preprocess;
mod vision;

use clap::{Args, Subcommand};

use super::Failure;

/// Measures.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// One inference of a network: its layers alone, without picture, preprocessing and head.
    Vision(vision::Arguments),
    /// A language model: reading a prompt, writing an answer.
    Llm(llm::Arguments),
    /// From a camera's frame to the network's input: decoding, colours, resizing, quantising.
    Preprocess(preprocess::Arguments),
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.what {
        What::Vision(arguments) => vision::run(arguments),
        What::Llm(arguments) => llm::run(arguments),
        What::Preprocess(arguments) => preprocess::run(arguments),
    }
}
