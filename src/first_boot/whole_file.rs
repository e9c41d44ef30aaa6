//! Files that are there whole or not at all: written beside, brought to the disk, renamed.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{Result, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

/// Whom a file belongs to, by number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    pub(super) user: u32,
    pub(super) group: u32,
}

/// Writes `bytes` to `path`, which belongs to us or to `owner`. Folders above are made.
pub(super) fn write_whole(path: &Path, bytes: &[u8], mode: u32, owner: Option<Owner>) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let beside = beside(path);
    remove(&beside)?;
    // A secret is never readable by others, not even for a moment: the mode is there from the start.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    file.write_all(bytes)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    if let Some(owner) = owner {
        chown(&beside, Some(owner.user), Some(owner.group))?;
    }
    file.sync_all()?;
    fs::rename(&beside, path)?;
    sync_folder_of(path)
}

/// Makes `path` a symbolic link to `target`.
pub(super) fn link_whole(path: &Path, target: &str) -> Result<()> {
    let beside = beside(path);
    remove(&beside)?;
    symlink(target, &beside)?;
    fs::rename(&beside, path)?;
    sync_folder_of(path)
}

/// Makes a folder of `owner`, if it is not there.
pub(super) fn folder(path: &Path, mode: u32, owner: Owner) -> Result<()> {
    if !path.is_dir() {
        DirBuilder::new().recursive(true).mode(mode).create(path)?;
    }
    chown(path, Some(owner.user), Some(owner.group))
}

/// Brings the names in the folder of `path` to the disk.
pub(super) fn sync_folder_of(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}
