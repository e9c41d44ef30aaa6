//! oelint-adv over every file of the layer that bitbake reads.

use std::path::{Path, PathBuf};

use super::LAYER;
use crate::Outcome;
use crate::process::{self, repository_root, target_directory};

/// By version: a newer one may find something new.
const LINTER: &str = "oelint-adv==9.11.0";
/// The oldest series that the layer names: what it does not know must not be used.
const RELEASE: &str = "--release=scarthgap";

/// What is never a finding: our home page is a name that nobody serves yet, and a lint should need no network; the daemon is
/// no tool to build with.
const SUPPRESSED: [&str; 2] = ["--suppress=oelint.vars.homepageping", "--suppress=oelint.var.bbclassextend"];

/// Lints; every finding is an error. A file that must do what a rule forbids says so beside it (`nooelint`).
pub(super) fn run() -> Outcome {
    let linter = install()?;
    let layer = repository_root().join(LAYER);
    let files = linted(&layer)?;
    let mut command = process::command(&linter.to_string_lossy(), &["--quiet", RELEASE]);
    command.args(SUPPRESSED);
    process::run(command.args(&files).current_dir(&layer))?;
    println!("{LINTER}: {} files of {LAYER} clean", files.len());
    Ok(())
}

/// Puts the linter into a Python environment of its own, once for each version.
fn install() -> Result<PathBuf, String> {
    let environment = target_directory().join("yocto").join(LINTER.replace("==", "-"));
    let linter = environment.join("bin/oelint-adv");
    if !linter.exists() {
        process::run(process::command("python3", &["-m", "venv", "--clear"]).arg(&environment))?;
        let pip = environment.join("bin/pip").to_string_lossy().into_owned();
        process::run(&mut process::command(&pip, &["install", "--quiet", "--disable-pip-version-check", LINTER]))?;
    }
    Ok(linter)
}

/// What bitbake reads of the layer, sorted.
fn linted(layer: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut folders = vec![layer.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
            let ends_with =
                |endings: &[&str]| path.extension().is_some_and(|end| endings.iter().any(|one| end == *one));
            if path.is_dir() {
                folders.push(path);
            } else if ends_with(&["bb", "bbappend", "inc"]) || path.ends_with("conf/layer.conf") {
                found.push(path);
            }
        }
    }
    found.sort();
    if found.is_empty() { Err(format!("{} holds no recipe", layer.display())) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_bitbake_reads_is_linted() {
        let layer = repository_root().join(LAYER);
        let files = linted(&layer).unwrap();
        for part in [
            "recipes-clawdbot/clawdbot/clawdbot_git.bb",
            "conf/layer.conf",
            "recipes-kernel/linux/linux-yocto_%.bbappend",
        ] {
            assert!(files.contains(&layer.join(part)), "{part} is not among {files:?}");
        }
        assert!(!files.iter().any(|path| path.ends_with("README.md")));
    }

    #[test]
    fn a_folder_without_recipes_is_an_error() {
        assert!(linted(tempfile::tempdir().unwrap().path()).is_err());
    }
}
