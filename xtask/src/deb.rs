//! `cargo xtask deb`: the Debian package, put together from plain files by `dpkg-deb` (docs/decisions/0006-debian-package.md).
//! The same binary and commit give the same package, bit for bit.

pub(crate) mod architecture;
pub(crate) mod changelog;
mod control;
pub(crate) mod copyright;
mod documents;
mod needs;
mod package;
mod proof;
pub(crate) mod release;

use std::path::{Path, PathBuf};

use architecture::Architecture;
use documents::Documents;
use package::Contents;
use release::Release;

use crate::Outcome;
use crate::process;

const USAGE: &str =
    "usage: cargo xtask deb [--arch amd64|arm64] [--binary FILE] [--manual-from FILE] [--out DIR] [--prove]";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    architecture: Architecture,
    /// The binary to package; without it a release build of this checkout.
    binary: Option<PathBuf>,
    /// A build of the same source that writes the manual; without it the packaged binary does, emulated where it must be.
    manual_from: Option<PathBuf>,
    /// Where the package goes; without it `debian/` in the target directory.
    out: Option<PathBuf>,
    /// Install, upgrade, remove and purge it in a Debian root of its own.
    prove: bool,
}

/// Builds the package, lets lintian look at it, and proves it if asked to.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let options = parse(arguments)?;
    let architecture = options.architecture;
    let binary = options.binary.map_or_else(|| architecture.build(), Ok)?;
    architecture.check(&binary)?;
    let work = temporary_folder()?;
    let documents = Documents::write(options.manual_from.as_deref(), &binary, architecture, work.path())?;
    let contents = Contents::of_this_checkout(architecture, &binary, &documents, Release::current()?)?;
    let out = options.out.unwrap_or_else(|| process::target_directory().join("debian"));
    let package = contents.build(&out)?;
    println!("{} ({} bytes)\n  sha256 {}", package.path.display(), package.bytes, package.sha256);
    lint(&package.path, options.prove)?;
    if options.prove { proof::run(&contents, &package) } else { Ok(()) }
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options =
        Options { architecture: Architecture::Amd64, binary: None, manual_from: None, out: None, prove: false };
    let mut arguments = arguments.iter();
    while let Some(name) = arguments.next() {
        if name == "--prove" {
            options.prove = true;
            continue;
        }
        let mut value = || arguments.next().ok_or_else(|| format!("{name} wants a value\n{USAGE}"));
        match name.as_str() {
            "--arch" => options.architecture = Architecture::named(value()?)?,
            "--binary" => options.binary = Some(process::absolute(value()?)?),
            "--manual-from" => options.manual_from = Some(process::absolute(value()?)?),
            "--out" => options.out = Some(process::absolute(value()?)?),
            _ => return Err(format!("does not know {name:?}\n{USAGE}")),
        }
    }
    Ok(options)
}

fn temporary_folder() -> Result<tempfile::TempDir, String> {
    tempfile::tempdir().map_err(|error| format!("cannot create a temporary folder: {error}"))
}

/// Every error and warning of lintian is one of ours. Without lintian that was not checked, which is said; a proof wants it.
fn lint(package: &Path, is_wanted: bool) -> Outcome {
    if !process::is_installed("lintian") {
        if is_wanted {
            return Err("lintian is not installed: apt-get install lintian".to_owned());
        }
        println!("SKIPPED: lintian is not installed, so the package was NOT checked (apt-get install lintian)");
        return Ok(());
    }
    let arguments = ["--fail-on", "error,warning", "--show-overrides", "--allow-root"];
    process::run(process::command("lintian", &arguments).arg(package))?;
    println!("lintian: no error, no warning; what is overridden stands above");
    Ok(())
}

#[cfg(test)]
mod tests;
