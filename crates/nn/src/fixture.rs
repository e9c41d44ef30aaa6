//! A small sound program with a layer of each kind that has tensors, for the tests of this crate.

use half::f16;

use crate::metadata::{ColorOrder, Head, Origin, PictureInput, Resize, Vision};
use crate::model::{PackedTensor, PackedTensors};
use crate::program::{
    Activation, Op, Program, QuantizedActivation, QuantizedEpilogue, QuantizedWeights, Step, Value, ValueId, Window,
};
use crate::tensor::DataType;

/// A file of `shared/data` beside the repository; `None` (said aloud) where it is missing, unless
/// `CLAWDBOT_REQUIRE_DATA=1` makes that a failure.
pub(crate) fn data(path: &str) -> Option<std::path::PathBuf> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(path);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var("CLAWDBOT_REQUIRE_DATA").as_deref() != Ok("1"), "{} is missing", path.display());
    let notice = format!("SKIPPED: {} is missing\n", path.display());
    std::io::Write::write_all(&mut std::io::stderr(), notice.as_bytes()).unwrap();
    None
}

const CELL: Window = Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] };
const AROUND: Window = Window { kernel: [3, 3], stride: [1, 1], padding: [1; 4] };

fn bytes(name: &str, shape: [usize; 4], scale: f32, zero_point: i32) -> Value {
    Value { name: name.to_owned(), shape: shape.into(), data_type: DataType::I8, scale: vec![scale], zero_point }
}

fn floats(name: &str, shape: &[usize]) -> Value {
    Value { name: name.to_owned(), shape: shape.into(), data_type: DataType::F32, scale: Vec::new(), zero_point: 0 }
}

/// Stores tensors called `<layer>.weights` and so on: `weights` as given, `outputs` channels padded to `padded`.
fn quantized(
    tensors: &mut PackedTensors,
    layer: &str,
    (shape, weights): (Vec<usize>, Vec<i8>),
    channel: impl Fn(usize) -> usize,
    padded: usize,
) -> QuantizedWeights {
    let mut sums = vec![0_i32; padded];
    weights.iter().enumerate().for_each(|(at, &weight)| sums[channel(at)] += i32::from(weight));
    let names = ["weights", "bias", "scale", "column_sums"].map(|part| format!("{layer}.{part}"));
    let packed = [
        PackedTensor::from_i8(shape, &weights),
        PackedTensor::from_i32(vec![padded], &vec![100; padded]),
        PackedTensor::from_f32(vec![padded], &vec![0.01; padded]),
        PackedTensor::from_i32(vec![padded], &sums),
    ];
    for (name, tensor) in names.iter().zip(packed) {
        tensors.insert(name.clone(), tensor.unwrap());
    }
    let [weights, bias, scale, column_sums] = names;
    QuantizedWeights { weights, bias, scale, column_sums }
}

/// Weights `[N/8][K/4][8][4]` for 8 outputs over pixels of `stride` of which `channels` count.
fn dense(taps: usize, stride: usize, channels: usize) -> (Vec<usize>, Vec<i8>) {
    let depth = (taps * stride).next_multiple_of(8);
    let weight = |at: usize| {
        let k = at / 32 * 4 + at % 4;
        let used = k < taps * stride && k % stride < channels;
        if used { i8::try_from(at * 7 % 19).unwrap() - 9 } else { 0 }
    };
    (vec![1, depth / 4, 8, 4], (0..depth * 8).map(weight).collect())
}

