//! `cargo xtask container [--amd64 BINARY] [--arm64 BINARY]`: builds the container image of `deploy/docker/Dockerfile` and
//! proves it, both without a container engine.
//!
//! buildah builds it over a Debian root of our own (mmdebstrap: nothing is pulled); bubblewrap then starts what the image's
//! own configuration names, as its user, with a real broker beside it. The broker must see the node online and a detection
//! of the bundled clip; the image's health check must be content, and must say why once the daemon was stopped or killed.
//! Another machine's architecture runs under qemu-user. Needs root, for the owners of the image's files.

mod architecture;
mod base;
mod broker;
mod image;
mod proof;
mod sandbox;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::process::{self, cargo, repository_root, target_directory};
use architecture::Architecture;
use image::Image;

const USAGE: &str = "usage: cargo xtask container [--amd64 BINARY] [--arm64 BINARY]";
/// What the image carries beside the binary.
const LICENCES: [&str; 3] = ["LICENSE-APACHE", "LICENSE-MIT", "NOTICE"];

/// Builds and proves an image for each binary; without one, for this machine's release build.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let mut binaries = parse(arguments)?;
    for program in ["buildah", "bwrap", "mmdebstrap", "mosquitto_sub", "setpriv"] {
        if !process::is_installed(program) {
            return Err(format!(
                "{program} is not installed: apt-get install buildah bubblewrap mmdebstrap arch-test mosquitto mosquitto-clients util-linux"
            ));
        }
    }
    if process::output(&mut process::command("id", &["-u"]))?.trim() != "0" {
        return Err("only root can give the image's files their owners: run it by sudo".to_owned());
    }
    if binaries.is_empty() {
        process::run(&mut cargo(&["build", "--release", "--locked", "--package", "clawdbot"]))?;
        binaries.push((Architecture::of_this_machine()?, target_directory().join("release/clawdbot")));
    }
    for (architecture, binary) in binaries {
        judge(architecture, &binary)?;
    }
    Ok(())
}

/// Everything for one architecture, below a folder of its own.
fn judge(architecture: Architecture, binary: &Path) -> Outcome {
    let folder = target_directory().join("container");
    let name = architecture.name();
    let base = timed(name, "Debian root", || base::tar(architecture, &folder))?;
    stage(architecture, binary, &folder)?;
    let image = timed(name, "image", || Image::build(architecture, &folder, &base))?;
    println!("{name}: {}", image.sizes()?);
    proof::run(architecture, &image)
}

/// Lays the build's context out as docs/guide/container.md tells users to.
fn stage(architecture: Architecture, binary: &Path, folder: &Path) -> Outcome {
    let place = folder.join(architecture.name());
    std::fs::create_dir_all(&place).map_err(|error| format!("cannot make {}: {error}", place.display()))?;
    for licence in LICENCES {
        let copied = std::fs::copy(repository_root().join(licence), folder.join(licence));
        copied.map_err(|error| format!("cannot copy {licence}: {error}"))?;
    }
    let mut strip = process::command(architecture.strip(), &["-o"]);
    process::run(strip.arg(place.join("clawdbot")).arg(binary))
}

/// The architectures with their binaries, whose paths count from where cargo was called.
fn parse(arguments: &[String]) -> Result<Vec<(Architecture, PathBuf)>, String> {
    let mut binaries = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let architecture = word.strip_prefix("--").and_then(Architecture::find);
        let (Some(architecture), Some(path)) = (architecture, words.next()) else {
            return Err(format!("{word:?} is not understood, or lacks its path; {USAGE}"));
        };
        let whole = Path::new(path).canonicalize().map_err(|error| format!("{path}: {error}"))?;
        binaries.push((architecture, whole));
    }
    Ok(binaries)
}

/// Does `step` and says how long it took.
fn timed<T>(architecture: &str, name: &str, step: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let started = now();
    let done = step().map_err(|message| format!("{architecture}, {name}: {message}"))?;
    println!("{architecture}, {name}: made in {:.1} s", started.elapsed().as_secs_f64());
    Ok(done)
}

/// Waits until `look` answers.
///
/// # Errors
/// After `patience`, with `missing` as what did not come.
fn wait_for<T>(patience: Duration, missing: &str, mut look: impl FnMut() -> Option<T>) -> Result<T, String> {
    let started = now();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if started.elapsed() > patience {
            return Err(format!("{missing} did not come within {} s", patience.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a developer's tool may look at the clock")]
    Instant::now()
}

#[cfg(test)]
mod tests;
