//! The package's files, put into a folder and packed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::architecture::{Architecture, STRIP};
use super::documents::Documents;
use super::release::Release;
use super::{changelog, control, copyright, needs, temporary_folder};
use crate::Outcome;
use crate::process::{self, repository_root};

/// Where the daemon's configuration lies: dpkg keeps what the administrator edited there.
pub(super) const CONFIGURATION: &str = "etc/clawdbot/clawdbot.toml";
/// Files of this repository, and their places in the package.
const FILES: &[(&str, &str)] = &[
    ("systemd/clawdbot.service", "lib/systemd/system/clawdbot.service"),
    ("systemd/sysusers.d/clawdbot.conf", "usr/lib/sysusers.d/clawdbot.conf"),
    ("systemd/tmpfiles.d/clawdbot.conf", "usr/lib/tmpfiles.d/clawdbot.conf"),
    ("systemd/modules-load.d/clawdbot.conf", "usr/lib/modules-load.d/clawdbot.conf"),
    ("NOTICE", "usr/share/doc/clawdbot/NOTICE"),
];
/// What dpkg runs, below `deploy/debian/`.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];
/// The binary's place in the package.
const BINARY: &str = "usr/bin/clawdbot";
const DOCUMENTATION: &str = "usr/share/doc/clawdbot";

/// Everything that goes into a package.
#[derive(Clone)]
pub(super) struct Contents<'a> {
    pub(super) architecture: Architecture,
    /// As it was built, with its symbols.
    pub(super) binary: &'a Path,
    pub(super) documents: &'a Documents,
    pub(super) release: Release,
    /// The configuration file that a new installation gets.
    pub(super) configuration: String,
    /// How hard xz tries.
    pub(super) effort: Effort,
    changelog: String,
    copyright: String,
    /// The packages that bring the binary's libraries.
    libraries: String,
}

/// How hard xz tries: what is thrown away after a proof need not be small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    Small,
    Fast,
}

/// A package that was built.
pub(super) struct Package {
    pub(super) path: PathBuf,
    pub(super) sha256: String,
    pub(super) bytes: u64,
}

impl<'a> Contents<'a> {
    /// The files of this checkout around `binary`.
    pub(super) fn of_this_checkout(
        architecture: Architecture,
        binary: &'a Path,
        documents: &'a Documents,
        release: Release,
    ) -> Result<Self, String> {
        let readelf =
            process::output(process::command("readelf", &["--wide", "--dynamic", "--version-info"]).arg(binary))?;
        Ok(Self {
            architecture,
            binary,
            documents,
            configuration: read("deploy/clawdbot.toml")?,
            changelog: changelog::text(&repository_root().join("changes"), &release)?,
            copyright: copyright::text(architecture.triple())?,
            effort: Effort::Small,
            libraries: needs::packages(&readelf)?,
            release,
        })
    }

