//! The packages of an image, unpacked and configured by mmdebstrap once for each list of them, and kept as an archive.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::create_folder;
use super::flavour::Flavour;
use super::options::Options;
use crate::Outcome;
use crate::process::{self, repository_root};

/// What dpkg leaves out, from the very first package on.
const RULES: &str = "etc/dpkg/dpkg.cfg.d/clawdbot";
/// What goes into the first file system of a kernel, and how it is packed: there before the first kernel.
const EARLY: &[&str] = &["etc/initramfs-tools/conf.d/clawdbot", "usr/share/initramfs-tools/modules.d/clawdbot"];

/// The archive, made if it is not there yet: minutes, and over the network.
pub(super) fn made(options: &Options) -> Result<PathBuf, String> {
    let folder = process::target_directory().join("image");
    create_folder(&folder)?;
    let sources = sources(options);
    let packages = options.flavour.packages().join(",");
    let mut key = format!("{packages}\n{sources}");
    for file in [&[RULES], EARLY].concat() {
        key += &std::fs::read_to_string(overlay(file)).map_err(|error| format!("cannot read {file}: {error}"))?;
    }
    let archive = folder.join(format!("{}-{}-{}.tar", options.suite, options.flavour.name(), digest(&key)));
    if archive.is_file() {
        return Ok(archive);
    }
    reach(options)?;
    println!("mmdebstrap makes {} (once; minutes)", archive.display());
    let part = archive.with_extension("part.tar");
    let list = folder.join("sources.list");
    std::fs::write(&list, sources).map_err(|error| format!("cannot write {}: {error}", list.display()))?;
    let mut command = process::command("mmdebstrap", &["--mode=root", "--variant=minbase", "--architectures=arm64"]);
    command.arg(format!("--include={packages}")).arg("--dpkgopt=force-confold");
    command.arg(format!("--dpkgopt={}", overlay(RULES).display()));
    for file in EARLY {
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        let from = overlay(file);
        command.arg(format!("--setup-hook=mkdir -p \"$1/{folder}\" && cp '{}' \"$1/{folder}/\"", from.display()));
    }
    command.arg(&options.suite).arg(&part).arg(&list);
    process::run(&mut command).map_err(|error| format!("{error}; what stands above it says which package failed"))?;
    std::fs::rename(&part, &archive).map_err(|error| format!("cannot rename {}: {error}", part.display()))?;
    Ok(archive)
}

/// Where packages come from; the board's own apt asks there too.
fn sources(options: &Options) -> String {
    let Options { suite, mirror, .. } = options;
    let parts = "main non-free-firmware";
    let mut text = format!("deb {mirror} {suite} {parts}\ndeb {mirror} {suite}-updates {parts}\n");
    text += &format!("deb {mirror}-security {suite}-security {parts}\n");
    if let (Some(archive), Some(keyring)) = (&options.archive, &options.keyring) {
        text += &format!("deb [signed-by={}] {archive} {suite} main\n", keyring.display());
    }
    text
}

/// Before minutes of work: does the Raspberry Pi's archive answer?
fn reach(options: &Options) -> Outcome {
    let (Flavour::RaspberryPiOs, Some(archive)) = (options.flavour, &options.archive) else { return Ok(()) };
    let folder = tempfile::tempdir().map_err(|error| format!("cannot create a temporary folder: {error}"))?;
    let url = format!("{}/dists/{}/InRelease", archive.trim_end_matches('/'), options.suite);
    let mut command = process::command("/usr/lib/apt/apt-helper", &["-o", "Acquire::Retries=0", "download-file", &url]);
    command.arg(folder.path().join("InRelease"));
    process::run(&mut command).map_err(|_| {
        format!(
            "{url} cannot be reached from here, so there is no kernel for this flavour: build it where the archive (or a mirror \
             of it, by --archive) can be reached, or take --flavour debian"
        )
    })
}

/// A file of the image, in this repository.
fn overlay(file: &str) -> PathBuf {
    repository_root().join("deploy/image/root").join(file)
}

/// A short name for what goes into an archive.
fn digest(key: &str) -> String {
    Sha256::digest(key.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Options {
        let arguments: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        Options::parse(&arguments).unwrap()
    }

    #[test]
    fn firmware_and_security_come_along() {
        let text = sources(&options("--board pi --mirror http://here/debian"));
        assert_eq!(text.lines().count(), 3);
        assert!(
            text.lines().all(|line| line.starts_with("deb http://here/debian") && line.ends_with(" non-free-firmware"))
        );
        assert!(text.contains("http://here/debian-security bookworm-security "));
    }

    #[test]
    fn the_raspberry_pi_s_archive_has_its_own_key() {
        let text = sources(&options("--board pi --flavour raspberry-pi-os --archive http://there --keyring /key.gpg"));
        assert!(text.ends_with("deb [signed-by=/key.gpg] http://there bookworm main\n"), "{text}");
    }

    #[test]
    fn an_archive_that_does_not_answer_is_named() {
        let error = reach(&options("--board pi --flavour raspberry-pi-os --archive http://127.0.0.1:9 --keyring /k"))
            .unwrap_err();
        assert!(
            error.contains("http://127.0.0.1:9/dists/bookworm/InRelease") && error.contains("--flavour debian"),
            "{error}"
        );
    }
}
