use std::path::Path;

use clawdbot_nn::bundle::{Bundle, Writer};
use clawdbot_nn::metadata::{Head, Origin, Vision};
use clawdbot_nn::model::{PackedTensor, PackedTensors};
use clawdbot_nn::program::{Activation, Op, Program, Step, Value, ValueId, Window};
use clawdbot_nn::tensor::DataType;

use super::{Arguments, millions, report, run, tail, text};
use crate::cli::Failure;

/// A classifier of one F16 layer over 8 channels.
fn bundle(path: &Path) {
    let floats = |name: &str| Value {
        name: name.to_owned(),
        shape: vec![1, 1, 1, 8],
        data_type: DataType::F32,
        scale: Vec::new(),
        zero_point: 0,
    };
    let op = Op::ConvolutionF16 {
        window: Window { kernel: [1, 1], stride: [1, 1], padding: [0; 4] },
        pad_value: 0.0,
        weights: String::from("w"),
        bias: String::from("b"),
        activation: Activation::None,
    };
    let step = Step { name: String::from("only/layer"), op, inputs: vec![ValueId(0)], output: ValueId(1) };
    let (inputs, outputs) = (vec![ValueId(0)], vec![ValueId(1)]);
    let program = Program { values: vec![floats("x"), floats("y")], steps: vec![step], inputs, outputs };
    let tensors = PackedTensors::from([
        (String::from("w"), PackedTensor::from_f16_bits(vec![1, 8, 8], &[0; 64]).unwrap()),
        (String::from("b"), PackedTensor::from_f32(vec![8], &[0.0; 8]).unwrap()),
    ]);
    let labels = (0..8).map(|label| format!("label {label}")).collect();
    let vision = Vision {
        input: None,
        head: Head::Classifier { scores: String::from("y"), softmax: false },
        labels,
        states: Vec::new(),
    };
    let origin = Origin { name: String::from("tiny"), licence: String::from("CC0-1.0"), ..Origin::default() };
    Writer { program: &program, tensors: &tensors, vision: Some(&vision), origin: &origin }.write(path).unwrap();
}

#[test]
fn a_bundle_is_told_as_text_and_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.claw.safetensors");
    bundle(&path);
    let bundle = Bundle::open(&path).unwrap();
    let text = text(&bundle);
    for part in ["tiny (classifier)", "CC0-1.0", "labels    8: label 0", "only/layer", "convolution_f16", "1x1x1x8"] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
    let report = report(&bundle);
    assert_eq!(report["kind"], "classifier");
    assert_eq!(report["origin"]["licence"], "CC0-1.0");
    assert_eq!(report["layers"][0]["multiplications"], 64);
    assert_eq!(report["layers"][0]["tensor_bytes"], 64 * 2 + 8 * 4);
    assert_eq!(report["totals"]["f16"]["layers"], 1);
    assert_eq!(report["vision"]["labels"][7], "label 7");
    assert_eq!(report["arena_bytes"], 64 + 32, "two values of 32 bytes, each on a cache line of its own");
}

#[test]
fn a_file_that_is_no_bundle_fails_with_its_name_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.jpg");
    std::fs::write(&path, [0xff; 100]).unwrap();
    for path in [path, folder.path().join("missing")] {
        let Err(Failure::Failed(message)) = run(&Arguments { bundle: Some(path.clone()), json: false, verify: false })
        else {
            panic!("{} was inspected", path.display())
        };
        assert!(message.contains(&path.display().to_string()), "{message}");
    }
}

#[test]
fn the_bundled_detector_is_what_a_missing_argument_means() {
    let report = report(&crate::bundled::detector().unwrap());
    assert_eq!((&report["kind"], &report["origin"]["name"]), (&"detector".into(), &"ssd-mobilenet-v2-oid".into()));
    assert_eq!(report["inputs"][0]["shape"], serde_json::json!([1, 300, 300, 3]));
    assert!(run(&Arguments { bundle: None, json: true, verify: false }).is_ok());
}

#[test]
fn numbers_and_names_are_short() {
    assert_eq!(millions(0), "0.00");
    assert_eq!(millions(1_234_567), "1.23");
    assert_eq!(millions(1_235_000), "1.24");
    assert_eq!(tail("abcdefghij", 8), "...fghij");
    assert_eq!(tail("abc", 8), "abc");
}
