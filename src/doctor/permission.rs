//! Whether the service's user may open a device node: by its mode and its group.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::machine::Machine;

/// The group that the unit gives to the service (`SupplementaryGroups=`).
pub(super) const GROUP: &str = "video";
/// Reading and writing, for the group and for everybody.
const GROUP_READ_WRITE: u32 = 0o060;
const ALL_READ_WRITE: u32 = 0o006;

/// What may be done with a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Permission {
    /// The nine bits.
    pub(super) mode: u32,
    /// The group's name; its number where it has none.
    pub(super) group: String,
}

impl Permission {
    /// Of `node`; `None` when it is not there.
    pub(super) fn gather(machine: &Machine<'_>, node: &Path) -> Option<Self> {
        let metadata = fs::metadata(machine.root.join(node)).ok()?;
        let groups = machine.text("/etc/group").unwrap_or_default();
        let group = group_name(&groups, metadata.gid()).unwrap_or_else(|| metadata.gid().to_string());
        Some(Self { mode: metadata.mode() & 0o777, group })
    }

    /// Whether the service may read and write.
    pub(super) fn admits_the_service(&self) -> bool {
        let by_group = self.group == GROUP && self.mode & GROUP_READ_WRITE == GROUP_READ_WRITE;
        by_group || self.mode & ALL_READ_WRITE == ALL_READ_WRITE
    }
}

/// The name of group `number` in the text of /etc/group.
fn group_name(groups: &str, number: u32) -> Option<String> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, found) = (fields.next()?, fields.nth(1)?);
        (found.parse() == Ok(number)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests;
