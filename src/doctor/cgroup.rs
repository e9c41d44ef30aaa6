//! Whether the kernel can bound the memory of a service: a Raspberry Pi's firmware switches that off.

use super::finding::{Check, Finding};
use super::machine::Machine;

/// What the kernel says of its memory controller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cgroup {
    /// Whether it is there.
    pub(super) memory: Option<bool>,
    /// Whether the kernel's command line switches it off.
    pub(super) is_switched_off: bool,
    /// The file with that command line, for those boards that have it as a file.
    pub(super) file: Option<&'static str>,
    /// Whether a language model is configured, which is what such a bound is for.
    pub(super) has_language_model: bool,
}

pub(super) fn gather(machine: &Machine<'_>, has_language_model: bool) -> Cgroup {
    let unified = machine.text("/sys/fs/cgroup/cgroup.controllers");
    let unified = unified.map(|text| text.split_whitespace().any(|name| name == "memory"));
    let listed = machine.text("/proc/cgroups").as_deref().and_then(memory_is_enabled);
    let words = machine.text("/proc/cmdline").unwrap_or_default();
    // Bookworm and later, then earlier ones.
    let files = ["/boot/firmware/cmdline.txt", "/boot/cmdline.txt"];
    Cgroup {
        // In a container the first knows only what the container was given.
        memory: if unified == Some(true) { unified } else { listed.or(unified) },
        is_switched_off: words.split_whitespace().any(|word| word == "cgroup_disable=memory"),
        file: files.into_iter().find(|file| machine.exists(file)),
        has_language_model,
    }
}

/// The last column of the line `memory` in /proc/cgroups.
fn memory_is_enabled(text: &str) -> Option<bool> {
    let line = text.lines().find(|line| line.split_whitespace().next() == Some("memory"))?;
    Some(line.split_whitespace().nth(3)? == "1")
}

pub(super) fn judge(cgroup: &Cgroup) -> Finding {
    let check = Check::Cgroup;
    match cgroup.memory {
        Some(true) => Finding::ok(check, "the memory controller is on"),
        Some(false) => {
            let why = if cgroup.is_switched_off { " (cgroup_disable=memory on the kernel's command line)" } else { "" };
            let seen = format!("the memory controller is off{why}: MemoryMax= and MemoryHigh= of a unit do nothing");
            let next = match cgroup.file {
                Some(file) => format!("append ` cgroup_enable=memory` to the one line of {file} and restart the board"),
                None => {
                    "append `cgroup_enable=memory` to the kernel's command line in the boot loader and restart the board"
                        .to_owned()
                }
            };
            if cgroup.has_language_model {
                Finding::warning(check, seen, next)
            } else {
                Finding::note(check, seen, next)
            }
        }
        None => Finding::unknown(
            check,
            "the kernel does not list its controllers",
            "see whether /sys/fs/cgroup is mounted, if memory is to be bounded",
        ),
    }
}

#[cfg(test)]
mod tests;
