//! The man pages and completions, written by the daemon itself (`clawdbot manual DIR`), and where Debian wants them.

use std::path::{Path, PathBuf};

use super::architecture::Architecture;
use crate::process;

/// A shell's file as the daemon names it, and its place in the package.
const COMPLETIONS: &[(&str, &str)] = &[
    ("clawdbot.bash", "usr/share/bash-completion/completions/clawdbot"),
    ("clawdbot.fish", "usr/share/fish/vendor_completions.d/clawdbot.fish"),
    ("_clawdbot", "usr/share/zsh/vendor-completions/_clawdbot"),
];

/// The documents in a folder of their own.
pub(super) struct Documents {
    folder: PathBuf,
    /// Names of the man pages, sorted.
    pages: Vec<String>,
}

impl Documents {
    /// Lets the daemon write them below `work`.
    pub(super) fn write(
        manual_from: Option<&Path>,
        binary: &Path,
        architecture: Architecture,
        work: &Path,
    ) -> Result<Self, String> {
        let folder = work.join("manual");
        let mut command = match manual_from {
            Some(native) => process::command(&native.to_string_lossy(), &[]),
            None => architecture.command(binary),
        };
        process::run(command.arg("manual").arg(&folder)).map_err(|error| {
            format!("{error}: the binary must be a build of this source, or --manual-from must name one that runs here")
        })?;
        Self::found(folder)
    }

    fn found(folder: PathBuf) -> Result<Self, String> {
        let entries =
            std::fs::read_dir(&folder).map_err(|error| format!("cannot list {}: {error}", folder.display()))?;
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut pages: Vec<String> = names.filter(|name| name.ends_with(".1")).collect();
        pages.sort();
        if !pages.iter().any(|name| name == "clawdbot.1") {
            return Err(format!("`clawdbot manual` wrote no clawdbot.1 to {}", folder.display()));
        }
        Ok(Self { folder, pages })
    }

    /// Every man page: its file and its place in the package, where it will be compressed.
    pub(super) fn pages(&self) -> impl Iterator<Item = (PathBuf, String)> {
        self.pages.iter().map(|name| (self.folder.join(name), format!("usr/share/man/man1/{name}")))
    }

    /// Every shell's completions: the file and its place in the package.
    pub(super) fn completions(&self) -> impl Iterator<Item = (PathBuf, &'static str)> {
        COMPLETIONS.iter().map(|(name, place)| (self.folder.join(name), *place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_pages_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("clawdbot.bash"), "").unwrap();
        assert!(Documents::found(folder.path().to_owned()).is_err());
        for name in ["clawdbot.1", "clawdbot-run.1"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let documents = Documents::found(folder.path().to_owned()).unwrap();
        let places: Vec<String> = documents.pages().map(|(_, place)| place).collect();
        assert_eq!(places, ["usr/share/man/man1/clawdbot-run.1", "usr/share/man/man1/clawdbot.1"]);
    }
}
