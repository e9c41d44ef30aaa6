//! A memory control group: a board's memory on a larger machine.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A group that is taken away again at the end.
pub(super) struct Room {
    path: PathBuf,
    version: Version,
}

#[derive(Clone, Copy)]
enum Version {
    One,
    Two,
}

/// Bytes that a group used.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Use {
    /// The most at one time, the files' pages that it read included.
    pub(super) most: u64,
    /// How often the limit was met: the kernel then took clean pages of files away.
    pub(super) met: u64,
}

impl Room {
    /// A group with so many bytes.
    ///
    /// # Errors
    /// When the kernel gives none: it takes root and a memory controller.
    pub(super) fn new(name: &str, bytes: u64) -> Result<Self, String> {
        let unified = Path::new("/sys/fs/cgroup/cgroup.controllers");
        let controlled = std::fs::read_to_string(unified).is_ok_and(|controllers| controllers.contains("memory"));
        let (version, parent) = if controlled {
            (Version::Two, Path::new("/sys/fs/cgroup"))
        } else {
            (Version::One, Path::new("/sys/fs/cgroup/memory"))
        };
        let path = parent.join(format!("clawdbot-{name}-{}", std::process::id()));
        let told = |what: &str, error: std::io::Error| {
            format!("{what}: {error}; a memory control group takes root and a kernel with the memory controller")
        };
        std::fs::create_dir(&path).map_err(|error| told(&path.display().to_string(), error))?;
        let room = Self { path, version };
        let limit = room.path.join(match version {
            Version::One => "memory.limit_in_bytes",
            Version::Two => "memory.max",
        });
        std::fs::write(&limit, bytes.to_string()).map_err(|error| told(&limit.display().to_string(), error))?;
        Ok(room)
    }

    /// A command that runs inside.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("sh");
        let procs = self.path.join("cgroup.procs");
        command.args(["-c", "echo $$ > \"$0\" && exec \"$@\""]).arg(procs).arg(program);
        command
    }

    /// What it used so far.
    pub(super) fn used(&self) -> Use {
        let read = |file: &str| std::fs::read_to_string(self.path.join(file)).unwrap_or_default();
        let number = |text: &str| text.trim().parse().unwrap_or_default();
        match self.version {
            Version::One => {
                Use { most: number(&read("memory.max_usage_in_bytes")), met: number(&read("memory.failcnt")) }
            }
            Version::Two => {
                let events = read("memory.events");
                let met = events.lines().find_map(|line| line.strip_prefix("max ")).unwrap_or_default();
                Use { most: number(&read("memory.peak")), met: number(met) }
            }
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // It goes once its processes have gone; one that is left over holds nothing.
        let _left: std::io::Result<()> = std::fs::remove_dir(&self.path);
    }
}
