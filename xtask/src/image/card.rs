//! The card: partitions, file systems, the image file. No loop device, no mount.
//!
//! | partition | from | size | what |
//! |---|---|---|---|
//! | 1 | 4 MiB | 384 MiB | FAT: firmware, kernels, `clawdbot.toml` |
//! | 2 | 388 MiB | 1536 MiB | ext4: root A |
//! | 3 | 1924 MiB | 1536 MiB | room for root B |
//! | 4 | 3460 MiB | the rest | ext4: /var/lib/clawdbot; made and grown by the board itself |
//!
//! The image file ends with partition 2: the table names the others, and nothing need be written there.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::process;

/// The id in the table. Partitions are known by it wherever the card is put.
pub(crate) const DISK_ID: &str = "c1a3db07";
const BOOT: Extent = Extent { at: 4, mebibytes: 384 };
const ROOT: Extent = Extent { at: BOOT.end(), mebibytes: 1536 };
const SECOND_ROOT: Extent = Extent { at: ROOT.end(), mebibytes: ROOT.mebibytes };
/// As much as the table gives it before the board gives it the rest.
const DATA: Extent = Extent { at: SECOND_ROOT.end(), mebibytes: 64 };
const MEBIBYTE: u64 = 1024 * 1024;
/// The root's UUID and the seed of its folders' hashes: the same each time.
const UUID: &str = "c1a3db07-0000-4000-8000-000000000002";

/// A partition's place, in MiB.
#[derive(Clone, Copy)]
struct Extent {
    at: u64,
    mebibytes: u64,
}

impl Extent {
    const fn end(self) -> u64 {
        self.at + self.mebibytes
    }
}

/// Writes the image of the two folders.
pub(super) fn write(root: &super::Tree, boot: &Path, out: &Path, epoch: u64) -> Outcome {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    super::create_folder(folder)?;
    let work = tempfile::tempdir_in(folder).map_err(|error| format!("cannot create a folder: {error}"))?;
    let image = work.path().join("image");
    sized(&image, DATA.end())?;
    partition(&image)?;
    // The table knows what comes behind the file's end.
    sized(&image, ROOT.end())?;
    let first = work.path().join("boot");
    write_fat(&first, boot, epoch)?;
    put(&first, &image, BOOT)?;
    let second = work.path().join("root");
    write_ext4(&second, &root.path("/"), epoch)?;
    put(&second, &image, ROOT)?;
    fs::rename(&image, out).map_err(|error| format!("cannot rename {} to {}: {error}", image.display(), out.display()))
}

/// `image@@offset`, as mtools name the boot partition inside of an image.
pub(crate) fn boot_partition(image: &Path) -> String {
    format!("{}@@{}M", image.display(), BOOT.at)
}

/// `image?offset=bytes`, as e2fsprogs name the root and the daemon's state inside of an image.
pub(crate) fn linux_partitions(image: &Path) -> [String; 2] {
    [ROOT, DATA].map(|extent| format!("{}?offset={}", image.display(), extent.at * MEBIBYTE))
}

/// Copies the boot partition out of an image: not every tool can look inside.
pub(crate) fn take_boot_partition(image: &Path, to: &Path) -> Outcome {
    let mut command = process::command("dd", &["bs=1M", "status=none", "conv=sparse"]);
    command.args([format!("skip={}", BOOT.at), format!("count={}", BOOT.mebibytes)]);
    process::run(command.arg(format!("if={}", image.display())).arg(format!("of={}", to.display())))
}

/// What sfdisk reads.
fn table() -> String {
    let line =
        |extent: Extent, kind: &str| format!("start={}MiB, size={}MiB, type={kind}\n", extent.at, extent.mebibytes);
    let mut text = format!("label: dos\nlabel-id: 0x{DISK_ID}\n");
    text += &line(BOOT, "c, bootable");
    for extent in [ROOT, SECOND_ROOT, DATA] {
        text += &line(extent, "83");
    }
    text
}

