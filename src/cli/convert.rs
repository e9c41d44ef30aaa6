//! `clawdbot convert`: a trained network becomes a bundle.

mod calibration;
mod language;
mod progress;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use clawdbot_convert::draft::{Conversion, ConvertError, Draft, Provenance, Request, Target};
use clawdbot_convert::importers::Source;
use clawdbot_convert::means::Means;
use clawdbot_convert::network::Compute;
use clawdbot_convert::normalise::Normalisation;
use clawdbot_convert::recipe::probe::{Evidence, choose, evidence};
use clawdbot_convert::recipe::{RecipeError, Wishes, YoloxConvention};
use clawdbot_convert::sensitivity::OUTPUT_SNR_DB_MIN;
use clawdbot_kernels::isa::Isa;
use clawdbot_nn::metadata::{ColorOrder, Resize};
use clawdbot_nn::workers::Workers;
use serde_json::json;

use super::{Failure, print};
use crate::app::compute::with_workers;
use calibration::Folder;
use progress::Bar;

/// What may be said to `convert`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The network: a TensorFlow Lite file (float, FP16, full-integer), an ONNX file (opset 7 to 21, QDQ too), or a language
    /// model: a GGUF file or a Hugging Face folder.
    input: PathBuf,
    /// The bundle to write; usually ends in .claw.safetensors.
    #[arg(short, long)]
    output: PathBuf,
    /// How the network is computed. Networks over pictures: f16, int8, or mixed, which is INT8 with the layers that it would
    /// hurt kept in FP16, and what they are without this. Language models: f16, int8, int4, which they are without this, or
    /// mixed, which is INT4 with the matrices that it would hurt most in INT8.
    #[arg(long, value_enum)]
    precision: Option<Precision>,
    /// Folder of pictures like those that the network will see; int8 and mixed take their ranges from them. Of a language
    /// model: a text like those that it will read, which says which weights matter.
    #[arg(long, value_name = "DIR|TEXT")]
    calibrate: Option<PathBuf>,
    /// Boards that the bundle is for; one packing serves all of them.
    #[arg(long, value_enum, default_value_t = Board::Any)]
    target: Board,
    /// Write what was done as JSON, with each layer's signal-to-noise ratio.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Names of the classes, one a line.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Grey level that the network takes as 0, one number or three: (grey level - mean) x scale goes in.
    #[arg(long, value_delimiter = ',', value_parser = number, requires = "scale", allow_hyphen_values = true)]
    mean: Vec<f32>,
    /// Size of a grey level, one number or three; fractions such as 1/127.5 are understood.
    #[arg(long, value_delimiter = ',', value_parser = number, requires = "mean")]
    scale: Vec<f32>,
    /// Order of the colours that the network takes.
    #[arg(long, value_enum)]
    color: Option<Color>,
    /// How a picture is brought to the network's size.
    #[arg(long, value_enum)]
    resize: Option<Fit>,
    /// How a YOLOX was trained to take pixels; without it, --calibrate pictures are tried both ways.
    #[arg(long, value_enum)]
    input_convention: Option<Convention>,
    /// Grey level of the border that letterboxing leaves.
    #[arg(long, value_name = "GREY", default_value_t = 114)]
    fill: u8,
    /// Short name of the bundle; the input's if absent.
    #[arg(long)]
    name: Option<String>,
    /// SPDX expression of the network's licence; the file's own if absent.
    #[arg(long, visible_alias = "license")]
    licence: Option<String>,
    /// Signal-to-noise ratio in decibels that `mixed` holds every output to.
    #[arg(long, value_name = "DB", default_value_t = OUTPUT_SNR_DB_MIN)]
    snr: f64,
    /// Leave out some of what is done for accuracy, for comparisons: names with commas between, or `all`.
    #[arg(long, value_name = "NAME,...", value_parser = means)]
    without: Option<Means>,
    /// Threads to compute with.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    threads: u8,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Precision {
    /// FP16 weights, FP32 activations.
    F16,
    /// INT8 everywhere.
    Int8,
    /// The smaller one but for what is fragile.
    Mixed,
    /// INT4, embedding and head INT8; language models only.
    Int4,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Board {
    /// Raspberry Pi and the like.
    Arm64,
    /// PCs.
    #[value(name = "x86_64")]
    X86_64,
    /// Both.
    Any,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Color {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Fit {
    /// Both sides to the network's, whatever the aspect.
    Stretch,
    /// Aspect kept, pasted top left.
    Letterbox,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Convention {
    /// RGB, normalised: YOLOX's first release.
    #[value(name = "yolox-0.1.0")]
    Yolox010,
    /// BGR, grey levels as they are: YOLOX since 0.1.1.
    #[value(name = "yolox-0.1.1")]
    Yolox011,
}

/// A real number or a fraction.
fn number(text: &str) -> Result<f32, String> {
    let part = |text: &str| text.trim().parse::<f32>().map_err(|error| format!("`{text}`: {error}"));
    let value = match text.split_once('/') {
        Some((above, below)) => part(above)? / part(below)?,
        None => part(text)?,
    };
    if value.is_finite() { Ok(value) } else { Err(format!("`{text}` is not a finite number")) }
}

/// What is left of the means for accuracy without those named.
fn means(text: &str) -> Result<Means, String> {
    Means::all_without(text.split(',').map(str::trim))
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if clawdbot_convert::language::recognises(&arguments.input) {
        return language::run(arguments);
    }
    let target = match arguments.precision {
        Some(Precision::F16) => Target::F16,
        Some(Precision::Int8) => Target::Int8,
        Some(Precision::Mixed) | None => Target::Mixed,
        Some(Precision::Int4) => {
            let message = "--precision int4 is for language models; choose f16, int8 or mixed for this network";
            return Err(Failure::Usage(format!("{}: {message}", arguments.input.display())));
        }
    };
    let bytes = read(&arguments.input)?;
    let source = Source { bytes: &bytes, folder: arguments.input.parent() };
    let draft = match (Draft::open(source, &provenance(arguments), &wishes(arguments)?), &arguments.calibrate) {
        (Err(ConvertError::Recipe(RecipeError::Convention)), Some(pictures)) => probe(arguments, source, pictures)?,
        (draft, _) => draft.map_err(|error| failure(arguments, &error))?,
    };
    let folder = match (&arguments.calibrate, draft.picture()) {
        _ if target == Target::F16 => None,
        (Some(path), Some(picture)) => Some(Folder::open(path, picture)?),
        (Some(_), None) => {
            let message = "--calibrate gives pictures, but the network takes none; choose --precision f16".to_owned();
            return Err(Failure::Usage(message));
        }
        (None, _) => None,
    };
    let conversion = with_workers(usize::from(arguments.threads), |workers| {
        let request = Request {
            target,
            snr_db_min: arguments.snr,
            probe: arguments.report.is_some(),
            means: arguments.without.unwrap_or(Means::ALL),
            compute: Compute { isa: Isa::detect(), workers },
        };
        convert(&draft, &request, folder)
    });
    let conversion = conversion?.map_err(|error| failure(arguments, &error))?;
    conversion.writer().write(&arguments.output).map_err(|error| Failure::from_error(&error))?;
    tell(arguments, &conversion)
}

/// The draft under the convention that the pictures speak for.
fn probe(arguments: &Arguments, source: Source<'_>, pictures: &Path) -> Result<Draft, Failure> {
    let told = wishes(arguments)?;
    let try_one = |convention, workers: &Arc<Workers>| -> Result<(Draft, Evidence), Failure> {
        let wishes = Wishes { convention: Some(convention), ..told.clone() };
        let draft = Draft::open(source, &provenance(arguments), &wishes).map_err(|error| failure(arguments, &error))?;
        let picture = draft.picture().ok_or_else(|| failure(arguments, &RecipeError::Convention.into()))?;
        let mut folder = Folder::open(pictures, picture)?;
        let compute = Compute { isa: Isa::detect(), workers: Arc::clone(workers) };
        let found = evidence(&draft, &compute, &mut |index| folder.sample(index));
        let found = found.map_err(|error| failure(arguments, &error))?;
        folder.into_failure().map_or(Ok((draft, found)), Err)
    };
    with_workers(usize::from(arguments.threads), |workers| {
        let [first, second] = YoloxConvention::ALL;
        let (one, other) = (try_one(first, &workers)?, try_one(second, &workers)?);
        let chosen = choose([(first, one.1), (second, other.1)]);
        let (convention, why) = chosen.map_err(|error| failure(arguments, &error.into()))?;
        let mut draft = if convention == first { one.0 } else { other.0 };
        draft.note(why);
        Ok(draft)
    })
}

fn convert(
    draft: &Draft,
    request: &Request,
    folder: Option<Folder>,
) -> Result<Result<Conversion, ConvertError>, Failure> {
    let Some(mut folder) = folder else {
        return Ok(draft.convert(request, &mut |_| None, &mut |_| ()));
    };
    let mut bar = Bar::new(folder.len());
    let conversion = draft.convert(request, &mut |index| folder.sample(index), &mut |progress| bar.show(progress));
    bar.finish();
    match folder.into_failure() {
        Some(failure) => Err(failure),
        None => Ok(conversion),
    }
}

fn provenance(arguments: &Arguments) -> Provenance {
    let file_name = arguments.input.file_name().unwrap_or(arguments.input.as_os_str());
    Provenance {
        file_name: file_name.to_string_lossy().into_owned(),
        name: arguments.name.clone(),
        licence: arguments.licence.clone(),
    }
}

fn wishes(arguments: &Arguments) -> Result<Wishes, Failure> {
    let labels = arguments.labels.as_ref().map(|path| -> Result<Vec<String>, Failure> {
        let text = String::from_utf8(read(path)?)
            .map_err(|_| Failure::Failed(format!("{}: the labels are not UTF-8 text", path.display())))?;
        Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(ToOwned::to_owned).collect())
    });
    let given = !arguments.mean.is_empty();
    Ok(Wishes {
        normalisation: given.then(|| Normalisation { mean: arguments.mean.clone(), scale: arguments.scale.clone() }),
        color: arguments.color.map(|color| match color {
            Color::Rgb => ColorOrder::Rgb,
            Color::Bgr => ColorOrder::Bgr,
        }),
        resize: arguments.resize.map(|fit| match fit {
            Fit::Stretch => Resize::Stretch,
            Fit::Letterbox => Resize::Letterbox { fill: arguments.fill },
        }),
        labels: labels.transpose()?,
        convention: arguments.input_convention.map(|convention| match convention {
            Convention::Yolox010 => YoloxConvention::V0_1_0,
            Convention::Yolox011 => YoloxConvention::V0_1_1,
        }),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::Failed(format!("{}: {error}; check the path", path.display())))
}

/// An error of the converter: what the user must say is a matter of usage, the rest failed.
fn failure(arguments: &Arguments, error: &ConvertError) -> Failure {
    let message = format!("{}: {error}", arguments.input.display());
    match error {
        ConvertError::Recipe(_) | ConvertError::NoCalibration { .. } => Failure::Usage(message),
        _ => Failure::Failed(message),
    }
}

fn tell(arguments: &Arguments, conversion: &Conversion) -> Result<(), Failure> {
    let report = json!({ "output": arguments.output, "origin": conversion.origin, "report": conversion.report });
    if let Some(path) = &arguments.report {
        std::fs::write(path, format!("{report:#}\n"))
            .map_err(|error| Failure::Failed(format!("{}: the report can't be written: {error}", path.display())))?;
    }
    if arguments.json {
        return print(&report.to_string());
    }
    print(&conversion.report.to_string())?;
    print(&format!("licence {}; wrote {}", conversion.origin.licence, arguments.output.display()))
}

#[cfg(test)]
mod tests;
