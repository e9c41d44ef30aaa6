//! Small networks of the structures that people bring, as PyTorch exports them, whole: read, converted, computed in F16 and in
//! INT8, and held against the float reference; and that reference against ONNX Runtime, so that what is read is what was meant.

use clawdbot_nn::metadata::Head;
use clawdbot_nn::reference;
use clawdbot_nn::tensor::{Elements, Tensor};

use super::writer::Attribute::{Float, Int, Ints};
use super::writer::{Attribute, Model};
use crate::draft::{Conversion, Draft, Provenance};
use crate::fixtures::fidelity::{blobs, check, operators};
use crate::importers::Source;
use crate::importers::onnx::import;
use crate::normalise::Normalisation;
use crate::recipe::Wishes;

/// What `torchvision` makes of a grey level before a network.
const MEAN: [f32; 3] = [123.675, 116.28, 103.53];
const SCALE: [f32; 3] = [1.0 / 58.395, 1.0 / 57.12, 1.0 / 57.375];

/// A network under construction, and where it has got to: a value and its channels.
struct Net {
    model: Model,
    values: usize,
    state: u64,
}

impl Net {
    fn new(opset: i64, [rows, columns]: [i64; 2]) -> (Self, At) {
        let model = Model::new(opset).input("images", &[1, 3, rows, columns]);
        (Self { model, values: 0, state: 0x9E37_79B9_7F4A_7C15 }, At { name: "images".to_owned(), channels: 3 })
    }

    fn change(&mut self, change: impl FnOnce(Model) -> Model) {
        self.model = change(std::mem::replace(&mut self.model, Model::new(0)));
    }

