//! The clawdbot daemon and its commands.
//!
//! `ls src` is the flow: `sources` catch frames and readings, `pipeline` takes them through the network, `mqtt` tells
//! the world. `app` alone wires them together and starts threads; `cli` alone turns an outcome into an exit code.

#[cfg(feature = "broker")]
#[allow(dead_code, reason = "wired by app")]
mod broker;
mod cli;
#[allow(dead_code, unused_imports, reason = "wired by app")]
mod config;
#[allow(dead_code, unused_imports, reason = "wired by app")]
mod health;
#[allow(dead_code, unused_imports, reason = "wired by app")]
mod mqtt;
#[allow(dead_code, reason = "wired by app")]
mod sinks;
#[allow(dead_code, unused_imports, reason = "wired by app")]
mod sources;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
