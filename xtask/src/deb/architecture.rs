//! The architectures that are packaged, by all the names that they have.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cross;
use crate::process;

/// Bytes at the beginning of an ELF file that end with the machine's number.
const ELF_HEAD: usize = 20;

/// What `strip` is told: as Debian strips, so that the package's binary is every other artefact's too.
pub(crate) const STRIP: [&str; 3] = ["--strip-unneeded", "--remove-section=.comment", "--remove-section=.note"];

/// An architecture that a package is made for. There is no armhf: the V4L2 bindings are those of 64-bit targets
/// (docs/decisions/0006-debian-package.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Architecture {
    Amd64,
    Arm64,
}

impl Architecture {
    const ALL: [Self; 2] = [Self::Amd64, Self::Arm64];

    /// Debian's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// Rust's name.
    pub(crate) const fn triple(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-unknown-linux-gnu",
            Self::Arm64 => cross::TARGET,
        }
    }

    /// The number that an ELF file gives its machine.
    const fn elf_machine(self) -> u16 {
        match self {
            Self::Amd64 => 62,
            Self::Arm64 => 183,
        }
    }

    /// # Errors
    /// Names those that there are.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|architecture| architecture.name() == name);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            format!("no package is made for {name:?}; there are {known} (docs/decisions/0006-debian-package.md)")
        })
    }

    /// A tool of binutils that can handle this architecture's files.
    pub(crate) fn tool(self, name: &str) -> String {
        if self.runs_here() { name.to_owned() } else { format!("{}-{name}", cross::TOOLS) }
    }

    /// Whether this machine runs its programs without emulation.
    fn runs_here(self) -> bool {
        self.triple().starts_with(std::env::consts::ARCH)
    }

    /// A release build of this checkout, whose paths leave no trace in it.
    pub(crate) fn build(self) -> Result<PathBuf, String> {
        cross::reproducible::build(self.triple(), "clawdbot", process::repository_root(), &process::target_directory())
    }

    /// A command that runs `binary`, emulated where this machine cannot.
    pub(crate) fn command(self, binary: &Path) -> Command {
        if self.runs_here() { process::command(&binary.to_string_lossy(), &[]) } else { cross::emulated("max", binary) }
    }

    /// # Errors
    /// When the file is not a program for this architecture.
    pub(crate) fn check(self, binary: &Path) -> Result<(), String> {
        let mut head = [0; ELF_HEAD];
        std::fs::File::open(binary)
            .and_then(|mut file| file.read_exact(&mut head))
            .map_err(|error| format!("cannot read the binary {}: {error}", binary.display()))?;
        match elf_machine(&head) {
            Some(machine) if machine == self.elf_machine() => Ok(()),
            Some(machine) => {
                let known = Self::ALL.into_iter().find(|other| other.elf_machine() == machine);
                let found = known.map_or_else(|| format!("ELF machine {machine}"), |other| other.name().to_owned());
                Err(format!("{} is for {found}, not for {}; say --arch", binary.display(), self.name()))
            }
            None => Err(format!("{} is no ELF program", binary.display())),
        }
    }
}

/// The machine's number in the head of a little-endian ELF file.
fn elf_machine(head: &[u8; ELF_HEAD]) -> Option<u16> {
    let is_little_endian_elf = head.starts_with(b"\x7fELF") && head[5] == 1;
    is_little_endian_elf.then(|| u16::from_le_bytes([head[18], head[19]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_and_armhf_is_refused_with_the_reason_s_page() {
        assert_eq!(Architecture::named("arm64"), Ok(Architecture::Arm64));
        assert!(Architecture::named("armhf").is_err_and(|error| error.contains("arm64") && error.contains("0006")));
    }

    #[test]
    fn a_binary_of_the_other_architecture_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("clawdbot");
        let mut head = [0; 64];
        head[..6].copy_from_slice(b"\x7fELF\x02\x01");
        head[18] = 183;
        std::fs::write(&binary, head).unwrap();
        assert_eq!(Architecture::Arm64.check(&binary), Ok(()));
        assert!(Architecture::Amd64.check(&binary).is_err_and(|error| error.contains("is for arm64")));
        std::fs::write(&binary, "#!/bin/sh\necho this is no program for a processor\n").unwrap();
        assert!(Architecture::Amd64.check(&binary).is_err_and(|error| error.contains("no ELF")));
    }
}
