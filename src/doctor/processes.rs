//! What runs on the board, as far as this user may see: who holds a camera, and whether the daemon runs.

use std::fs;
use std::path::{Path, PathBuf};

use super::machine::Machine;

/// The daemon's name in /proc.
const DAEMON: &str = "clawdbot";

/// Everything that runs, but not this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Processes(Vec<Process>);

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Process {
    number: u32,
    name: String,
    /// The device nodes that it holds open; `None` when this user may not know.
    open: Option<Vec<PathBuf>>,
    /// Bytes that are its alone and not backed by a file.
    own_bytes: Option<u64>,
}

/// Who has a node open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// The daemon.
    Daemon,
    /// Another program: its name and number.
    Other(String, u32),
    /// Nobody.
    Nobody,
    /// Nobody among those that this user may see.
    Hidden,
}

impl Processes {
    pub(super) fn gather(machine: &Machine<'_>) -> Self {
        let numbers = machine.names("/proc").into_iter().filter_map(|name| name.parse().ok());
        let others = numbers.filter(|number| Some(*number) != machine.answers.process);
        Self(others.filter_map(|number| process(machine, number)).collect())
    }

    /// Who holds `node`, a path under /dev.
    pub(super) fn holder(&self, node: &Path) -> Holder {
        let holds = |process: &&Process| process.open.iter().flatten().any(|open| open == node);
        match self.0.iter().find(holds) {
            Some(process) if process.name == DAEMON => Holder::Daemon,
            Some(process) => Holder::Other(process.name.clone(), process.number),
            None if self.0.iter().any(|process| process.open.is_none()) => Holder::Hidden,
            None => Holder::Nobody,
        }
    }

    /// Bytes that a running daemon has taken, which a stop would give back; `None` when none runs.
    pub(super) fn daemon_bytes(&self) -> Option<u64> {
        let mut daemons = self.0.iter().filter(|process| process.name == DAEMON).peekable();
        daemons.peek()?;
        Some(daemons.filter_map(|process| process.own_bytes).sum())
    }
}

fn process(machine: &Machine<'_>, number: u32) -> Option<Process> {
    let folder = PathBuf::from(format!("/proc/{number}"));
    let name = machine.text(folder.join("comm"))?;
    let open = fs::read_dir(machine.root.join(folder.join("fd"))).ok().map(|entries| {
        let targets = entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
        targets.filter(|target| target.starts_with("/dev")).collect()
    });
    let status = machine.text(folder.join("status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Some(Process { number, name, open, own_bytes: kibibytes.and_then(|kibibytes| kibibytes.checked_mul(1024)) })
}

#[cfg(test)]
mod tests;
