//! `cargo xtask vm boot`: boots the card image in a machine that qemu plays, set up by a first-boot file like a user's, and
//! proves what it does. The image is copied, never changed; commands go in by SSH, as they would to a board.
//!
//! What it does not show: the firmware's own stage, a screen, Wi-Fi, CSI cameras, heat, and how long anything takes on a board.

mod broker;
mod disk;
mod guest;
mod house;
mod pi3;
mod proofs;

use std::path::PathBuf;
use std::time::Instant;

use house::House;

use crate::Outcome;
use crate::process;

const USAGE: &str = "usage: cargo xtask vm boot [--image FILE] [--package FILE] [--machine virt|raspi3b] [--only WORD]";
/// Programs that it needs, and the packages that bring them.
const NEEDS: &[(&str, &str)] = &[
    ("qemu-system-aarch64", "qemu-system-arm"),
    ("mcopy", "mtools"),
    ("fsck.vfat", "dosfstools"),
    ("e2fsck", "e2fsprogs"),
    ("mosquitto", "mosquitto"),
    ("mosquitto_sub", "mosquitto-clients"),
    ("ssh", "openssh-client"),
];

#[derive(Debug, PartialEq, Eq)]
struct Options {
    image: PathBuf,
    /// What the image's package is upgraded to; without it the newest package of this checkout, renamed to a later version.
    package: Option<PathBuf>,
    machine: Machine,
    /// Only proofs with this word in their names, and the first, without which there is nothing to prove.
    only: Option<String>,
}

/// What qemu plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    /// Four Cortex-A72 with a network: everything is proved on it.
    Virt,
    /// A Raspberry Pi 3B's device tree, card and watchdog, without a network: it boots and takes its file.
    Pi3,
}

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let options = parse(arguments)?;
    process::require(NEEDS)?;
    if options.machine == Machine::Pi3 {
        return pi3::prove(&options.image);
    }
    let mut house = House::build(&options.image, options.package)?;
    let wanted = |name: &str| options.only.as_deref().is_none_or(|word| name.contains(word));
    let first = proofs::PROOFS.iter().take(1);
    let others = proofs::PROOFS.iter().skip(1).filter(|proof| wanted(proof.name));
    let mut count = 0;
    for proof in first.chain(others) {
        let started = now();
        let seen =
            (proof.run)(&mut house).map_err(|error| format!("{}: {error}\n{}", proof.name, house.console_end()))?;
        println!("ok {:6.1} s  {}: {seen}", started.elapsed().as_secs_f64(), proof.name);
        count += 1;
    }
    println!("{count} of {} proofs ran, all passed", proofs::PROOFS.len());
    Ok(())
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let Some((verb, rest)) = arguments.split_first() else { return Err(USAGE.to_owned()) };
    if verb != "boot" {
        return Err(format!("does not know {verb:?}\n{USAGE}"));
    }
    let image = process::target_directory().join("image/clawdbot-pi.img");
    let mut options = Options { image, package: None, machine: Machine::Virt, only: None };
    let mut rest = rest.iter();
    while let Some(name) = rest.next() {
        let value = rest.next().ok_or_else(|| format!("{name} wants a value\n{USAGE}"))?;
        match (name.as_str(), value.as_str()) {
            ("--image", path) => options.image = process::absolute(path)?,
            ("--package", path) => options.package = Some(process::absolute(path)?),
            ("--machine", "virt") => options.machine = Machine::Virt,
            ("--machine", "raspi3b") => options.machine = Machine::Pi3,
            ("--only", word) => options.only = Some(word.to_owned()),
            _ => return Err(format!("does not know {name} {value:?}\n{USAGE}")),
        }
    }
    Ok(options)
}

/// When it is.
fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a developer's tool may look at the clock")]
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Options, String> {
        let arguments: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        parse(&arguments)
    }

    #[test]
    fn the_image_of_the_other_command_is_the_default() {
        let options = parsed("boot").unwrap();
        assert!(options.image.ends_with("image/clawdbot-pi.img") && options.machine == Machine::Virt);
        let options = parsed("boot --image /x.img --machine raspi3b --only power").unwrap();
        assert_eq!((options.image, options.machine), (PathBuf::from("/x.img"), Machine::Pi3));
        assert_eq!(options.only.as_deref(), Some("power"));
    }

    #[test]
    fn what_it_does_not_know_is_refused() {
        for text in ["", "start", "boot --machine pdp11", "boot --image", "boot --fast yes"] {
            assert!(parsed(text).is_err_and(|error| error.contains("usage:")), "{text}");
        }
    }

    #[test]
    fn every_proof_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<&str> = proofs::PROOFS.iter().map(|proof| proof.name).collect();
        assert_eq!(names.len(), proofs::PROOFS.len());
    }
}
