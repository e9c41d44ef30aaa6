//! Small networks of the structures that people bring, whole: read, converted, computed in F16 and in INT8, and held against
//! the float reference; and that reference against LiteRT, so that what is read is what was meant.

use clawdbot_flow::detection::{BoundingBox, Detection};
use clawdbot_nn::metadata::Head;
use clawdbot_vision::heads;
use clawdbot_vision::preprocess::Placement;

use super::network_writer::{Id, NONE, Net, RELU, RELU6};
use crate::draft::{Draft, Provenance};
use crate::fixtures::fidelity::{check, operators, outputs};
use crate::importers::Source;
use crate::normalise::Normalisation;
use crate::recipe::Wishes;

const HARD_SWISH: (i32, i8) = (117, 91);
const SOFTMAX: (i32, i8) = (25, 9);
const LOGISTIC: (i32, i8) = (14, 0);

/// min(max(x + 3, 0), 6) / 6 as the converter of TensorFlow writes it.
fn hard_sigmoid(net: &mut Net, x: Id) -> Id {
    let (three, sixth) = (net.floats(&[], &[3.0]), net.floats(&[], &[1.0 / 6.0]));
    let raised = net.sum(x, three, RELU6);
    net.product(raised, sixth)
}

/// Hard-swish: as one operator, or written out.
fn hard_swish(net: &mut Net, x: Id, written_out: bool) -> Id {
    if !written_out {
        return net.unary(HARD_SWISH, x);
    }
    let gate = hard_sigmoid(net, x);
    net.product(x, gate)
}

/// Squeeze and excitation: the mean, two small layers, a gate for each channel.
fn squeeze_and_excite(net: &mut Net, x: Id) -> Id {
    let channels = net.shape(x)[3];
    let mean = net.mean(x);
    let small = net.convolution(mean, channels / 4, 1, 1, RELU);
    let gate = net.convolution(small, channels, 1, 1, NONE);
    let gate = hard_sigmoid(net, gate);
    net.product(x, gate)
}

/// `MobileNetV3`: Howard et al., "Searching for `MobileNetV3`", 2019, with every kind of its blocks once or twice. 50 pixels are
/// odd after the first step, so that the padding of SAME lies on both sides here and on one there.
fn mobilenet_v3(written_out: bool) -> Vec<u8> {
    let (mut net, picture) = Net::new([50, 38]);
    let net = &mut net;
    let x = net.convolution(picture, 16, 3, 2, NONE);
    let x = hard_swish(net, x, written_out);
    let x = net.depthwise(x, 3, 2, RELU);
    let x = squeeze_and_excite(net, x);
    let x = net.convolution(x, 16, 1, 1, NONE);
    let wide = net.convolution(x, 40, 1, 1, RELU);
    let wide = net.depthwise(wide, 3, 2, RELU);
    let x = net.convolution(wide, 24, 1, 1, NONE);
    let wide = net.convolution(x, 88, 1, 1, NONE);
    let wide = hard_swish(net, wide, written_out);
    let wide = net.depthwise(wide, 5, 1, NONE);
    let wide = hard_swish(net, wide, written_out);
    let wide = squeeze_and_excite(net, wide);
    let narrow = net.convolution(wide, 24, 1, 1, NONE);
    let x = net.sum(x, narrow, NONE);
    let x = net.convolution(x, 96, 1, 1, NONE);
    let x = hard_swish(net, x, written_out);
    let x = net.mean(x);
    let x = net.convolution(x, 128, 1, 1, NONE);
    let x = hard_swish(net, x, written_out);
    let x = net.convolution(x, 10, 1, 1, NONE);
    let x = net.reshape(x, &[1, 10]);
    let scores = net.add(SOFTMAX, &[x], vec![(0, super::Field::F32(1.0))], &[1, 10]);
    net.bytes(&[scores])
}

fn wishes(labels: usize) -> Wishes {
    Wishes {
        normalisation: Some(Normalisation { mean: vec![127.5], scale: vec![1.0 / 127.5] }),
        labels: Some((0..labels).map(|index| format!("label {index}")).collect()),
        ..Wishes::default()
    }
}

