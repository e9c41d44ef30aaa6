//! Which file system holds a path, and which disk that lies on.

use std::path::{Path, PathBuf};

use super::machine::Machine;

/// The file systems that are mounted, in the order of their mounting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mounts(Vec<Mount>);

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Where it is mounted.
    pub(super) point: PathBuf,
    /// Whether nothing may be written there.
    pub(super) read_only: bool,
    /// `ext4`, `overlay` ...
    pub(super) kind: String,
    /// The disk that it lies on: `mmcblk0`; `None` for those without, or when it does not show.
    pub(super) disk: Option<String>,
}

impl Mounts {
    pub(super) fn gather(machine: &Machine<'_>) -> Self {
        let text = machine.text("/proc/self/mountinfo").unwrap_or_default();
        let disk_of = |number: &str, source: &str| {
            let name = machine.link_name(Path::new("/sys/dev/block").join(number));
            name.or_else(|| Some(source.strip_prefix("/dev/")?.to_owned())).as_deref().and_then(disk)
        };
        Self(text.lines().filter_map(|line| mount(line, disk_of)).collect())
    }

    /// The one that holds `path`: the deepest, and of those at one place the last.
    pub(super) fn holding(&self, path: &Path) -> Option<&Mount> {
        let holders = self.0.iter().filter(|mount| path.starts_with(&mount.point));
        holders.max_by_key(|mount| mount.point.components().count())
    }
}

/// A line of /proc/self/mountinfo (proc(5)): numbers, root, mount point, options, optional fields up to a dash, kind, source,
/// options of the file system.
fn mount(line: &str, disk_of: impl Fn(&str, &str) -> Option<String>) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(2);
    let (number, point, options) = (before.next()?, before.nth(1)?, before.next()?);
    let mut after = after.split(' ');
    let (kind, source, system_options) = (after.next()?, after.next()?, after.next().unwrap_or_default());
    let is_read_only = |options: &str| options.split(',').any(|option| option == "ro");
    Some(Mount {
        point: PathBuf::from(unescaped(point)),
        read_only: is_read_only(options) || is_read_only(system_options),
        kind: kind.to_owned(),
        disk: disk_of(number, source),
    })
}

/// The kernel writes spaces, tabs, line feeds and backslashes as three octal digits.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (code, letter)| text.replace(code, letter))
}

/// The disk of a partition: `mmcblk0p2` is on `mmcblk0`, `sda1` on `sda`; `None` for what is no disk that we know.
pub(super) fn disk(partition: &str) -> Option<String> {
    let without_digits = partition.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let numbered = ["mmcblk", "nvme"].iter().any(|beginning| partition.starts_with(beginning));
    if numbered {
        // `mmcblk0p2`, `nvme0n1p2`; the disks themselves end in a digit.
        let disk = without_digits.strip_suffix('p').unwrap_or(partition);
        return Some(disk.to_owned());
    }
    let lettered = ["sd", "vd", "hd", "xvd"].iter().any(|beginning| {
        without_digits
            .strip_prefix(beginning)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|letter| letter.is_ascii_lowercase()))
    });
    lettered.then(|| without_digits.to_owned())
}

#[cfg(test)]
mod tests;
