//! What the proofs share: the card, the machine on it, and the broker outside.

use std::fs;
use std::path::{Path, PathBuf};

use super::Machine;
use super::broker::{ADDRESS, Broker};
use super::disk::Disk;
use super::guest::Guest;
use super::proofs::upgrade;
use crate::image::newest_package;
use crate::process::{self, repository_root};

/// The name that the first-boot file gives the board.
pub(super) const HOSTNAME: &str = "porch";
/// Passwords that must not be found on the boot partition afterwards.
pub(super) const SECRETS: [&str; 2] = ["broker-secret-7d1f", "wifi-secret-93ac"];
/// Where a clip stands in for a camera.
const CLIP: &str = "assets/clip.mjpeg";

pub(super) struct House {
    folder: tempfile::TempDir,
    pub(super) disk: Disk,
    guest: Option<Guest>,
    pub(super) broker: Broker,
    /// Machines that were started so far.
    number: usize,
    /// The package to upgrade to; without one, the newest of this checkout as a later version.
    package: Option<PathBuf>,
}

impl House {
    /// Copies the image, puts a first-boot file and a clip on it, and starts the broker. No machine runs yet.
    pub(super) fn build(image: &Path, package: Option<PathBuf>) -> Result<Self, String> {
        // Short: SSH's socket has room for some hundred letters.
        let folder = tempfile::Builder::new().prefix("clawdbot-vm").tempdir();
        let folder = folder.map_err(|error| format!("cannot create a temporary folder: {error}"))?;
        let disk = Disk::copy(image, folder.path())?;
        let broker = Broker::start(folder.path(), SECRETS[0])?;
        let key = folder.path().join("key");
        process::run(
            process::command("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "proof", "-f"]).arg(&key),
        )?;
        let public = read(&key.with_extension("pub"))?;
        let file = folder.path().join("first-boot.toml");
        fs::write(&file, first_boot_file(public.trim(), broker.port, broker.user()))
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        disk.put(&file, "clawdbot.toml")?;
        disk.put(&repository_root().join(CLIP), "clip.mjpeg")?;
        Ok(Self { folder, disk, guest: None, broker, number: 0, package })
    }

    /// Starts a machine on the card and waits until one can log in.
    pub(super) fn boot(&mut self) -> Result<(), String> {
        self.number += 1;
        let guest = Guest::start(Machine::Virt, &self.disk, self.folder.path(), self.number)?;
        self.guest.insert(guest).wait_for_login()
    }

    /// The machine that runs.
    pub(super) fn guest(&self) -> Result<&Guest, String> {
        self.guest.as_ref().ok_or_else(|| "no machine is running".to_owned())
    }

    /// Takes the machine away, to end it.
    pub(super) fn take_guest(&mut self) -> Result<Guest, String> {
        self.guest.take().ok_or_else(|| "no machine is running".to_owned())
    }

    /// Runs a command as root in the machine.
    pub(super) fn command(&self, text: &str) -> Result<String, String> {
        self.guest()?.command(text)
    }

    /// Properties of a unit, in the order in which they are asked for.
    pub(super) fn properties<const N: usize>(&self, unit: &str, names: [&str; N]) -> Result<[String; N], String> {
        let text = self.command(&format!("systemctl show {unit}"))?;
        Ok(names.map(|name| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.unwrap_or_default().to_owned()
        }))
    }

    /// A package that is later than the installed `version`.
    pub(super) fn later_package(&self, version: &str) -> Result<PathBuf, String> {
        match &self.package {
            Some(package) => Ok(package.clone()),
            None => upgrade::repacked(&newest_package()?, &format!("{version}+later"), self.folder.path()),
        }
    }

    /// What the console showed last, for whoever looks into a failure.
    pub(super) fn console_end(&self) -> String {
        self.guest.as_ref().map_or_else(String::new, Guest::console_end)
    }
}

/// As a user would write it.
pub(super) fn first_boot_file(key: &str, port: u16, user: &str) -> String {
    let [broker, wifi] = SECRETS;
    format!(
        r#"[board]
hostname = "{HOSTNAME}"
time_zone = "Europe/Berlin"
wifi_country = "DE"
wifi_name = "no such network"
wifi_password = "{wifi}"
ssh_keys = ["{key}"]

[mqtt]
host = "{ADDRESS}"
port = {port}
username = "{user}"
password = "{broker}"

[[camera]]
id = "clip"
source = "replay"
path = "/boot/firmware/clip.mjpeg"
"#
    )
}

fn read(path: &PathBuf) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}
