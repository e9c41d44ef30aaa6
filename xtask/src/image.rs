//! `cargo xtask image`: a card image for a Raspberry Pi with the daemon on it, made of Debian packages and our own `.deb`,
//! without loop devices or mounts of the card (docs/decisions/0008-updates-a-b.md has its layout).

mod archive;
pub(crate) mod card;
pub(crate) mod emulation;
mod flavour;
mod manifest;
mod options;
mod system;
mod tree;

use std::path::{Path, PathBuf};

use options::Options;
use tree::Tree;

use crate::Outcome;
use crate::process;

/// Builds the image, and its compressed form with what describes it if asked to.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let options = Options::parse(arguments)?;
    needs()?;
    emulation::register()?;
    let deb = options.deb.clone().map_or_else(newest_package, Ok)?;
    let epoch = last_commit()?;
    let archive = archive::made(&options)?;
    let work = process::target_directory().join("image");
    let folder = tempfile::tempdir_in(&work).map_err(|error| format!("cannot create a folder: {error}"))?;
    let root = Tree::unpack(&archive, &folder.path().join("root"))?;
    system::settle(&root, &deb, &options, epoch)?;
    let boot = folder.path().join("boot");
    system::take_boot_files(&root, &boot)?;
    root.date_at_most(epoch)?;
    let out = options.out.clone().unwrap_or_else(|| work.join("clawdbot-pi.img"));
    card::write(&root, &boot, &out, epoch)?;
    println!("{}", out.display());
    if options.is_compressed { manifest::compress(&out, options.flavour, epoch) } else { Ok(()) }
}

/// The last `.deb` for arm64 that `cargo xtask deb` left.
pub(crate) fn newest_package() -> Result<PathBuf, String> {
    let folder = process::target_directory().join("debian");
    let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let packages = entries.filter(|path| path.to_string_lossy().ends_with("_arm64.deb"));
    let modified = |path: &PathBuf| path.metadata().and_then(|metadata| metadata.modified()).ok();
    packages.max_by_key(modified).ok_or_else(|| {
        format!(
            "there is no arm64 package in {}: `cargo xtask deb --arch arm64` makes one, or name one by --deb",
            folder.display()
        )
    })
}

/// When this checkout's last commit was made, in seconds since 1970: no file of the image is younger.
fn last_commit() -> Result<u64, String> {
    let arguments = ["-c", "safe.directory=*", "log", "-1", "--format=%ct"];
    let text = process::output(&mut process::command("git", &arguments))?;
    text.trim().parse().map_err(|_| format!("git says that the last commit was made at {text:?}"))
}

/// Programs that the image needs, and the packages that bring them.
const NEEDS: &[(&str, &str)] = &[
    ("mmdebstrap", "mmdebstrap"),
    ("qemu-aarch64-static", "qemu-user-static"),
    ("mcopy", "mtools"),
    ("mkfs.vfat", "dosfstools"),
    ("sfdisk", "fdisk"),
    ("mke2fs", "e2fsprogs"),
];

fn needs() -> Outcome {
    if process::output(&mut process::command("id", &["-u"]))?.trim() != "0" {
        return Err("the files of a root belong to many users, so this takes root: run it as root".to_owned());
    }
    process::require(NEEDS)
}

/// Creates a folder with those above it.
fn create_folder(path: &Path) -> Outcome {
    std::fs::create_dir_all(path).map_err(|error| format!("cannot create {}: {error}", path.display()))
}
