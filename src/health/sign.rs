//! The sign of life: what the daemon leaves below `$RUNTIME_DIRECTORY` for `clawdbot health`, and reading it.
//!
//! Two files. The lock is held for as long as the daemon's process lives, so the kernel itself tells of its end. The sign
//! says how the stages fare; the daemon renews it, and a sign that gets old tells of a daemon that hangs. Its age is counted
//! by the board's uptime, which no setting of the clock moves.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clawdbot_flow::rooted::Root;
use serde::{Deserialize, Serialize};

use super::Vitals;

/// How often the daemon renews its sign.
pub(crate) const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How old a sign may be: three were missed, and there is room for a board under load.
const AGE_MAX: Duration = Duration::from_secs(20);
/// The sign's name in the runtime folder.
const SIGN: &str = "health.json";
/// The lock's name beside it.
const LOCK: &str = "health.lock";

/// How the daemon fared when it gave this sign.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Sign {
    /// The daemon's version.
    pub(crate) version: String,
    /// Its process.
    pub(crate) process: u32,
    /// Seconds since the daemon's start.
    pub(crate) uptime_s: u64,
    /// Resident memory; absent where /proc does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resident_bytes: Option<u64>,
    /// The board's uptime at the sign; absent where /proc does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    board_uptime_s: Option<f64>,
    /// Every stage.
    pub(crate) stages: Vec<Stage>,
}

/// One stage's heartbeat.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Stage {
    /// Its name.
    pub(crate) name: String,
    /// Milliseconds since it last moved.
    pub(crate) silent_ms: u64,
    /// Milliseconds that it may be silent.
    pub(crate) silent_ms_max: u64,
}

/// Why the daemon is not well, or cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unwell {
    /// There is no sign.
    #[error(
        "no daemon runs with the runtime folder {0}: it was stopped, is still starting, or has another RUNTIME_DIRECTORY"
    )]
    Absent(PathBuf),
    /// There may be one.
    #[error("{0} cannot be read: {1}; ask as root or as the daemon's own user")]
    Unreadable(PathBuf, #[source] io::Error),
    /// The sign is none of ours.
    #[error("{0} is no sign of life of this version: {1}; restart the daemon after an update")]
    Strange(PathBuf, #[source] serde_json::Error),
    /// Nobody holds the lock.
    #[error("the daemon, process {0}, has gone without a farewell: it was killed or has crashed; its log says more")]
    Gone(u32),
    /// The sign is too old.
    #[error(
        "the daemon, process {process}, gave its last sign of life {age_s:.0} s ago, and {} s are allowed: it hangs; restart it",
        AGE_MAX.as_secs()
    )]
    Silent {
        /// The daemon's.
        process: u32,
        /// Seconds since the sign.
        age_s: f64,
    },
    /// A stage is.
    #[error("{0}; restart the daemon, and see its log for what the stage was doing")]
    Late(String),
}

/// The daemon's end: gives signs until it is dropped.
#[derive(Debug)]
pub(crate) struct SignOfLife {
    folder: PathBuf,
    root: Root,
    #[expect(dead_code, reason = "the kernel lets go of the lock when the process ends, however it ends")]
    lock: File,
}

impl SignOfLife {
    /// Takes the lock in `folder`. `None`, with the reason in the log, where that cannot be: the daemon runs all the same.
    pub(crate) fn begin(folder: &Path, root: &Root) -> Option<Self> {
        let path = folder.join(LOCK);
        let locked = File::create(&path).map_err(TryLockError::Error).and_then(|lock| lock.try_lock().map(|()| lock));
        match locked {
            Ok(lock) => Some(Self { folder: folder.to_owned(), root: root.clone(), lock }),
            Err(TryLockError::WouldBlock) => {
                tracing::warn!("another daemon holds {}; `clawdbot health` will speak of that one", path.display());
                None
            }
            Err(TryLockError::Error(error)) => {
                tracing::warn!("{} cannot be locked ({error}); `clawdbot health` will not work", path.display());
                None
            }
        }
    }

    /// Gives a sign.
    pub(crate) fn renew(&self, vitals: &Vitals) {
        let sign = Sign::new(vitals, board_uptime_s(&self.root));
        // Beside and renamed: a reader sees a whole one.
        let beside = self.folder.join(format!("{SIGN}.new"));
        let given = serde_json::to_vec(&sign)
            .map_err(io::Error::from)
            .and_then(|bytes| fs::write(&beside, bytes))
            .and_then(|()| fs::rename(&beside, self.folder.join(SIGN)));
        if let Err(error) = given {
            tracing::warn!("no sign of life can be left in {} ({error})", self.folder.display());
        }
    }
}

impl Drop for SignOfLife {
    fn drop(&mut self) {
        // Without a single sign there is nothing to take away.
        drop(fs::remove_file(self.folder.join(SIGN)));
    }
}

impl Sign {
    fn new(vitals: &Vitals, board_uptime_s: Option<f64>) -> Self {
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let stages = vitals.heartbeats.iter().map(|heartbeat| Stage {
            name: heartbeat.name.clone(),
            silent_ms: milliseconds(heartbeat.silent),
            silent_ms_max: milliseconds(heartbeat.silent_max),
        });
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            process: std::process::id(),
            uptime_s: vitals.uptime.as_secs(),
            resident_bytes: vitals.resident_bytes,
            board_uptime_s,
            stages: stages.collect(),
        }
    }

    /// The sign in `folder`, if it is a recent one of a daemon that lives and whose stages all move. `root` is where /proc
    /// begins.
    ///
    /// # Errors
    /// [`Unwell`] is the reason.
    pub(crate) fn read(folder: &Path, root: &Root) -> Result<Self, Unwell> {
        let path = folder.join(SIGN);
        let bytes = fs::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Unwell::Absent(folder.to_owned()),
            _ => Unwell::Unreadable(path.clone(), error),
        })?;
        let sign: Self = serde_json::from_slice(&bytes).map_err(|error| Unwell::Strange(path, error))?;
        if !is_held(&folder.join(LOCK))? {
            return Err(Unwell::Gone(sign.process));
        }
        let age_s = sign.board_uptime_s.zip(board_uptime_s(root)).map_or(0.0, |(then, now)| now - then);
        if age_s > AGE_MAX.as_secs_f64() {
            return Err(Unwell::Silent { process: sign.process, age_s });
        }
        sign.late().map_or(Ok(()), |late| Err(Unwell::Late(late)))?;
        Ok(sign)
    }

    /// Names every stage that has been silent for too long.
    fn late(&self) -> Option<String> {
        let late = self.stages.iter().filter(|stage| stage.silent_ms > stage.silent_ms_max);
        let sentences: Vec<String> = late
            .map(|stage| {
                let (silent_s, silent_s_max) = (stage.silent_ms / 1000, stage.silent_ms_max / 1000);
                format!("the stage {} has not moved for {silent_s} s, and {silent_s_max} s are allowed", stage.name)
            })
            .collect();
        (!sentences.is_empty()).then(|| sentences.join("; "))
    }
}

/// Whether a daemon holds the lock at `path`.
fn is_held(path: &Path) -> Result<bool, Unwell> {
    let unreadable = |error| Unwell::Unreadable(path.to_owned(), error);
    let lock = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened.map_err(unreadable)?,
    };
    match lock.try_lock_shared() {
        // Let go of at once, when it is closed.
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(unreadable(error)),
    }
}

/// Seconds since the board's start.
fn board_uptime_s(root: &Root) -> Option<f64> {
    fs::read_to_string(root.join("/proc/uptime")).ok()?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests;