    /// Even between plus and minus `reach`; the same ones in every run.
    fn random(&mut self, name: &str, shape: &[i64], reach: f32) {
        let mut next = || {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            reach * ((self.state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0)
        };
        let numbers: Vec<f32> = (0..shape.iter().product()).map(|_: i64| next()).collect();
        self.change(|model| model.floats(name, shape, &numbers));
    }

    fn node(&mut self, operator: &str, inputs: &[&str], attributes: &[(&str, Attribute)], channels: i64) -> At {
        self.values += 1;
        let name = format!("v{}", self.values);
        self.change(|model| model.node(operator, inputs, &[&name], attributes));
        At { name, channels }
    }

    fn unary(&mut self, operator: &str, x: &At, attributes: &[(&str, Attribute)]) -> At {
        self.node(operator, &[&x.name], attributes, x.channels)
    }

    /// A convolution with equal padding all around.
    fn convolution(&mut self, x: &At, n: i64, [kernel, stride, pad, groups]: [i64; 4]) -> At {
        let (weights, bias) = (format!("w{}", self.values), format!("b{}", self.values));
        let depth = x.channels / groups;
        self.random(&weights, &[n, depth, kernel, kernel], (4.5 / (kernel * kernel * depth) as f32).sqrt());
        self.random(&bias, &[n], 0.3);
        let attributes = [
            ("kernel_shape", Ints(vec![kernel; 2])),
            ("strides", Ints(vec![stride; 2])),
            ("pads", Ints(vec![pad; 4])),
            ("group", Int(groups)),
        ];
        self.node("Conv", &[&x.name, &weights, &bias], &attributes, n)
    }

    fn concatenate(&mut self, parts: &[&At], axis: i64) -> At {
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        let channels = parts.iter().map(|part| part.channels).sum();
        self.node("Concat", &names, &[("axis", Int(axis))], channels)
    }

    fn output(&mut self, x: &At) {
        self.change(|model| model.output(&x.name));
    }
}

/// A value and its channels.
#[derive(Clone)]
struct At {
    name: String,
    channels: i64,
}

/// `SqueezeNet` 1.1: Iandola et al., "`SqueezeNet`", 2016. Pools that reach beyond the picture (`ceil_mode`), fire modules.
fn squeezenet() -> Vec<u8> {
    let (mut net, x) = Net::new(11, [75, 62]);
    let pool = |net: &mut Net, x: &At| {
        let attributes = [("kernel_shape", Ints(vec![3; 2])), ("strides", Ints(vec![2; 2])), ("ceil_mode", Int(1))];
        net.unary("MaxPool", x, &attributes)
    };
    let fire = |net: &mut Net, x: &At, squeezed: i64, expanded: i64| {
        let x = net.convolution(x, squeezed, [1, 1, 0, 1]);
        let x = net.unary("Relu", &x, &[]);
        let parts = [[1, 1, 0, 1], [3, 1, 1, 1]].map(|form| {
            let part = net.convolution(&x, expanded, form);
            net.unary("Relu", &part, &[])
        });
        net.concatenate(&[&parts[0], &parts[1]], 1)
    };
    let x = net.convolution(&x, 24, [3, 2, 0, 1]);
    let x = net.unary("Relu", &x, &[]);
    let x = pool(&mut net, &x);
    let x = fire(&mut net, &x, 8, 20);
    let x = fire(&mut net, &x, 8, 20);
    let x = pool(&mut net, &x);
    let x = fire(&mut net, &x, 12, 36);
    let x = net.unary("Dropout", &x, &[]);
    let x = net.convolution(&x, 10, [1, 1, 0, 1]);
    let x = net.unary("Relu", &x, &[]);
    let x = net.unary("GlobalAveragePool", &x, &[]);
    let x = net.unary("Flatten", &x, &[]);
    net.output(&x);
    net.model.bytes()
}

/// `MobileNetV3` as torchvision exports it: hard-swish as one operator or (before opset 14) written out, squeeze and excitation
/// with a hard sigmoid, a linear layer at the end.
fn mobilenet_v3(opset: i64) -> Vec<u8> {
    let (mut net, x) = Net::new(opset, [51, 38]);
    let sixth = [("alpha", Float(1.0 / 6.0)), ("beta", Float(0.5))];
    let swish = |net: &mut Net, x: &At| {
        if net.model.opset >= 14 {
            return net.unary("HardSwish", x, &[]);
        }
        let gate = net.unary("HardSigmoid", x, &sixth);
        net.node("Mul", &[&x.name, &gate.name], &[], x.channels)
    };
    let squeeze = |net: &mut Net, x: &At| {
        let mean = net.unary("GlobalAveragePool", x, &[]);
        let small = net.convolution(&mean, x.channels / 4, [1, 1, 0, 1]);
        let small = net.unary("Relu", &small, &[]);
        let gate = net.convolution(&small, x.channels, [1, 1, 0, 1]);
        let gate = net.unary("HardSigmoid", &gate, &sixth);
        net.node("Mul", &[&gate.name, &x.name], &[], x.channels)
    };
    let x = net.convolution(&x, 16, [3, 2, 1, 1]);
    let x = swish(&mut net, &x);
    let x = net.convolution(&x, 16, [3, 2, 1, 16]);
    let x = net.unary("Relu", &x, &[]);
    let x = squeeze(&mut net, &x);
    let x = net.convolution(&x, 24, [1, 1, 0, 1]);
    let wide = net.convolution(&x, 88, [1, 1, 0, 1]);
    let wide = swish(&mut net, &wide);
    let wide = net.convolution(&wide, 88, [5, 1, 2, 88]);
    let wide = squeeze(&mut net, &wide);
    let wide = swish(&mut net, &wide);
    let narrow = net.convolution(&wide, 24, [1, 1, 0, 1]);
    let x = net.node("Add", &[&x.name, &narrow.name], &[], 24);
    let x = net.convolution(&x, 96, [1, 1, 0, 1]);
    let x = swish(&mut net, &x);
    let x = net.unary("GlobalAveragePool", &x, &[]);
    let x = net.unary("Flatten", &x, &[("axis", Int(1))]);
    net.random("linear", &[128, 96], 0.25);
    net.random("linear bias", &[128], 0.3);
    let x = net.node("Gemm", &[&x.name, "linear", "linear bias"], &[("transB", Int(1))], 128);
    let x = swish(&mut net, &x);
    net.random("last", &[10, 128], 0.22);
    net.random("last bias", &[10], 0.3);
    let x = net.node("Gemm", &[&x.name, "last", "last bias"], &[("transB", Int(1))], 10);
    net.output(&x);
    net.model.bytes()
}

/// Classes of the small `NanoDet`-Plus.
const CLASSES: i64 = 80;

/// `NanoDet`-Plus: ghost blocks and 5 x 5 depthwise layers over LeakyReLU, four strides, classes and distances of one layer, all in
/// one output `[1][cells][80 + 32]`.
fn nanodet_plus() -> Vec<u8> {
    let (mut net, picture) = Net::new(11, [96, 160]);
    let leaky = |net: &mut Net, x: &At| net.unary("LeakyRelu", x, &[("alpha", Float(0.1))]);
    // Half of the channels by a layer, the other half of those by a small one: Han et al., "`GhostNet`", 2020.
    let ghost = |net: &mut Net, x: &At, n: i64| {
        let own = net.convolution(x, n / 2, [1, 1, 0, 1]);
        let own = leaky(net, &own);
        let made = net.convolution(&own, n / 2, [3, 1, 1, n / 2]);
        let made = leaky(net, &made);
        net.concatenate(&[&own, &made], 1)
    };
    let x = net.convolution(&picture, 24, [3, 2, 1, 1]);
    let x = leaky(&mut net, &x);
    let attributes = [("kernel_shape", Ints(vec![3; 2])), ("strides", Ints(vec![2; 2])), ("pads", Ints(vec![1; 4]))];
    let mut x = net.unary("MaxPool", &x, &attributes);
    let mut maps = Vec::new();
    for _ in 0..4 {
        let small = net.convolution(&x, x.channels, [5, 2, 2, x.channels]);
        let small = net.convolution(&small, 32, [1, 1, 0, 1]);
        let small = leaky(&mut net, &small);
        x = ghost(&mut net, &small, 32);
        maps.push(x.clone());
    }
    // One way of its pyramid: a coarse map, twice as large, beside the finer one.
    net.change(|model| model.floats("twice", &[4], &[1.0, 1.0, 2.0, 2.0]));
    net.change(|model| model.floats("roi", &[0], &[]).integers("flat", &[1, CLASSES + 32, -1]));
    let modes =
        [("mode", Attribute::Text("linear")), ("coordinate_transformation_mode", Attribute::Text("half_pixel"))];
    let large = net.node("Resize", &[&maps[1].name, "roi", "twice"], &modes, 32);
    let both = net.concatenate(&[&large, &maps[0]], 1);
    maps[0] = ghost(&mut net, &both, 32);
    let rows = maps.iter().map(|map| {
        let x = net.convolution(map, 32, [5, 1, 2, 32]);
        let x = leaky(&mut net, &x);
        let x = net.convolution(&x, CLASSES + 32, [1, 1, 0, 1]);
        let parts = [format!("{} classes", x.name), format!("{} sides", x.name)];
        let attributes = [("axis", Int(1)), ("split", Ints(vec![CLASSES, 32]))];
        net.change(|model| model.node("Split", &[&x.name], &[&parts[0], &parts[1]], &attributes));
        let [classes, sides] = parts.map(|name| At { name, channels: 0 });
        let classes = net.unary("Sigmoid", &classes, &[]);
        let x = net.concatenate(&[&classes, &sides], 1);
        net.node("Reshape", &[&x.name, "flat"], &[], 0)
    });
    let rows: Vec<At> = rows.collect();
    let all = net.concatenate(&rows.iter().collect::<Vec<_>>(), 2);
    let output = net.unary("Transpose", &all, &[("perm", Ints(vec![0, 2, 1]))]);
    net.output(&output);
    net.model.bytes()
}

fn normalised() -> Normalisation {
    Normalisation { mean: MEAN.to_vec(), scale: SCALE.to_vec() }
}

fn classifier(bytes: &[u8]) -> Draft {
    let labels = Some((0..10).map(|index| format!("label {index}")).collect());
    let wishes = Wishes { normalisation: Some(normalised()), labels, ..Wishes::default() };
    Draft::open(Source::alone(bytes), &Provenance::default(), &wishes).unwrap()
}

/// The network's output over picture 20 of the blobs, normalised, is what ONNX Runtime 1.32.0 makes of it: every `step`-th element.
fn check_runtime(bytes: &[u8], wanted: &[f32], step: usize) {
    let graph = import(Source::alone(bytes)).unwrap().0;
    let shape = graph.values[graph.inputs[0].0].shape.clone();
    let level = |(at, level): (usize, &u8)| (f32::from(*level) - MEAN[at % 3]) * SCALE[at % 3];
    let reals = blobs(20, [shape[1], shape[2]]).pixels.iter().flatten().enumerate().map(level).collect();
    let input = Tensor::new(shape, Elements::F32(reals)).unwrap();
    let exact = reference::run(&graph, &[input]).unwrap().remove(0);
    let found: Vec<f32> = exact.as_f32().unwrap().iter().copied().step_by(step).collect();
    let near = |(found, wanted): (&f32, &f32)| (found - wanted).abs() < 1e-5;
    assert!(found.len() == wanted.len() && found.iter().zip(wanted).all(near), "{found:?}, not {wanted:?}");
}

const SQUEEZENET: [f32; 10] =
    [0.112_122_7, 0.081_443, 0.035_922_3, 0.059_636_8, 0.0, 0.090_572_4, 0.143_616_8, 0.300_239, 0.436_044_5, 0.0];
const MOBILENET_V3: [f32; 10] = [
    0.123_765_6,
    0.238_847_5,
    -0.083_192,
    0.489_180,
    -0.157_478_9,
    0.654_555_2,
    -0.192_173_7,
    0.109_217,
    -0.192_001_9,
    -0.152_519_5,
];
/// Every 2997th element.
const NANODET_PLUS: [f32; 12] = [
    0.646_855_8,
    -0.131_343_6,
    0.629_490,
    0.459_045_3,
    0.402_843_6,
    0.523_995_7,
    0.473_754_4,
    0.527_971,
    0.726_715,
    -0.152_983_2,
    0.345_271_2,
    0.743_935_5,
];

/// Nothing leaves the integers before the end.
fn check_integers(conversion: &Conversion) {
    let operators = operators(conversion);
    assert!(!operators.iter().any(|name| name == "quantize" || name.ends_with("f16")), "{operators:?}");
}

#[test]
fn squeezenet_with_its_pools_and_fire_modules() {
    let bytes = squeezenet();
    check_runtime(&bytes, &SQUEEZENET, 1);
    let [_, int8] = check(&classifier(&bytes), 50.0, 28.0);
    check_integers(&int8);
}

#[test]
fn mobilenet_v3_in_both_opsets() {
    let files = [13, 17].map(mobilenet_v3);
    files.iter().for_each(|bytes| check_runtime(bytes, &MOBILENET_V3, 1));
    let drafts = files.map(|bytes| classifier(&bytes));
    let nodes = |draft: &Draft| draft.graph().nodes.iter().map(|node| node.op.clone()).collect::<Vec<_>>();
    assert_eq!(nodes(&drafts[0]), nodes(&drafts[1]), "both spellings are one network");
    let [_, int8] = check(&drafts[0], 55.0, 27.0);
    check_integers(&int8);
}

#[test]
fn nanodet_plus_is_recognised_and_computed() {
    let bytes = nanodet_plus();
    check_runtime(&bytes, &NANODET_PLUS, 2997);
    let draft = Draft::open(Source::alone(&bytes), &Provenance::default(), &Wishes::default()).unwrap();
    let vision = draft.vision().unwrap();
    let Head::NanoDet(head) = &vision.head else { panic!("no NanoDet") };
    assert_eq!(head.branches.iter().map(|branch| branch.stride).collect::<Vec<_>>(), [8, 16, 32, 64]);
    assert!(head.branches.iter().all(|branch| branch.distances.is_none()), "classes and distances are one layer's");
    assert_eq!((head.bins, head.centre, vision.labels.len(), &*vision.labels[0]), (8, 0.0, 80, "person"));
    let [_, int8] = check(&draft, 50.0, 25.0);
    check_integers(&int8);
}

/// Writes the networks for ONNX Runtime.
#[test]
#[ignore = "writes files: the first half of making the numbers of check_onnx_runtime"]
fn write_networks() {
    let folder = std::env::temp_dir().join("clawdbot-onnx-networks");
    std::fs::create_dir_all(&folder).unwrap();
    let files = [
        ("squeezenet", squeezenet()),
        ("mobilenet_v3_13", mobilenet_v3(13)),
        ("mobilenet_v3_17", mobilenet_v3(17)),
        ("nanodet_plus", nanodet_plus()),
    ];
    for (name, bytes) in files {
        std::fs::write(folder.join(name).with_extension("onnx"), bytes).unwrap();
    }
}
