//! The board as the checks see it: files under an injectable root, and answers that no file gives.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clawdbot_flow::clock::Clock;
use clawdbot_flow::rooted::Root;
use clawdbot_kernels::isa::Isa;

use crate::config::Environment;
use crate::mqtt::probe::{Knock, Reach, probe};
use crate::mqtt::{self, payload::time_sync};

/// The longest file of /sys or /proc that is read; what is longer is cut.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// How long the broker may take in all.
const BROKER_PATIENCE: Duration = Duration::from_secs(4);
/// The reading test of a disk ends after so many bytes ...
const TEST_BYTES_MAX: usize = 24 << 20;
/// ... or so long.
const TEST_TIME_MAX: Duration = Duration::from_millis(600);
/// Bytes of one read of that test, and the alignment that reading past the page cache wants.
const TEST_READ_BYTES: usize = 1 << 20;
const TEST_ALIGNMENT: usize = 4096;

/// The board, and how to ask it.
pub(crate) struct Machine<'a> {
    pub(super) root: Root,
    pub(super) clock: &'a dyn Clock,
    pub(super) answers: Answers,
}

/// What no file tells. Each may be unknown.
pub(crate) struct Answers {
    /// Whether the kernel holds its clock synchronised.
    pub(super) synchronised: Option<bool>,
    /// Number of this process, which is not the daemon.
    pub(super) process: Option<u32>,
    /// The processor family that this program was built for: `aarch64`, `arm`, `x86_64`.
    pub(super) program: Option<&'static str>,
    /// The instruction set of the kernels, or why there is none.
    pub(super) isa: Option<Result<Isa, String>>,
    /// Whether that one is forced by the environment.
    pub(super) isa_is_forced: bool,
    /// Where the daemon keeps its state, if the environment names it.
    pub(super) state_folder: Option<PathBuf>,
    /// Asks a file system how much room it has.
    pub(super) space: fn(&Path) -> io::Result<Space>,
    /// Reads a disk for a moment; bytes a second.
    pub(super) read_speed: fn(&Path, &dyn Clock) -> io::Result<u64>,
    /// Knocks at the broker's door.
    pub(super) broker: fn(&mqtt::Options, Knock, &dyn Clock) -> Reach,
}

/// Room in a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    /// Bytes that an ordinary user may still write.
    pub(super) free: u64,
    /// Bytes in all.
    pub(super) total: u64,
    /// Files that may still be made; `None` where that is not counted.
    pub(super) files_free: Option<u64>,
}

impl Answers {
    /// Those of this machine.
    pub(crate) fn of_this_machine(environment: &Environment) -> Self {
        Self {
            synchronised: time_sync::kernel_is_synchronised(),
            process: Some(std::process::id()),
            program: Some(std::env::consts::ARCH),
            isa: Some(environment.isa()),
            isa_is_forced: environment.forces_isa(),
            state_folder: environment.state_folder(),
            space: space_of,
            read_speed: read_speed_of,
            broker: |options, knock, clock| probe(options, knock, BROKER_PATIENCE, clock),
        }
    }

    /// For a board that is a folder: this machine's kernel knows nothing of it.
    pub(crate) fn of_a_folder(environment: &Environment) -> Self {
        Self {
            synchronised: None,
            process: None,
            program: None,
            isa: None,
            isa_is_forced: false,
            space: |_| Err(io::ErrorKind::Unsupported.into()),
            read_speed: |_, _| Err(io::ErrorKind::Unsupported.into()),
            ..Self::of_this_machine(environment)
        }
    }
}

impl<'a> Machine<'a> {
    /// The board whose tree begins at `root`.
    pub(crate) const fn new(root: Root, clock: &'a dyn Clock, answers: Answers) -> Self {
        Self { root, clock, answers }
    }

    /// The file's bytes, cut at a bound; `None` when it can't be read. A pipe in a file's place never blocks.
    pub(super) fn bytes(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(self.root.join(path)).ok()?;
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// The file's text without the zero byte that ends device tree properties; `None` when there is none.
    pub(super) fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        let text = String::from_utf8_lossy(&self.bytes(path)?).trim_end_matches('\0').trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    /// The number that the file holds; `None` when it holds none.
    pub(super) fn number(&self, path: impl AsRef<Path>) -> Option<i64> {
        self.text(path)?.parse().ok()
    }

    /// The names in a folder, sorted; none when it can't be listed.
    pub(super) fn names(&self, folder: impl AsRef<Path>) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.root.join(folder)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// Whether something is there.
    pub(super) fn exists(&self, path: impl AsRef<Path>) -> bool {
        fs::symlink_metadata(self.root.join(path)).is_ok()
    }

    /// The last part of what a link leads to.
    pub(super) fn link_name(&self, path: impl AsRef<Path>) -> Option<String> {
        let target = fs::read_link(self.root.join(path)).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }

    /// The folder of the hwmon chip that calls itself `name`; their numbers change from boot to boot.
    pub(super) fn hwmon(&self, name: &str) -> Option<PathBuf> {
        let chips = Path::new("/sys/class/hwmon");
        let mut folders = self.names(chips).into_iter().map(|folder| chips.join(folder));
        folders.find(|folder| self.text(folder.join("name")).as_deref() == Some(name))
    }

    /// What the board calls itself.
    pub(crate) fn model(&self) -> Option<String> {
        crate::sources::board::model(&self.root)
    }

    /// Whether it calls itself a Raspberry Pi; with `number`, one of that generation.
    pub(super) fn is_raspberry_pi(&self, number: Option<u8>) -> bool {
        let model = self.model().unwrap_or_default();
        let rest = model.strip_prefix("Raspberry Pi ");
        rest.is_some_and(|rest| number.is_none_or(|number| rest.starts_with(&number.to_string())))
    }
}

fn space_of(path: &Path) -> io::Result<Space> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(Space {
        free: stat.f_bavail.saturating_mul(stat.f_frsize),
        total: stat.f_blocks.saturating_mul(stat.f_frsize),
        files_free: (stat.f_files > 0).then_some(stat.f_favail),
    })
}

/// Reads `disk` from its start, past the page cache, for a short time. Reading only: a worn card suffers nothing.
fn read_speed_of(disk: &Path, clock: &dyn Clock) -> io::Result<u64> {
    let mut file: File = OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(disk)?;
    let mut room = vec![0_u8; TEST_READ_BYTES + TEST_ALIGNMENT];
    let start = room.as_ptr().align_offset(TEST_ALIGNMENT);
    let buffer = room.get_mut(start..start + TEST_READ_BYTES).ok_or(io::ErrorKind::Unsupported)?;
    let begin = clock.monotonic();
    let mut bytes = 0;
    while bytes < TEST_BYTES_MAX && clock.monotonic().since(begin) < TEST_TIME_MAX {
        match file.read(buffer)? {
            0 => break,
            read => bytes += read,
        }
    }
    let micros = clock.monotonic().since(begin).as_micros().max(1);
    Ok(u64::try_from(bytes as u128 * 1_000_000 / micros).unwrap_or(u64::MAX))
}
