//! `cargo xtask bundle-default`: rebuilds what a fresh clone shows with no camera, broker, model or config at hand: the
//! pictures, the clip made of them, and the INT8 bundle of the default detector.
//!
//! Everything comes from two public packages (npm and PyPI) or, for those without a network, from files at hand.

mod calibration;
mod clip;
pub(crate) mod origin;

use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::process::{self, repository_root};

const USAGE: &str = "usage: cargo xtask bundle-default [--clip-only] [--model-file FILE] [--pictures DIR] \
                     [--calibrate DIR] [--precision NAME]";
/// The bundle's path below the repository's root; the daemon includes it from there.
const BUNDLE: &str = "assets/ssd-mobilenet-v2-oid.claw.safetensors";
/// The clip's path below the repository's root.
const CLIP: &str = "assets/clip.mjpeg";
/// What the converter holds every output to. Chosen by `clawdbot eval detect` on `coco-open`: of 25, 27, 29, 31 and 33 dB
/// the least at which every figure stays within 0.01 of float (docs/decisions/0004-default-bundle.md).
const SNR_DB: &str = "29";
/// What bundle and clip may weigh together in the repository.
const BYTES_MAX: u64 = 9_000_000;

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    /// Leave model and bundle alone.
    clip_only: bool,
    /// The network's TensorFlow Lite file, instead of the npm package.
    model_file: Option<PathBuf>,
    /// The folder with the pictures, instead of the scikit-image wheel.
    pictures: Option<PathBuf>,
    /// A folder of pictures to calibrate on, instead of those made from the free ones.
    calibrate: Option<PathBuf>,
    /// The converter's precision; its own default when absent.
    precision: Option<String>,
}

/// Rebuilds pictures, clip and bundle under `assets/`.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let options = parse(arguments)?;
    let assets = origin::create(repository_root().join("assets"))?;
    let pictures = origin::create(assets.join("pictures"))?;
    let work = tempfile::tempdir().map_err(|error| format!("cannot create a temporary folder: {error}"))?;

    origin::pictures(options.pictures.as_deref(), work.path(), &pictures)?;
    let clip = clip::make(&pictures)?;
    origin::write(&repository_root().join(CLIP), &clip)?;
    if options.clip_only {
        println!("{CLIP}: {} bytes", clip.len());
        return Ok(());
    }
    let model = origin::model(options.model_file.as_deref(), work.path())?;
    let calibrate = match &options.calibrate {
        Some(folder) => folder.clone(),
        None => {
            let folder = origin::create(work.path().join("calibration"))?;
            calibration::make(&pictures, &clip, &folder)?;
            folder
        }
    };
    convert(&model, &calibrate, options.precision.as_deref())?;
    check_size()
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut arguments = arguments.iter();
    while let Some(name) = arguments.next() {
        if name == "--clip-only" {
            options.clip_only = true;
            continue;
        }
        let mut value = || arguments.next().ok_or_else(|| format!("{name} wants a value\n{USAGE}"));
        match name.as_str() {
            "--model-file" => options.model_file = Some(process::absolute(value()?)?),
            "--pictures" => options.pictures = Some(process::absolute(value()?)?),
            "--calibrate" => options.calibrate = Some(process::absolute(value()?)?),
            "--precision" => options.precision = Some(value()?.clone()),
            _ => return Err(format!("does not know {name:?}\n{USAGE}")),
        }
    }
    Ok(options)
}

/// Runs our own converter, in release: calibration runs the network over a hundred pictures and more.
fn convert(model: &Path, calibrate: &Path, precision: Option<&str>) -> Outcome {
    // The daemon includes the bundle when it is compiled, and the converter is a part of it: where there is no bundle yet,
    // an empty file lets it compile.
    let bundle = repository_root().join(BUNDLE);
    if !bundle.exists() {
        origin::write(&bundle, &[])?;
    }
    let mut command = process::cargo(&["run", "--release", "--locked", "--quiet", "--", "convert"]);
    command.arg(model).args(["-o", BUNDLE, "--snr", SNR_DB, "--calibrate"]).arg(calibrate);
    if let Some(precision) = precision {
        command.args(["--precision", precision]);
    }
    process::run(&mut command)
}

fn check_size() -> Outcome {
    let mut whole = 0;
    for path in [BUNDLE, CLIP] {
        let metadata = std::fs::metadata(repository_root().join(path));
        let bytes = metadata.map_err(|error| format!("cannot look at {path}: {error}"))?.len();
        println!("{path}: {bytes} bytes");
        whole += bytes;
    }
    if whole > BYTES_MAX {
        return Err(format!("bundle and clip have {whole} bytes together, but may have {BYTES_MAX}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