fn draft(bytes: &[u8], labels: usize) -> Draft {
    Draft::open(Source::alone(bytes), &Provenance::default(), &wishes(labels)).unwrap()
}

/// What LiteRT 2.3.0 (its reference kernels) makes of picture 20 of the blobs, the same for both spellings.
const MOBILENET_V3: [f32; 10] = [
    0.126_375_5,
    0.091_709_7,
    0.179_021,
    0.104_450_7,
    0.077_642_6,
    0.085_619,
    0.058_215,
    0.085_395_3,
    0.082_991_7,
    0.108_579_7,
];

#[test]
fn mobilenet_v3_in_both_spellings() {
    for written_out in [false, true] {
        let draft = draft(&mobilenet_v3(written_out), 10);
        let Some(vision) = draft.vision() else { panic!("no picture network") };
        assert!(matches!(vision.head, Head::Classifier { softmax: true, .. }), "{:?}", vision.head);
        let [f16, int8] = check(&draft, 55.0, 28.0);
        // The head does the softmax.
        let mut shares: Vec<f32> = outputs(&draft, &f16, 0)[0][0].iter().map(|logit| logit.exp()).collect();
        let sum: f32 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= sum);
        for (found, wanted) in shares.iter().zip(MOBILENET_V3) {
            assert!((found - wanted).abs() < 1e-5, "{shares:?}, not {MOBILENET_V3:?}");
        }
        // Nothing leaves the integers before the end, in whatever spelling.
        let operators = operators(&int8);
        assert!(!operators.iter().any(|name| name == "quantize" || name.ends_with("f16")), "{operators:?}");
        let count = |kind: &str| operators.iter().filter(|name| *name == kind).count();
        // Two gates of squeeze and excitation (a table each), nothing for hard-swish, which is part of its layer.
        assert_eq!(["global_average_pool", "multiply_i8", "activate_i8"].map(count), [3, 2, 2], "{operators:?}");
    }
}

/// A layer that looks at space, then one at channels, as all layers behind the backbone are.
fn separable(net: &mut Net, x: Id, n: i32, activation: i8) -> Id {
    let x = net.depthwise(x, 3, 1, NONE);
    net.convolution(x, n, 1, 1, activation)
}

/// `BiFPN` without weights, as the Lite ones have it: from the coarsest map down to the finest, and back.
fn fuse(net: &mut Net, maps: &[Id]) -> Vec<Id> {
    let channels = net.shape(maps[0])[3];
    let size = |net: &Net, x: Id| [net.shape(x)[1], net.shape(x)[2]];
    let mut down = maps.to_vec();
    for level in (0..maps.len() - 1).rev() {
        let to = size(net, maps[level]);
        let coarse = net.resize(down[level + 1], to);
        let sum = net.sum(maps[level], coarse, RELU6);
        down[level] = separable(net, sum, channels, NONE);
    }
    let mut up = down.clone();
    for level in 1..maps.len() {
        let fine = net.max_pool(up[level - 1], 3, 2);
        let last = level + 1 == maps.len();
        let sum = if last { maps[level] } else { net.sum(maps[level], down[level], NONE) };
        let sum = net.sum(sum, fine, RELU6);
        up[level] = separable(net, sum, channels, NONE);
    }
    up
}

/// Nine anchors a cell, their centres off by what float arithmetic with corners leaves of them.
fn anchors(sizes: &[[i32; 2]], picture: [i32; 2]) -> Vec<f32> {
    let mut anchors = Vec::new();
    for (level, [rows, columns]) in sizes.iter().enumerate() {
        let stride = (8 << level) as f32;
        for cell in 0..rows * columns {
            for (octave, ratio) in (0..9).map(|at| (at / 3, [1.0, 2.0, 0.5][at % 3])) {
                let side = 3.0 * stride * (octave as f32 / 3.0).exp2();
                let (high, wide) = (side / f32::sqrt(ratio), side * f32::sqrt(ratio));
                let centre = |at: i32| (at as f32 + 0.5) * stride;
                let (y, x) = (centre(cell / columns), centre(cell % columns));
                let corners = [y - high / 2.0, x - wide / 2.0, y + high / 2.0, x + wide / 2.0];
                let sides = [picture[0] as f32, picture[1] as f32];
                anchors.extend([0, 1].map(|axis| (corners[axis] + corners[axis + 2]) / 2.0 / sides[axis]));
                anchors.extend([0, 1].map(|axis| (corners[axis + 2] - corners[axis]) / sides[axis]));
            }
        }
    }
    anchors
}

