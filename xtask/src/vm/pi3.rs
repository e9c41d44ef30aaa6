//! The same card in a Raspberry Pi 3B as qemu plays it: its device tree, its card controller, its watchdog. It has no
//! network, so the console tells.

use std::path::Path;

use super::Machine;
use super::disk::Disk;
use super::guest::Guest;
use super::house::{HOSTNAME, SECRETS, first_boot_file};
use crate::Outcome;

/// A key that nobody has.
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA nobody";
/// What the console shows, in this order, in words of the kernel, of our command, and of systemd.
const TEXTS: [&str; 3] = ["Machine model: Raspberry Pi 3", "taken: host name porch", "Started clawdbot.service"];

/// Boots, waits for the service, and looks at the card.
pub(super) fn prove(image: &Path) -> Outcome {
    let folder = tempfile::tempdir().map_err(|error| format!("cannot create a temporary folder: {error}"))?;
    let disk = Disk::copy(image, folder.path())?;
    let file = folder.path().join("first-boot.toml");
    std::fs::write(&file, first_boot_file(KEY, 1883, "porch"))
        .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    disk.put(&file, "clawdbot.toml")?;
    let started = crate::vm::now();
    let mut guest = Guest::start(Machine::Pi3, &disk, folder.path(), 1)?;
    for text in TEXTS {
        let seen = guest.wait_for(text);
        seen.map_err(|error| format!("{error}\n{}", guest.console_end()))?;
        println!("ok {:6.1} s  the console shows {text:?}", started.elapsed().as_secs_f64());
    }
    guest.cut_power()?;
    for secret in SECRETS {
        if disk.boot_partition_holds(secret)? {
            return Err(format!("the boot partition still holds {secret:?}"));
        }
    }
    println!("ok           {HOSTNAME}'s passwords are gone from the boot partition");
    Ok(())
}
