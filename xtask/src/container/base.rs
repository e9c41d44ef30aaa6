//! The Debian root that stands in for `debian:bookworm-slim`, which cannot be pulled everywhere: the same packages, without
//! the same files.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::architecture::Architecture;
use crate::process;

/// What mmdebstrap is told. Without `usr-is-merged` apt would take the program that merges, and all of Perl with it. The slim
/// images leave these files out too; copyright files stay.
const ARGUMENTS: [&str; 8] = [
    "--variant=minbase",
    "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
    "--include=usr-is-merged",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/info/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
];
/// Where the kernel lists whose programs it can run.
const BINFMT: &str = "/proc/sys/fs/binfmt_misc";

/// The root as a tar archive in `folder`, made once for each set of arguments.
///
/// # Errors
/// When mmdebstrap fails, or the kernel cannot run this architecture's programs.
pub(super) fn tar(architecture: Architecture, folder: &Path) -> Result<PathBuf, String> {
    let name = architecture.name();
    let tar = folder.join(format!("base-{name}-{}.tar", digest(&ARGUMENTS)));
    if tar.exists() {
        return Ok(tar);
    }
    if !architecture.is_native() && !Path::new(BINFMT).join("qemu-aarch64").exists() {
        return Err(format!(
            "the maintainer scripts of {name} packages need qemu-user: as root, mount -t binfmt_misc none {BINFMT}; \
             cat /usr/lib/binfmt.d/qemu-aarch64.conf >{BINFMT}/register"
        ));
    }
    std::fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let part = folder.join(format!("base-{name}.part.tar"));
    let log = folder.join(format!("base-{name}.log"));
    let words = std::fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
    let mut command = process::command("mmdebstrap", &[&format!("--architectures={name}")]);
    command.args(ARGUMENTS).arg("bookworm").arg(&part).stderr(words);
    process::run(&mut command).map_err(|error| format!("{error}; {} says why", log.display()))?;
    std::fs::rename(&part, &tar).map_err(|error| format!("{}: {error}", tar.display()))?;
    Ok(tar)
}

fn digest(arguments: &[&str]) -> String {
    let digest = Sha256::digest(arguments.join("\n"));
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}
