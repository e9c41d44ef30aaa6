//! `clawdbot run`: the daemon.

use std::path::PathBuf;

use clap::Args;
use clawdbot_flow::rooted::Root;

use super::{Failure, print};
use crate::app::{self, Watch};
use crate::config::{Config, Environment, Secrets};
use crate::sinks::log;

/// What may be said to `run`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The configuration file. Without one: our own broker, the first camera or else the bundled clip, the bundled
    /// detector.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print each message on standard output as it arrives at a subscriber of its own.
    #[arg(long)]
    watch: bool,
    /// Where the tree of the board begins.
    #[arg(long, hide = true, default_value = "/")]
    root: PathBuf,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let environment = Environment::of_process();
    let root = Root::new(&arguments.root);
    let config = Config::load(arguments.config.as_deref(), &environment, &root, Secrets::Read)
        .map_err(|problems| Failure::BadConfiguration(problems.to_string()))?;
    log::start(&config.log_filter).map_err(|error| Failure::from_error(&error))?;
    for note in &config.notes {
        tracing::warn!("{note}");
    }
    let watch = arguments.watch.then_some(Watch {
        // A reader that went away is no reason to end a daemon.
        show: |line| drop(print(&line)),
    });
    app::run(&config, &environment, &root, watch).map_err(|error| match error {
        // The file names what does not exist or does not fit: a restart would not help.
        app::AppError::Label(_) | app::AppError::Isa(_) => Failure::BadConfiguration(error.to_string()),
        _ => Failure::from_error(&error),
    })
}
