//! Programs of nothing but outputs, for the heads' tests.

use clawdbot_nn::metadata::{ColorOrder, Head, PictureInput, Resize, Vision};
use clawdbot_nn::program::{Program, Value, ValueId};
use clawdbot_nn::tensor::DataType;

/// A program with these F32 outputs.
pub(super) fn program(outputs: &[(&str, &[usize])]) -> Program {
    let value = |&(name, shape): &(&str, &[usize])| Value {
        name: name.to_owned(),
        shape: shape.to_vec(),
        data_type: DataType::F32,
        scale: Vec::new(),
        zero_point: 0,
    };
    let values = outputs.iter().map(value).collect();
    Program { values, outputs: (0..outputs.len()).map(ValueId).collect(), ..Program::default() }
}

/// What a bundle with `head` over pictures of `width` x `height` says.
pub(super) fn vision(head: Head, [width, height]: [usize; 2], labels: usize) -> Vision {
    let input = PictureInput { width, height, color: ColorOrder::Bgr, resize: Resize::Stretch };
    let labels = (0..labels).map(|index| format!("label {index}")).collect();
    Vision { input: Some(input), head, labels, states: Vec::new() }
}

/// Checks left, top, right, bottom.
#[track_caller]
pub(super) fn assert_box(given: clawdbot_flow::detection::BoundingBox, expected: [f32; 4]) {
    let sides = [given.left, given.top, given.right, given.bottom];
    assert!(
        sides.iter().zip(expected).all(|(side, expected)| (side - expected).abs() < 1e-5),
        "{given:?}, {expected:?}"
    );
}
