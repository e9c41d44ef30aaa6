//! The image does what its users expect: the daemon tells its broker of itself and of what it sees, the health check is content
//! while it runs, and says why once it does not.

use std::path::Path;
use std::process::{Child, Output};
use std::time::Duration;

use serde_json::Value;

use super::architecture::Architecture;
use super::broker::{Broker, Message};
use super::image::Image;
use super::sandbox::Sandbox;
use super::{now, wait_for};
use crate::Outcome;
use crate::process;

/// The node's level in its topics.
const NODE: &str = "box";
/// Longer than anything here takes, even emulated; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(180);
/// The order to stop has to be done within this, as the engines' default of 10 s wants it.
const STOP_MAX: Duration = Duration::from_secs(10);

/// Runs the whole story.
pub(super) fn run(architecture: Architecture, image: &Image) -> Outcome {
    let name = architecture.name();
    let folder = tempfile::tempdir().map_err(|error| format!("cannot create a temporary folder: {error}"))?;
    open(folder.path())?;
    let sandbox = Sandbox::new(image, architecture, folder.path())?;
    let broker = Broker::start(&format!("clawdbot/v1/{NODE}"))?;

    let daemon = Daemon::start(&sandbox, image, broker.port)?;
    let started = now();
    broker.wait(PATIENCE, "status online", |message| is_status(message, "online"))?;
    println!("{name}, status online after {:.1} s", started.elapsed().as_secs_f64());
    let seen = broker.wait(PATIENCE, "a detection of the bundled clip", is_new)?;
    println!("{name}, {} seen after {:.1} s", seen.data["label"], started.elapsed().as_secs_f64());

    let well = wait_for(PATIENCE, "a content health check", || {
        health(&sandbox, image).ok().filter(|output| output.status.success())
    })?;
    println!("{name}, health: {}", String::from_utf8_lossy(&well.stdout).trim());
    let took = daemon.stop()?;
    broker.wait(STOP_MAX, "status offline", |message| is_status(message, "offline"))?;
    println!("{name}, stopped in {:.1} s", took.as_secs_f64());
    unwell(name, "stopped", &health(&sandbox, image)?, "no daemon runs")?;

    let daemon = Daemon::start(&sandbox, image, broker.port)?;
    wait_for(PATIENCE, "a content health check", || {
        health(&sandbox, image).ok().filter(|output| output.status.success())
    })?;
    daemon.kill()?;
    unwell(name, "killed", &health(&sandbox, image)?, "has gone without a farewell")
}

/// The folder's parents are only root's; the image's user must get in.
fn open(folder: &Path) -> Outcome {
    process::run(process::command("chmod", &["0755"]).arg(folder))
}

fn is_status(message: &Message, state: &str) -> bool {
    message.topic.ends_with(&format!("/{NODE}/status")) && message.data == state
}

fn is_new(message: &Message) -> bool {
    message.topic.ends_with("/camera/clip/event")
        && message.data["change"] == "new"
        && message.data["label"] != Value::Null
}

/// What the image's own health check says.
fn health(sandbox: &Sandbox<'_>, image: &Image) -> Result<Output, String> {
    let words: Vec<&str> = image.settings.healthcheck.test.iter().map(String::as_str).collect();
    let Some(("CMD", words)) = words.split_first().map(|(kind, words)| (*kind, words)) else {
        return Err(format!("the image's health check is no command: {words:?}"));
    };
    sandbox.command(words, &[]).output().map_err(|error| format!("cannot start the health check: {error}"))
}

/// The health check must fail, with this reason.
fn unwell(name: &str, what: &str, output: &Output, reason: &str) -> Outcome {
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(1) && said.contains(reason) {
        println!("{name}, health once {what}: exit code 1, {}", said.trim());
        return Ok(());
    }
    Err(format!("the daemon was {what}, so its health should be exit code 1 with {reason:?}: {output:?}"))
}

/// The image's own program, as process 1 of its sandbox.
struct Daemon {
    sandbox: Child,
    /// The daemon's number on this machine.
    process: String,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // The sandbox takes the daemon with it.
        drop((self.sandbox.kill(), self.sandbox.wait()));
    }
}

impl Daemon {
    fn start(sandbox: &Sandbox<'_>, image: &Image, port: u16) -> Result<Self, String> {
        let words: Vec<&str> =
            image.settings.entrypoint.iter().chain(&image.settings.cmd).map(String::as_str).collect();
        let port = port.to_string();
        let environment = [
            ("CLAWDBOT__NODE__NAME", NODE),
            ("CLAWDBOT__MQTT__HOST", "127.0.0.1"),
            ("CLAWDBOT__MQTT__PORT", port.as_str()),
        ];
        let mut sandbox = sandbox.command(&words, &environment);
        let sandbox = sandbox.spawn().map_err(|error| format!("cannot start the sandbox: {error}"))?;
        let children = format!("/proc/{0}/task/{0}/children", sandbox.id());
        let process = wait_for(STOP_MAX, "the daemon's process", || {
            let children = std::fs::read_to_string(&children).ok()?;
            children.split_whitespace().next().map(ToOwned::to_owned)
        })?;
        Ok(Self { sandbox, process })
    }

    /// Ends it as `docker stop` does; how long that took.
    fn stop(mut self) -> Result<Duration, String> {
        let started = now();
        process::run(&mut process::command("kill", &["-TERM", &self.process]))?;
        let status = wait_for(STOP_MAX, "the daemon's end", || self.sandbox.try_wait().ok().flatten())?;
        if status.success() { Ok(started.elapsed()) } else { Err(format!("the daemon ended with {status}")) }
    }

    /// Ends it as a crash would.
    fn kill(mut self) -> Outcome {
        process::run(&mut process::command("kill", &["-KILL", &self.process]))?;
        wait_for(STOP_MAX, "the daemon's end", || self.sandbox.try_wait().ok().flatten()).map(drop)
    }
}
