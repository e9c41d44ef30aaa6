//! The card that the system lies on: how fast it is, how worn.

use std::io;
use std::path::{Path, PathBuf};

use super::finding::{Check, Finding};
use super::machine::Machine;
use super::mounts::Mounts;
use super::space;

/// Slower reading than this makes every start and every model take minutes.
const BYTES_A_SECOND_MIN: u64 = 10_000_000;

/// A disk that the system needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Disk {
    /// It does not show which.
    Hidden,
    /// No card: its wear and speed are not our matter.
    Other(String),
    /// A card, or a chip that speaks as one.
    Card(Card),
}

/// What a card says, and how fast it read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Card {
    pub(super) disk: String,
    /// Its maker's name for it.
    pub(super) name: Option<String>,
    pub(super) classes: Option<Classes>,
    /// How much of its life is used, in tenths, 11 for more than all; the worse of two kinds of memory.
    pub(super) life_used: Option<u8>,
    /// Its reserve: 1 there, 2 mostly gone, 3 gone.
    pub(super) reserve: Option<u8>,
    /// Bytes a second in a short test, or why there was none.
    pub(super) speed: Result<u64, Untested>,
}

/// Why there was no test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Untested {
    /// Only root may read the disk itself.
    Forbidden,
    /// It could not be read.
    Failed,
    /// The board is a folder.
    NoBoard,
}

/// What an SD card promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Classes {
    /// Speed class: 2, 4, 6, 10; MB/s in sequence.
    pub(super) speed: u8,
    /// UHS speed grade: 1 or 3, tens of MB/s.
    pub(super) grade: u8,
    /// Application performance class: 1 or 2.
    pub(super) application: u8,
}

pub(super) fn gather(machine: &Machine<'_>, mounts: &Mounts) -> Vec<Disk> {
    let places = [PathBuf::from("/"), space::state_folder(machine)];
    let mut names: Vec<String> = places.iter().filter_map(|place| mounts.holding(place)?.disk.clone()).collect();
    names.dedup();
    if names.is_empty() {
        // A root laid over another (overlay) does not show its disk; a board that has a card runs from it.
        names.extend(machine.exists("/sys/block/mmcblk0").then(|| "mmcblk0".to_owned()));
    }
    if names.is_empty() {
        return vec![Disk::Hidden];
    }
    let disk =
        |name: String| if name.starts_with("mmcblk") { Disk::Card(card(machine, name)) } else { Disk::Other(name) };
    names.into_iter().map(disk).collect()
}

fn card(machine: &Machine<'_>, disk: String) -> Card {
    let file = |name: &str| machine.text(format!("/sys/block/{disk}/device/{name}"));
    let life = file("life_time").and_then(|text| text.split_whitespace().filter_map(hexadecimal).max());
    let speed = (machine.answers.read_speed)(&machine.root.join(Path::new("/dev").join(&disk)), machine.clock);
    Card {
        name: file("name"),
        classes: file("ssr").as_deref().and_then(classes),
        life_used: life.filter(|tenths| (1..=11).contains(tenths)),
        reserve: file("pre_eol_info").as_deref().and_then(hexadecimal).filter(|reserve| (1..=3).contains(reserve)),
        speed: speed.map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => Untested::Forbidden,
            io::ErrorKind::Unsupported => Untested::NoBoard,
            _ => Untested::Failed,
        }),
        disk,
    }
}

fn hexadecimal(text: &str) -> Option<u8> {
    u8::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok()
}

/// The classes in an SD card's status register, 64 bytes as hexadecimal digits (SD Physical Layer Specification, "SD Status":
/// SPEED_CLASS is byte 8, UHS_SPEED_GRADE the high half of byte 14, APP_PERF_CLASS the low half of byte 21).
fn classes(register: &str) -> Option<Classes> {
    let byte = |at: usize| u8::from_str_radix(register.get(2 * at..2 * at + 2)?, 16).ok();
    let speed = match byte(8)? {
        code @ 0..=3 => 2 * code,
        4 => 10,
        _ => return None,
    };
    Some(Classes { speed, grade: byte(14)? >> 4, application: byte(21)? & 0xf })
}

pub(super) fn judge(disks: &[Disk]) -> Vec<Finding> {
    let check = Check::Card;
    let findings = |disk: &Disk| match disk {
        Disk::Hidden => vec![Finding::unknown(
            check,
            "it does not show which disk the system lies on",
            "ask `lsblk`; on the board itself, and not in a container, `clawdbot doctor` says more",
        )],
        Disk::Other(name) => vec![Finding::ok(check, "the system lies on this disk, which is no card").about(name)],
        Disk::Card(card) => {
            vec![judge_speed(card).about(&card.disk), judge_wear(card).about(format!("{} wear", card.disk))]
        }
    };
    disks.iter().flat_map(findings).collect()
}

fn judge_speed(card: &Card) -> Finding {
    let check = Check::Card;
    let seen = describe(card);
    match (card.speed, card.classes) {
        (Ok(speed), _) if speed < BYTES_A_SECOND_MIN => Finding::warning(
            check,
            seen,
            "try another card (class A1 or better), and clean the contacts: a card that once was faster is dying",
        ),
        (Ok(_), _) => Finding::ok(check, seen),
        (Err(Untested::Failed), _) => {
            Finding::problem(check, seen, "look into `dmesg | grep -i mmc`, and copy what matters off the board")
        }
        (Err(_), Some(classes)) if classes.speed < 10 && classes.grade == 0 => {
            Finding::note(check, seen, "take a card of class 10 or A1, if starts and models take long")
        }
        (Err(Untested::Forbidden), _) => {
            Finding::unknown(check, seen, "run `sudo clawdbot doctor`: reading the card itself needs root")
        }
        (Err(Untested::NoBoard), _) => Finding::unknown(check, seen, "run `sudo clawdbot doctor` on the board"),
    }
}

fn describe(card: &Card) -> String {
    let classes = card.classes.map(|Classes { speed, grade, application }| {
        let part = |letter: &str, number: u8| if number > 0 { format!(", {letter}{number}") } else { String::new() };
        format!("class {speed}{}{}", part("U", grade), part("A", application))
    });
    let speed = match card.speed {
        Ok(speed) => format!("reads {} MB/s", speed / 1_000_000),
        Err(Untested::Failed) => "a test of its speed failed".to_owned(),
        Err(Untested::Forbidden | Untested::NoBoard) => "its speed was not tested".to_owned(),
    };
    let parts: Vec<String> = card.name.clone().into_iter().chain(classes).chain([speed]).collect();
    parts.join("; ")
}

fn judge_wear(card: &Card) -> Finding {
    let check = Check::Card;
    let replace = "copy what matters off the board now and put a new card in; one for endurance lasts longer";
    let used = |tenths: u8| format!("up to {} % of its life is used", u32::from(tenths) * 10);
    match (card.life_used, card.reserve) {
        (_, Some(3)) => Finding::problem(check, "its reserve is gone", replace),
        (Some(11), _) => Finding::problem(check, "it has outlived its life", replace),
        (_, Some(2)) => Finding::warning(check, "most of its reserve is gone", replace),
        (Some(10), _) => Finding::warning(check, used(10), replace),
        (Some(tenths), _) => Finding::ok(check, used(tenths)),
        (None, Some(_)) => Finding::ok(check, "its reserve is there"),
        (None, None) => Finding::unknown(
            check,
            "it does not tell how worn it is",
            "keep a copy of what matters: most SD cards do not tell; one for endurance lasts longer",
        ),
    }
}

#[cfg(test)]
mod tests;
