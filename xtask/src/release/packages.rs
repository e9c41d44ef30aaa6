//! What other subcommands make: packages, container images, the card image.

use std::path::{Path, PathBuf};

use super::work::Work;
use crate::Outcome;
use crate::process::{self, target_directory};
use crate::{container, deb, image};

/// A Debian package for each architecture.
pub(super) fn debian(work: &Work) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for build in &work.builds {
        let name = build.architecture.name();
        deb::run(&words(&["--arch", name, "--binary"], &[&build.binary, Path::new("--out"), &work.out]))?;
        files.push(package(work, name));
    }
    Ok(files)
}

/// Where the package of an architecture lies.
fn package(work: &Work, architecture: &str) -> PathBuf {
    work.out.join(format!("clawdbot_{}_{architecture}.deb", work.release.version))
}

/// A container image for each architecture, in the form that `docker load` and `podman load` take. The form of the Open
/// Container Initiative has no health check.
pub(super) fn containers(work: &Work) -> Result<Vec<PathBuf>, String> {
    image::emulation::register()?;
    let mut files = Vec::new();
    for build in &work.builds {
        let name = build.architecture.name();
        container::run(&words(&[&format!("--{name}")], &[&build.binary]))?;
        let made = target_directory().join("container").join(format!("clawdbot-{name}.docker.tar"));
        let to = work.named(&format!("container-{name}.tar.gz"));
        let file = std::fs::File::create(&to).map_err(|error| format!("cannot write {}: {error}", to.display()))?;
        process::run(process::command("gzip", &["-6", "--no-name", "--stdout"]).arg(made).stdout(file))?;
        files.push(to);
    }
    Ok(files)
}

/// The card image of Debian packages, and the list by which Raspberry Pi Imager finds it.
pub(super) fn card_image(work: &Work) -> Result<Vec<PathBuf>, String> {
    let package = package(work, "arm64");
    if !package.is_file() {
        return Err("the image takes the arm64 package, which was left out: make the piece deb too".to_owned());
    }
    let name = format!("clawdbot-{}-pi.img", work.release.version);
    let made = work.scratch.path().join(&name);
    let said = ["--board", "pi", "--compress", "--deb"];
    image::run(&words(&said, &[&package, Path::new("--out"), &made]))?;
    let mut files = Vec::new();
    for end in [".xz", ".rpi-imager-manifest"] {
        let to = work.out.join(format!("{name}{end}"));
        moved(&work.scratch.path().join(format!("{name}{end}")), &to)?;
        files.push(to);
    }
    Ok(files)
}

fn moved(from: &Path, to: &Path) -> Outcome {
    std::fs::rename(from, to).map_err(|error| format!("cannot move {} to {}: {error}", from.display(), to.display()))
}

/// A subcommand's arguments: words, then paths.
fn words(words: &[&str], paths: &[&Path]) -> Vec<String> {
    let paths = paths.iter().map(|path| path.to_string_lossy().into_owned());
    words.iter().map(|&word| word.to_owned()).chain(paths).collect()
}
