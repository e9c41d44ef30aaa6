//! A detector that is small enough to be written down: it calls a picture "bright" or "dark", in a box of half its size.

use std::path::Path;

use clawdbot_nn::bundle::Writer;
use clawdbot_nn::metadata::{AnchorMap, ColorOrder, Head, Origin, PictureInput, Resize, SsdHead, Vision};
use clawdbot_nn::model::{PackedTensor, PackedTensors};
use clawdbot_nn::program::{Op, Program, QuantizedEpilogue, QuantizedWeights, Step, Value, ValueId, Window};
use clawdbot_nn::tensor::DataType;

const SIDE: usize = 8;
/// Bytes of one output channel's weights: 4 channels a pixel, of which the last is padding.
const DEPTH: usize = SIDE * SIDE * 4;

/// Writes the detector's bundle to `path`.
pub(crate) fn write(path: &Path) {
    let (program, tensors, vision) = (program(), tensors(), vision());
    let origin = Origin { name: "brightness".to_owned(), ..Origin::default() };
    Writer { program: &program, tensors: &tensors, vision: Some(&vision), origin: &origin }.write(path).unwrap();
}

fn program() -> Program {
    let float = |name: &str, shape: &[usize]| Value {
        name: name.to_owned(),
        shape: shape.to_vec(),
        data_type: DataType::F32,
        scale: Vec::new(),
        zero_point: 0,
    };
    let picture =
        Value { data_type: DataType::I8, scale: vec![1.0], zero_point: -128, ..float("picture", &[1, SIDE, SIDE, 3]) };
    let step = |name: &str, op: Op, input: usize, output: usize| Step {
        name: name.to_owned(),
        op,
        inputs: vec![ValueId(input)],
        output: ValueId(output),
    };
    Program {
        values: vec![
            picture,
            float("box cell", &[1, 1, 1, 4]),
            float("boxes", &[1, 1, 4]),
            float("score cell", &[1, 1, 1, 3]),
            float("scores", &[1, 1, 3]),
        ],
        steps: vec![
            step("box layer", convolution("box"), 0, 1),
            step("box shape", Op::Reshape, 1, 2),
            step("score layer", convolution("score"), 0, 3),
            step("score shape", Op::Reshape, 3, 4),
        ],
        inputs: vec![ValueId(0)],
        outputs: vec![ValueId(2), ValueId(4)],
    }
}

/// One output cell that looks at the whole picture.
fn convolution(layer: &str) -> Op {
    let name = |part: &str| format!("{layer}.{part}");
    Op::ConvolutionI8 {
        window: Window { kernel: [SIDE; 2], stride: [SIDE; 2], padding: [0; 4] },
        pad_value: -128,
        tensors: QuantizedWeights {
            weights: name("weights"),
            bias: name("bias"),
            scale: name("scale"),
            column_sums: name("column_sums"),
        },
        epilogue: QuantizedEpilogue::whole(),
    }
}

/// Boxes: all 0, so the box is the anchor. Scores: background 0, bright the sum of all levels less 128, dark its
/// negative; scaled so that white and black give a logit of about 6. The biases leave the zero point out: a sum of
/// (level - 128) is what is wanted here.
fn tensors() -> PackedTensors {
    let mut tensors = PackedTensors::new();
    for (layer, signs) in [("box", [0_i8; 8]), ("score", [0, 1, -1, 0, 0, 0, 0, 0])] {
        let mut weights = vec![0; 8 * DEPTH];
        for (at, weight) in weights.iter_mut().enumerate() {
            let (row, lane) = (at / 4 % 8, at % 4);
            *weight = if lane == 3 { 0 } else { signs[row] };
        }
        let sums = signs.map(|sign| i32::from(sign) * 3 * 64);
        let mut add = |part: &str, tensor: PackedTensor| tensors.insert(format!("{layer}.{part}"), tensor);
        add("weights", PackedTensor::from_i8(vec![1, DEPTH / 4, 8, 4], &weights).unwrap());
        add("bias", PackedTensor::from_i32(vec![8], &[0; 8]).unwrap());
        add("scale", PackedTensor::from_f32(vec![8], &[6.0 / (192.0 * 128.0); 8]).unwrap());
        add("column_sums", PackedTensor::from_i32(vec![8], &sums).unwrap());
    }
    tensors
}

fn vision() -> Vision {
    Vision {
        input: Some(PictureInput { width: SIDE, height: SIDE, color: ColorOrder::Rgb, resize: Resize::Stretch }),
        head: Head::Ssd(SsdHead {
            boxes: "boxes".to_owned(),
            scores: "scores".to_owned(),
            maps: vec![AnchorMap { rows: 1, columns: 1, sizes: vec![[0.5, 0.5]], centres: None }],
            box_scales: [10.0, 10.0, 5.0, 5.0],
            overlap_max: 0.6,
            background: true,
            best_class_only: false,
        }),
        labels: vec!["bright".to_owned(), "dark".to_owned()],
        states: Vec::new(),
    }
}
