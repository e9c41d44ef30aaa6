//! `cargo xtask yocto`: the layer in `yocto/meta-clawdbot`, judged by the tools of those who build with it.
//!
//! Alone it lints the recipes. With `--sources DIR` the real bitbake reads the layer beside openembedded-core and
//! meta-raspberrypi from there: every recipe parses, the recipe and the kernels come to what they should, the image's whole
//! graph of tasks resolves, and source and crates unpack to a tree that cargo accepts. It downloads none of these layers.

mod bitbake;
mod build_folder;
pub(crate) mod crates;
mod expected;
mod lint;
mod sources;
mod unpacked;
mod variables;

use std::time::Instant;

use crate::Outcome;
use crate::process;
use bitbake::Bitbake;
use build_folder::BuildFolder;
use sources::Sources;

/// The layer, below the repository's root.
const LAYER: &str = "yocto/meta-clawdbot";
/// Our recipes, below the layer. bitbake reads one of them in seconds where it takes minutes for all.
const RECIPE: &str = "recipes-clawdbot/clawdbot/clawdbot_git.bb";
const IMAGE: &str = "recipes-clawdbot/images/clawdbot-image.bb";
/// A board that people have, and a machine that anybody can emulate.
const MACHINES: [&str; 2] = ["raspberrypi4-64", "qemuarm64"];
const USAGE: &str = "usage: cargo xtask yocto [crates | --sources DIR]";

/// Lints; with sources parses too; with `crates` writes the list of crates instead.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["crates"] => crates::write(),
        [] => {
            lint::run()?;
            println!("SKIPPED: bitbake has NOT read the layer: it takes --sources DIR\n{}", sources::LAYOUT);
            Ok(())
        }
        ["--sources", folder] => {
            let sources = Sources::find(folder.as_ref())?;
            lint::run()?;
            for machine in MACHINES {
                judge(&sources, machine)?;
            }
            Ok(())
        }
        _ => Err(USAGE.to_owned()),
    }
}

/// Everything that bitbake can say of the layer for one machine without building.
fn judge(sources: &Sources, machine: &str) -> Outcome {
    let folder = BuildFolder::make(sources, machine)?;
    let bitbake = Bitbake::new(sources, &folder)?;
    timed(machine, "recipe and image", || expected::check_ours(&bitbake))?;
    timed(machine, "source and crates unpack", || unpacked::check(&bitbake, &folder))?;
    timed(machine, "every recipe parses, the image's tasks resolve", || bitbake.dry_run("clawdbot-image"))?;
    timed(machine, "kernel", || expected::check_kernel(&bitbake))
}

/// Does `step` and says what came of it and how long it took.
fn timed(machine: &str, name: &str, step: impl FnOnce() -> Result<String, String>) -> Outcome {
    #[expect(clippy::disallowed_methods, reason = "a developer's tool may look at the clock")]
    let started = Instant::now();
    let said = step().map_err(|message| format!("{machine}, {name}: {message}"))?;
    println!("{machine}, {name}: {said} ({:.1} s)", started.elapsed().as_secs_f64());
    Ok(())
}

/// A file of the repository.
///
/// # Errors
/// Names the file that cannot be read.
fn read_repository(path: &str) -> Result<String, String> {
    std::fs::read_to_string(process::repository_root().join(path))
        .map_err(|error| format!("cannot read {path}: {error}"))
}

#[cfg(test)]
mod tests;
