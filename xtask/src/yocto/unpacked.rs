//! That the recipe's source and crates are whole: bitbake fetches and unpacks them, checking every checksum, and cargo finds
//! in the unpacked tree all that its lock file names, with nothing else within reach.

use std::path::Path;

use serde_json::Value;

use super::bitbake::Bitbake;
use super::build_folder::BuildFolder;
use super::crates;
use crate::process::{self, cargo};

/// Unpacks and looks.
///
/// # Errors
/// When bitbake or cargo is not content, or another commit than ours was unpacked.
pub(super) fn check(bitbake: &Bitbake<'_>, folder: &BuildFolder) -> Result<String, String> {
    bitbake.task(super::RECIPE, "unpack")?;
    let recipe = bitbake.variables(super::RECIPE)?;
    let source = Path::new(recipe.get("S"));
    let (ours, theirs) = (commit(process::repository_root())?, commit(source)?);
    if ours != theirs {
        return Err(format!("{} is commit {theirs}, but {ours} is checked out here", source.display()));
    }
    let packages = resolve(source, &Path::new(recipe.get("CARGO_HOME")).join("bitbake"), folder)?;
    let wanted = crates::of_repository()?.len();
    if packages < wanted {
        return Err(format!("cargo resolves {packages} packages, but Cargo.lock names {wanted} crates"));
    }
    Ok(format!("commit {}, cargo resolves {packages} packages from it alone", &ours[..12.min(ours.len())]))
}

fn commit(checkout: &Path) -> Result<String, String> {
    let mut command = process::command("git", &["-c", "safe.directory=*", "-C"]);
    Ok(process::output(command.arg(checkout).args(["rev-parse", "HEAD"]))?.trim().to_owned())
}

/// How many packages cargo resolves with the unpacked crates in the registry's place, as cargo_common.bbclass sets it up, and
/// a home of its own without any download.
fn resolve(source: &Path, crates: &Path, folder: &BuildFolder) -> Result<usize, String> {
    let mut command = cargo(&["metadata", "--frozen", "--format-version=1", "--all-features"]);
    command.arg("--manifest-path").arg(source.join("Cargo.toml"));
    command.args(["--config", "source.crates-io.replace-with=\"bitbake\""]);
    command.arg("--config").arg(format!("source.bitbake.directory=\"{}\"", crates.display()));
    command.env("CARGO_HOME", folder.path.join("cargo-home"));
    let text = process::output(&mut command)?;
    let answer: Value = serde_json::from_str(&text).map_err(|error| format!("`cargo metadata`: {error}"))?;
    Ok(answer.get("packages").and_then(Value::as_array).map_or(0, Vec::len))
}
