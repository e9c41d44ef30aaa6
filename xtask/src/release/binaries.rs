//! The daemon by itself, for those who install by hand: an archive for each architecture, and its debug information apart.

use std::path::{Path, PathBuf};

use super::archives::pack;
use super::work::{Build, Work};
use super::{create, write};
use crate::Outcome;
use crate::deb;
use crate::process::{self, repository_root};

/// What stands beside the binary, and its name there.
const BESIDE: &[(&str, &str)] = &[
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("NOTICE", "NOTICE"),
    ("deploy/clawdbot.toml", "clawdbot.toml"),
    ("systemd/clawdbot.service", "systemd/clawdbot.service"),
    ("systemd/sysusers.d/clawdbot.conf", "systemd/sysusers.d/clawdbot.conf"),
    ("systemd/tmpfiles.d/clawdbot.conf", "systemd/tmpfiles.d/clawdbot.conf"),
    ("systemd/modules-load.d/clawdbot.conf", "systemd/modules-load.d/clawdbot.conf"),
];

pub(super) fn make(work: &Work) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for build in &work.builds {
        let name = format!("clawdbot-{}-{}", work.release.version, build.architecture.name());
        let inside = work.scratch.path().join("binaries");
        let folder = inside.join(&name);
        create(&folder)?;
        stripped(build, &folder.join("clawdbot"))?;
        for (from, to) in BESIDE {
            copy(&repository_root().join(from), &folder.join(to))?;
        }
        let others = deb::copyright::text(build.architecture.triple())?;
        write(&folder.join("COPYRIGHT"), others)?;
        let archive = work.named(&format!("{}.tar.xz", build.architecture.name()));
        files.push(pack(&inside, &name, &archive, work.release.epoch)?);
        files.push(debug(build, work)?);
    }
    Ok(files)
}

/// The binary as every artefact carries it.
pub(super) fn stripped(build: &Build, to: &Path) -> Outcome {
    copy(&build.binary, to)?;
    process::run(process::command(&build.architecture.tool("strip"), &deb::architecture::STRIP).arg(to))
}

/// What `stripped` takes away and a debugger wants back; both carry the same build id.
fn debug(build: &Build, work: &Work) -> Result<PathBuf, String> {
    let to = work.named(&format!("{}.debug", build.architecture.name()));
    let arguments = ["--only-keep-debug", "--compress-debug-sections"];
    process::run(process::command(&build.architecture.tool("objcopy"), &arguments).arg(&build.binary).arg(&to))?;
    Ok(to)
}

fn copy(from: &Path, to: &Path) -> Outcome {
    create(to.parent().unwrap_or(to))?;
    let copied = std::fs::copy(from, to).map(drop);
    copied.map_err(|error| format!("cannot copy {} to {}: {error}", from.display(), to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_beside_the_binary_is_there() {
        for (from, _) in BESIDE {
            assert!(repository_root().join(from).is_file(), "{from}");
        }
    }
}
