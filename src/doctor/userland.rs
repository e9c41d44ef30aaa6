//! What the system around us was built for: how large its pages are, and how wide its words.

use super::finding::{Check, Finding};
use super::machine::Machine;

/// The entry of the auxiliary vector that holds the page size (`AT_PAGESZ`, getauxval(3)).
const PAGE_SIZE_ENTRY: usize = 6;
/// Where the class and the machine stand in an ELF file.
const ELF_CLASS: usize = 4;

/// Bytes of a page of memory.
pub(super) fn gather_page_size(machine: &Machine<'_>) -> Option<u64> {
    let vector = machine.bytes("/proc/self/auxv")?;
    let words: Vec<usize> =
        vector.as_chunks::<{ size_of::<usize>() }>().0.iter().map(|bytes| usize::from_ne_bytes(*bytes)).collect();
    let entry = words.as_chunks::<2>().0.iter().find(|[kind, _]| *kind == PAGE_SIZE_ENTRY)?;
    Some(entry[1] as u64).filter(|bytes| bytes.is_power_of_two())
}

pub(super) fn judge_page_size(bytes: &Option<u64>) -> Finding {
    let check = Check::PageSize;
    match bytes {
        Some(4096) => Finding::ok(check, "4 KiB"),
        Some(bytes) => Finding::note(
            check,
            format!("{} KiB, which suits clawdbot", bytes / 1024),
            "nothing for clawdbot; if another program reports \"unsupported system page size\", `kernel=kernel8.img` \
             in config.txt brings 4 KiB on a Raspberry Pi 5",
        ),
        None => Finding::unknown(check, "the kernel does not tell", "ask `getconf PAGESIZE`"),
    }
}

/// Which widths meet here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Userland {
    /// What the kernel calls itself: `aarch64`, `armv7l`.
    pub(super) kernel: Option<String>,
    /// Bits of the system's own programs.
    pub(super) bits: Option<u8>,
    /// What this program was built for.
    pub(super) program: Option<&'static str>,
    /// Whether the processor could do 64 bits; `None` where it does not tell.
    pub(super) can_64: Option<bool>,
}

pub(super) fn gather(machine: &Machine<'_>) -> Userland {
    let shell = machine.bytes("/bin/sh").unwrap_or_default();
    let bits = match (shell.starts_with(b"\x7fELF"), shell.get(ELF_CLASS)) {
        (true, Some(1)) => Some(32),
        (true, Some(2)) => Some(64),
        _ => None,
    };
    let cpu = machine.text("/proc/cpuinfo").unwrap_or_default();
    let architecture = cpu.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == "CPU architecture").then(|| value.trim().parse::<u8>().ok())?
    });
    Userland {
        kernel: machine.text("/proc/sys/kernel/arch"),
        bits,
        program: machine.answers.program,
        can_64: architecture.map(|architecture| architecture >= 8),
    }
}

pub(super) fn judge(userland: &Userland) -> Finding {
    let check = Check::Userland;
    let width = |name: &str| if name.contains("64") { 64 } else { 32 };
    let kernel = userland.kernel.as_deref().map(width);
    let program = userland.program.map(width);
    let said = |name: &str, bits: Option<u8>| bits.map(|bits| format!("{name} {bits} bits"));
    let parts: Vec<String> = [said("kernel", kernel), said("userland", userland.bits), said("this program", program)]
        .into_iter()
        .flatten()
        .collect();
    let seen = if parts.is_empty() { "nothing tells".to_owned() } else { parts.join(", ") };
    let newer = "install the 64-bit system (Raspberry Pi OS Lite, 64-bit) and the arm64 package";
    if program == Some(32) || userland.bits == Some(32) {
        if userland.can_64 == Some(false) {
            return Finding::warning(
                check,
                format!("{seen}; the processor knows no more"),
                "take a board with a 64-bit processor: for this one there are no fast kernels",
            );
        }
        let why = if program == Some(32) {
            "; 32-bit programs run without fast kernels"
        } else {
            "; they do not belong together"
        };
        return Finding::warning(check, format!("{seen}{why}"), newer);
    }
    match (kernel.or(program), userland.bits) {
        (Some(32), _) => Finding::warning(check, seen, newer),
        (Some(_), Some(_)) => Finding::ok(check, seen),
        _ => Finding::unknown(check, seen, "ask `uname -m` and `getconf LONG_BIT`"),
    }
}

#[cfg(test)]
mod tests;
