//! Models from elsewhere: what a catalogue names is brought here, checked, and put in place in one step.
//!
//! [`catalogue`] says what there is and what its bytes hash to; [`fetch`] gets them over HTTP and goes on where it was
//! interrupted; [`local`] takes them from a file or folder and opens no socket; [`place`] is the folder of models, where the
//! new one takes the old one's name by a rename and the old one stays beside it. Nothing is put in place whose SHA-256 is
//! another than the catalogue's, and no bundle that our own reader refuses.

pub(crate) mod catalogue;
mod fetch;
mod http;
mod local;
pub(crate) mod place;
pub(crate) mod sha256;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clawdbot_nn::bundle::language::LanguageBundle;
use clawdbot_nn::bundle::{self, Bundle, BundleError, Kind};

use self::catalogue::{Becomes, Entry, File};
use self::http::{Agent, HttpError};
use self::place::Folder;
use self::sha256::Sha256;

/// Why a model could not be brought here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Something with a file or folder.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// There is no such folder.
    #[error("{0} is no folder; make it first, or name another one with --to")]
    NoFolder(PathBuf),
    /// Another process is at it.
    #[error("another `clawdbot pull` is at work in {0}; wait until it has ended")]
    Busy(PathBuf),
    /// It does not fit.
    #[error(
        "{folder} has {free} MiB left, but {needed} are needed: {missing} of the model are still to come, and {reserve} stay free; make room, or name another folder with --to"
    )]
    NoSpace {
        /// Where.
        folder: PathBuf,
        /// What is left, in MiB.
        free: u64,
        /// What is needed, all in all, in MiB.
        needed: u64,
        /// Of the model, in MiB.
        missing: u64,
        /// What stays free, in MiB.
        reserve: u64,
    },
    /// The user may not write there.
    #[error("{0} belongs to somebody else ({1}); run this as root (sudo), or name a folder of yours with --to")]
    NotOurs(PathBuf, io::Error),
    /// The bytes are others than the catalogue's.
    #[error(
        "{name}: the SHA-256 is {found}, but must be {wanted}; what came was thrown away. Either it was damaged on the way (try again), or the file has been replaced since the catalogue was made (do not use it unless you know why)"
    )]
    WrongSum {
        /// The file.
        name: String,
        /// What it is.
        found: Sha256,
        /// What the catalogue says.
        wanted: Sha256,
    },
    /// There are more or fewer bytes than the catalogue says.
    #[error("{name}: there are {found} bytes of it, but must be {wanted}; it is another file than the catalogue means")]
    WrongLength {
        /// The file.
        name: String,
        /// What there is, as far as it was looked at.
        found: u64,
        /// What the catalogue says.
        wanted: u64,
    },
    /// The server, or the way to it.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Tried often enough.
    #[error(
        "{url}: {tries} tries in a row failed, the last one by this: {reason}. {done} bytes are kept: the same command goes on with them"
    )]
    GaveUp {
        /// Whence.
        url: String,
        /// How often.
        tries: usize,
        /// The last reason.
        reason: String,
        /// What is there.
        done: u64,
    },
    /// It has the right sum, but is no bundle that we could run.
    #[error("what came is no bundle for this version: {0}; it was not put in place")]
    NoBundle(#[source] BundleError),
    /// Its weights are damaged, which the right sum makes unlikely.
    #[error("what came is damaged: {0}; it was not put in place")]
    DamagedBundle(bundle::Fault),
    /// There is nothing to go back to.
    #[error("there is no earlier {name} in {folder} (none of the names {tried} is there); only an update keeps one")]
    NothingBefore {
        /// The model.
        name: String,
        /// Where.
        folder: PathBuf,
        /// What was looked for.
        tried: String,
    },
    /// The file system lacks the one step.
    #[error(
        "{0}: this file system can't exchange two names in one step ({1}); name a folder on ext4, btrfs or the like with --to"
    )]
    NoExchange(PathBuf, io::Error),
}

impl Error {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |reason| match reason.kind() {
            io::ErrorKind::PermissionDenied => Self::NotOurs(path.to_owned(), reason),
            _ => Self::File { path: path.to_owned(), reason },
        }
    }
}

/// Where the bytes are to come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// Where the catalogue says.
    Catalogue,
    /// A file, or a folder that holds files of the catalogue's names. No socket is opened.
    Local(PathBuf),
    /// Another address of the file, or of the folder of files.
    Url(String),
}

