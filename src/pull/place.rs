//! The folder of models: one pull at a time, parts that outlive a stop, and the one step in which a new model takes the old
//! one's name.
//!
//! A daemon maps the file that it runs, so the file itself is never touched: names are exchanged (`RENAME_EXCHANGE`), and the
//! old file stays as it was under `NAME.previous`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with, statvfs};
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::Error;
use super::catalogue::{self, ENDS, Entry};
use super::sha256::Sha256;

/// What stays free on the disk: the daemon's outbox and the system's logs need room too.
const RESERVE_BYTES: u64 = 64 << 20;
/// How the name of the earlier one ends.
const PREVIOUS: &str = ".previous";

/// The folder of models, with nobody else at work in it.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Whether we came as root and act as the folder's owner.
    acts_as_owner: bool,
    /// Held until it is dropped.
    _lock: File,
}

impl Folder {
    /// Opens `path` for a pull.
    ///
    /// Root becomes the folder's owner for what it writes there: the daemon must be able to read it, and a daemon that was
    /// taken over must not be able to lead root elsewhere by a symbolic link.
    ///
    /// # Errors
    /// When it is no folder, not ours to write to, or another pull is at work there.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let metadata = fs::metadata(path).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => Error::NotOurs(path.to_owned(), error),
            _ => Error::NoFolder(path.to_owned()),
        })?;
        if !metadata.is_dir() {
            return Err(Error::NoFolder(path.to_owned()));
        }
        let acts_as_owner = geteuid().is_root() && metadata.uid() != 0;
        if acts_as_owner {
            let (user, group) = (Uid::from_raw(metadata.uid()), Gid::from_raw(metadata.gid()));
            become_owner(user, group).map_err(|error| Error::at(path)(error.into()))?;
        }
        let lock = path.join(".pull.lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&lock).map_err(Error::at(path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), acts_as_owner, _lock: file }),
            Err(TryLockError::WouldBlock) => Err(Error::Busy(path.to_owned())),
            Err(TryLockError::Error(reason)) => Err(Error::File { path: lock, reason }),
        }
    }

    /// Where `entry` is, once it is in place.
    pub(super) fn target(&self, entry: &Entry) -> PathBuf {
        target_in(&self.path, entry)
    }

    /// Where parts of `entry` lie until it is whole.
    pub(super) fn staging(&self, entry: &Entry) -> Result<Staging, Error> {
        let staging = Staging { path: self.path.join(format!(".{}.part", entry.name)), by_root: self.acts_as_owner };
        let files = staging.files();
        fs::create_dir_all(&files).map_err(Error::at(&files))?;
        Ok(staging)
    }

    /// Whether there is room for what is missing of `files`, each with what there is of it.
    pub(super) fn check_space<'a>(&self, files: impl Iterator<Item = (&'a catalogue::File, u64)>) -> Result<(), Error> {
        let missing = files.map(|(file, here)| file.bytes.unwrap_or(0).saturating_sub(here)).sum::<u64>();
        let disk = statvfs(&self.path).map_err(|error| Error::at(&self.path)(error.into()))?;
        check_room(&self.path, missing, disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Gives `whole` the name `target`. What had it keeps its inode and is called [`PREVIOUS`] from then on; its path is
    /// returned.
    pub(super) fn put(&self, whole: &Path, target: &Path) -> Result<Option<PathBuf>, Error> {
        if !target.exists() {
            fs::rename(whole, target).map_err(Error::at(target))?;
            self.sync()?;
            return Ok(None);
        }
        let previous = with_end(target, PREVIOUS);
        exchange(whole, target)?;
        // From here on the new one is in place, and `whole` is the name of the old one.
        if previous.is_dir() {
            fs::remove_dir_all(&previous).map_err(Error::at(&previous))?;
        }
        fs::rename(whole, &previous).map_err(Error::at(&previous))?;
        self.sync()?;
        Ok(Some(previous))
    }

    /// The model called `name` and the one before it.
    pub(super) fn earlier(&self, name: &str) -> Result<(PathBuf, PathBuf), Error> {
        let ends = ENDS.into_iter().chain([""]);
        let pairs = ends.map(|end| self.path.join(format!("{name}{end}"))).map(|path| {
            let previous = with_end(&path, PREVIOUS);
            (path, previous)
        });
        let pairs: Vec<(PathBuf, PathBuf)> = pairs.collect();
        let names = pairs.iter().filter_map(|(_, previous)| previous.file_name());
        let tried = names.map(|name| name.to_string_lossy()).collect::<Vec<_>>().join(", ");
        pairs.into_iter().find(|(_, previous)| previous.exists()).ok_or_else(|| Error::NothingBefore {
            name: name.to_owned(),
            folder: self.path.clone(),
            tried,
        })
    }

    /// Exchanges two names. Where the first one is gone, the second is renamed to it.
    pub(super) fn exchange(&self, target: &Path, previous: &Path) -> Result<(), Error> {
        if target.exists() {
            exchange(target, previous)?;
        } else {
            fs::rename(previous, target).map_err(Error::at(target))?;
        }
        self.sync()
    }

    /// Brings the names to the disk.
    fn sync(&self) -> Result<(), Error> {
        File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(Error::at(&self.path))
    }
}

/// Where `entry` is in `folder`, once it is in place.
pub(crate) fn target_in(folder: &Path, entry: &Entry) -> PathBuf {
    folder.join(entry.disk_name())
}

/// The parts of a model that are here already.
#[derive(Debug)]
pub(super) struct Staging {
    path: PathBuf,
    by_root: bool,
}

impl Staging {
    fn files(&self) -> PathBuf {
        self.path.join("files")
    }

    /// Where `file` lies while it grows.
    pub(super) fn path(&self, file: &catalogue::File) -> PathBuf {
        self.files().join(&file.name)
    }

    /// How much of `file` is here.
    pub(super) fn length(&self, file: &catalogue::File) -> u64 {
        fs::metadata(self.path(file)).map_or(0, |metadata| metadata.len())
    }

    fn mark_path(&self, file: &catalogue::File) -> PathBuf {
        self.path.join(format!("{}.mark", file.name))
    }

    /// What the server said by which it knows this version of `file`; `None` if what is here is a part of another one.
    pub(super) fn mark(&self, file: &catalogue::File) -> Option<String> {
        let text = fs::read_to_string(self.mark_path(file)).ok()?;
        let (sum, mark) = text.split_once(' ')?;
        (sum.parse::<Sha256>().ok()? == file.sha256).then(|| mark.to_owned())
    }

    /// Keeps the server's mark, empty if it gave none.
    pub(super) fn set_mark(&self, file: &catalogue::File, mark: &str) -> Result<(), Error> {
        let path = self.mark_path(file);
        fs::write(&path, format!("{} {mark}", file.sha256)).map_err(Error::at(&path))
    }

    /// Throws away what is here of `file`.
    pub(super) fn forget(&self, file: &catalogue::File) -> Result<(), Error> {
        for path in [self.path(file), self.mark_path(file)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::at(&path)(error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// The whole model, its bytes and names on the disk.
    pub(super) fn whole(&self, entry: &Entry) -> Result<PathBuf, Error> {
        let files = self.files();
        if !entry.is_folder() {
            return Ok(entry.files.first().map_or(files, |file| self.path(file)));
        }
        File::open(&files).and_then(|folder| folder.sync_all()).map_err(Error::at(&files))?;
        Ok(files)
    }

    /// Takes everything away that is left.
    pub(super) fn discard(&self) {
        // A leftover that cannot be removed changes nothing about what was done; the next pull meets it again.
        drop(fs::remove_dir_all(&self.path));
    }

    /// Opens a file that the caller named, with the rights that the caller has.
    pub(super) fn open_of_caller(&self, path: &Path) -> io::Result<File> {
        if !self.by_root {
            return File::open(path);
        }
        let owner = geteuid();
        set_thread_res_uid(None, Uid::ROOT, None)?;
        let file = File::open(path);
        set_thread_res_uid(None, owner, None)?;
        file
    }
}

/// Acts as `user` from here on. Real and saved user stay root's, so that what the caller named can be opened as root.
fn become_owner(user: Uid, group: Gid) -> rustix::io::Result<()> {
    set_thread_groups(&[group])?;
    set_thread_res_gid(None, group, None)?;
    set_thread_res_uid(None, user, None)
}

fn check_room(folder: &Path, missing: u64, free: u64) -> Result<(), Error> {
    if missing == 0 || free >= missing.saturating_add(RESERVE_BYTES) {
        return Ok(());
    }
    let (missing, reserve) = (missing.div_ceil(1 << 20), RESERVE_BYTES >> 20);
    Err(Error::NoSpace { folder: folder.to_owned(), free: free >> 20, needed: missing + reserve, missing, reserve })
}

fn exchange(one: &Path, other: &Path) -> Result<(), Error> {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).map_err(|error| match error {
        rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS => Error::NoExchange(other.to_owned(), error.into()),
        error => Error::at(other)(error.into()),
    })
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(end);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests;