/// A flexbuffer of a map, all in words of four bytes; names in order.
fn attributes(fields: &[(&str, Attribute)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let distance = |from: usize, to: usize| u32::try_from(from - to).unwrap().to_le_bytes();
    let count = u32::try_from(fields.len()).unwrap().to_le_bytes();
    let mut names = Vec::new();
    for (name, _) in fields {
        names.push(bytes.len());
        bytes.extend(name.bytes().chain([0]));
    }
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(count);
    let keys = bytes.len();
    names.iter().for_each(|&name| bytes.extend(distance(bytes.len(), name)));
    bytes.extend(distance(bytes.len(), keys));
    bytes.extend([4_u32.to_le_bytes(), count].concat());
    let values = bytes.len();
    for (_, value) in fields {
        bytes.extend(match value {
            Attribute::Int(number) => number.to_le_bytes(),
            Attribute::Float(number) => number.to_le_bytes(),
            Attribute::Bool(truth) => u32::from(*truth).to_le_bytes(),
        });
    }
    for (_, value) in fields {
        let kind = match value {
            Attribute::Int(_) => 1,
            Attribute::Float(_) => 3,
            Attribute::Bool(_) => 26,
        };
        bytes.push(kind << 2 | 2);
    }
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(distance(bytes.len(), values));
    bytes.extend([9 << 2 | 2, 4]);
    bytes
}

/// An attribute of a custom operator.
enum Attribute {
    Int(i32),
    Float(f32),
    Bool(bool),
}

const CLASSES: i32 = 7;

/// `EfficientDet-Lite`: Tan et al., "`EfficientDet`", 2020, with the resizes 1 -> 2 x 2 -> 3 x 4 -> 5 x 7 -> 10 x 13, whose factors
/// are no whole numbers, and prediction layers that all maps share. Ends in the post-processing.
fn efficientdet_lite() -> Vec<u8> {
    let size = [80, 104];
    let (mut net, picture) = Net::new(size);
    let net = &mut net;
    let mut x = net.convolution(picture, 16, 3, 2, RELU6);
    let mut maps = Vec::new();
    for (level, channels) in [24, 32, 40, 48].into_iter().enumerate() {
        let wide = net.convolution(x, 3 * channels, 1, 1, RELU6);
        let wide = net.depthwise(wide, if level % 2 == 0 { 3 } else { 5 }, 2, RELU6);
        x = net.convolution(wide, channels, 1, 1, NONE);
        if level > 0 {
            maps.push(net.convolution(x, 24, 1, 1, NONE));
        }
    }
    for _ in 0..2 {
        maps.push(net.max_pool(maps[maps.len() - 1], 3, 2));
    }
    for _ in 0..2 {
        maps = fuse(net, &maps);
    }
    let outputs = [4, CLASSES].map(|numbers| {
        let (n, depth) = (9 * numbers, 24);
        let weights = net.random(&[n, 1, 1, depth], 0.3);
        let low = if numbers == 4 { 0.0 } else { -3.0 };
        let bias = net.floats(&[n], &vec![low; usize::try_from(n).unwrap()]);
        let cells: Vec<Id> = maps
            .iter()
            .map(|&map| {
                let x = separable(net, map, depth, RELU6);
                let x = net.depthwise(x, 3, 1, NONE);
                let x = net.convolve(x, [weights, bias], 1, NONE);
                let count = net.shape(x).iter().product::<i32>() / numbers;
                net.reshape(x, &[1, count, numbers])
            })
            .collect();
        net.concatenate(&cells, 1)
    });
    let scores = net.unary(LOGISTIC, outputs[1]);
    let sizes: Vec<[i32; 2]> = maps.iter().map(|&map| [net.shape(map)[1], net.shape(map)[2]]).collect();
    let all = anchors(&sizes, size);
    let anchors = net.floats(&[i32::try_from(all.len() / 4).unwrap(), 4], &all);
    let fields = [
        ("detections_per_class", Attribute::Int(100)),
        ("h_scale", Attribute::Float(1.0)),
        ("max_classes_per_detection", Attribute::Int(1)),
        ("max_detections", Attribute::Int(25)),
        ("nms_iou_threshold", Attribute::Float(0.5)),
        ("nms_score_threshold", Attribute::Float(0.1)),
        ("num_classes", Attribute::Int(CLASSES)),
        ("use_regular_nms", Attribute::Bool(false)),
        ("w_scale", Attribute::Float(1.0)),
        ("x_scale", Attribute::Float(1.0)),
        ("y_scale", Attribute::Float(1.0)),
    ];
    let results = net.post_process([outputs[0], scores, anchors], attributes(&fields));
    net.bytes(&results)
}

/// The best of what LiteRT 2.3.0 finds in picture 20 of the blobs: class, score, top, left, bottom, right.
const EFFICIENTDET: [(u16, f32, [f32; 4]); 6] = [
    (2, 0.664_957_8, [0.663_492_2, 0.655_445_5, 0.777_797, 0.911_031_4]),
    (2, 0.658_666_9, [0.754_897_8, 0.684_703_2, 0.842_684_6, 0.957_689_8]),
    (2, 0.635_874_2, [0.395_363_3, 0.672_976_7, 0.533_631_4, 0.969_985_7]),
    (2, 0.635_754_9, [0.728_236_9, 0.683_768_5, 0.808_429_2, 0.991_728_8]),
    (2, 0.632_622_8, [0.617_204_7, 0.655_301_7, 0.721_343_2, 0.947_238_5]),
    (2, 0.628_816_6, [0.486_562, 0.628_505_1, 0.601_839_7, 0.946_857_8]),
];

#[test]
fn efficientdet_lite_up_to_its_boxes() {
    let draft = draft(&efficientdet_lite(), CLASSES as usize);
    let conversions = check(&draft, 50.0, 26.0);
    let operators = operators(&conversions[1]);
    assert!(!operators.iter().any(|name| name == "quantize" || name.ends_with("f16")), "{operators:?}");
    let found = conversions.map(|conversion| {
        let mut head = heads::Head::from_metadata(draft.vision().unwrap(), &conversion.lowered.program).unwrap();
        let mut detections = Vec::new();
        outputs(&draft, &conversion, 0).map(|outputs| {
            head.detect(|index| &outputs[index], 0.3, Placement::WHOLE, &mut detections);
            detections.clone()
        })
    });
    let exact = &found[0][0];
    for (found, (label, score, [top, left, bottom, right])) in exact.iter().zip(EFFICIENTDET) {
        let off = found.bounding_box.intersection_over_union(&BoundingBox { left, top, right, bottom });
        assert!(found.label == label && (found.score - score).abs() < 1e-4 && off > 0.999, "{found:?}");
    }
    // Boxes of integers are where those of floats are.
    for exact in &exact[..EFFICIENTDET.len()] {
        for found in [&found[0][1], &found[1][1]] {
            let near = |found: &&Detection| {
                let overlap = found.bounding_box.intersection_over_union(&exact.bounding_box);
                found.label == exact.label && (found.score - exact.score).abs() < 0.05 && overlap > 0.85
            };
            assert!(found.iter().any(|found| near(&found)), "{exact:?} is not among {found:?}");
        }
    }
}

/// Writes the networks for LiteRT.
#[test]
#[ignore = "writes files: the first half of making the numbers of check_litert"]
fn write_networks() {
    let folder = std::env::temp_dir().join("clawdbot-tflite-networks");
    std::fs::create_dir_all(&folder).unwrap();
    let files = [
        ("mobilenet_v3", mobilenet_v3(false)),
        ("mobilenet_v3 written out", mobilenet_v3(true)),
        ("efficientdet_lite", efficientdet_lite()),
    ];
    for (name, bytes) in files {
        std::fs::write(folder.join(name).with_extension("tflite"), bytes).unwrap();
    }
}
