//! Where the bundled default comes from: two public packages, or files that a developer without a network has at hand.
//! Either way the bytes are checked against the digests below.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::process;

/// The npm package that carries the network.
pub(crate) const MODEL_PACKAGE: &str = "@mediapipe/objectron@0.4.1675468480";
/// The packed file inside it, and where the TensorFlow Lite file lies in that.
pub(crate) const MODEL_PACKED_IN: &str = "package/objectron_solution_packed_assets.data";
const MODEL_BYTES: std::ops::Range<usize> = 184..9_987_912;
/// The name under which the network is known.
const MODEL_NAME: &str = "ssd_mobilenetv2_oidv4_fp16.tflite";
const MODEL_SHA256: &str = "d0a5255bf8c4f5a0bc4240741a76c41d5e939f7655078f945f50ab53a9375da6";

/// The Python package that carries the pictures, in its folder `skimage/data`.
const PICTURES_PACKAGE: &str = "scikit-image==0.25.2";
/// The pictures: file name and digest. NOTICE names their licences.
const PICTURES: &[(&str, &str)] = &[
    ("astronaut.png", "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"),
    ("camera.png", "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a"),
    ("chelsea.png", "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb"),
    ("coffee.png", "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7"),
];

/// Writes the network into `folder` and returns its path: from `at_hand`, or else from its package.
///
/// # Errors
/// When the package or the file cannot be had, or holds other bytes than it should.
pub(crate) fn model(at_hand: Option<&Path>, folder: &Path) -> Result<PathBuf, String> {
    let bytes = match at_hand {
        Some(path) => read(path)?,
        None => model_from_package(folder)?,
    };
    let origin = at_hand.map_or_else(|| MODEL_PACKAGE.to_owned(), |path| path.display().to_string());
    check_digest(&bytes, MODEL_SHA256, MODEL_NAME, &origin)?;
    let path = folder.join(MODEL_NAME);
    write(&path, &bytes)?;
    Ok(path)
}

/// Writes the pictures into `into`: from the folder `at_hand`, or else from their package, unpacked below `folder`.
///
/// # Errors
/// When the package or a file cannot be had, or holds other bytes than it should.
pub(crate) fn pictures(at_hand: Option<&Path>, folder: &Path, into: &Path) -> Result<(), String> {
    let source = match at_hand {
        Some(path) => path.to_owned(),
        None => pictures_from_package(folder)?,
    };
    for (name, digest) in PICTURES {
        let bytes = read(&source.join(name))?;
        check_digest(&bytes, digest, name, &source.display().to_string())?;
        write(&into.join(name), &bytes)?;
    }
    Ok(())
}

fn model_from_package(folder: &Path) -> Result<Vec<u8>, String> {
    let unpacked = create(folder.join("npm"))?;
    process::run(process::command("npm", &["pack", "--silent", MODEL_PACKAGE]).current_dir(&unpacked))?;
    let archive = find(&unpacked, "tgz")?;
    process::run(process::command("tar", &["-xzf"]).arg(&archive).arg(MODEL_PACKED_IN).current_dir(&unpacked))?;
    let packed = read(&unpacked.join(MODEL_PACKED_IN))?;
    packed.get(MODEL_BYTES).map(<[u8]>::to_vec).ok_or_else(|| {
        let (end, length) = (MODEL_BYTES.end, packed.len());
        format!("{MODEL_PACKED_IN} of {MODEL_PACKAGE} ends at byte {length}, before the model's end at {end}")
    })
}

fn pictures_from_package(folder: &Path) -> Result<PathBuf, String> {
    let unpacked = create(folder.join("pip"))?;
    let download = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", PICTURES_PACKAGE];
    process::run(process::command("python3", &download).current_dir(&unpacked))?;
    let wheel = find(&unpacked, "whl")?;
    process::run(process::command("python3", &["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked))?;
    Ok(unpacked.join("skimage/data"))
}

/// The one file in `folder` whose name ends in `.extension`.
fn find(folder: &Path, extension: &str) -> Result<PathBuf, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("cannot list {}: {error}", folder.display()))?;
    let mut paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    paths
        .find(|path| path.extension().is_some_and(|found| found == extension))
        .ok_or_else(|| format!("the package manager left no .{extension} file in {}", folder.display()))
}

fn check_digest(bytes: &[u8], expected: &str, name: &str, origin: &str) -> Result<(), String> {
    let found: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if found == expected {
        return Ok(());
    }
    Err(format!("{name} from {origin} has sha256 {found}, but it must be {expected}: it is another file or damaged"))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// Writes a whole file.
///
/// # Errors
/// Names the file and the reason.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(path, bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Makes the folder `path`, and those above it.
///
/// # Errors
/// Names the folder and the reason.
pub(crate) fn create(path: PathBuf) -> Result<PathBuf, String> {
    std::fs::create_dir_all(&path).map_err(|error| format!("cannot create {}: {error}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests;