/// Picture `[1][4][5][3]` -> conv -> depth -> project + conv -> real -> head -> tail -> scores `[1][5]`.
pub(crate) fn small() -> (Program, PackedTensors) {
    let mut tensors = PackedTensors::new();
    let epilogue = QuantizedEpilogue::whole();
    let row = |at: usize| at / 4 % 8;
    let conv = quantized(&mut tensors, "conv", dense(9, 4, 3), row, 8);
    let depthwise_weights = (0..9 * 16).map(|at| if at % 16 < 8 { i8::try_from(at % 11).unwrap() } else { 0 });
    let depth = quantized(&mut tensors, "depth", (vec![9, 16], depthwise_weights.collect()), |at| at % 16, 16);
    let project = quantized(&mut tensors, "project", dense(1, 16, 8), row, 8);
    let table: Vec<i8> = (-128..=127).rev().collect();
    tensors.insert(String::from("conv.table"), PackedTensor::from_i8(vec![256], &table).unwrap());
    let halves = |shape: &[usize]| {
        let count = shape.iter().product::<usize>();
        let elements: Vec<f16> = (0..count).map(|at| f16::from_f32(if at % 3 == 0 { 0.5 } else { -0.25 })).collect();
        PackedTensor::from_f16(shape.to_vec(), &elements).unwrap()
    };
    tensors.insert(String::from("head.weights"), halves(&[1, 8, 8]));
    tensors.insert(String::from("head.bias"), PackedTensor::from_f32(vec![8], &[0.5; 8]).unwrap());
    tensors.insert(String::from("tail.weights"), halves(&[9, 5]));
    tensors.insert(String::from("tail.bias"), PackedTensor::from_f32(vec![5], &[0.5; 5]).unwrap());

    let float = |weights: &str, bias: &str| (weights.to_owned(), bias.to_owned());
    let (weights, bias) = float("head.weights", "head.bias");
    let head = Op::ConvolutionF16 { window: CELL, pad_value: 0.0, weights, bias, activation: Activation::Relu };
    let (weights, bias) = float("tail.weights", "tail.bias");
    let activation = Activation::Clip { low: f32::NEG_INFINITY, high: 6.0 };
    let tail = Op::DepthwiseF16 { window: AROUND, pad_value: 0.0, weights, bias, activation };
    let activation = QuantizedActivation::Table { table: String::from("conv.table") };
    let curved = QuantizedEpilogue { activation, ..epilogue.clone() };
    let with = |window, tensors, epilogue| Op::ConvolutionI8 { window, pad_value: 3, tensors, epilogue };
    let steps = [
        ("conv", with(AROUND, conv, curved), vec![0], 1),
        (
            "depth",
            Op::DepthwiseI8 { window: AROUND, pad_value: 3, tensors: depth, epilogue: epilogue.clone() },
            vec![1],
            2,
        ),
        ("project", with(CELL, project, epilogue.clone()), vec![2, 1], 3),
        ("add", Op::AddI8 { epilogue }, vec![3, 2], 4),
        ("real", Op::Dequantize, vec![4], 5),
        ("head", head, vec![5], 6),
        ("tail", tail, vec![6], 7),
        ("mean", Op::GlobalAveragePool, vec![7], 8),
        ("flat", Op::Reshape, vec![8], 9),
        ("scores", Op::Softmax, vec![9], 10),
    ];
    let step = |(name, op, inputs, output): (&str, Op, Vec<usize>, usize)| {
        let inputs = inputs.into_iter().map(ValueId).collect();
        Step { name: name.to_owned(), op, inputs, output: ValueId(output) }
    };
    let values = vec![
        bytes("picture", [1, 4, 5, 3], 1.0, -128),
        bytes("conv_out", [1, 4, 5, 8], 0.05, 3),
        bytes("depth_out", [1, 4, 5, 8], 0.04, -7),
        bytes("project_out", [1, 4, 5, 8], 0.03, 0),
        bytes("add_out", [1, 4, 5, 8], 0.06, 1),
        floats("real_out", &[1, 4, 5, 8]),
        floats("head_out", &[1, 4, 5, 5]),
        floats("tail_out", &[1, 4, 5, 5]),
        floats("mean_out", &[1, 1, 1, 5]),
        floats("flat_out", &[1, 5]),
        floats("scores", &[1, 5]),
    ];
    let steps = steps.into_iter().map(step).collect();
    (Program { values, steps, inputs: vec![ValueId(0)], outputs: vec![ValueId(10)] }, tensors)
}

/// What goes with [`small`].
pub(crate) fn vision() -> Vision {
    Vision {
        input: Some(PictureInput { width: 5, height: 4, color: ColorOrder::Rgb, resize: Resize::Stretch }),
        head: Head::Classifier { scores: String::from("scores"), softmax: false },
        labels: ["a", "b", "c", "d", "e"].map(str::to_owned).into(),
        states: Vec::new(),
    }
}

/// What goes with [`small`].
pub(crate) fn origin() -> Origin {
    Origin {
        name: String::from("small"),
        source_file: String::from("small.tflite"),
        source_sha256: "0".repeat(64),
        licence: String::from("MIT"),
        converter: String::from("0.1.0"),
    }
}
