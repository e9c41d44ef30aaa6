//! The clawdbot daemon and its commands.
//!
//! `ls src` is the flow: `sources` catch frames and readings, `pipeline` takes them through the network, `mqtt` tells
//! the world. `app` alone wires them together and starts threads; `cli` alone turns an outcome into an exit code.

mod app;
mod bench;
#[cfg(feature = "broker")]
mod broker;
mod bundled;
mod cli;
mod config;
mod doctor;
mod first_boot;
mod health;
mod mqtt;
mod pipeline;
mod pull;
mod sinks;
mod sources;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
