//! bitbake's build folder: configuration as an integrator writes it, a home, and a mirror of crates, so that nothing is
//! fetched over the network.

use std::path::{Path, PathBuf};

use super::sources::Sources;
use super::{LAYER, crates};
use crate::Outcome;
use crate::process::{self, cargo, repository_root, target_directory};

/// See the module.
#[derive(Debug)]
pub(super) struct BuildFolder {
    /// Where it is.
    pub(super) path: PathBuf,
}

impl BuildFolder {
    /// Writes configuration and mirror; what bitbake has cached there stays.
    ///
    /// # Errors
    /// When a file cannot be written, or cargo cannot fetch the crates.
    pub(super) fn make(sources: &Sources, machine: &str) -> Result<Self, String> {
        let path = target_directory().join("yocto").join(format!("{}-{machine}", sources.name()));
        let folder = Self { path };
        write(&folder.path.join("conf/local.conf"), &local(machine, &folder.mirror()))?;
        write(&folder.path.join("conf/bblayers.conf"), &layers(&sources.layers, &repository_root().join(LAYER)))?;
        // The layer's checkout belongs to somebody else than the user that bitbake runs as; git wants to be told.
        write(&folder.home().join(".gitconfig"), "[safe]\n\tdirectory = *\n")?;
        folder.fill_mirror()?;
        Ok(folder)
    }

    /// bitbake's $HOME.
    pub(super) fn home(&self) -> PathBuf {
        self.path.join("home")
    }

    fn mirror(&self) -> PathBuf {
        self.path.join("crates")
    }

    /// Puts the crates that cargo has downloaded where bitbake looks for them.
    fn fill_mirror(&self) -> Outcome {
        process::run(&mut cargo(&["fetch", "--locked", "--quiet"]))?;
        let cache = cargo_home()?.join("registry/cache");
        let failed = |error: std::io::Error| format!("{}: {error}", cache.display());
        let registries: Vec<PathBuf> = std::fs::read_dir(&cache)
            .map_err(failed)?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .collect();
        make(&self.mirror())?;
        for archive in crates::of_repository()?.iter().map(crates::Crate::archive) {
            let to = self.mirror().join(&archive);
            if to.exists() {
                continue;
            }
            let from = registries.iter().map(|registry| registry.join(&archive)).find(|path| path.is_file());
            let from = from.ok_or_else(|| format!("{archive} is not below {} after `cargo fetch`", cache.display()))?;
            std::fs::copy(&from, &to).map_err(|error| format!("{}: {error}", to.display()))?;
        }
        Ok(())
    }
}

/// Where cargo keeps what it has downloaded.
fn cargo_home() -> Result<PathBuf, String> {
    let home = |name: &str| std::env::var_os(name).map(PathBuf::from);
    home("CARGO_HOME")
        .or_else(|| home("HOME").map(|home| home.join(".cargo")))
        .ok_or_else(|| "neither CARGO_HOME nor HOME is set: where does cargo keep its crates?".to_owned())
}

fn make(folder: &Path) -> Outcome {
    std::fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))
}

fn write(path: &Path, text: &str) -> Outcome {
    path.parent().map_or(Ok(()), make)?;
    std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// What README.md of the layer tells an integrator to write, and that there is no network.
fn local(machine: &str, mirror: &Path) -> String {
    let mirror = mirror.display();
    format!(
        r#"MACHINE = "{machine}"
INIT_MANAGER = "systemd"
DISTRO_FEATURES:append = " clawdbot clawdbot-test"
LICENSE_FLAGS_ACCEPTED = "synaptics-killswitch"

# From here on: what this check needs, not what a build needs.
BB_NO_NETWORK = "1"
CONNECTIVITY_CHECK_URIS = ""
SANITY_TESTED_DISTROS = ""
BB_HASHSERVE = ""
BB_SIGNATURE_HANDLER = "OEBasicHash"
PREMIRRORS:prepend = "https://static.crates.io/.* file://{mirror}/ https://crates.io/.* file://{mirror}/ "
"#
    )
}

fn layers(beside: &[PathBuf], ours: &Path) -> String {
    let mut text = "BBPATH = \"${TOPDIR}\"\nBBFILES ?= \"\"\nBBLAYERS = \" \\\n".to_owned();
    let layers = beside.iter().map(PathBuf::as_path).chain([ours]);
    text.extend(layers.map(|layer| format!("    {} \\\n", layer.display())));
    text.push_str("\"\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_layer_stands_beside_the_others() {
        let text = layers(&[PathBuf::from("/s/openembedded-core/meta"), PathBuf::from("/s/meta-x")], Path::new("/r/y"));
        assert!(
            text.contains("BBLAYERS = \" \\\n    /s/openembedded-core/meta \\\n    /s/meta-x \\\n    /r/y \\\n\"\n")
        );
    }

    #[test]
    fn the_configuration_names_machine_and_mirror() {
        let text = local("qemuarm64", Path::new("/b/crates"));
        assert!(text.starts_with("MACHINE = \"qemuarm64\"\n") && text.contains("file:///b/crates/ "));
    }
}
