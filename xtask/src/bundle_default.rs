//! `cargo xtask bundle-default`: rebuilds what a fresh clone shows with no camera, broker, model or config at hand.

mod clip;

use crate::Outcome;
use crate::process::repository_root;

/// Rebuilds the clip.
pub(crate) fn run(_arguments: &[String]) -> Outcome {
    let assets = repository_root().join("assets");
    let clip = clip::make(&assets.join("pictures"))?;
    let path = assets.join("clip.mjpeg");
    println!("{}: {} bytes", path.display(), clip.len());
    std::fs::write(&path, clip).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
