//! llama.cpp as the `llama-cpp-python` source package vendors it, built for one instruction set at a time, with
//! `benches/peers/language.cpp` as its program.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::super::workshop::{Stamp, make_folder};
use super::build::Build;
use crate::Outcome;
use crate::process::{command, repository_root, run};

/// What is built: figures of another version are other figures.
pub(super) const VERSION: &str = "llama-cpp-python==0.3.36";
const ARCHIVE: &str = "llama_cpp_python-0.3.36.tar.gz";
const ARCHIVE_SHA256: &str = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e";
/// llama.cpp inside of the archive.
const TREE: &str = "source/vendor/llama.cpp";
/// What builds it.
const TOOLS: [&str; 2] = ["cmake==4.4.5", "ninja==1.13.2"];
/// The built libraries, users before what they use; the kernels are each build's own ([`Build::rest`]).
const LIBRARIES: [&str; 4] = ["src/libllama.a", "ggml/src/libggml.a", KERNELS, "ggml/src/libggml-base.a"];
const KERNELS: &str = "ggml/src/libggml-cpu.a";

/// See the module.
pub(super) struct Peer {
    folder: PathBuf,
}

impl Peer {
    /// Fetches and builds what is missing; in `builds` those that others share with come first.
    ///
    /// # Errors
    /// When a step fails.
    pub(super) fn prepare(builds: &[Build]) -> Result<Self, String> {
        let peer = Self { folder: cache_folder()? };
        make_folder(&peer.folder)?;
        peer.fetch()?;
        for &build in builds {
            peer.build(build)?;
            peer.link(build)?;
        }
        Ok(peer)
    }

    /// Where everything lies.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its program.
    pub(super) fn driver(&self, build: Build) -> PathBuf {
        self.build_folder(build).join("language")
    }

    fn build_folder(&self, build: Build) -> PathBuf {
        self.folder.join(format!("build-{}", build.name()))
    }

    fn tool(&self, name: &str) -> String {
        self.folder.join("tools/bin").join(name).to_string_lossy().into_owned()
    }

    fn fetch(&self) -> Outcome {
        let tools = self.folder.join("tools");
        Stamp::new(tools.join("stamp"), &TOOLS).unless_fresh(|| {
            eprintln!("installing {} in {}", TOOLS.join(" and "), tools.display());
            run(&mut command("python3", &["-m", "venv", "--clear", &tools.to_string_lossy()]))?;
            let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
            run(command(&self.tool("python"), &install).args(TOOLS))
        })?;
        Stamp::new(self.folder.join("source/stamp"), &[ARCHIVE_SHA256]).unless_fresh(|| {
            eprintln!("fetching {VERSION} (77 MB)");
            // pip asks each source package what it needs, so the tools that build it come along; those need not be built too.
            let download = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"];
            let mut download = command(&self.tool("python"), &download);
            download.args(["--no-binary", "llama-cpp-python", VERSION, "--dest"]).arg(self.folder.join("sdist"));
            run(&mut download)?;
            let archive = self.folder.join("sdist").join(ARCHIVE);
            check_digest(&archive)?;
            let source = self.folder.join("source");
            if source.exists() {
                // Files of another version must not be among these.
                std::fs::remove_dir_all(&source).map_err(|error| format!("{}: {error}", source.display()))?;
            }
            make_folder(&source)?;
            run(command("tar", &["--extract", "--gzip", "--strip-components=1", "--file"])
                .arg(archive)
                .arg("--directory")
                .arg(source))
        })
    }

    fn build(&self, build: Build) -> Outcome {
        let (source, folder) = (self.folder.join(TREE), self.build_folder(build));
        let settings = build.settings();
        let target = if build.rest() == build { "llama" } else { "ggml-cpu" };
        let ingredients: Vec<&str> = [ARCHIVE_SHA256].into_iter().chain(settings.iter().map(String::as_str)).collect();
        Stamp::new(folder.join("stamp"), &ingredients).unless_fresh(|| {
            eprintln!("building llama.cpp for {}: some minutes of processor time", build.name());
            let mut configure = command(&self.tool("cmake"), &["-G", "Ninja", "-S"]);
            configure.arg(source).arg("-B").arg(&folder).args(&settings);
            run(configure.arg(format!("-DCMAKE_MAKE_PROGRAM={}", self.tool("ninja"))))?;
            let jobs = std::thread::available_parallelism().map_or(1, usize::from).to_string();
            run(command(&self.tool("cmake"), &["--build"]).arg(&folder).args(["--target", target, "-j", &jobs]))
        })
    }

    fn link(&self, build: Build) -> Outcome {
        let source = self.folder.join(TREE);
        let program = repository_root().join("benches/peers/language.cpp");
        let mut link = command(build.compiler(), &["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror"]);
        link.arg("-I").arg(source.join("include")).arg("-I").arg(source.join("ggml/include")).arg(program);
        let folder = |library: &str| self.build_folder(if library == KERNELS { build } else { build.rest() });
        link.args(LIBRARIES.iter().map(|library| folder(library).join(library)));
        // Under qemu it has no C library at hand; here it has the one that ours has.
        link.args((build.compiler() != "c++").then_some("-static"));
        eprintln!("linking {} (a warning about dlopen is harmless: nothing is opened)", self.driver(build).display());
        run(link.arg("-pthread").arg("-ldl").arg("-o").arg(self.driver(build)))
    }
}

/// Outside of the tree, since it outlives what cargo builds.
fn cache_folder() -> Result<PathBuf, String> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
    let cache = cache.ok_or("neither XDG_CACHE_HOME nor HOME says where llama.cpp may be kept: set one of them")?;
    Ok(cache.join("clawdbot/peers-llm"))
}

fn check_digest(archive: &Path) -> Outcome {
    let bytes = std::fs::read(archive).map_err(|error| format!("{}: {error}", archive.display()))?;
    let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if digest == ARCHIVE_SHA256 {
        return Ok(());
    }
    Err(format!(
        "{} has the checksum {digest}, not {ARCHIVE_SHA256}: it is not what was measured before",
        archive.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_archive_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join(ARCHIVE);
        std::fs::write(&archive, "something else").unwrap();
        assert!(check_digest(&archive).unwrap_err().contains("checksum"));
    }
}
