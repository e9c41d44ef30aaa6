//! Building the image with buildah, and what the image says of itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::architecture::Architecture;
use crate::Outcome;
use crate::process::{self, repository_root};

const DOCKERFILE: &str = "deploy/docker/Dockerfile";

/// A built image and its unpacked root.
#[derive(Debug)]
pub(super) struct Image {
    /// Where its files lie, with their owners.
    pub(super) root: PathBuf,
    /// How it wants to be run.
    pub(super) settings: Settings,
    archive: PathBuf,
}

/// What an engine reads from the image.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Settings {
    /// Whose number the process gets.
    pub(super) user: String,
    /// `NAME=value`.
    pub(super) env: Vec<String>,
    /// The program.
    pub(super) entrypoint: Vec<String>,
    /// Its arguments, unless the user gives others.
    pub(super) cmd: Vec<String>,
    /// How to ask it how it fares.
    pub(super) healthcheck: Healthcheck,
}

/// The image's own check.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Healthcheck {
    /// `CMD` and the words of a command.
    pub(super) test: Vec<String>,
}

impl Image {
    /// Builds it over the root in `base`, with `folder` as context.
    ///
    /// # Errors
    /// When a step of buildah fails, or the image lacks something that an engine needs.
    pub(super) fn build(architecture: Architecture, folder: &Path, base: &Path) -> Result<Self, String> {
        let name = architecture.name();
        let (image, base_image) = (format!("localhost/clawdbot:{name}"), format!("localhost/base:{name}"));
        let base_context = folder.join(format!("base-{name}"));
        make(&base_context)?;
        let dockerfile = base_context.join("Dockerfile");
        let file_name = base.file_name().unwrap_or_default().to_string_lossy();
        std::fs::write(&dockerfile, format!("FROM scratch\nADD {file_name} /\nCMD [\"/bin/sh\"]\n"))
            .map_err(|error| format!("{}: {error}", dockerfile.display()))?;
        link(base, &base_context.join(&*file_name))?;
        let build = |tag: &str, dockerfile: &Path, more: &[&str], context: &Path| {
            let mut command = buildah(folder, &["build", "--isolation", "chroot", "--format", "docker", "--quiet"]);
            command.args(["--platform", &format!("linux/{name}"), "--tag", tag, "--file"]).arg(dockerfile);
            process::output(command.args(more).arg(context)).map(drop)
        };
        build(&base_image, &dockerfile, &[], &base_context)?;
        let base_argument = format!("BASE={base_image}");
        build(&image, &repository_root().join(DOCKERFILE), &["--pull=never", "--build-arg", &base_argument], folder)?;
        let archive = folder.join(format!("clawdbot-{name}.docker.tar"));
        remove(&archive)?;
        let to = format!("docker-archive:{}:clawdbot:latest", archive.display());
        process::output(&mut buildah(folder, &["push", "--quiet", &image, &to]))?;
        let said = process::output(&mut buildah(folder, &["inspect", "--type", "image", &image]))?;
        let root = unpack(folder, &image, &folder.join(format!("root-{name}")))?;
        Ok(Self { root, settings: settings(&said)?, archive })
    }

    /// How large it is, in words.
    ///
    /// # Errors
    /// When its files cannot be looked at.
    pub(super) fn sizes(&self) -> Result<String, String> {
        let bytes = |path: &Path| {
            let said =
                process::output(process::command("du", &["--summarize", "--apparent-size", "--bytes"]).arg(path))?;
            said.split_whitespace().next().and_then(|word| word.parse::<u64>().ok()).ok_or(said)
        };
        let megabytes = |bytes: u64| format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10);
        let [root, binary] = [bytes(&self.root)?, bytes(&self.root.join("usr/bin/clawdbot"))?];
        let packed = process::output(process::command("sh", &["-c", "gzip -6 <\"$0\" | wc -c"]).arg(&self.archive))?;
        let packed: u64 = packed.trim().parse().map_err(|error| format!("gzip said {packed:?}: {error}"))?;
        Ok(format!(
            "{} of files, {} of them the binary; {} to download (gzip)",
            megabytes(root),
            megabytes(binary),
            megabytes(packed)
        ))
    }
}

/// buildah with a storage of its own below `folder`.
fn buildah(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = process::command("buildah", &["--storage-driver", "vfs", "--root"]);
    command.arg(folder.join("storage")).arg("--runroot").arg(folder.join("storage-run")).args(arguments);
    command
}

/// Copies the image's files out of buildah's storage, which only root may look into.
fn unpack(folder: &Path, image: &str, to: &Path) -> Result<PathBuf, String> {
    remove(to)?;
    let container = process::output(&mut buildah(folder, &["from", "--pull-never", image]))?.trim().to_owned();
    let mounted = process::output(&mut buildah(folder, &["mount", &container]))?;
    process::run(process::command("cp", &["--archive", "--no-target-directory", mounted.trim()]).arg(to))?;
    process::output(&mut buildah(folder, &["rm", &container]))?;
    Ok(to.to_owned())
}

/// The settings out of `buildah inspect`.
fn settings(text: &str) -> Result<Settings, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Inspected {
        docker: Docker,
    }
    #[derive(Deserialize)]
    struct Docker {
        config: Settings,
    }
    let inspected: Inspected =
        serde_json::from_str(text).map_err(|error| format!("the image lacks what an engine needs of it: {error}"))?;
    Ok(inspected.docker.config)
}

fn make(folder: &Path) -> Outcome {
    std::fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))
}

/// A second name for a file: the context must hold it, and it is large.
fn link(from: &Path, to: &Path) -> Outcome {
    remove(to)?;
    std::fs::hard_link(from, to).map_err(|error| format!("cannot link {}: {error}", to.display()))
}

fn remove(path: &Path) -> Outcome {
    process::run(process::command("rm", &["--recursive", "--force"]).arg(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_says_how_it_wants_to_be_run() {
        let text = r#"{"Docker": {"config": {"User": "10001", "Env": ["A=b"], "Entrypoint": ["/usr/bin/clawdbot"], "Cmd": ["run"],
            "Healthcheck": {"Test": ["CMD", "/usr/bin/clawdbot", "health"], "Interval": 30000000000}}}}"#;
        let settings = settings(text).unwrap();
        assert_eq!((settings.user.as_str(), settings.cmd.as_slice()), ("10001", &["run".to_owned()][..]));
        assert_eq!(settings.healthcheck.test.last().unwrap(), "health");
    }

    #[test]
    fn an_image_without_a_health_check_is_an_error() {
        let text = r#"{"Docker": {"config": {"User": "", "Env": [], "Entrypoint": [], "Cmd": []}}}"#;
        assert!(settings(text).is_err_and(|error| error.contains("Healthcheck")));
    }
}
