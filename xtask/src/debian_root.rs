//! A Debian 12 root of our own, made by mmdebstrap from Debian's packages and thrown away after use: where a package is
//! installed, and where a build sees nothing of this machine.
//!
//! Programs run in it by chroot, in mount and process namespaces of their own: what they mount is gone, and what they leave
//! running ends, when they end. No systemd runs inside.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::Outcome;
use crate::process;

const SUITE: &str = "bookworm";

/// A folder of this machine that is seen at a place inside of a root.
pub(crate) struct Shared<'a> {
    pub(crate) outside: &'a Path,
    pub(crate) inside: &'a str,
}

/// An unpacked root; gone when dropped.
pub(crate) struct Root {
    folder: tempfile::TempDir,
}

impl Root {
    /// Debian's minimal system and `packages`, for Debian's `architecture`. The archive is made once (a minute or two, over
    /// the network) and kept in the target directory.
    pub(crate) fn unpack(architecture: &str, packages: &[&str]) -> Result<Self, String> {
        require_root()?;
        let archive = archive(architecture, packages)?;
        let folder = tempfile::tempdir().map_err(|error| format!("cannot create a temporary folder: {error}"))?;
        extract(&archive, folder.path())?;
        Ok(Self { folder })
    }

    /// Where something of the root lies on this machine: `inside` begins with a slash.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside.trim_start_matches('/'))
    }

    /// A program of the root with its arguments, run as the root's own `root` with nothing of our environment.
    pub(crate) fn command(&self, program: &[&str]) -> Command {
        self.command_with(&[], program)
    }

    /// The same, with folders of this machine at places inside.
    pub(crate) fn command_with(&self, shared: &[Shared<'_>], program: &[&str]) -> Command {
        // The mounts are made by a shell inside of the new namespace, from its arguments: pairs, `--`, the program.
        let mut command = process::command("unshare", &["--mount", "--pid", "--fork", "--kill-child"]);
        command.args(["sh", "-ec", ENTER, "sh"]).arg(self.folder.path());
        for folder in shared {
            command.arg(folder.outside).arg(folder.inside);
        }
        command.arg("--").args(program);
        isolate(&mut command);
        command
    }

    /// Runs a program of the root and returns what it printed.
    pub(crate) fn output(&self, program: &[&str]) -> Result<String, String> {
        process::output(&mut self.command(program)).map_err(|_| format!("`{}` failed in the root", program.join(" ")))
    }

    /// Runs a program of the root with its output on ours.
    pub(crate) fn run(&self, program: &[&str]) -> Outcome {
        process::run(&mut self.command(program)).map_err(|_| format!("`{}` failed in the root", program.join(" ")))
    }
}

/// Unpacks a root's `archive` into `folder`, with the owners, rights and attributes that its files have.
pub(crate) fn extract(archive: &Path, folder: &Path) -> Outcome {
    let mut command = process::command("tar", &["--extract", "--numeric-owner", "--xattrs", "--xattrs-include=*"]);
    process::run(command.arg("--directory").arg(folder).arg("--file").arg(archive))
}

/// Takes our environment away from a `command` that goes into a root, and gives it what Debian's programs expect.
pub(crate) fn isolate(command: &mut Command) {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    command.env_clear();
    command.envs([("PATH", path), ("HOME", "/root"), ("LC_ALL", "C.UTF-8"), ("DEBIAN_FRONTEND", "noninteractive")]);
}

/// Mounts /proc and the shared folders, then goes in.
const ENTER: &str = r#"
root=$1
shift
mount -t proc proc "$root/proc"
while [ "$1" != -- ]; do
    mkdir -p "$root$2"
    mount --bind "$1" "$root$2"
    shift 2
done
shift
exec chroot "$root" "$@"
"#;

fn require_root() -> Outcome {
    if process::output(&mut process::command("id", &["-u"]))?.trim() == "0" {
        return Ok(());
    }
    Err("a Debian root needs the rights of root: run it as root, or in a container where you are".to_owned())
}

/// The root as an archive, made if it is not there yet.
fn archive(architecture: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let list = packages.join(",");
    let folder = process::target_directory().join("debian-root");
    std::fs::create_dir_all(&folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    let path = folder.join(format!("{SUITE}-{architecture}-{}.tar", digest(&list)));
    if path.is_file() {
        return Ok(path);
    }
    println!("mmdebstrap makes {} (once)", path.display());
    let beside = path.with_extension("part.tar");
    let options =
        ["--variant=minbase".to_owned(), format!("--architectures={architecture}"), format!("--include={list}")];
    let mut command = process::command("mmdebstrap", &[]);
    process::run(command.args(&options).arg(SUITE).arg(&beside)).map_err(|error| {
        format!("{error}; another architecture than this machine's needs qemu-user-static registered with binfmt_misc")
    })?;
    std::fs::rename(&beside, &path).map_err(|error| format!("cannot rename {}: {error}", beside.display()))?;
    Ok(path)
}

/// A short name for a list of packages.
fn digest(list: &str) -> String {
    Sha256::digest(list.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_list_is_another_archive() {
        assert_eq!(digest("systemd").len(), 8);
        assert_ne!(digest("systemd"), digest("systemd,man-db"));
    }

    #[test]
    fn nothing_of_our_environment_goes_in() {
        let root = Root { folder: tempfile::tempdir().unwrap() };
        let shared = [Shared { outside: Path::new("/usr/bin"), inside: "/rust" }];
        let command = root.command_with(&shared, &["cargo", "build"]);
        let names: Vec<_> = command.get_envs().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
        assert_eq!(names, ["DEBIAN_FRONTEND", "HOME", "LC_ALL", "PATH"]);
        assert!(process::shown(&command).ends_with("/usr/bin /rust -- cargo build"));
        assert_eq!(root.path("/etc/x"), root.folder.path().join("etc/x"));
    }
}
