//! The command line: one file a subcommand, and the only place where an outcome becomes an exit code.

mod bench;
mod check_config;
mod classify;
#[cfg(feature = "convert")]
mod convert;
mod detect;
mod devices;
mod doctor;
mod eval;
mod first_boot;
mod generate;
mod health;
mod inspect;
mod kernels;
mod looker;
mod manual;
mod pull;
mod run;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use clawdbot_kernels::isa::Isa;

use crate::config::Environment;

/// Turns cameras and sensors into MQTT events, with its own INT8 kernels.
#[derive(Debug, Parser)]
#[command(name = "clawdbot", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon: cameras and sensors in, MQTT out.
    Run(run::Arguments),
    /// Find objects in pictures.
    Detect(detect::Arguments),
    /// Say what pictures show as a whole.
    Classify(classify::Arguments),
    /// Measure how good a model is.
    #[command(subcommand)]
    Eval(eval::Command),
    /// Measure how fast this machine is at our work.
    Bench(bench::Arguments),
    /// Check a configuration file and show the settings that come of it.
    CheckConfig(check_config::Arguments),
    /// Turn a trained network into a bundle.
    #[cfg(feature = "convert")]
    Convert(Box<convert::Arguments>),
    /// List cameras, sensors, accelerators; or try a camera.
    Devices(devices::Arguments),
    /// Look for what keeps this board from doing its work, and say what to do about it.
    Doctor(doctor::Arguments),
    /// Take the settings that lie on a card's boot partition, once.
    FirstBoot(first_boot::Arguments),
    /// Let a language model answer a prompt.
    Generate(Box<generate::Arguments>),
    /// Ask the daemon that runs here how it fares.
    Health(health::Arguments),
    /// Show what a model bundle is, takes, gives and costs.
    Inspect(inspect::Arguments),
    /// Show which kernel each operator runs, here or on another core.
    Kernels(kernels::Arguments),
    /// Bring a model here from a catalogue, checked by its SHA-256; without a name, list what there is.
    Pull(pull::Arguments),
    /// Write man pages and shell completions into a folder.
    #[command(hide = true)]
    Manual(manual::Arguments),
}

/// Why a command did not succeed. The message says what is wrong, why, and what to do next.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The work failed: exit code 1.
    Failed(String),
    /// The command line makes no sense: exit code 2 (clap's own code for it).
    Usage(String),
    /// The configuration is bad: exit code 78 (`EX_CONFIG`), which the systemd unit does not restart on.
    BadConfiguration(String),
}

impl Failure {
    /// A failure whose message is `error` with the chain of its causes.
    pub(crate) fn from_error(error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        Self::Failed(message)
    }
}

/// Parses the command line, runs the command, reports its failure on standard error.
pub(crate) fn main() -> ExitCode {
    let command = Cli::parse().command;
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let (code, message) = match failure {
                Failure::Failed(message) => (1, message),
                Failure::Usage(message) => (2, message),
                Failure::BadConfiguration(message) => (78, message),
            };
            report(&message);
            ExitCode::from(code)
        }
    }
}

#[expect(clippy::print_stderr, reason = "the command line's own place for errors")]
fn report(message: &str) {
    eprintln!("clawdbot: {message}");
}

/// Prints `text` and a line feed on standard output. A reader that has gone away (`| head`) is no failure.
fn print(text: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("standard output can't be written ({error}); check where it goes")))
        }
        _ => Ok(()),
    }
}

/// The instruction set that the environment asks for, else the best of this machine.
fn isa() -> Result<Isa, Failure> {
    Environment::of_process().isa().map_err(Failure::Usage)
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::CheckConfig(arguments) => check_config::run(&arguments),
        #[cfg(feature = "convert")]
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Detect(arguments) => detect::run(&arguments),
        Command::Classify(arguments) => classify::run(&arguments),
        Command::Eval(command) => eval::run(&command),
        Command::Devices(arguments) => devices::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::FirstBoot(arguments) => first_boot::run(&arguments),
        Command::Generate(arguments) => generate::run(&arguments),
        Command::Health(arguments) => health::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Kernels(arguments) => kernels::run(&arguments),
        Command::Pull(arguments) => pull::run(&arguments),
        Command::Manual(arguments) => manual::run(&arguments),
    }
}

#[cfg(test)]
mod tests;
