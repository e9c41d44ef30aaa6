//! A card: a copy of the image on a disk of some gigabytes, read and written from outside while no machine runs on it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::image::card;
use crate::process;

/// An ordinary card; qemu's Pi wants a power of two.
const BYTES: u64 = 8 << 30;

/// What the firmware reads of the boot partition.
pub(super) struct Kernel {
    pub(super) kernel: PathBuf,
    pub(super) initial_root: PathBuf,
    /// The words of cmdline.txt.
    pub(super) command_line: String,
}

pub(super) struct Disk {
    path: PathBuf,
    /// Where files of its boot partition are put to look at them.
    folder: PathBuf,
}

impl Disk {
    /// Copies `image` into `folder`.
    pub(super) fn copy(image: &Path, folder: &Path) -> Result<Self, String> {
        if !image.is_file() {
            return Err(format!(
                "there is no {}: `cargo xtask image --board pi` makes it, or name one by --image",
                image.display()
            ));
        }
        let path = folder.join("card.img");
        let mut command = process::command("cp", &["--sparse=always", "--reflink=auto"]);
        process::run(command.arg(image).arg(&path))?;
        let file = File::options().write(true).open(&path);
        file.and_then(|file| file.set_len(BYTES))
            .map_err(|error| format!("cannot enlarge {}: {error}", path.display()))?;
        Ok(Self { path, folder: folder.to_owned() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts a file on the boot partition, as any computer would.
    pub(super) fn put(&self, file: &Path, name: &str) -> Outcome {
        let mut command = process::command("mcopy", &["-o", "-i", &card::boot_partition(&self.path)]);
        process::run(command.arg(file).arg(format!("::{name}")))
    }

    /// Takes a file off the boot partition.
    pub(super) fn take(&self, name: &str) -> Result<PathBuf, String> {
        let to = self.folder.join(name);
        let mut command = process::command("mcopy", &["-n", "-o", "-i", &card::boot_partition(&self.path)]);
        process::run(command.arg(format!("::{name}")).arg(&to))?;
        Ok(to)
    }

    /// The names on the boot partition.
    pub(super) fn names(&self) -> Result<String, String> {
        process::output(&mut process::command("mdir", &["-b", "-i", &card::boot_partition(&self.path)]))
    }

    /// Whether these bytes stand anywhere on the boot partition, in a file or behind one.
    pub(super) fn boot_partition_holds(&self, text: &str) -> Result<bool, String> {
        let copy = self.folder.join("boot.part");
        card::take_boot_partition(&self.path, &copy)?;
        let mut command = process::command("grep", &["--text", "--count", "--fixed-strings", text]);
        let output = command.arg(&copy).output().map_err(|error| format!("cannot start grep: {error}"))?;
        fs::remove_file(&copy).map_err(|error| format!("cannot remove {}: {error}", copy.display()))?;
        match output.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(format!(
                "grep could not look through the boot partition: {}",
                String::from_utf8_lossy(&output.stderr)
            )),
        }
    }

    /// Kernel and what it is told, found as the firmware finds them.
    pub(super) fn kernel(&self) -> Result<Kernel, String> {
        let read = |path: PathBuf| {
            fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
        };
        let config = read(self.take("config.txt")?)?;
        let kernel = named(&config, "kernel=").ok_or("config.txt names no kernel")?;
        let initial_root = named(&config, "initramfs ").ok_or("config.txt names no initramfs")?;
        let initial_root = initial_root.split(' ').next().unwrap_or_default();
        Ok(Kernel {
            kernel: self.take(kernel)?,
            initial_root: self.take(initial_root)?,
            command_line: read(self.take("cmdline.txt")?)?.trim().to_owned(),
        })
    }

    /// The file systems as checkers see them, once the machine was shut down.
    pub(super) fn check(&self) -> Outcome {
        for partition in card::linux_partitions(&self.path) {
            quiet(&mut card::sbin("e2fsck", &["-f", "-n", &partition]))?;
        }
        let copy = self.folder.join("boot.part");
        card::take_boot_partition(&self.path, &copy)?;
        quiet(card::sbin("fsck.vfat", &["-n"]).arg(&copy))?;
        fs::remove_file(&copy).map_err(|error| format!("cannot remove {}: {error}", copy.display()))
    }
}

/// Runs a checker, whose words matter only when it found something.
fn quiet(command: &mut std::process::Command) -> Outcome {
    let output = command.output().map_err(|error| format!("cannot start `{}`: {error}", process::shown(command)))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("`{}` found:\n{}", process::shown(command), String::from_utf8_lossy(&output.stdout)))
}

/// What stands behind `key` in config.txt; the last one counts.
fn named<'a>(config: &'a str, key: &str) -> Option<&'a str> {
    config.lines().filter_map(|line| line.trim().strip_prefix(key)).next_back().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn the_firmware_s_file_is_read_as_it_reads_it() {
        let config = "# kernel=old\nkernel=one\nkernel=vmlinuz-6.1\ninitramfs initrd.img-6.1\n";
        assert_eq!(named(config, "kernel="), Some("vmlinuz-6.1"));
        assert_eq!(named(config, "initramfs "), Some("initrd.img-6.1"));
        assert_eq!(named(config, "dtb="), None);
    }
}
