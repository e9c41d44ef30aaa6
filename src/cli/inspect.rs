//! `clawdbot inspect`: what a model bundle is, takes, gives and costs.

mod language;

use std::path::PathBuf;

use clap::Args;
use clawdbot_nn::bundle::{self, Bundle, Kind};
use clawdbot_nn::metadata::{Head, Resize, Vision};
use clawdbot_nn::program::cost::Precision;
use clawdbot_nn::program::{Step, ValueId};
use clawdbot_nn::tensor::DataType;
use serde_json::{Value, json};

use super::{Failure, print};
use crate::pipeline::network::open_bundle;

/// What may be said to `inspect`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The bundle, a `.claw.safetensors` file; without one, the bundled detector.
    bundle: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    /// Of a language model, read all weights too: their checksums, and that they can be computed with.
    #[arg(long)]
    verify: bool,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(path) = &arguments.bundle
        && bundle::kind(path).map_err(|error| Failure::from_error(&error))? == Kind::Llm
    {
        return language::run(path, arguments.json, arguments.verify);
    }
    let bundle = open_bundle(arguments.bundle.as_deref()).map_err(|error| Failure::from_error(&error))?;
    if arguments.json { print(&report(&bundle).to_string()) } else { print(text(&bundle).trim_end()) }
}

/// Bytes of the tensors that `step` reads.
fn tensor_bytes(bundle: &Bundle, step: &Step) -> usize {
    step.op.tensors().into_iter().filter_map(|name| bundle.tensor(name)).map(|tensor| tensor.bytes.len()).sum()
}

/// Bytes and multiplications of all steps that compute with `precision`, and how many these are.
fn totals(bundle: &Bundle, precision: Precision) -> (usize, usize, u64) {
    let program = bundle.program();
    let steps = program.steps.iter().filter(|step| program.precision(step) == precision);
    steps.fold((0, 0, 0), |(count, bytes, multiplications), step| {
        (count + 1, bytes + tensor_bytes(bundle, step), multiplications + program.multiplications(step))
    })
}

fn report(bundle: &Bundle) -> Value {
    let program = bundle.program();
    let value = |id: &ValueId| {
        let value = &program.values[id.0];
        let mut report = json!({ "name": value.name, "shape": value.shape, "type": value.data_type });
        if value.data_type == DataType::I8 {
            report["scale"] = json!(value.scale);
            report["zero_point"] = json!(value.zero_point);
        }
        report
    };
    let layer = |step: &Step| {
        json!({
            "name": step.name,
            "op": step.op.name(),
            "precision": program.precision(step).name(),
            "inputs": step.inputs.iter().map(|input| &program.values[input.0].shape).collect::<Vec<_>>(),
            "output": program.values[step.output.0].shape,
            "multiplications": program.multiplications(step),
            "tensor_bytes": tensor_bytes(bundle, step),
        })
    };
    let total = |precision| {
        let (layers, tensor_bytes, multiplications) = totals(bundle, precision);
        json!({ "layers": layers, "tensor_bytes": tensor_bytes, "multiplications": multiplications })
    };
    json!({
        "kind": bundle.kind().name(),
        "file_bytes": bundle.file_bytes(),
        "arena_bytes": program.arena_bytes(),
        "origin": bundle.origin(),
        "vision": bundle.vision(),
        "inputs": program.inputs.iter().map(value).collect::<Vec<_>>(),
        "outputs": program.outputs.iter().map(value).collect::<Vec<_>>(),
        "totals": {
            "int8": total(Precision::Int8),
            "f16": total(Precision::F16),
            "f32": total(Precision::F32),
        },
        "layers": program.steps.iter().map(layer).collect::<Vec<_>>(),
    })
}

