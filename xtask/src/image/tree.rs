//! A root file system in a folder, and running its programs inside.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::create_folder;
use crate::Outcome;
use crate::{debian_root, process};

/// The root's folder.
pub(super) struct Tree {
    folder: PathBuf,
}

/// Mounts what programs expect, in a namespace that ends with them, then goes in.
const ENTER: &str = r#"mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/run" && exec chroot "$0" "$@""#;

impl Tree {
    /// Unpacks `archive` into the new folder.
    pub(super) fn unpack(archive: &Path, folder: &Path) -> Result<Self, String> {
        create_folder(folder)?;
        debian_root::extract(archive, folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Where something of the root lies on this machine.
    pub(super) fn path(&self, inside: &str) -> PathBuf {
        self.folder.join(inside.trim_start_matches('/'))
    }

    /// Runs a program of the root with its output on ours, and nothing of our environment.
    pub(super) fn run(&self, program: &[&str]) -> Outcome {
        process::run(&mut self.command(program))
    }

    /// The same, and gives what it printed.
    pub(super) fn output(&self, program: &[&str]) -> Result<String, String> {
        process::output(&mut self.command(program))
    }

    fn command(&self, program: &[&str]) -> std::process::Command {
        // No process namespace: the first process must be this machine's, or Debian's `ischroot` takes the root for a board.
        let mut command = process::command("unshare", &["--mount", "sh", "-ec", ENTER]);
        command.arg(&self.folder).args(program);
        debian_root::isolate(&mut command);
        command
    }

    /// Writes a file of root's, with the folders above it.
    pub(super) fn write(&self, inside: &str, text: &str, mode: u32) -> Outcome {
        let path = self.path(inside);
        let failed = |error: std::io::Error| format!("cannot write {inside} of the root: {error}");
        if let Some(folder) = path.parent() {
            create_folder(folder)?;
        }
        fs::write(&path, text).map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).map_err(failed)
    }

    /// Replaces whatever is at `inside` by a symbolic link.
    pub(super) fn link(&self, target: &str, inside: &str) -> Outcome {
        let path = self.path(inside);
        if let Some(folder) = path.parent() {
            create_folder(folder)?;
        }
        self.remove(inside)?;
        symlink(target, &path).map_err(|error| format!("cannot make the link {inside} of the root: {error}"))
    }

    /// Removes a file, a link, or what is in a folder; what is not there is gone already.
    pub(super) fn remove(&self, inside: &str) -> Outcome {
        let path = self.path(inside);
        let Ok(metadata) = path.symlink_metadata() else { return Ok(()) };
        let removed = if metadata.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(|error| format!("cannot remove {inside} of the root: {error}"))
    }

    /// Lays the files of `from` over the root, all of them root's: programs 0755, what sudo reads 0440, the rest 0644.
    pub(super) fn lay_over(&self, from: &Path) -> Outcome {
        let mut folders = vec![from.to_owned()];
        while let Some(folder) = folders.pop() {
            let entries =
                fs::read_dir(&folder).map_err(|error| format!("cannot list {}: {error}", folder.display()))?;
            for entry in entries.flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let inside = path.strip_prefix(from).map_err(|error| error.to_string())?.to_string_lossy().into_owned();
                let text =
                    fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
                self.write(&inside, &text, mode(&inside, &text))?;
            }
        }
        Ok(())
    }

    /// Makes nothing younger than `epoch`, so that the same sources give the same times.
    pub(super) fn date_at_most(&self, epoch: u64) -> Outcome {
        let arguments = ["-xdev", "-newermt", &format!("@{epoch}"), "-exec", "touch", "--no-dereference"];
        let mut command = process::command("find", &[]);
        command.arg(&self.folder).args(arguments).arg(format!("--date=@{epoch}")).args(["{}", "+"]);
        process::run(&mut command)
    }
}

fn mode(inside: &str, text: &str) -> u32 {
    if inside.starts_with("etc/sudoers.d/") {
        0o440
    } else if text.starts_with("#!") {
        0o755
    } else {
        0o644
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_lie_over_with_their_modes_and_links_replace() {
        let folder = tempfile::tempdir().unwrap();
        let root = Tree { folder: folder.path().join("root") };
        root.lay_over(&process::repository_root().join("deploy/image/root")).unwrap();
        let mode = |inside: &str| root.path(inside).metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode("/etc/sudoers.d/clawdbot-pi"), 0o440);
        assert_eq!(mode("/usr/lib/clawdbot/grow-data"), 0o755);
        assert_eq!(mode("/etc/systemd/system.conf.d/clawdbot.conf"), 0o644);
        root.link("../x", "/etc/systemd/system.conf.d/clawdbot.conf").unwrap();
        assert_eq!(fs::read_link(root.path("/etc/systemd/system.conf.d/clawdbot.conf")).unwrap(), Path::new("../x"));
        root.remove("/etc/systemd").unwrap();
        root.remove("/etc/systemd").unwrap();
        assert!(!root.path("/etc/systemd").exists());
    }
}