/// What happens, for whoever waits.
#[derive(Clone, Debug)]
pub(crate) enum Told<'a> {
    /// A host is about to be asked.
    Asking {
        /// The file.
        file: &'a str,
        /// Whom.
        host: &'a str,
        /// What is here of it already.
        done: u64,
    },
    /// That host has sent us on to another one.
    SentOn(&'a str),
    /// So many bytes are here, of so many if that is known.
    Bytes(u64, Option<u64>),
    /// Something went wrong; there is another try after that time.
    Again(&'a str, Duration),
    /// The bytes are looked at.
    Checking(&'a str),
}

/// What is in place now.
#[derive(Debug)]
pub(crate) struct Pulled {
    /// The file, or the folder of files.
    pub(crate) path: PathBuf,
    /// Whether it is new; else it was here with the right sums.
    pub(crate) changed: bool,
    /// What was there before, under its new name.
    pub(crate) previous: Option<PathBuf>,
    /// What the bundle is for, if it is one.
    pub(crate) kind: Option<Kind>,
}

/// Brings `entry` from `source` into `folder`.
///
/// # Errors
/// Whatever stops it; nothing that was in place has changed then, and what came over the network is kept for the next try
/// unless it is known to be wrong.
pub(crate) fn pull(
    entry: &Entry,
    source: &Source,
    folder: &Folder,
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<Pulled, Error> {
    let target = folder.target(entry);
    if is_here(entry, &target, tell)? {
        return Ok(Pulled { kind: kind(entry, &target)?, path: target, changed: false, previous: None });
    }
    let staging = folder.staging(entry)?;
    folder.check_space(entry.files.iter().map(|file| (file, staging.length(file))))?;
    match source {
        Source::Local(path) => entry.files.iter().try_for_each(|file| local::take(path, file, &staging, tell))?,
        Source::Catalogue | Source::Url(_) => {
            let agent = Agent::new();
            for file in &entry.files {
                fetch::fetch(&agent, file, &url(entry, file, source), &staging, &fetch::WAITS_S, tell)?;
            }
        }
    }
    let whole = staging.whole(entry)?;
    let kind = match kind(entry, &whole) {
        Ok(kind) => kind,
        Err(error) => {
            staging.discard();
            return Err(error);
        }
    };
    let previous = folder.put(&whole, &target)?;
    staging.discard();
    Ok(Pulled { path: target, changed: true, previous, kind })
}

/// Exchanges `name` and the one before it, after a look at the latter.
///
/// # Errors
/// When there is none before it, or it is a bundle that this version cannot run.
pub(crate) fn roll_back(name: &str, folder: &Folder) -> Result<Pulled, Error> {
    let (target, previous) = folder.earlier(name)?;
    let is_bundle = target.to_string_lossy().ends_with(bundle::SUFFIX);
    let kind = if is_bundle { Some(check_bundle(&previous)?) } else { None };
    folder.exchange(&target, &previous)?;
    let previous = previous.exists().then_some(previous);
    Ok(Pulled { path: target, changed: true, previous, kind })
}

/// Whether every file of `entry` is at `target` with its right sum.
fn is_here(entry: &Entry, target: &Path, tell: &mut dyn FnMut(Told<'_>)) -> Result<bool, Error> {
    for file in &entry.files {
        let path = entry.path_of(file, target);
        let length = std::fs::metadata(&path).map(|metadata| metadata.len()).ok();
        if length.is_none() || file.bytes.is_some() && length != file.bytes {
            return Ok(false);
        }
        tell(Told::Checking(&file.name));
        if Sha256::of_file(&path).map_err(Error::at(&path))? != file.sha256 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The address of `file`.
fn url(entry: &Entry, file: &File, source: &Source) -> String {
    match source {
        Source::Url(url) if entry.is_folder() => format!("{}/{}", url.trim_end_matches('/'), file.name),
        Source::Url(url) => url.clone(),
        _ => file.url.clone(),
    }
}

/// What the bundle at `path` is for; `None` for what is to become one only.
fn kind(entry: &Entry, path: &Path) -> Result<Option<Kind>, Error> {
    if entry.becomes == Becomes::Bundle { check_bundle(path).map(Some) } else { Ok(None) }
}

/// Opens the bundle at `path` as the daemon would, weights and all.
fn check_bundle(path: &Path) -> Result<Kind, Error> {
    let kind = bundle::kind(path).map_err(Error::NoBundle)?;
    if kind == Kind::Llm {
        let bundle = LanguageBundle::open(path).map_err(Error::NoBundle)?;
        bundle.verify().map_err(Error::DamagedBundle)?;
    } else {
        Bundle::open(path).map_err(Error::NoBundle)?;
    }
    Ok(kind)
}

#[cfg(test)]
mod tests;