fn partition(image: &Path) -> Outcome {
    let mut command = sbin("sfdisk", &["--quiet"]);
    command.arg(image).stdin(std::process::Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("cannot start sfdisk: {error}"))?;
    let written = child.stdin.take().map(|mut input| std::io::Write::write_all(&mut input, table().as_bytes()));
    let status = child.wait().map_err(|error| format!("sfdisk: {error}"))?;
    if matches!(written, Some(Ok(()))) && status.success() {
        return Ok(());
    }
    Err(format!("sfdisk refused the table ({status}):\n{}", table()))
}

/// The boot partition with the files of `folder`, by name, at one time.
fn write_fat(path: &Path, folder: &Path, epoch: u64) -> Outcome {
    sized(path, BOOT.mebibytes)?;
    let mut command = sbin("mkfs.vfat", &["-F", "32", "-n", "BOOT", "--invariant"]);
    process::output(command.arg(path))?;
    let entries = fs::read_dir(folder).map_err(|error| format!("cannot list {}: {error}", folder.display()))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    process::run(process::command("touch", &[&format!("--date=@{epoch}")]).args(&files))?;
    let mut command = process::command("mcopy", &["-s", "-m", "-i"]);
    process::run(command.arg(path).args(&files).arg("::").env("TZ", "UTC"))
}

fn write_ext4(path: &Path, folder: &Path, epoch: u64) -> Outcome {
    let options = format!("hash_seed={UUID},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0");
    let mut command = sbin("mke2fs", &["-q", "-F", "-t", "ext4", "-L", "root", "-U", UUID, "-E", &options, "-d"]);
    command.arg(folder).arg(path).arg(format!("{}M", ROOT.mebibytes)).env("E2FSPROGS_FAKE_TIME", epoch.to_string());
    process::run(&mut command).map_err(|error| format!("{error}; is the root larger than {} MiB?", ROOT.mebibytes))
}

/// Makes a file of this size, with what was in it; new room takes no place on the disk.
fn sized(path: &Path, mebibytes: u64) -> Outcome {
    let file = File::options().create(true).truncate(false).write(true).open(path);
    file.and_then(|file| file.set_len(mebibytes * MEBIBYTE))
        .map_err(|error| format!("cannot make {}: {error}", path.display()))
}

fn put(part: &Path, image: &Path, extent: Extent) -> Outcome {
    let mut command = process::command("dd", &["bs=1M", "conv=notrunc,sparse", "status=none"]);
    command.arg(format!("seek={}", extent.at)).arg(format!("if={}", part.display()));
    process::run(command.arg(format!("of={}", image.display())))
}

/// A program of the administrator's, which a developer's PATH may lack.
pub(crate) fn sbin(program: &str, arguments: &[&str]) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = process::command(program, arguments);
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_follow_each_other_and_roots_are_equal() {
        let text = table();
        assert!(text.contains("label-id: 0xc1a3db07\nstart=4MiB, size=384MiB, type=c, bootable\n"), "{text}");
        assert!(text.contains("start=388MiB, size=1536MiB, type=83\nstart=1924MiB, size=1536MiB, type=83\n"), "{text}");
        assert!(text.ends_with("start=3460MiB, size=64MiB, type=83\n"), "{text}");
    }

    #[test]
    fn a_partition_is_named_inside_of_the_image() {
        assert_eq!(boot_partition(Path::new("/x.img")), "/x.img@@4M");
        assert_eq!(linux_partitions(Path::new("/x.img")), ["/x.img?offset=406847488", "/x.img?offset=3628072960"]);
    }

    #[test]
    fn a_file_keeps_what_is_in_it_when_it_grows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "start").unwrap();
        sized(&path, 1).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), MEBIBYTE);
        assert!(fs::read(&path).unwrap().starts_with(b"start"));
    }
}
