//! Where the kernel puts memory that it has no room for: a card is the wrong place.

use std::path::Path;

use super::finding::{Check, Finding};
use super::machine::Machine;
use super::mebibytes;
use super::mounts::{self, Mounts};

/// The swap of the board; `None`: the kernel does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Swaps {
    pub(super) areas: Option<Vec<Area>>,
    pub(super) has_language_model: bool,
}

/// One place for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) used: u64,
    pub(super) place: Place,
}

/// What it lies on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Memory, compressed.
    Memory,
    /// A card, by its name.
    Card(String),
    /// Another disk, or one that does not show.
    Disk,
}

pub(super) fn gather(machine: &Machine<'_>, mounts: &Mounts, has_language_model: bool) -> Swaps {
    let areas = machine.text("/proc/swaps").map(|text| text.lines().filter_map(|line| area(line, mounts)).collect());
    Swaps { areas, has_language_model }
}

/// A line of /proc/swaps: name, kind, kibibytes, kibibytes in use, priority. The heading is none.
fn area(line: &str, mounts: &Mounts) -> Option<Area> {
    let mut fields = line.split_whitespace();
    let (name, kind) = (fields.next()?, fields.next()?);
    let mut bytes = || fields.next()?.parse::<u64>().ok()?.checked_mul(1024);
    let (bytes, used) = (bytes()?, bytes()?);
    let disk = if kind == "partition" {
        name.strip_prefix("/dev/").and_then(mounts::disk)
    } else {
        mounts.holding(Path::new(name)).and_then(|mount| mount.disk.clone())
    };
    let place = match disk {
        _ if name.starts_with("/dev/zram") => Place::Memory,
        Some(disk) if disk.starts_with("mmcblk") => Place::Card(disk),
        _ => Place::Disk,
    };
    Some(Area { name: name.to_owned(), bytes, used, place })
}

pub(super) fn judge(swaps: &Swaps) -> Vec<Finding> {
    let check = Check::Swap;
    let Some(areas) = &swaps.areas else {
        return vec![Finding::unknown(check, "the kernel does not tell of its swap", "ask `swapon --show`")];
    };
    if areas.is_empty() {
        return vec![Finding::ok(check, "there is none")];
    }
    let finding = |area: &Area| {
        let amount = format!("{} MiB, {} MiB of it in use", mebibytes(area.bytes), mebibytes(area.used));
        match &area.place {
            Place::Memory => Finding::ok(check, format!("compressed memory, {amount}")),
            Place::Disk => Finding::ok(check, format!("on a disk that is no card, {amount}")),
            Place::Card(card) => {
                let seen = format!(
                    "on the card {card}, {amount}: it wears the card, and the board stands still while it swaps"
                );
                let next = "take it off the card: `Mechanism=zram` in /etc/rpi/swap.conf and a restart (Trixie), or \
                            `sudo systemctl disable --now dphys-swapfile` (Bookworm)";
                // What is in use already, or a model that needs the memory, makes it hurt.
                if area.used > area.bytes / 4 || swaps.has_language_model {
                    Finding::warning(check, seen, next)
                } else {
                    Finding::note(check, seen, next)
                }
            }
        }
        .about(&area.name)
    };
    areas.iter().map(finding).collect()
}

#[cfg(test)]
mod tests;