    /// Packs everything into `out`.
    pub(super) fn build(&self, out: &Path) -> Result<Package, String> {
        let work = temporary_folder()?;
        let tree = Tree(work.path().join("clawdbot"));
        self.lay_out(&tree)?;
        self.describe(&tree)?;
        fs::create_dir_all(out).map_err(|error| format!("cannot create {}: {error}", out.display()))?;
        let name = format!("clawdbot_{}_{}.deb", self.release.version, self.architecture.name());
        let path = out.join(name);
        // One thread: how xz cuts its input must not depend on the machine.
        let level = if self.effort == Effort::Small { "-z6" } else { "-z0" };
        let arguments = ["--root-owner-group", "-Zxz", level, "--threads-max=1", "--build"];
        let mut command = process::command("dpkg-deb", &arguments);
        command.arg(&tree.0).arg(&path).env("SOURCE_DATE_EPOCH", self.release.epoch.to_string());
        process::output(&mut command)?;
        let packed = fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let sha256 = Sha256::digest(&packed).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Package { path, sha256, bytes: packed.len() as u64 })
    }

    fn lay_out(&self, tree: &Tree) -> Outcome {
        tree.copy(self.binary, BINARY, 0o755)?;
        process::run(process::command(&self.architecture.tool("strip"), &STRIP).arg(tree.0.join(BINARY)))?;
        tree.write(CONFIGURATION, &self.configuration)?;
        for (from, to) in FILES {
            tree.copy(&repository_root().join(from), to, 0o644)?;
        }
        for (from, to) in self.documents.pages() {
            tree.copy(&from, &to, 0o644)?;
            tree.compress(&to)?;
        }
        for (from, to) in self.documents.completions() {
            tree.copy(&from, to, 0o644)?;
        }
        tree.write(&format!("{DOCUMENTATION}/copyright"), &self.copyright)?;
        tree.write(&format!("{DOCUMENTATION}/changelog"), &self.changelog)?;
        tree.compress(&format!("{DOCUMENTATION}/changelog"))
    }

    /// Writes `DEBIAN/`, once everything else is there.
    fn describe(&self, tree: &Tree) -> Outcome {
        let md5sums = control::md5sums(&tree.0, &[CONFIGURATION])?;
        let fields = control::Fields {
            version: &self.release.version,
            architecture: self.architecture.name(),
            installed_kibibytes: control::installed_kibibytes(&tree.0)?,
            libraries: &self.libraries,
        };
        tree.write("DEBIAN/control", &control::text(&fields))?;
        tree.write("DEBIAN/md5sums", &md5sums)?;
        tree.write("DEBIAN/conffiles", &format!("/{CONFIGURATION}\n"))?;
        for script in SCRIPTS {
            tree.copy(&repository_root().join("deploy/debian").join(script), &format!("DEBIAN/{script}"), 0o755)?;
        }
        Ok(())
    }
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(repository_root().join(path)).map_err(|error| format!("cannot read {path}: {error}"))
}

/// The folder that is packed. Modes are set one by one, so that the caller's umask leaves no trace.
struct Tree(PathBuf);

impl Tree {
    fn copy(&self, from: &Path, to: &str, mode: u32) -> Outcome {
        let place = self.place(to)?;
        fs::copy(from, &place)
            .and_then(|_| fs::set_permissions(&place, fs::Permissions::from_mode(mode)))
            .map_err(|error| format!("cannot copy {} into the package: {error}", from.display()))
    }

    fn write(&self, to: &str, text: &str) -> Outcome {
        let place = self.place(to)?;
        fs::write(&place, text)
            .and_then(|()| fs::set_permissions(&place, fs::Permissions::from_mode(0o644)))
            .map_err(|error| format!("cannot write {to} of the package: {error}"))
    }

    /// Replaces a file by its compressed form, without name and time.
    fn compress(&self, name: &str) -> Outcome {
        process::run(process::command("gzip", &["--best", "--no-name"]).arg(self.0.join(name)))
    }

    /// The path of a file, with the folders above it made.
    fn place(&self, name: &str) -> Result<PathBuf, String> {
        let mut folder = self.0.clone();
        let mut parts = Path::new(name).components();
        let file = parts.next_back().ok_or("a file of the package has no name")?;
        self.folder(&folder)?;
        for part in parts {
            folder.push(part);
            self.folder(&folder)?;
        }
        Ok(folder.join(file))
    }

    fn folder(&self, folder: &Path) -> Outcome {
        fs::create_dir_all(folder)
            .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(0o755)))
            .map_err(|error| format!("cannot create {}: {error}", folder.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_file_is_there() {
        for (from, _) in FILES {
            assert!(repository_root().join(from).is_file(), "{from}");
        }
        for script in SCRIPTS {
            let text = read(&format!("deploy/debian/{script}")).unwrap();
            assert!(text.starts_with("#!/bin/sh\n") && text.contains("\nset -e\n"), "{script}");
        }
    }

    #[test]
    fn modes_do_not_depend_on_the_source() {
        let folder = tempfile::tempdir().unwrap();
        let private = folder.path().join("private");
        fs::write(&private, "x").unwrap();
        fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).unwrap();
        let tree = Tree(folder.path().join("tree"));
        tree.copy(&private, "a/b/file", 0o755).unwrap();
        let mode = |path: &str| fs::metadata(tree.0.join(path)).unwrap().permissions().mode() & 0o7777;
        assert_eq!([mode("a"), mode("a/b"), mode("a/b/file")], [0o755; 3]);
    }
}
