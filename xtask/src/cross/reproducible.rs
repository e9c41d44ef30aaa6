//! Builds that do not depend on where they are made. The compilers write the paths of sources into the binary: for panics,
//! for debug information, and by it into the build id. Here every path that differs from place to place is given a name
//! that does not. Seen on a crate with two dependencies (Rust 1.95, aarch64, thin LTO): without it seven paths in the file
//! and two sums from two folders, with it none and one; cargo's hashes of the flags made no difference.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{TARGET, TOOLS};
use crate::Outcome;
use crate::process;

/// What another CARGO_HOME takes from the real one.
const LENT: [&str; 3] = ["registry", "git", "config.toml"];

/// A folder of this machine, and the name that the binary shows instead.
struct Renamed {
    folder: PathBuf,
    name: &'static str,
}

/// Builds `package` of `checkout` for release, with its paths renamed, and answers where the binary is.
pub(crate) fn build(triple: &str, package: &str, checkout: &Path, target: &Path) -> Result<PathBuf, String> {
    build_with(triple, package, checkout, target, &cargo_home()?)
}

fn build_with(
    triple: &str,
    package: &str,
    checkout: &Path,
    target: &Path,
    cargo_home: &Path,
) -> Result<PathBuf, String> {
    let arguments = ["build", "--release", "--locked", "--target", triple, "--package", package];
    let mut command = process::cargo(&arguments);
    command.current_dir(checkout).env("CARGO_TARGET_DIR", target).env("CARGO_HOME", cargo_home);
    command.envs(environment(triple, checkout, target, cargo_home));
    process::run(&mut command)?;
    Ok(target.join(triple).join("release").join(package))
}

/// Where cargo keeps the crates that it has fetched.
pub(crate) fn cargo_home() -> Result<PathBuf, String> {
    if let Some(folder) = std::env::var_os("CARGO_HOME") {
        return Ok(PathBuf::from(folder));
    }
    let home = std::env::var_os("HOME").ok_or("neither CARGO_HOME nor HOME says where cargo keeps its crates")?;
    Ok(PathBuf::from(home).join(".cargo"))
}

/// Variables for cargo and for the C compiler that build scripts call.
fn environment(triple: &str, checkout: &Path, target: &Path, cargo_home: &Path) -> Vec<(String, String)> {
    // The last that fits counts, so a target directory inside of the checkout comes behind it.
    let renamed = [
        Renamed { folder: checkout.to_owned(), name: "/project" },
        Renamed { folder: cargo_home.to_owned(), name: "/cargo" },
        Renamed { folder: target.to_owned(), name: "/target" },
    ];
    let flags = |flag: &str, separator: &str| {
        let flags = renamed.iter().map(|one| format!("{flag}={}={}", one.folder.display(), one.name));
        flags.collect::<Vec<_>>().join(separator)
    };
    let name = triple.replace('-', "_");
    let mut variables = vec![
        ("CARGO_ENCODED_RUSTFLAGS".to_owned(), flags("--remap-path-prefix", "\x1f")),
        (format!("CFLAGS_{name}"), flags("-ffile-prefix-map", " ")),
    ];
    if triple == TARGET {
        variables.push(("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER".to_owned(), format!("{TOOLS}-gcc")));
        variables.push((format!("CC_{name}"), format!("{TOOLS}-gcc")));
        variables.push((format!("AR_{name}"), format!("{TOOLS}-ar")));
    }
    variables
}

/// Builds the last commit twice, in folders of different names with crates in different places, and wants the same file.
pub(super) fn prove(package: &str) -> Outcome {
    let work = tempfile::tempdir().map_err(|error| format!("cannot create a temporary folder: {error}"))?;
    let head = process::output(&mut process::command("git", &["-c", "safe.directory=*", "rev-parse", "HEAD"]))?;
    let mut sums = Vec::new();
    for place in ["a", "elsewhere/and/deeper"] {
        let folder = work.path().join(place);
        let checkout = check_out(head.trim(), &folder.join("clawdbot"))?;
        let cargo_home = cargo_home_at(&folder.join("cargo"))?;
        let binary = build_with(TARGET, package, &checkout, &folder.join("target"), &cargo_home)?;
        let bytes = std::fs::read(&binary).map_err(|error| format!("cannot read {}: {error}", binary.display()))?;
        let sum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        println!("{sum}  {}", binary.display());
        sums.push(sum);
    }
    if sums[0] == sums[1] {
        println!("{package}: the same binary from two folders");
        return Ok(());
    }
    // Kept, so that one can look.
    let kept = work.keep();
    Err(format!(
        "two builds of the same commit differ; they are kept in {}: `diffoscope`, or `strings` on both, shows by what",
        kept.display()
    ))
}

/// A commit's files, as they are in git: what was not committed is not built, nor what is committed meanwhile.
fn check_out(commit: &str, folder: &Path) -> Result<PathBuf, String> {
    let archive = folder.with_extension("tar");
    let create = std::fs::create_dir_all(folder);
    create.map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    let git = ["-c", "safe.directory=*", "archive", "--format=tar", "--output"];
    process::run(process::command("git", &git).arg(&archive).arg(commit))?;
    process::run(process::command("tar", &["--extract", "--file"]).arg(&archive).arg("--directory").arg(folder))?;
    Ok(folder.to_owned())
}

/// Another CARGO_HOME with the crates that this one has, and with its settings, which may name a mirror.
fn cargo_home_at(folder: &Path) -> Result<PathBuf, String> {
    process::run(&mut process::cargo(&["fetch", "--locked", "--target", TARGET]))?;
    let home = std::path::absolute(cargo_home()?).map_err(|error| error.to_string())?;
    let failed = |error: std::io::Error| format!("cannot lend the crates to {}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(failed)?;
    for name in LENT.into_iter().filter(|name| home.join(name).exists()) {
        std::os::unix::fs::symlink(home.join(name), folder.join(name)).map_err(failed)?;
    }
    Ok(folder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str, checkout: &str) -> String {
        let paths = [checkout, "/t", "/home/x/.cargo"].map(PathBuf::from);
        let variables = environment(TARGET, &paths[0], &paths[1], &paths[2]);
        variables.into_iter().find(|(found, _)| found == name).unwrap().1
    }

    #[test]
    fn every_place_is_renamed_for_both_compilers() {
        let rust = value("CARGO_ENCODED_RUSTFLAGS", "/work/my project");
        let flags: Vec<&str> = rust.split('\x1f').collect();
        assert_eq!(flags[0], "--remap-path-prefix=/work/my project=/project");
        assert_eq!(flags.len(), 3);
        let c = value("CFLAGS_aarch64_unknown_linux_gnu", "/work/x");
        assert!(c.contains("-ffile-prefix-map=/home/x/.cargo=/cargo"), "{c}");
    }
}
