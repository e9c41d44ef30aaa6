//! The list of crates that the recipe downloads, made of Cargo.lock: `crate://` URIs and their SHA-256, in the form that
//! oe-core's class `cargo-update-recipe-crates` writes.

use serde::Deserialize;

use super::read_repository;
use crate::Outcome;
use crate::process::repository_root;

/// The list, below the repository's root.
pub(super) const LIST: &str = "yocto/meta-clawdbot/recipes-clawdbot/clawdbot/clawdbot-crates.inc";
/// The only source that the layer can download from.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// The class itself would also list what the comparisons with other engines need, which the recipe does not build.
const HEAD: &str = "\
# Made of Cargo.lock by `cargo xtask yocto crates`; `cargo test -p xtask` holds them equal. Not by bitbake's update_crates,
# which takes every Cargo.lock of the tree, that of benches/peers too.

# nooelint: oelint.vars.inconspaces,oelint.vars.notneededspace
";

/// One crate of the registry.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) sha256: String,
}

impl Crate {
    /// The name of its archive, as cargo and bitbake call it.
    pub(super) fn archive(&self) -> String {
        format!("{}-{}.crate", self.name, self.version)
    }

    /// Its line of SRC_URI.
    fn uri(&self) -> String {
        format!("    crate://crates.io/{}/{} \\\n", self.name, self.version)
    }

    /// The line with its checksum; bitbake's name for it has the version too, since a lock file may hold several.
    fn checksum(&self) -> String {
        format!("SRC_URI[{}-{}.sha256sum] = \"{}\"\n", self.name, self.version, self.sha256)
    }
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

/// A package of the lock file. One without a source is ours.
#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

/// The registry's crates in a lock file, in its order.
///
/// # Errors
/// Names the package that comes from somewhere else or has no checksum: the recipe could not fetch it.
pub(super) fn of_lock(text: &str) -> Result<Vec<Crate>, String> {
    let lock: Lock = toml::from_str(text).map_err(|error| format!("Cargo.lock is no lock file: {error}"))?;
    let mut crates = Vec::new();
    for package in lock.package {
        let Package { name, version, source, checksum } = package;
        match (source.as_deref(), checksum) {
            (None, _) => {}
            (Some(CRATES_IO), Some(sha256)) => crates.push(Crate { name, version, sha256 }),
            (Some(CRATES_IO), None) => return Err(format!("Cargo.lock has no checksum for {name} {version}")),
            (Some(source), _) => {
                return Err(format!(
                    "{name} {version} comes from {source}: the recipe fetches from crates.io only; give {source} a \
                     SRC_URI of its own in the recipe and teach xtask/src/yocto/crates.rs about it"
                ));
            }
        }
    }
    Ok(crates)
}

/// The list as bitbake reads it.
pub(super) fn render(crates: &[Crate]) -> String {
    let mut text = format!("{HEAD}SRC_URI += \" \\\n");
    text.extend(crates.iter().map(Crate::uri));
    text.push_str("\"\n\n");
    text.extend(crates.iter().map(Crate::checksum));
    text
}

/// The registry's crates in our lock file.
///
/// # Errors
/// As [`of_lock`], or when there is none.
pub(crate) fn of_repository() -> Result<Vec<Crate>, String> {
    of_lock(&read_repository("Cargo.lock")?)
}

/// Writes the list.
pub(super) fn write() -> Outcome {
    let crates = of_repository()?;
    std::fs::write(repository_root().join(LIST), render(&crates)).map_err(|error| format!("{LIST}: {error}"))?;
    println!("{LIST}: {} crates", crates.len());
    Ok(())
}
