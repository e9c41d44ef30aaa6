//! Room for what outlives a restart: outbox, history, snapshots.

use std::path::{Path, PathBuf};

use super::finding::{Check, Finding};
use super::machine::{Machine, Space};
use super::mebibytes;
use super::mounts::Mounts;

/// The folder that systemd gives to the service.
pub(super) const STATE_FOLDER: &str = "/var/lib/clawdbot";
/// Below this nothing can be kept for long ...
const FREE_MIN: u64 = 64 << 20;
/// ... and below this an update may fail.
const FREE_LOW: u64 = 512 << 20;

/// The folder's room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// The folder, or what of its path is there.
    pub(super) folder: PathBuf,
    /// `None`: it does not tell.
    pub(super) space: Option<Space>,
    pub(super) read_only: bool,
    /// Its file system is laid over another in memory: nothing there outlives a restart.
    pub(super) is_overlay: bool,
}

pub(super) fn gather(machine: &Machine<'_>, mounts: &Mounts) -> Room {
    let folder = state_folder(machine);
    let there = folder.ancestors().find(|path| machine.exists(path)).unwrap_or(Path::new("/")).to_owned();
    let mount = mounts.holding(&there);
    Room {
        space: (machine.answers.space)(&machine.root.join(&there)).ok(),
        read_only: mount.is_some_and(|mount| mount.read_only),
        is_overlay: mount.is_some_and(|mount| mount.kind == "overlay"),
        folder: there,
    }
}

/// Where the daemon keeps its state.
pub(super) fn state_folder(machine: &Machine<'_>) -> PathBuf {
    machine.answers.state_folder.clone().unwrap_or_else(|| PathBuf::from(STATE_FOLDER))
}

pub(super) fn judge(room: &Room) -> Finding {
    let check = Check::Space;
    let folder = room.folder.display();
    if room.read_only {
        return Finding::problem(
            check,
            format!("{folder} is read-only, so nothing outlives a restart"),
            "`dmesg | grep -i mmc` tells whether the card failed; if the root is meant to be read-only, mount another file system there",
        );
    }
    let Some(space) = room.space else {
        return Finding::unknown(check, format!("{folder} does not tell how much room it has"), "ask `df -h`");
    };
    let seen = format!("{} of {} MiB are free in {folder}", mebibytes(space.free), mebibytes(space.total));
    if space.files_free == Some(0) {
        Finding::problem(
            check,
            format!("{folder} has no room for another file (inodes), though {seen}"),
            "remove what has made so many files; `du --inodes -x / | sort -n | tail` finds it",
        )
    } else if space.free < FREE_MIN {
        Finding::problem(
            check,
            seen,
            "remove what is not needed; `sudo apt clean` and `sudo journalctl --vacuum-size=50M` are a start",
        )
    } else if space.free < FREE_LOW {
        Finding::warning(
            check,
            seen,
            "make room before the next update; `du -x / | sort -n | tail` finds what is large",
        )
    } else if room.is_overlay {
        Finding::note(
            check,
            format!("{seen}, which lies over another file system (overlay): it may be gone after a restart"),
            "mount a file system that lasts there, if events are to outlive a power cut",
        )
    } else {
        Finding::ok(check, seen)
    }
}

#[cfg(test)]
mod tests;
