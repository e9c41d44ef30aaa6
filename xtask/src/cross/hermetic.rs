//! `cargo xtask cross --hermetic`: what `cross build` does, where no container engine is at hand. The steps of
//! `deploy/cross/Dockerfile` run in a bare Debian root; then the build, which sees of this machine the Rust toolchain, the
//! crates that cargo has fetched, and the checkout, under the names that `cross` gives them.

use std::path::PathBuf;

use super::dockerfile::{Step, parse};
use super::{TARGET, TOOLS, accept_glibc, reproducible};
use crate::Outcome;
use crate::debian_root::{Root, Shared};
use crate::process::{self, repository_root};

const DOCKERFILE: &str = "deploy/cross/Dockerfile";
/// What Debian's container image is: the minimal system.
const FROM: &str = "debian:bookworm";

/// Builds and checks the oldest glibc.
pub(super) fn run() -> Outcome {
    let text = std::fs::read_to_string(repository_root().join(DOCKERFILE))
        .map_err(|error| format!("cannot read {DOCKERFILE}: {error}"))?;
    let steps = parse(&text)?;
    // The build itself runs without a network.
    process::run(&mut process::cargo(&["fetch", "--locked", "--target", TARGET]))?;
    let root = Root::unpack("amd64", &["ca-certificates"])?;
    // mmdebstrap leaves no resolver behind, and RUN steps ask for packages.
    std::fs::copy("/etc/resolv.conf", root.path("/etc/resolv.conf"))
        .map_err(|error| format!("cannot give the root a resolver: {error}"))?;
    let environment = prepare(&root, steps)?;
    let binary = build(&root, &environment)?;
    accept_glibc(&root.output(&[&format!("{TOOLS}-readelf"), "--wide", "--version-info", &binary.inside])?)?;
    println!("{}", binary.outside.display());
    Ok(())
}

/// Follows the Dockerfile and answers its variables.
fn prepare(root: &Root, steps: Vec<Step>) -> Result<Vec<(String, String)>, String> {
    let mut environment = Vec::new();
    for step in steps {
        match step {
            Step::From(image) if image == FROM => {}
            Step::From(image) => return Err(format!("{DOCKERFILE} begins with {image}, but the root is {FROM}")),
            Step::Run(line) => {
                println!("RUN {line}");
                let mut command = root.command(&["sh", "-c", &line]);
                process::run(command.envs(environment.iter().cloned()))?;
            }
            Step::Env(pairs) => environment.extend(pairs),
        }
    }
    Ok(environment)
}

/// The built file, by its name in the root and here.
struct Built {
    inside: String,
    outside: PathBuf,
}

fn build(root: &Root, environment: &[(String, String)]) -> Result<Built, String> {
    let sysroot = process::output(&mut process::command("rustc", &["--print", "sysroot"]))?;
    let target = process::target_directory().join("hermetic");
    std::fs::create_dir_all(&target).map_err(|error| format!("cannot create {}: {error}", target.display()))?;
    let cargo_home = reproducible::cargo_home()?;
    let shared = [
        Shared { outside: sysroot.trim().as_ref(), inside: "/rust" },
        Shared { outside: &cargo_home, inside: "/cargo" },
        Shared { outside: repository_root(), inside: "/project" },
        Shared { outside: &target, inside: "/target" },
    ];
    let line = format!("cd /project && cargo build --release --locked --offline --target {TARGET} --package clawdbot");
    let mut command = root.command_with(&shared, &["sh", "-c", &line]);
    command
        .envs(environment.iter().cloned())
        .env("PATH", "/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("CARGO_HOME", "/cargo")
        .env("CARGO_TARGET_DIR", "/target");
    process::run(&mut command)?;
    let name = format!("{TARGET}/release/clawdbot");
    let outside = target.join(&name);
    // The mounts are gone, so the file is copied to where the root's own tools find it.
    std::fs::copy(&outside, root.path("/clawdbot"))
        .map_err(|error| format!("the build left no {}: {error}", outside.display()))?;
    Ok(Built { inside: "/clawdbot".to_owned(), outside })
}