fn text(bundle: &Bundle) -> String {
    let (program, origin) = (bundle.program(), bundle.origin());
    let mut lines = vec![
        format!("{} ({}), {} KiB", origin.name, bundle.kind(), bundle.file_bytes().div_ceil(1024)),
        format!("from      {} (SHA-256 {})", origin.source_file, origin.source_sha256),
        format!("licence   {}", origin.licence),
        format!("converter {}", origin.converter),
        format!("arena     {} KiB", program.arena_bytes().div_ceil(1024)),
    ];
    for (what, ids) in [("input", &program.inputs), ("output", &program.outputs)] {
        for id in ids {
            let value = &program.values[id.0];
            lines.push(format!("{what:<9} {} {:?} {}", value.name, value.data_type, shape(&value.shape)));
        }
    }
    if let Some(vision) = bundle.vision() {
        lines.extend(vision_lines(vision));
    }
    for precision in [Precision::Int8, Precision::F16] {
        let (count, bytes, multiplications) = totals(bundle, precision);
        let (name, kib) = (precision.name(), bytes.div_ceil(1024));
        lines.push(format!("{name:<9} {count} layers, {kib} KiB, {} MMAC", millions(multiplications)));
    }
    lines.push(String::new());
    lines.push(layers(bundle));
    lines.join("\n")
}

fn vision_lines(vision: &Vision) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(input) = &vision.input {
        let resize = match input.resize {
            Resize::Stretch => String::from("stretched"),
            Resize::Letterbox { fill } => format!("letterboxed with grey {fill}"),
        };
        lines.push(format!("picture   {}x{} {:?}, {resize}", input.width, input.height, input.color));
    }
    let head = match &vision.head {
        Head::Ssd(ssd) => {
            let anchors: usize = ssd.maps.iter().map(|map| map.rows * map.columns * map.sizes.len()).sum();
            format!("SSD, {} maps, {anchors} anchors, overlap at most {}", ssd.maps.len(), ssd.overlap_max)
        }
        Head::Yolox(yolox) => {
            let strides = yolox.strides().iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
            format!("YOLOX, strides {strides}, overlap at most {}", yolox.overlap_max)
        }
        Head::NanoDet(nanodet) => {
            let strides =
                nanodet.branches.iter().map(|branch| branch.stride.to_string()).collect::<Vec<_>>().join(", ");
            format!("NanoDet, strides {strides}, {} bins a side, overlap at most {}", nanodet.bins, nanodet.overlap_max)
        }
        Head::BlazeFace(face) => {
            let anchors: usize = face.maps.iter().map(|map| map.rows * map.columns * map.sizes.len()).sum();
            format!("BlazeFace, {anchors} anchors, {} keypoints", face.keypoints.len())
        }
        Head::Pose(pose) => format!("pose of one person, {} keypoints", pose.keypoints.len()),
        Head::Classifier { scores, softmax } => {
            format!("classifier over {}`{scores}`", if *softmax { "the softmax of " } else { "" })
        }
        Head::Raw => String::from("none"),
    };
    lines.push(format!("head      {head}"));
    lines.push(format!("labels    {}: {}", vision.labels.len(), abridged(&vision.labels)));
    // What comes out of one picture's run goes in with the next.
    lines.extend(vision.states.iter().map(|state| format!("remembers {} (from {})", state.input, state.output)));
    lines
}

/// The first labels; all of them stand in the JSON.
fn abridged(labels: &[String]) -> String {
    const SHOWN: usize = 30;
    let shown = labels.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if labels.len() > SHOWN { format!("{shown}, ...") } else { shown }
}

/// One line a layer.
fn layers(bundle: &Bundle) -> String {
    let program = bundle.program();
    let width = program.steps.iter().map(|step| step.name.chars().count()).max().unwrap_or(0).clamp(5, 60);
    let mut table =
        format!("{:<width$}  {:<19}  {:<5}  {:<20}  {:>9}  {:>9}", "layer", "op", "in", "result", "MMAC", "bytes");
    for step in &program.steps {
        let (op, precision) = (step.op.name(), program.precision(step).name());
        let result = shape(&program.values[step.output.0].shape);
        let (millions, bytes) = (millions(program.multiplications(step)), tensor_bytes(bundle, step));
        let name = tail(&step.name, width);
        table.push('\n');
        table += &format!("{name:<width$}  {op:<19}  {precision:<5}  {result:<20}  {millions:>9}  {bytes:>9}");
    }
    table
}

/// The end of a name, which differs where the beginnings do not.
fn tail(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    let end: String = name.chars().skip(length - (width - 3)).collect();
    format!("...{end}")
}

fn shape(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}

/// Millions with two digits.
fn millions(count: u64) -> String {
    let hundredths = count.saturating_add(5_000) / 10_000;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests;
