//! What all pieces share: the version, the binaries, and the folder that they fill.

use std::path::{Path, PathBuf};

use super::options::Options;
use super::{CHECKLIST, create, git};
use crate::Outcome;
use crate::deb::architecture::Architecture;
use crate::deb::release::Release;
use crate::process::{self, repository_root};

/// A release build, as the compiler left it.
pub(super) struct Build {
    pub(super) architecture: Architecture,
    pub(super) binary: PathBuf,
}

/// The release under way.
pub(super) struct Work {
    pub(super) release: Release,
    /// Empty when no wanted piece needs them.
    pub(super) builds: Vec<Build>,
    /// The artefacts, and nothing else.
    pub(super) out: PathBuf,
    /// What is made on the way.
    pub(super) scratch: tempfile::TempDir,
}

impl Work {
    /// Builds what must be built, and empties the folder. What is to be published must be fit for it.
    pub(super) fn begin(options: &Options) -> Result<Self, String> {
        let release = Release::current()?;
        if !options.is_rehearsal {
            is_ready_to_publish(&release)?;
        }
        let target = process::target_directory();
        let out = options.out.clone().unwrap_or_else(|| target.join("artefacts").join(&release.version));
        empty(&out)?;
        // Beside the artefacts: a card image is large, and a disk in memory may not be.
        let scratch = tempfile::tempdir_in(out.parent().unwrap_or(&target));
        let scratch = scratch.map_err(|error| format!("cannot create a temporary folder: {error}"))?;
        let mut work = Self { release, builds: Vec::new(), out, scratch };
        if options.wants_binaries() {
            let given = [(Architecture::Amd64, &options.amd64_binary), (Architecture::Arm64, &options.arm64_binary)];
            for (architecture, binary) in given {
                work.builds.push(build(architecture, binary.as_deref())?);
            }
        }
        Ok(work)
    }

    /// Refuses artefacts of two commits: somebody may commit while this runs.
    pub(super) fn is_still_of_one_commit(&self) -> Outcome {
        if Release::current()? == self.release {
            return Ok(());
        }
        Err("the checkout has gone to another commit meanwhile: begin again, in a clone that nobody else uses"
            .to_owned())
    }

    /// The name of an artefact: `clawdbot-0.1.0-WHAT`.
    pub(super) fn named(&self, what: &str) -> PathBuf {
        self.out.join(format!("clawdbot-{}-{what}", self.release.version))
    }
}

/// Refuses what must not be published, before anything is built.
fn is_ready_to_publish(release: &Release) -> Outcome {
    let changed = process::output(&mut git(&["status", "--porcelain"]))?;
    if !changed.trim().is_empty() {
        return Err(format!("these files differ from the last commit; commit or remove them:\n{changed}"));
    }
    let version = env!("CARGO_PKG_VERSION");
    if release.version != version {
        return Err(format!(
            "changes/{version}/ is not there, so this is no release yet: {CHECKLIST} says how it is made, and --dry-run \
             rehearses without it"
        ));
    }
    let key = super::signature::PUBLIC_KEY;
    if !repository_root().join(key).is_file() {
        return Err(format!("{key} is not there, so nobody could verify the signature: {CHECKLIST} says how"));
    }
    Ok(())
}

/// Makes an empty folder of `out`. What lies there must be an earlier run's.
fn empty(out: &Path) -> Outcome {
    if out.is_dir() {
        let mut entries = std::fs::read_dir(out).map_err(|error| format!("cannot list {}: {error}", out.display()))?;
        let is_ours = out.join(super::sums::NAME).is_file() || entries.next().is_none();
        if !is_ours {
            return Err(format!("{} holds something else than a release: name another folder by --out", out.display()));
        }
        std::fs::remove_dir_all(out).map_err(|error| format!("cannot empty {}: {error}", out.display()))?;
    }
    create(out)
}

fn build(architecture: Architecture, given: Option<&Path>) -> Result<Build, String> {
    let name = architecture.name();
    let binary = match given {
        Some(binary) => {
            println!(
                "{name}: {} is taken as it is; that it is a build of this commit was NOT checked",
                binary.display()
            );
            binary.to_owned()
        }
        None => architecture.build()?,
    };
    architecture.check(&binary)?;
    let said = process::output(architecture.command(&binary).arg("--version"))?;
    let version = env!("CARGO_PKG_VERSION");
    if said.split_whitespace().last() != Some(version) {
        return Err(format!("{} says that it is {:?}, but this is {version}", binary.display(), said.trim()));
    }
    Ok(Build { architecture, binary })
}

/// A file's name and size.
pub(super) fn described(path: &Path) -> Result<String, String> {
    let data = path.metadata().map_err(|error| format!("cannot look at {}: {error}", path.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(format!("{:>11} bytes  {name}", data.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_something_else_in_it_is_not_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        empty(&out).unwrap();
        std::fs::write(out.join("holiday.jpg"), "x").unwrap();
        assert!(empty(&out).is_err_and(|error| error.contains("--out")));
        std::fs::write(out.join(super::super::sums::NAME), "x").unwrap();
        empty(&out).unwrap();
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
    }
}
